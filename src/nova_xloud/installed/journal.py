"""The journal of our changes to an installed tree, the original files, and the lock.

The directory ``.nova-xloud`` beside ``nova`` has the journal, and the files of Nova's as they were.
A file is kept as a hard link where the file system can: the way back then restores the very file,
with its bytes, mode, owner, times and labels.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, Iterator, NamedTuple

from nova_xloud.ground.errors import BusyTreeError, DirectoryError
from nova_xloud.installed.places import Place

NAME = ".nova-xloud"
_JOURNAL = "journal.json"
_FORMAT = 1

APPLYING = "applying"
APPLIED = "applied"
ROLLING_BACK = "rolling back"

CHANGED = "changed"
ADDED = "added"
BYTE_CODE = "byte code"


class Entry(NamedTuple):
    """A file in the journal.

    :ivar path: relative to the directory of the code
    :ivar kind: ``changed``, ``added`` or ``byte code``
    :ivar base: the hash before us; "" for a file that we add
    :ivar new: the hash with our changes; "" for byte code, which goes
    :ivar was: the hash with the changes of an earlier version of ours, while one replaces the other
    """

    path: str
    kind: str
    base: str
    new: str
    was: str = ""


class Journal(NamedTuple):
    """The changes that were made to a tree.

    :ivar state: ``applying``, ``applied`` or ``rolling back``
    :ivar version: of nova-xloud
    :ivar digest: of its additions and changes
    :ivar nova: the version of Nova
    :ivar since: when the state began, in seconds since 1970
    :ivar kept: the directory of the files as they were: absolute, or below ``.nova-xloud``, which
        has another path inside a container than outside
    :ivar files: all files that we write or remove
    :ivar directories: the directories that we make, the outer ones first
    """

    state: str
    version: str
    digest: str
    nova: str
    since: float
    kept: str
    files: list[Entry]
    directories: list[str]


def of(content: bytes | None) -> str:
    """Return the hash of a file's content; "" of no file."""
    return "" if content is None else hashlib.sha256(content).hexdigest()


def read(file: Path) -> bytes | None:
    """Return the content of a file; None if there is none."""
    try:
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


class Store:
    """The directory ``.nova-xloud`` of a tree.

    :ivar top: that directory
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.top = place.code / NAME

    def journal(self) -> Journal | None:
        """Return the journal; None if nothing of ours was applied.

        :raises DirectoryError: if another version has written it, which this one cannot read
        """
        content = read(self.top / _JOURNAL)
        if content is None:
            return None
        try:
            told: dict[str, Any] = json.loads(content.decode())
            if told.pop("format") != _FORMAT:
                raise ValueError("another format")
            told["files"] = [Entry(**each) for each in told["files"]]
            return Journal(**told)
        except (KeyError, TypeError, ValueError) as error:
            reason = f"cannot be read ({error}): use the version of nova-xloud that has written it"
            raise DirectoryError(self.top / _JOURNAL, reason) from error

    def write(self, journal: Journal) -> None:
        """Write the journal, whole or not at all."""
        told = {"format": _FORMAT, **journal._asdict()}
        told["files"] = [each._asdict() for each in journal.files]
        self.top.mkdir(exist_ok=True)
        beside = self.top / (_JOURNAL + ".new")
        with beside.open("w") as opened:
            json.dump(told, opened, indent=1)
            opened.write("\n")
            opened.flush()
            os.fsync(opened.fileno())
        beside.replace(self.top / _JOURNAL)

    def forget(self, kept: Path) -> None:
        """Remove the journal, and then all files that were kept."""
        with contextlib.suppress(FileNotFoundError):
            (self.top / _JOURNAL).unlink()
        for each in (kept, self.top):
            if each.is_dir():
                shutil.rmtree(str(each))

    def new_kept(self, named: str) -> str:
        """Return the directory for files as they were, as a new journal has it.

        :param named: the directory that the operator names for backups; "" for the default
        """
        if not named:
            return "base"
        tree = of(str(self.place.code).encode())[:8]
        return str(Path(named).absolute() / f"nova-xloud-{self.place.version}-{tree}")

    def kept(self, journal: Journal) -> Path:
        """Return the directory of the files as they were."""
        return self.top / journal.kept

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only run that works on the tree.

        :raises BusyTreeError: if another run does
        """
        opened = os.open(str(self.place.code), os.O_RDONLY | os.O_DIRECTORY)
        try:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EAGAIN):
                    raise
                raise BusyTreeError(self.place.code) from error
            yield
        finally:
            os.close(opened)


def keep(file: Path, kept: Path) -> None:
    """Keep a file as it is: by a hard link, or else by a copy with all its attributes."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    beside = kept.with_name(kept.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        beside.unlink()
    try:
        os.link(str(file), str(beside), follow_symlinks=False)
    except OSError:
        shutil.copyfile(str(file), str(beside))
        alike(file, beside)
    beside.replace(kept)


def put_back(kept: Path, file: Path) -> None:
    """Give a place the file that was kept; the place has one of the two at any moment."""
    try:
        kept.replace(file)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        beside = file.with_name(f".{file.name}.nova-xloud")
        shutil.copyfile(str(kept), str(beside))
        alike(kept, beside)
        beside.replace(file)


def alike(model: Path, file: Path) -> None:
    """Give a file the mode, the owner, the times and the labels of another one."""
    owned(model, file)
    shutil.copystat(str(model), str(file))


def owned(model: Path, file: Path) -> None:
    """Give a file or directory the mode, the owner and the labels of another one.

    :raises PermissionError: if the file system does not let us
    """
    told = model.stat()
    now = file.stat()
    if (told.st_uid, told.st_gid) != (now.st_uid, now.st_gid):
        os.chown(str(file), told.st_uid, told.st_gid)
    mode = told.st_mode & 0o7777
    if file.is_dir() and not model.is_dir():
        mode |= (mode & 0o444) >> 2
    file.chmod(mode)
    try:
        names = os.listxattr(str(model))
    except OSError as error:
        if error.errno not in (errno.ENOTSUP, errno.ENOSYS):
            raise
        return
    for name in names:
        value = os.getxattr(str(model), name)
        if name not in os.listxattr(str(file)) or os.getxattr(str(file), name) != value:
            os.setxattr(str(file), name, value)
