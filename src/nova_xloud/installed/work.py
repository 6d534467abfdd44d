"""Apply our changes to an installed Nova, and roll them back.

First every anchor is tried and every new file is written aside. Then the files of Nova's are kept.
Then the journal lists the planned changes, and each file is replaced by a rename. A run that is
killed leaves whole files of two kinds, Nova's and ours; the journal tells them apart, and the next
run goes on from there.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import py_compile
import shutil
import sys
import time
from pathlib import Path
from typing import Callable, Iterator

from nova_xloud.ground.errors import (
    DirectoryError,
    ForeignTreeError,
    HalfTreeError,
    NoSpaceError,
)
from nova_xloud.installed import journal as journals
from nova_xloud.installed.composition import Wanted, compose, refusal
from nova_xloud.installed.journal import ADDED, BYTE_CODE, CHANGED, Entry, Journal, Store
from nova_xloud.installed.ours import Ours
from nova_xloud.installed.places import Place

Say = Callable[[str], None]
_STAGED = "new"


def check(place: Place, ours: Ours) -> int:
    """Try whether every change fits an installed Nova; nothing is written.

    :returns: how many files would be added or changed
    :raises XloudError: if one does not fit
    """
    store = Store(place)
    known = store.journal()
    if known and is_stale(store, known):
        known = None
    return len(_composed(store, ours, known))


def apply(place: Place, ours: Ours, backup: str, say: Say) -> int:
    """Apply our changes to an installed Nova; complete them, or replace those of another version.

    :param backup: the directory for the files as they were; "" for one beside the code
    :param say: gets a line for each step
    :returns: how many files were written
    :raises XloudError: if a change does not fit, and all that can be wrong with a tree
    """
    store = Store(place)
    with store.locked():
        known = store.journal()
        if known and _is_forgotten(store, known, say):
            known = None
        if known:
            _refuse_strangers(store, known)
        say(f"weaving our changes into Nova {place.version} (a few seconds)")
        files = _composed(store, ours, known)
        kept = known.kept if known else store.new_kept(backup)
        planned = _planned(store, ours, files, known, kept)
        if known and known.state == journals.APPLIED and _differing(store, planned) == []:
            return 0
        return _applied(store, planned, files, known, say)


def rollback(place: Place, say: Say) -> int:
    """Give an installed Nova the files that it had before us.

    :param say: gets a line for each step
    :returns: how many files of Nova's are as they were
    :raises DirectoryError: if nothing of ours was applied, or a kept file is damaged
    :raises ForeignTreeError: if somebody else has changed files of ours
    """
    store = Store(place)
    with store.locked():
        known = store.journal()
        if known is None:
            raise DirectoryError(place.code, "has no changes that nova-xloud has applied")
        if _is_forgotten(store, known, say):
            return 0
        _refuse_strangers(store, known)
        _refuse_damaged(store, known)
        say("putting the files of Nova's back")
        store.write(known._replace(state=journals.ROLLING_BACK, since=time.time()))
        with _half(place):
            return _rolled_back(store, known, store.kept(known))


def is_stale(store: Store, known: Journal) -> bool:
    """Say whether nothing of ours is left in the tree: pip has put another one in its place."""
    for each in known.files:
        if each.kind == ADDED and (store.place.code / each.path).exists():
            return False
        if each.kind == CHANGED and each.new != each.base:
            now = _now(store, each.path)
            if now in (each.new, each.was or each.new):
                return False
    # a run that was killed before its first file, or behind its last one, is none of pip's
    return known.state == journals.APPLIED or bool(strangers(store, known))


def strangers(store: Store, known: Journal) -> list[str]:
    """Return the paths of files that are neither as they were nor as we make them."""
    return [
        each.path
        for each in known.files
        if each.kind != BYTE_CODE
        and _now(store, each.path) not in (each.base, each.new, each.was or each.new)
    ]


def _is_forgotten(store: Store, known: Journal, say: Say) -> bool:
    """Remove a journal whose tree pip has replaced; say whether it was one."""
    if not is_stale(store, known):
        return False
    say("pip has replaced this Nova since nova-xloud was applied: its backup is removed")
    store.forget(store.kept(known))
    return True


def _composed(store: Store, ours: Ours, known: Journal | None) -> list[Wanted]:
    """Return all files that are ours, or have lines of ours.

    :raises XloudError: if one does not fit
    """
    composition = compose(store.place, ours, _Before(store, known).read)
    if composition.failures:
        raise refusal(composition.failures)
    if known is None:
        _refuse_wheel(store.place, composition.files)
    return composition.files


class _Before:
    """Reads files as they were before us."""

    def __init__(self, store: Store, known: Journal | None) -> None:
        self._store = store
        self._kept = store.kept(known) if known else None
        self._entries: dict[str, Entry] = {each.path: each for each in known.files} if known else {}

    def read(self, path: str) -> bytes | None:
        """Return the content; None if there was no such file.

        :raises DirectoryError: if the kept file is damaged
        """
        entry = self._entries.get(path)
        if entry is None or self._kept is None:
            return journals.read(self._store.place.code / path)
        if entry.kind == ADDED:
            return None
        content = journals.read(self._store.place.code / path)
        if journals.of(content) == entry.base:
            return content
        content = journals.read(_in(self._kept, path))
        if journals.of(content) != entry.base:
            raise DirectoryError(_in(self._kept, path), _DAMAGED)
        return content


_DAMAGED = "is not the file of Nova's that was kept: install the release anew, then apply"


def _in(kept: Path, path: str) -> Path:
    """Return where the file at a path is kept."""
    return kept / path.replace("../", "up/")


def _now(store: Store, path: str) -> str:
    """Return the hash of a file of the tree; "" if there is none."""
    return journals.of(journals.read(store.place.code / path))


def _refuse_strangers(store: Store, known: Journal) -> None:
    found = strangers(store, known)
    if found:
        raise ForeignTreeError(store.place.code, found)


def _refuse_damaged(store: Store, known: Journal) -> None:
    """Refuse to roll back when a kept file is damaged."""
    kept = store.kept(known)
    for each in known.files:
        if each.kind != CHANGED or _now(store, each.path) == each.base:
            continue
        if journals.of(journals.read(_in(kept, each.path))) != each.base:
            raise DirectoryError(_in(kept, each.path), _DAMAGED)


def _refuse_wheel(place: Place, files: list[Wanted]) -> None:
    """Refuse a tree that has our files already, and was not made by this program."""
    there = [each.path for each in files if each.base is None and (place.code / each.path).exists()]
    if there:
        raise DirectoryError(
            place.code,
            f"has files of nova-xloud already ({there[0]}, {len(there)} in all), and no journal of "
            "this program. If pip has installed our wheel there, nothing is left to do. Else "
            "install the release anew, then apply",
        )


def _planned(
    store: Store, ours: Ours, files: list[Wanted], known: Journal | None, kept: str
) -> Journal:
    """Return the journal of the planned changes."""
    older = {each.path: each for each in known.files} if known else {}
    entries = []
    for each in files:
        kind = ADDED if each.base is None else CHANGED
        new = journals.of(each.content)
        had = older.pop(each.path, None)
        was = had.new if had and had.new != new else had.was if had else ""
        entries.append(Entry(each.path, kind, journals.of(each.base), new, was))
    for had in older.values():  # an older version of ours had more
        if had.kind == BYTE_CODE:
            entries.append(had)
        else:
            entries.append(had._replace(new=had.base, was=had.new))
    if known is None:
        entries += _byte_code(store.place, files)
    code = store.place.code
    made: list[str] = list(known.directories) if known else []
    for each in files:
        if each.base is None:
            parents = [str(above) for above in Path(each.path).parents if str(above) != "."]
            for above in reversed(parents):
                if above not in made and not (code / above).is_dir():
                    made.append(above)
    return Journal(
        journals.APPLYING,
        ours.version,
        ours.digest,
        store.place.version,
        time.time(),
        kept,
        entries,
        made,
    )


def _byte_code(place: Place, files: list[Wanted]) -> list[Entry]:
    """Return the byte code of the files of Nova's that we change."""
    found = []
    for each in files:
        if each.base is not None:
            for file in _compiled(place.code / each.path):
                path = file.relative_to(place.code).as_posix()
                found.append(Entry(path, BYTE_CODE, journals.of(file.read_bytes()), ""))
    return found


def _compiled(source: Path) -> list[Path]:
    """Return the files with the byte code of a module."""
    if source.suffix != ".py":
        return []
    return sorted((source.parent / "__pycache__").glob(f"{source.stem}.*.pyc"))


def _differing(store: Store, planned: Journal) -> list[Entry]:
    """Return the entries whose files are not yet as they must be."""
    return [
        each
        for each in planned.files
        if each.kind != BYTE_CODE and _now(store, each.path) != each.new
    ]


def _applied(
    store: Store, planned: Journal, files: list[Wanted], known: Journal | None, say: Say
) -> int:
    place, kept = store.place, store.kept(planned)
    contents = {each.path: each.content for each in files}
    differing = _differing(store, planned)
    staged = store.top / _STAGED
    try:
        if known is None:
            store.forget(kept)  # what a run has left that was killed before its journal
        _remove(staged)
        staged.mkdir(mode=0o755, parents=True)
        model = place.code / "nova/__init__.py"
        for number, each in enumerate(differing):
            if each.new and each.path in contents:
                beside = staged / str(number)
                beside.write_bytes(contents[each.path])
                there = place.code / each.path
                journals.owned(there if each.kind == CHANGED else model, beside)
        for each in planned.files:
            if each.kind == CHANGED and not _in(kept, each.path).exists():
                journals.keep(place.code / each.path, _in(kept, each.path))
        store.write(planned)
    except OSError as error:
        _remove(staged)
        if known is None:
            store.forget(kept)
        if error.errno == errno.ENOSPC:
            raise NoSpaceError(store.top) from error
        reason = f"cannot be written: {error.strerror}: {error.filename or ''}"
        raise DirectoryError(place.code, reason) from error
    say(f"replacing {len(differing)} files")
    with _half(place):
        for path in planned.directories:
            if not (place.code / path).is_dir():
                (place.code / path).mkdir()
                journals.owned(place.code / "nova", place.code / path)
        for number, each in enumerate(differing):
            there = place.code / each.path
            if each.path in contents:
                journals.put_back(staged / str(number), there)
            elif each.kind == CHANGED:  # no longer ours
                journals.put_back(_in(kept, each.path), there)
            else:
                _unlink(there)
        _set_byte_code_aside(store, planned, kept)
        _compile(place, planned, staged)
        left = [each for each in planned.files if each.kind == BYTE_CODE or each.path in contents]
        store.write(planned._replace(state=journals.APPLIED, since=time.time(), files=left))
        _remove(staged)
    return len(differing)


def _set_byte_code_aside(store: Store, planned: Journal, kept: Path) -> None:
    """Keep the byte code of Nova's own files, and remove that of any other version of them."""
    for each in planned.files:
        file = store.place.code / each.path
        if each.kind == BYTE_CODE and _now(store, each.path) == each.base:
            journals.keep(file, _in(kept, each.path))
            file.unlink()
    for each in planned.files:
        for file in _compiled(store.place.code / each.path):
            file.unlink()


def _compile(place: Place, planned: Journal, staged: Path) -> None:
    """Compile the files that we have written, if the tree has byte code of this Python.

    :param staged: a directory for byte code that is not yet whole
    """
    tag = sys.implementation.cache_tag
    if not list((place.code / "nova/__pycache__").glob(f"__init__.{tag}.pyc")):
        return
    for each in planned.files:
        file = place.code / each.path
        if each.kind == BYTE_CODE or file.suffix != ".py" or not file.exists():
            continue
        made = staged / "compiled"
        if py_compile.compile(str(file), str(made), doraise=False, quiet=2):
            journals.owned(file, made)
            cached = Path(importlib.util.cache_from_source(str(file)))
            if not cached.parent.is_dir():
                cached.parent.mkdir()
                journals.owned(file.parent, cached.parent)
            journals.put_back(made, cached)


def _rolled_back(store: Store, known: Journal, kept: Path) -> int:
    code = store.place.code
    theirs = {each.path: each.base for each in known.files if each.kind == BYTE_CODE}
    restored = 0
    for each in reversed(known.files):
        if each.kind == CHANGED:
            restored += 1
            if _now(store, each.path) != each.base:
                journals.put_back(_in(kept, each.path), code / each.path)
        elif each.kind == ADDED:
            _unlink(code / each.path)
        for file in _compiled(code / each.path):
            path = file.relative_to(code).as_posix()
            if theirs.get(path) != _now(store, path):
                file.unlink()
    for path in theirs:
        if _in(kept, path).exists():
            journals.put_back(_in(kept, path), code / path)
    for path in reversed(known.directories):
        _remove(code / path / "__pycache__")
        with contextlib.suppress(FileNotFoundError, OSError):
            (code / path).rmdir()
    store.forget(kept)
    return restored


def _unlink(file: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        file.unlink()


def _remove(directory: Path) -> None:
    if directory.is_dir():
        shutil.rmtree(str(directory))


@contextlib.contextmanager
def _half(place: Place) -> Iterator[None]:
    """Report an error in the middle of the work as a half changed Nova.

    :raises HalfTreeError: if there is one
    """
    try:
        yield
    except OSError as error:
        reason = f"{error.strerror}: {error.filename or os.fspath(place.code)}"
        raise HalfTreeError(place.code, reason) from error
