"""Full disks: told by numbers, by words, and by a real file system of four megabytes."""

from __future__ import annotations

import errno
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_xloud.ground import disk


@pytest.fixture
def small(as_root: None, tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "small", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "x"), True),
        (OSError(errno.EDQUOT, "x"), True),
        (shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'")]), True),
        (OSError(errno.EACCES, "Permission denied"), False),
    ],
)
def test_an_error_of_a_full_disk_is_told_from_others(error: OSError, full: bool) -> None:
    assert disk.is_full(error) == full


def test_programs_words_are_known() -> None:
    assert disk.says_full("tar: x: Cannot write: No space left on device")
    assert disk.says_full("E: You don't have enough free space in /var/cache/apt/archives/.")
    assert not disk.says_full("no such file")


def test_the_disk_with_the_least_space_is_found_before_and_when_it_is_full(
    small: Path, tmp_path: Path
) -> None:
    missing = small / "not" / "made"
    places = [tmp_path, missing]
    assert disk.fullest(places) == missing
    assert disk.low(places) == missing
    assert disk.full(places) is None
    (small / "all").write_bytes(bytes(4 << 20))
    assert disk.full(places) == missing
    assert disk.free(missing) == 0
