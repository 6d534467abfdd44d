"""The one file for installed trees: its contents, and equal bytes."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from nova_xloud.bases import releases
from nova_xloud.installed import ours
from nova_xloud.packages import zipapp
from nova_xloud.trees import tree


def test_two_builds_give_the_same_bytes_below_a_megabyte(tmp_path: Path) -> None:
    one, two = tmp_path / "one.pyz", tmp_path / "there" / "two.pyz"
    zipapp.build(one)
    zipapp.build(two)
    assert one.read_bytes() == two.read_bytes()
    assert one.stat().st_size < 1_000_000
    assert one.stat().st_mode & 0o111


def test_it_carries_all_that_services_read(tmp_path: Path) -> None:
    made = tmp_path / zipapp.NAME
    zipapp.build(made)
    carried = ours.load(made)
    wanted = [path for path in tree.paths("additions") if ours.is_wanted(path)]
    assert list(carried.additions) == sorted(wanted)
    assert "nova/xloud/lifecycle.py" in carried.additions
    assert "nova/compute/manager.py" in carried.changes
    assert not any("/tests/" in path for path in [*carried.additions, *carried.changes])
    series = releases.supported()
    assert (carried.first, carried.last) == (series[0], series[-1])


def test_it_carries_no_module_that_it_does_not_need(tmp_path: Path) -> None:
    made = tmp_path / zipapp.NAME
    zipapp.build(made)
    with zipfile.ZipFile(made) as opened:
        names = opened.namelist()
        assert json.loads(opened.read(ours.ABOUT))["version"]
    code = {name for name in names if name.startswith("nova_xloud/") and name.endswith(".py")}
    assert "nova_xloud/weave/plan.py" in code
    assert not any(name.startswith(("nova_xloud/trees", "nova_xloud/bases")) for name in code)
    assert {name for name in code if "/cli/" in name} == {
        "nova_xloud/cli/__init__.py",
        "nova_xloud/cli/installed.py",
    }
