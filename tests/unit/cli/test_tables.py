from __future__ import annotations

import pytest

from nova_xloud.cli import tables

ROWS = [("debian-12-caracal", "29.4.0", "seen working in a booted container"), ("el9", "x", "")]


@pytest.mark.parametrize("width", [1, 20, 40, 60, 80, 200])
def test_nothing_but_the_last_column_is_wrapped_and_nothing_is_cut(width: int) -> None:
    told = tables.text(("target", "base", "verified"), ROWS, width)
    lines = told.splitlines()
    assert lines[0].split()[:2] == ["target", "base"]
    for name, base, last in ROWS:
        (line,) = (each for each in lines if each.startswith(name))
        assert line.split()[:2] == [name, base]
        assert all(word in told.split() for word in last.split())
    assert all(len(line) <= max(width, 30) for line in lines)


def test_what_has_room_is_in_one_line() -> None:
    assert tables.text(("target", "base", "verified"), ROWS, 80).splitlines()[1:] == [
        "debian-12-caracal  29.4.0  seen working in a booted container",
        "el9                x",
    ]
