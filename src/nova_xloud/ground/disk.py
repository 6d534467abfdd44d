"""Where a disk is full. A program that meets one may fail with other words, or wait for ever."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path

#: A file system with fewer bytes free counts as full: nothing that the builder writes is smaller.
ENOUGH = 1 << 20
#: With fewer bytes free, a program that does nothing any more may wait for space.
LOW = 64 << 20

_FULL = (errno.ENOSPC, errno.EDQUOT)
#: The words of programs about a full disk: the kernel's, and apt's own.
_WORDS = (*(os.strerror(each) for each in _FULL), "enough free space")


def is_full(error: OSError) -> bool:
    """Say whether an error is of a full disk.

    ``shutil.copytree`` collects errors in one of its own, which has only their words.
    """
    return error.errno in _FULL or says_full(str(error))


def says_full(text: str) -> bool:
    """Say whether a program's output speaks of a full disk."""
    return any(words in text for words in _WORDS)


def full(places: Iterable[Path]) -> Path | None:
    """Return the first directory whose file system has no space or no inode left."""
    for place in places:
        there = os.statvfs(_existing(place))
        if free(place) < ENOUGH or (there.f_files and not there.f_ffree):
            return place
    return None


def low(places: Iterable[Path]) -> Path | None:
    """Return the directory with the fewest bytes free, if these are few."""
    place = fullest(places)
    return place if free(place) < LOW else None


def fullest(places: Iterable[Path]) -> Path:
    """Return the directory whose file system has the fewest bytes free."""
    return min(places, key=free)


def free(place: Path) -> int:
    """Return how many bytes can still be written below a directory, which may be missing."""
    there = os.statvfs(_existing(place))
    return there.f_frsize * (there.f_bfree if os.geteuid() == 0 else there.f_bavail)


def _existing(place: Path) -> Path:
    place = place.absolute()
    return next(each for each in (place, *place.parents) if each.exists())
