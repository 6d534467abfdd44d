"""Entry points and the lists of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from nova_xloud.ground.errors import DirectoryError
from nova_xloud.installed import metadata
from tests.unit.installed import small

FILE = Path("entry_points.txt")
GROUP = "nova.api.extra_spec_validators"
WANTED = [(GROUP, "minimum = a.b")]


def test_an_entry_point_is_added_to_its_group() -> None:
    text = f"[{GROUP}]\nhw = a.hw\n\n[other]\nx = y\n"
    found = metadata.with_entry_points(text.encode(), WANTED, FILE).decode()
    assert found == f"[{GROUP}]\nhw = a.hw\nminimum = a.b\n\n[other]\nx = y\n"
    assert metadata.with_entry_points(found.encode(), WANTED, FILE).decode() == found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[other]\n", "has 0 groups"),
        (f"[{GROUP}]\n[{GROUP}]\n", "has 2 groups"),
        (f"[{GROUP}]\nminimum = c.d\n", "another entry point minimum"),
    ],
)
def test_entry_points_that_do_not_fit_are_refused(text: str, reason: str) -> None:
    with pytest.raises(DirectoryError, match=reason):
        metadata.with_entry_points(text.encode(), WANTED, FILE)


def test_a_record_names_what_was_written_and_keeps_its_other_rows() -> None:
    kept = '"a,b.py",sha256=x,1\r\nnova/__pycache__/c.pyc,,\r\nnova-1.dist-info/RECORD,,\r\n'
    content = (kept + small.record_row("nova/c.py", b"old")).encode()
    found = metadata.with_record(content, {"nova/c.py": b"new", "nova/d.py": b""}).decode()
    assert found == kept + small.record_row("nova/c.py", b"new") + small.record_row(
        "nova/d.py", b""
    )


def test_a_list_of_installed_files_gets_each_file_once() -> None:
    found = metadata.with_installed(b"../nova/a.py\n", ["../nova/c.py", "../nova/a.py"])
    assert found == b"../nova/a.py\n../nova/c.py\n"


def test_the_entry_points_of_our_change() -> None:
    assert metadata.declared(small.ours().changes["setup.cfg"]) == [
        (GROUP, "minimum = nova.api.validation.extra_specs.minimum")
    ]
