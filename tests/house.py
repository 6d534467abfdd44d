"""The table of the wings in docs/architecture.md, made from the code: ``python -m tests.house``."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
BUILDER = REPOSITORY / "src/nova_xloud"
PAGE = REPOSITORY / "docs/architecture.md"
BEGIN = "<!-- The wings, made by `python -m tests.house`. -->\n"
END = "<!-- The end of the wings. -->\n"


def wings() -> list[str]:
    """Return the names of the wings from the top down, as the import linter has them."""
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = (each["layers"] for each in settings["contracts"] if each["type"] == "layers")
    return [name.strip() for layer in layers for name in layer.split("|")]


def modules(wing: str) -> list[str]:
    """Return the names of the modules of a wing, without the package itself."""
    return sorted(each.stem for each in (BUILDER / wing).glob("*.py") if each.stem != "__init__")


def task(wing: str) -> str:
    """Return the first line of a wing's docstring."""
    told = ast.get_docstring(ast.parse((BUILDER / wing / "__init__.py").read_text())) or ""
    return told.partition("\n")[0]


def table() -> str:
    """Return the table."""
    rows = ["| wing | its task | its modules |", "| --- | --- | --- |"]
    for wing in wings():
        named = ", ".join(f"`{each}`" for each in modules(wing))
        rows.append(f"| `{wing}` | {task(wing)} | {named} |")
    return "".join(f"{row}\n" for row in rows)


def page(text: str) -> str:
    """Return the page with the table as the code has it."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
