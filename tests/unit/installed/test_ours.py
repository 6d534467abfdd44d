"""The contents of the one file."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from nova_xloud.installed import ours


def test_additions_and_changes_are_read_from_the_zip_file(tmp_path: Path) -> None:
    about = {"version": "1.0.0", "digest": "d", "first": 26, "last": 34}
    with zipfile.ZipFile(tmp_path / "program", "w") as made:
        made.writestr("__main__.py", "")
        made.writestr(ours.ABOUT, json.dumps(about))
        made.writestr(f"{ours.TREE}changes/nova/b.py", "change")
        made.writestr(f"{ours.TREE}additions/nova/xloud/a.py", "addition")
    found = ours.load(tmp_path / "program")
    assert found == ours.Ours(
        *about.values(),  # type: ignore[arg-type]
        {"nova/xloud/a.py": b"addition"},
        {"nova/b.py": b"change"},
    )


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("nova/xloud/size.py", True),
        ("setup.cfg", True),
        ("nova/tests/unit/xloud/test_size.py", False),
        ("doc/source/admin/xloud-adjust.rst", False),
        ("tools/xloud/__main__.py", False),
    ],
)
def test_what_no_service_reads_stays_out(path: str, wanted: bool) -> None:
    assert ours.is_wanted(path) is wanted
