"""Locks, and replacements of files and directories, for all that write."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from nova_xloud.ground.errors import DirectoryError

_LOG = logging.getLogger(__name__)

#: The record beside the files of a finished build: its target, the version of its base, its inputs
#: and its files.
RECORD = "build.json"


def named(path: Path) -> Path:
    """Return a path whose name every program can be given.

    :raises DirectoryError: if there is a control character in it, or it is not UTF-8
    """
    text = str(path)
    if any(ord(each) < 32 or ord(each) == 127 for each in text):
        raise DirectoryError(
            Path(repr(text)), "a newline, a tab or another control character is in the name"
        )
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DirectoryError(Path(ascii(text)), "the name is not UTF-8") from None
    return path


def link(file: Path, name: Path) -> None:
    """Give a file another name; give a copy that name on another file system."""
    try:
        os.link(file, name)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.copy2(file, name)


@contextlib.contextmanager
def locked(lock: Path, waiting: str | None = None) -> Iterator[None]:
    """Hold a lock file; the second caller waits.

    :param waiting: told when there is something to wait for
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    # "a": a lock that is taken again keeps its time, so a build with nothing to do writes nothing
    with lock.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting:
                _LOG.info(waiting)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def put(file: Path, content: bytes) -> None:
    """Write a file, under its name only when it is whole, with the mode it had."""
    file.parent.mkdir(parents=True, exist_ok=True)
    mode = file.stat().st_mode & 0o777 if file.exists() else 0o644
    part = file.with_name(f".{file.name}.xloud-part")
    part.write_bytes(content)
    part.chmod(mode)
    part.rename(file)


def replace_directory(place: Path, new: Path) -> None:
    """Put a directory in the place of another: readers see the old one or the new one, whole.

    The old one ends beside the new one's former place, as ``old``.
    """
    new.chmod(0o755)
    with contextlib.suppress(FileNotFoundError):
        place.rename(new.parent / "old")
    new.rename(place)
