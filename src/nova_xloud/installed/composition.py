"""What an installed Nova is with our changes: computed in memory, nothing is written."""

from __future__ import annotations

import gc
import os
from typing import Callable, NamedTuple, Optional

from nova_xloud.ground.errors import (
    AnchorError,
    DirectoryError,
    UnsupportedReleaseError,
    XloudError,
)
from nova_xloud.installed import metadata
from nova_xloud.installed import ours as carried
from nova_xloud.installed.ours import Ours
from nova_xloud.installed.places import Place
from nova_xloud.weave import weave

#: Reads the file at a path as it was before us; None: there is none.
Read = Callable[[str], Optional[bytes]]


class Wanted(NamedTuple):
    """A file of the tree as it must be.

    :ivar path: relative to the directory of the code
    :ivar base: its content before us; None: we add it
    :ivar content: its content with our changes
    """

    path: str
    base: bytes | None
    content: bytes


class Composition(NamedTuple):
    """All files of a tree that are ours, or have lines of ours.

    :ivar files: in the order in which they are written: a file comes after those that it imports
    :ivar failures: an error for each file that does not fit
    """

    files: list[Wanted]
    failures: list[XloudError]


def compose(place: Place, ours: Ours, read: Read) -> Composition:
    """Weave all changes into an installed Nova, in memory.

    :raises UnsupportedReleaseError: if the changes are not made for its series
    """
    if not ours.first <= place.series <= ours.last:
        raise UnsupportedReleaseError(place.version, ours.first, ours.last)
    added, changed = [], []
    failures: list[XloudError] = []
    for path, content in ours.additions.items():
        if not carried.is_wanted(path):
            continue
        if read(path) not in (None, content):
            reason = "is there already, and is another than ours; see docs/hand-patched.md"
            failures.append(DirectoryError(place.code / path, reason))
        added.append(Wanted(path, None, content))
    gc.disable()  # parsing makes many objects and no cycles: half the time
    try:
        for path, change in ours.changes.items():
            if carried.is_wanted(path):
                try:
                    changed += _woven(place, path, change, read)
                except XloudError as error:
                    failures.append(error)
    finally:
        gc.enable()
    told: list[Wanted] = []
    try:
        told = _told(place, ours, read, [*added, *changed])
    except XloudError as error:
        failures.append(error)
    return Composition([*added, *changed, *told], failures)


def _woven(place: Place, path: str, change: bytes, read: Read) -> list[Wanted]:
    """Return the woven file; none if the change is not for this release."""
    base = read(path)
    if base is None:
        if path in ("setup.cfg", "pyproject.toml"):  # a checkout has one, site-packages none
            return []
        reason = f"Nova {place.version} has this file, and it is missing: a half-copied tree?"
        raise DirectoryError(place.code / path, reason)
    if path == "setup.cfg" and b"nova.api.extra_spec_validators" not in base:
        return []
    woven = weave(
        base,
        change,
        path=path,
        series=place.series,
        point=place.point,
        release=place.version,
    )
    return [Wanted(path, base, woven)] if woven != base else []


def _told(place: Place, ours: Ours, read: Read, files: list[Wanted]) -> list[Wanted]:
    """Return the metadata of the distribution, which must name the files that we add."""
    directory = os.path.relpath(place.metadata, place.code)
    below = os.path.relpath(place.code, place.metadata.parent)
    found = []

    path = f"{directory}/{metadata.ENTRY_POINTS}"
    base = read(path)
    if base is None:
        raise DirectoryError(place.code / path, "is missing: a half-copied tree?")
    declared = metadata.declared(ours.changes["setup.cfg"])
    content = metadata.with_entry_points(base, declared, place.code / path)
    entry_points = Wanted(path, base, content)
    found.append(entry_points)

    path = f"{directory}/{metadata.RECORD}"
    base = read(path)
    if base is not None:
        name = f"{place.metadata.name}/{metadata.ENTRY_POINTS}"
        written: dict[str, bytes] = {name: entry_points.content}
        if below == ".":  # an editable installation records no file of the checkout
            written.update({each.path: each.content for each in files})
        found.append(Wanted(path, base, metadata.with_record(base, written)))

    path = f"{directory}/{metadata.INSTALLED}"
    base = read(path)
    if base is not None:
        added = [f"../{each.path}" for each in files if each.base is None]
        found.append(Wanted(path, base, metadata.with_installed(base, added)))
    return [each for each in found if each.base != each.content]


def refusal(failures: list[XloudError]) -> XloudError:
    """Return the error to show of several: the first one about a change, if there is one."""
    for failure in failures:
        if isinstance(failure, AnchorError):
            return failure
    return failures[0]
