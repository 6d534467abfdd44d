"""The cache of fetched files: where it is, one writer at a time, no half-written file in it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nova_xloud.ground import disk, files
from nova_xloud.ground.errors import NoSpaceError


def directory() -> Path:
    """Return the cache directory: $NOVA_XLOUD_CACHE, else nova-xloud in the user's cache.

    :raises DirectoryError: if its name cannot be used
    """
    if named := os.environ.get("NOVA_XLOUD_CACHE"):
        return files.named(Path(named))
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return files.named(Path(home) / "nova-xloud")


@contextlib.contextmanager
def locked(name: str) -> Iterator[Path]:
    """Hold a part of the cache while it is written; a second caller waits.

    :param name: a directory in the cache; it is made
    :returns: that directory
    """
    place = directory() / name
    with space_on(place), files.locked(place / ".lock", f"waiting for another use of {place}"):
        for left_over in place.glob(".part-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        yield place


@contextlib.contextmanager
def part(place: Path) -> Iterator[Path]:
    """Yield a directory to download into; files that are not moved out of it are removed.

    Killed in the middle, it stays until the next caller of ``locked``.
    """
    with space_on(place):
        made = Path(tempfile.mkdtemp(prefix=".part-", dir=place))
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def space_on(place: Path) -> Iterator[None]:
    """Say where there was no space left, instead of an OSError."""
    try:
        yield
    except OSError as error:
        if not disk.is_full(error):
            raise
        raise NoSpaceError(place) from error


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file, as hex digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
