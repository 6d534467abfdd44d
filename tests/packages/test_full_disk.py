"""A real build meets a full disk: where it writes the packages, and where its cache is."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_xloud.ground.errors import NoSpaceError
from nova_xloud.packages import targets

#: Megabytes of room for the packages. The disk is full while the sources are unpacked, and while
#: the packages are made.
DIST = [20, pytest.param(100, marks=pytest.mark.slow)]
#: Megabytes of room for the cache. The disk is full while apt fetches, and while the clean root is
#: made.
CACHE = [pytest.param(10, marks=pytest.mark.slow), pytest.param(150, marks=pytest.mark.slow)]


@contextlib.contextmanager
def disk(place: Path, megabytes: int) -> Iterator[Path]:
    """A file system with that much room."""
    place.mkdir()
    size = f"size={megabytes}m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "small", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.fixture
def last(built: Path) -> dict[str, bytes]:
    """The files of the last good build."""
    return {each.name: each.read_bytes() for each in built.iterdir()}


def build(target: targets.Target, dist: Path, **environment: str) -> subprocess.CompletedProcess:
    """Build a target once more; a build that would have nothing to do is forced."""
    command = [
        sys.executable,
        "-m",
        "nova_xloud",
        "build",
        target.name,
        "--no-companions",
        "--force",
    ]
    return subprocess.run(
        [*command, "--dist", dist],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def good(dist: Path, target: targets.Target, files: dict[str, bytes]) -> Path:
    """Put the last good build into a directory of packages."""
    place = dist / target.name
    place.mkdir()
    for name, content in files.items():
        (place / name).write_bytes(content)
    return place


def assert_told_and_untouched(
    done: subprocess.CompletedProcess,
    full: Path,
    dist: Path,
    place: Path,
    files: dict[str, bytes],
) -> None:
    """The message names the full disk, the last build is whole, and nothing lies beside it."""
    assert done.returncode == NoSpaceError.exit_code, done.stdout
    assert "no space left on the disk" in done.stdout
    assert f"writing below {full}" in done.stdout, done.stdout
    assert {each.name: each.read_bytes() for each in place.iterdir()} == files
    left = {each.name for each in dist.iterdir()}
    assert left <= {place.name, f".{place.name}.lock", f"{place.name}.log"}, left


@pytest.mark.parametrize("room", DIST)
def test_a_full_disk_of_packages_leaves_the_last_build(
    target: targets.Target, last: dict[str, bytes], tmp_path: Path, room: int
) -> None:
    """The first is the quick proof."""
    taken = sum(map(len, last.values())) >> 20
    with disk(tmp_path / "dist", taken + room) as dist:
        place = good(dist, target, last)
        done = build(target, dist)
        print(done.stdout)
        assert_told_and_untouched(done, dist, dist, place, last)


@pytest.mark.parametrize("room", CACHE)
def test_a_full_disk_of_the_cache_leaves_the_last_build(
    target: targets.Target, last: dict[str, bytes], tmp_path: Path, room: int
) -> None:
    dist = tmp_path / "dist"
    dist.mkdir()
    place = good(dist, target, last)
    with disk(tmp_path / "cache", room) as cache:
        done = build(target, dist, NOVA_XLOUD_CACHE=str(cache))
        print(done.stdout)
        assert_told_and_untouched(done, cache, dist, place, last)
        left = [each.name for each in cache.rglob("*") if each.name.startswith(".part-")]
        assert left == []
