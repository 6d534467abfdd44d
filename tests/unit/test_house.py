"""The house is as docs/architecture.md and the import linter say."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import house

UNIT = Path(__file__).parent
#: Modules without a test module of their own, and the module whose tests cover them.
THROUGH = {
    "bases/base": "bases",
    "cli/report": "outdated",
    "cli/sources": "main",
    "installed/composition": "work",
    "installed/journal": "work",
    "packages/companion_builds": "companions",
    "packages/companion_deb": "companions",
    "packages/companion_rpm": "companions",
    "packages/companion_wheel": "companions",
    "weave/anchors": "weave",
    "weave/limits": "weave",
    "weave/plan": "weave",
    "weave/snippets": "weave",
    "weave/source": "weave",
}
#: A value without a function.
PLAIN = {"ground/patches"}


def test_the_page_of_the_house_is_made_from_the_code() -> None:
    text = house.PAGE.read_text()
    assert house.page(text) == text, "run `python -m tests.house`"


def test_each_folder_of_the_builder_is_a_wing() -> None:
    folders = {each.name for each in house.BUILDER.iterdir() if (each / "__init__.py").exists()}
    assert sorted(house.wings()) == sorted(folders)


@pytest.mark.parametrize("wing", house.wings())
def test_each_module_of_a_wing_has_a_test_module(wing: str) -> None:
    tests = {each.stem.removeprefix("test_") for each in (UNIT / wing).glob("test_*.py")}
    names = {*house.modules(wing), wing}
    assert tests <= names, "a test module is named after its module"
    for name in house.modules(wing):
        key = f"{wing}/{name}"
        assert (name in tests) != (key in THROUGH or key in PLAIN), key
        assert THROUGH.get(key, name) in tests | {name}, key
    assert all((house.BUILDER / f"{key}.py").exists() for key in (*THROUGH, *PLAIN))


def kept(place: Path) -> bool:
    """Say whether the import linter has nothing to say about a copy of the builder."""
    linter = Path(sys.executable).parent / "lint-imports"
    assert linter.exists(), "the virtualenv is older than requirements-test.txt: `make setup`"
    done = subprocess.run(
        [linter, "--no-cache"], cwd=place, env={**os.environ, "PYTHONPATH": str(place / "src")}
    )
    return done.returncode == 0


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("ground/files", "nova_xloud.bases.sdists"),
        ("weave/marks", "nova_xloud.bases.sdists"),
        ("weave/marks", "nova_xloud.ground.files"),
        ("bases/sdists", "nova_xloud.weave.marks"),
        ("packages/targets", "nova_xloud.mirrors.mirror"),
        ("mirrors/signing", "nova_xloud.packages.targets"),
        ("ground/disk", "nova_xloud.ground.cache"),
        ("new/wing", "nova_xloud.ground.cache"),
    ],
)
def test_an_import_against_the_order_is_told(tmp_path: Path, module: str, imported: str) -> None:
    copy = tmp_path / "src/nova_xloud"
    shutil.copytree(house.BUILDER, copy, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(house.REPOSITORY / "pyproject.toml", tmp_path)
    file = copy / f"{module}.py"
    if not file.exists():
        file.parent.mkdir()
        (file.parent / "__init__.py").touch()
        file.touch()
    file.write_text(f"{file.read_text()}\nimport {imported}\n")
    assert not kept(tmp_path)


def test_no_import_is_against_the_order(tmp_path: Path) -> None:
    shutil.copytree(house.BUILDER, tmp_path / "src/nova_xloud")
    shutil.copy(house.REPOSITORY / "pyproject.toml", tmp_path)
    assert kept(tmp_path)


def printing(module: Path) -> list[str]:
    """Return the calls in a module that write to the terminal."""
    found = []
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called == "print" or called.startswith(("sys.stdout.", "sys.stderr.", "click.")):
                found.append(called)
    return found


def test_only_the_command_line_prints() -> None:
    modules = sorted(house.BUILDER.rglob("*.py"))
    speaking = {each.parent.name for each in modules if printing(each)}
    assert speaking == {"cli"}
