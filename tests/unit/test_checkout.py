"""What a checkout needs: the builder runs on its own libraries, without those of the tests."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
OURS = {"nova_xloud", "nova_tree"}


def pins(name: str) -> set[str]:
    """Return the pinned libraries of a file of requirements, with their versions and markers."""
    lines = (REPOSITORY / name).read_text().splitlines()
    return {line.removesuffix("\\").strip() for line in lines if re.match(r"[a-z0-9-]+==", line)}


def names(requirements: list[str]) -> set[str]:
    """Return the names in a list of requirements."""
    return {re.split(r"[^\w-]", each)[0].replace("-", "_") for each in requirements}


def imported(module: Path) -> set[str]:
    """Return the names of the top-level packages that a module imports."""
    found = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            found |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found


def test_the_tests_use_the_libraries_that_the_build_uses() -> None:
    assert len(pins("requirements.txt")) > 5
    assert pins("requirements.txt") - pins("requirements-test.txt") == set()


def test_the_build_has_no_library_of_the_tests() -> None:
    tools = names(PROJECT["optional-dependencies"]["test"])
    assert "pytest" in tools
    built_with = {each.partition("==")[0].replace("-", "_") for each in pins("requirements.txt")}
    assert built_with & tools == set()


def test_the_builder_imports_nothing_else_than_it_requires() -> None:
    modules = sorted((REPOSITORY / "src/nova_xloud").glob("**/*.py"))
    found = set().union(*map(imported, modules))
    assert "libcst" in found
    assert found - set(sys.stdlib_module_names) - OURS == names(PROJECT["dependencies"])
