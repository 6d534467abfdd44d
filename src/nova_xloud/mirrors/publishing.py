"""Bringing a directory of plain files that others are reading to its next state, without a gap.

New files are written first, under names that no index has yet. Then the indexes are replaced, each
by a rename, the signed ones that name all others last. The files of former states go at the end,
unless a reader may still have begun with one of them. A run that was killed anywhere is completed
by the next one.
"""

from __future__ import annotations

import filecmp
import json
import time
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from nova_xloud.ground.files import link

#: The files that a reader begins with, by name, in the order in which they are replaced.
ENTRANCES = ("Release.gpg", "Release", "InRelease", "repomd.xml.asc", "repomd.xml")
#: How long a reader may take, in seconds: so long the files stay that a replaced index names.
GRACE = 600
#: The record in the directory: the files of the last states, and the record of the caller.
STATE = ".nova-xloud.json"


class Left(NamedTuple):
    """The files that stay for readers of a former state.

    :ivar files: how many
    :ivar size: of all, in bytes
    :ivar until: from when on a run may remove them, in seconds since 1970
    """

    files: int
    size: int
    until: float


def state(place: Path) -> dict[str, Any]:
    """Return the record of a directory's last state; empty if it was never published."""
    try:
        return dict(json.loads((place / STATE).read_text()))
    except FileNotFoundError:
        return {}


def publish(new: Path, place: Path, record: Mapping[str, Any], *, keep_former: bool = True) -> Left:
    """Make a directory hold the files of another one.

    :param new: the next state, complete; its files are linked, or copied to another file system
    :param place: the directory that is read; made if missing
    :param record: ``state`` returns it from now on
    :param keep_former: let the files of former states stay for the readers that began with them
    :returns: the files that stay
    """
    place.mkdir(parents=True, exist_ok=True)
    files = _files(new)
    told = state(place)
    before: list[tuple[float, list[str]]] = told.get("before", [])
    if "files" in told:
        before = [(time.time(), told["files"]), *before]
    # the last one always: nobody knows for how long nobody has read
    before = before[:1] + [one for one in before[1:] if one[0] > time.time() - GRACE]
    if not keep_former:
        before = []
    entrances = [name for name in files if name.name in ENTRANCES]
    for name in sorted(entrances, key=lambda name: ENTRANCES.index(name.name)):
        files.remove(name)
        files.append(name)
    present = {name for name in files if (place / name).exists()}
    for name in files:
        if name not in present and name not in entrances:
            _replace(new / name, place / name)
    for name in files:
        if name in entrances or name in present:
            _replace(new / name, place / name)
    recorded = {**record, "files": sorted(map(str, files)), "before": before}
    (new / STATE).write_text(json.dumps(recorded) + "\n")
    _replace(new / STATE, place / STATE)
    current = {*map(str, files), STATE}
    kept = {name for _, names in before for name in names}
    _prune(place, current | kept)
    former = [place / name for name in kept - current if (place / name).exists()]
    until = max((replaced for replaced, _ in before), default=0.0) + GRACE
    return Left(len(former), sum(each.stat().st_size for each in former), until)


def _files(directory: Path) -> list[Path]:
    return sorted(each.relative_to(directory) for each in directory.rglob("*") if each.is_file())


def _replace(source: Path, target: Path) -> None:
    """Put a file in its place by a rename, unless it is there already."""
    if target.exists() and filecmp.cmp(source, target, shallow=False):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.new")
    beside.unlink(missing_ok=True)
    link(source, beside)
    beside.rename(target)


def _prune(place: Path, kept: Container[str]) -> None:
    for name in _files(place):
        if str(name) not in kept:
            (place / name).unlink()
    for directory in sorted((each for each in place.rglob("*") if each.is_dir()), reverse=True):
        if not any(directory.iterdir()):
            directory.rmdir()
