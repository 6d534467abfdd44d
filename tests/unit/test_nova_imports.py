"""Which modules are imported in the environment of a release, and how an error is told."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from nova_xloud.trees import tree as trees
from tests.nova import imports
from tests.nova.environment import NovaEnvironment
from tests.nova.runs import BrokenTreeError

FILES = {
    "nova/__init__.py": "",
    "nova/monkey_patch.py": "def patch():\n    import sys\n    sys.patched = True\n",
    "nova/tests/__init__.py": "",
    "nova/tests/unit.py": "import sys\nassert 'nova.broken' in sys.modules or sys.patched\n",
    "nova/whole.py": "import sys\nassert sys.patched\n",
    "nova/broken.py": "from nova import nobody\n",
    "nova/leaves.py": "raise SystemExit(0)\n",
    "nova/package/__init__.py": "",
    "tools/xloud/settle/cli.py": "",
    "tools/xloud/__main__.py": "",
    "setup.cfg": "",
}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree of a few modules, in which commands run by this Python instead of a root's."""
    top = tmp_path / "tree"
    for path, text in FILES.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(text)
    monkeypatch.setattr(trees, "paths", lambda: [*FILES, "nova/of_another_release.py"])

    def run(_: object, argv: list[str], tree: Path, log: Path, variables: Mapping[str, str]) -> int:
        places = variables["PYTHONPATH"].replace("/tree", str(tree))
        with log.open("a") as out:
            command = [sys.executable, *argv[1:]]
            environment = {"PYTHONPATH": places}
            return subprocess.run(
                command, cwd=tree, env=environment, stdout=out, stderr=out
            ).returncode

    monkeypatch.setattr(NovaEnvironment, "run", run)
    return top


def test_each_module_of_the_tree_is_imported_and_tests_come_last(tree: Path) -> None:
    assert imports.modules(tree) == [
        *("nova", "nova.broken", "nova.leaves", "nova.monkey_patch", "nova.package"),
        *("nova.whole", "settle.cli", "nova.tests", "nova.tests.unit"),
    ]


def test_every_module_that_cannot_be_imported_is_told_with_its_error(
    tree: Path, tmp_path: Path
) -> None:
    found = imports.failures(NovaEnvironment("34.0.0"), tree, tmp_path / "log")
    assert set(found) == {"nova.broken", "nova.leaves"}
    assert found["nova.broken"].startswith("ImportError: cannot import name 'nobody'")
    assert found["nova.leaves"] == "SystemExit: 0"
    assert "Traceback" in (tmp_path / "log").read_text()


def test_a_process_that_ends_before_is_an_error(tree: Path, tmp_path: Path) -> None:
    (tree / "nova/whole.py").write_text("import os\nos._exit(0)\n")
    with pytest.raises(BrokenTreeError, match=r"see .*log"):
        imports.failures(NovaEnvironment("34.0.0"), tree, tmp_path / "log")


def test_a_module_that_cannot_be_imported_fails_the_command_with_its_release(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NovaEnvironment, "prepare", lambda _: None)
    monkeypatch.setattr(imports, "weave_tree", lambda _, directory: tree.rename(directory))
    monkeypatch.setattr(imports, "make_metadata", lambda *_: None)
    done = CliRunner().invoke(imports.main, ["--release", "34.0.0", "--keep", str(tmp_path)])
    assert done.exit_code == 1
    assert "34.0.0: nova.broken cannot be imported: ImportError: cannot import name" in done.output
    assert "7 of 9 modules imported" in done.output
