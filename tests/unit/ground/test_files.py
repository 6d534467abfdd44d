"""Locks and replacements of directories."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nova_xloud.ground.files import locked, replace_directory

HOLDER = """
import sys
from pathlib import Path
from nova_xloud.ground.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
    Path(sys.argv[2]).write_text("first")
"""


def test_the_second_waits_for_the_first_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lock, written = tmp_path / "lock", tmp_path / "written"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, lock, written],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        threading.Timer(0.5, holder.stdin.close).start()
        with caplog.at_level("INFO"), locked(lock, "somebody else is at it"):
            assert written.read_text() == "first"
    assert caplog.messages == ["somebody else is at it"]


def test_a_directory_is_replaced_whole(tmp_path: Path) -> None:
    place, new = tmp_path / "dist", tmp_path / "work/new"
    place.mkdir()
    (place / "old file").touch()
    new.mkdir(parents=True)
    (new / "new file").touch()
    replace_directory(place, new)
    assert [each.name for each in place.iterdir()] == ["new file"]


def test_a_directory_may_be_new(tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.mkdir(mode=0o700)
    replace_directory(tmp_path / "dist", new)
    assert (tmp_path / "dist").stat().st_mode & 0o777 == 0o755
