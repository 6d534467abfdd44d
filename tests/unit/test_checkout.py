"""The needs of a checkout: the builder runs on its own libraries, without those of the tests."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from nova_xloud import weave

REPOSITORY = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
OURS = {"nova_xloud", "nova_tree"}
BUILDER = REPOSITORY / "src/nova_xloud"
#: The weaving engine, and the one module of the builder's that it uses.
ENGINE = (*sorted(BUILDER.glob("weave/*.py")), BUILDER / "ground/errors.py")
#: The modules in the one file for installed trees: it runs in the Python of any Nova.
TRAVELS = (*ENGINE, *sorted(BUILDER.glob("installed/*.py")), BUILDER / "cli/installed.py")


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
    modules = sorted(BUILDER.glob("**/*.py"))
    found = set().union(*map(imported, modules))
    assert "click" in found
    assert found - set(sys.stdlib_module_names) - OURS == names(PROJECT["dependencies"])


def test_what_travels_needs_python_3_8_and_its_standard_library() -> None:
    assert len(TRAVELS) > 15
    for module in TRAVELS:
        for node in ast.walk(ast.parse(module.read_text(), feature_version=(3, 8))):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("nova_xloud"):
                assert re.match(
                    r"nova_xloud\.(weave|installed|ground\.errors)\b", str(node.module)
                ), module
        assert imported(module) - {"nova_xloud"} <= set(sys.stdlib_module_names)


def pythons() -> list[str]:
    """Return the interpreters of Python 3.8 and later that this host has."""
    found = [sys.executable]
    for minor in range(8, 16):
        if command := shutil.which(f"python3.{minor}"):
            ask = [command, "-c", "import sys; print(sys.executable)"]
            # A command that a version manager has put there may stand for no interpreter.
            found += subprocess.run(ask, capture_output=True, text=True).stdout.split()
    return list(dict.fromkeys(found))


def test_the_weaving_engine_gives_the_same_bytes_in_every_python(tmp_path: Path) -> None:
    base = (
        "import os\nfrom nova import c, d, e, f, h\n"
        "X = {'é': f(\n    1), 'b': 2,\n     **c}\n@d(\n    e)\ndef g():\n    h()\n"
    )
    change = (
        '"""Why."""\nimport sys\nfrom nova import size\nX = entries({3: size.of(sys)})\n'
        "@append\ndef g():\n    h()\n"
    )
    script = (
        "import sys; from nova_xloud.weave import weave; "
        "sys.stdout.buffer.write(weave(sys.argv[1].encode(), sys.argv[2].encode(), "
        "path='nova/a.py', series=34))"
    )
    expected = weave.weave(base.encode(), change.encode(), path="nova/a.py", series=34)
    assert b"import sys  # xloud" in expected
    # The engine alone: an older Python has none of the builder's libraries.
    for module in (BUILDER / "__init__.py", BUILDER / "ground/__init__.py", *ENGINE):
        place = tmp_path / "nova_xloud" / module.relative_to(BUILDER)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(module, place)
    for python in pythons():
        command = [python, "-s", "-c", script, base, change]
        done = subprocess.run(
            command, env={"LC_ALL": "C.UTF-8"}, cwd=tmp_path, check=True, capture_output=True
        )
        assert done.stdout == expected, python
