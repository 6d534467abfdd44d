"""Base + additions + changes = tree: the complete Nova with our files and lines.

Computes our files in memory (``compose``) and writes them (``write``). The wing ``bases`` knows
where a base comes from, and ``weave`` knows the language of changes.
"""

from __future__ import annotations

import errno
import gc
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from nova_xloud import bases
from nova_xloud.ground import cache
from nova_xloud.ground.errors import ChangeError, DirectoryError, IncompleteError, XloudError
from nova_xloud.ground.files import put
from nova_xloud.weave import unweave, weave, without_marked

#: Files that every tree must have; a tuple stands for "one of these".
REQUIRED: tuple[str | tuple[str, ...], ...] = (
    "nova/api/openstack/compute/xloud_adjust.py",
    "nova/api/validation/extra_specs/minimum.py",
    "nova/policies/xloud_adjust.py",
    "nova/tests/functional/libvirt/test_vcpu_current.py",
    "releasenotes/notes/minimum-cpu-current-vcpu-attr.yaml",
    "nova/api/openstack/compute/routes.py",
    "nova/compute/api.py",
    "nova/compute/instance_actions.py",
    "nova/compute/manager.py",
    "nova/compute/rpcapi.py",
    "nova/objects/request_spec.py",
    "nova/scheduler/utils.py",
    "nova/policies/__init__.py",
    "nova/virt/driver.py",
    "nova/virt/libvirt/config.py",
    "nova/virt/libvirt/driver.py",
    "nova/virt/libvirt/guest.py",
    "nova/tests/functional/test_flavor_extraspecs.py",
    "nova/tests/functional/test_servers.py",
    "nova/tests/unit/compute/test_compute.py",
    "nova/tests/unit/scheduler/test_utils.py",
    ("setup.cfg", "pyproject.toml"),
    "doc/source/configuration/extra-specs.rst",
)

_IGNORED = {"__pycache__", ".mypy_cache", ".ruff_cache"}


class Ours(NamedTuple):
    """A file of the tree that is ours, or has lines of ours.

    :ivar path: its path in the tree
    :ivar base: the content in the base; None for an addition
    :ivar content: the content in the tree
    """

    path: str
    base: bytes | None
    content: bytes


class Failure(NamedTuple):
    """A file that could not be composed."""

    path: str
    error: XloudError


class Composition(NamedTuple):
    """Our files in a tree.

    :ivar files: sorted by path
    :ivar failures: the files that are missing from it, and why
    """

    files: list[Ours]
    failures: list[Failure]


def sources() -> Path:
    """Return the directory of our additions and changes, in a checkout or an installation."""
    found = importlib.util.find_spec("nova_tree")
    places = [Path(each) for each in (found and found.submodule_search_locations) or ()]
    for place in places:
        if (place / "changes").is_dir():
            return place
    raise DirectoryError(Path("nova_tree"), "is not installed beside nova_xloud")


def paths(*parts: str) -> list[str]:
    """Return the paths in the tree of everything that is ours, in any release.

    :param parts: ``additions`` or ``changes``; both unless given
    """
    ours = sources()
    return [path for part in parts or ("additions", "changes") for path, _ in _walk(ours / part)]


def compose(base: bases.Base, directory: Path, ours: Path | None = None) -> Composition:
    """Weave all changes for a base, in memory.

    :param base: which release it is
    :param directory: where it is unpacked; it may be woven already
    :param ours: our additions and changes, unless they are the package's own
    :returns: every file, or why it could not be made
    """
    ours = ours or sources()
    files = []
    failures = []
    for path, addition in _walk(ours / "additions"):
        there = directory / path
        if there.exists() and there.read_bytes() != addition.read_bytes():
            reason = "is there already, and is another than ours; see docs/hand-patched.md"
            failures.append(Failure(path, DirectoryError(there, reason)))
        elif reason := _unfit(addition.read_bytes()):
            failures.append(Failure(path, ChangeError(path, 1, reason)))
        else:
            files.append(Ours(path, None, addition.read_bytes()))
    gc.disable()  # parsing makes many objects and no cycles: half the time
    try:
        for path, change in _walk(ours / "changes"):
            try:
                woven = _weave_file(base, directory / path, change.read_bytes(), path)
            except XloudError as error:
                failures.append(Failure(path, error))
            else:
                if woven:
                    files.append(woven)
    finally:
        gc.enable()
    present = {each.path for each in files} | {each.path for each in failures}
    for each in REQUIRED:
        choice = (each,) if isinstance(each, str) else each
        if not present.intersection(choice):
            name = " or ".join(choice)
            failures.append(Failure(name, IncompleteError(name, base.version)))
    return Composition(sorted(files), sorted(failures))


def write(base: bases.Base, directory: Path, files: Sequence[Ours], target: Path) -> list[str]:
    """Write a complete tree.

    A new tree appears under its name when it is whole. In a tree of ours that is there already,
    the files that differ are replaced one by one; a file that is no longer ours stays.

    :param directory: the unpacked base; for a new tree it is copied
    :param files: the files that compose returned
    :param target: a directory that is missing, empty, or such a tree
    :returns: the paths that were written because they differed
    :raises DirectoryError: if the directory holds something else
    :raises NoSpaceError: if the disk is full; nothing half-written stays
    """
    date = int(os.environ.get("SOURCE_DATE_EPOCH", base.date))
    if target.exists() and not target.is_dir():
        raise DirectoryError(target, "is not a directory")
    with cache.space_on(target.absolute().parent):
        if target.is_dir() and any(target.iterdir()):
            return _update(files, target, date)
        _create(directory, files, target, date)
    return [each.path for each in files]


def _create(directory: Path, files: Sequence[Ours], target: Path, date: int) -> None:
    """Build a tree beside its place, and put it there when it is whole."""
    parent = target.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=parent))
    try:
        beside.chmod(0o755)
        shutil.copytree(
            directory, beside, symlinks=True, dirs_exist_ok=True, ignore=_without_git_link
        )
        for each in files:
            put(beside / each.path, each.content)
        _set_dates(beside, files, date)
        _put_in_place(beside, target)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def _without_git_link(parent: str, names: list[str]) -> list[str]:
    """Leave out the file .git of a linked worktree: the copy would change the worktree's index."""
    return [name for name in names if name == ".git" and Path(parent, name).is_file()]


def _put_in_place(beside: Path, target: Path) -> None:
    """Give a finished tree its name.

    :raises DirectoryError: if another build was faster
    """
    try:
        beside.rename(target)
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
        raise DirectoryError(target, "was made by someone else meanwhile") from error


def _unfit(addition: bytes) -> str:
    """Return why a file cannot be an addition; "" if it can."""
    if not addition:
        return "an addition must not be empty: a patch cannot make such a file"
    try:
        addition.decode()
    except UnicodeDecodeError:
        return "an addition must be UTF-8"
    if addition.startswith(b"\xef\xbb\xbf") or b"\r" in addition:
        return "an addition must have no byte order mark and no carriage return"
    return ""


def _weave_file(base: bases.Base, file: Path, change: bytes, path: str) -> Ours | None:
    """Return the woven file; None if the change is not for this release."""
    if not file.exists():
        if path in {"setup.cfg", "pyproject.toml"}:
            return None
        raise DirectoryError(file, f"Nova {base.version} has no such file")
    content = file.read_bytes()
    series, point, release = base.series, base.point, base.version
    woven = weave(content, change, path=path, series=series, point=point, release=release)
    pristine = content
    if woven == content:
        pristine = unweave(content, change, path=path, series=series, point=point, release=release)
    return Ours(path, pristine, woven) if woven != pristine else None


def _walk(top: Path) -> Iterator[tuple[str, Path]]:
    """Yield (path in the tree, file) below a directory, sorted."""
    for file in sorted(top.rglob("*")):
        if file.is_file() and not _IGNORED.intersection(file.parts):
            yield file.relative_to(top).as_posix(), file


def _update(files: Sequence[Ours], target: Path, date: int) -> list[str]:
    """Replace the files that differ in a tree of ours.

    :raises DirectoryError: if it is none, or one of another base
    """
    if not any(each.base is None and (target / each.path).exists() for each in files):
        raise DirectoryError(target, "is not empty, and has nothing of ours")
    for each in files:
        file = target / each.path
        if each.base is not None and not _is_of(file, each):
            raise DirectoryError(target, f"is not empty, and {each.path} in it is not this base's")
    different = [
        each
        for each in files
        if not (target / each.path).exists() or (target / each.path).read_bytes() != each.content
    ]
    for each in different:
        put(target / each.path, each.content)
        os.utime(target / each.path, (date, date))
    return [each.path for each in different]


def _is_of(file: Path, ours: Ours) -> bool:
    """Say whether a file is that of the base, apart from marked lines."""
    try:
        return without_marked(file.read_bytes(), path=ours.path) == ours.base
    except (FileNotFoundError, UnicodeDecodeError):
        return False


def _set_dates(top: Path, files: Sequence[Ours], date: int) -> None:
    """Give our files the build's date, and none a later one."""
    for each in files:
        os.utime(top / each.path, (date, date))
    for parent, directories, names in os.walk(top):
        for name in [*directories, *names]:
            file = Path(parent, name)
            if file.lstat().st_mtime > date:
                os.utime(file, (date, date), follow_symlinks=False)
    os.utime(top, (date, date))
