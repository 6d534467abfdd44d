"""Whether packages are made from the version of Nova that their hosts have: asks the archives.

A distribution is asked through its archive, security suites included; an upstream release through
pip. Nothing is downloaded but indexes, and nothing is written but these, into the cache.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from nova_xloud import bases
from nova_xloud.bases import apt
from nova_xloud.ground.commands import run
from nova_xloud.ground.errors import DirectoryError, FetchError, UnservedError, XloudError
from nova_xloud.ground.files import RECORD
from nova_xloud.mirrors import mirror, publishing
from nova_xloud.packages import companions, targets

CURRENT = "up to date"
OUTDATED = "outdated"
AHEAD = "ahead"
NOT_ASKED = "not asked"


class Standing(NamedTuple):
    """The packages of a target in one place, compared with the newest base.

    :ivar target: e.g. ``debian-13``
    :ivar place: the directory with the packages: of the target, or the mirror
    :ivar built: the version of the base that they are made from; "" if nobody recorded it
    :ivar newest: the version that the archive or the package index offers; "" if it did not say
    :ivar state: one of the four above
    :ivar reason: why nobody could say; else ""
    """

    target: str
    place: str
    built: str
    newest: str
    state: str
    reason: str

    @property
    def must_be_built(self) -> bool:
        """Whether the packages fit other hosts than those of today, or lack a correction."""
        return self.state in (OUTDATED, AHEAD)


class _Made(NamedTuple):
    """The packages of a target in one place; ``of`` is the base that was asked for."""

    target: str
    place: str
    built: str
    of: str


def standings(dist: Path, mirror_: Path | None, names: Collection[str] = ()) -> list[Standing]:
    """Compare the packages in ``dist`` and in a mirror with the newest bases.

    :param names: of the targets; default: all that have packages there
    :raises DirectoryError: if there is no package, or not of every named target
    """
    found = list(_built(dist))
    if mirror_:
        found += _mirrored(mirror_)
    missing = set(names) - {each.target for each in found}
    if missing or not found:
        what = ", ".join(sorted(missing)) or "any target"
        where = f"{dist} and {mirror_}" if mirror_ else str(dist)
        raise DirectoryError(Path(where), f"has no packages of {what}: `nova-xloud build` first")
    offers: dict[str, str | XloudError] = {}
    return [_compare(each, offers) for each in found if not names or each.target in names]


def _built(dist: Path) -> Iterator[_Made]:
    """Yield the packages in ``dist``."""
    for target in targets.known().values():
        record = dist / target.name / RECORD
        if record.exists():
            told = _recorded(record)
            built, of = str(told.get("base", "")), str(told.get("of", ""))
            yield _Made(target.name, str(record.parent), built, of or target.base)


def _recorded(record: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(record.read_text()))
    except ValueError:
        return {}


def _mirrored(place: Path) -> list[_Made]:
    """Return the last build of each target in a mirror.

    :raises DirectoryError: if it is none
    """
    state = publishing.state(place)
    if not state:
        raise DirectoryError(place, "is no mirror of ours")
    found: dict[str, _Made] = {}
    for build in mirror.kept(state):
        if build.target and build.target not in companions.places():
            found[build.target] = _Made(build.target, str(place), build.base, build.of)
    return list(found.values())


def _compare(made: _Made, offers: dict[str, str | XloudError]) -> Standing:
    name, place, built, base = made
    if base not in bases.known():
        reason = f"{name} is made from a source package that was named by hand: ask a host's dnf"
        return Standing(name, place, built, "", NOT_ASKED, reason)
    if base not in offers:
        try:
            offers[base] = newest(base)
        except XloudError as error:
            offers[base] = error
    offer = offers[base]
    if isinstance(offer, XloudError):
        return Standing(name, place, built, "", NOT_ASKED, f"{offer.sentence}: {offer}")
    if offer == built:
        state = CURRENT
    elif built and apt.newer(built, offer):
        state = AHEAD
    else:
        state = OUTDATED
    return Standing(name, place, built, offer, state, "")


def newest(base: str) -> str:
    """Return the newest version that there is of a base.

    Of a release that is the last point release of its series.

    :raises XloudError: if the archive, or the package index, could not be asked
    """
    wanted = bases.known()[base]
    if not wanted.distribution:
        return _newest_release(base)
    offer = apt.newest(wanted.suite, wanted.distribution)
    if not offer.version:
        raise UnservedError(f"the archive of {base} has no {apt.LIBRARY}")
    return offer.version


def _newest_release(release: str) -> str:
    """Ask pip for the releases of a series; return the last one."""
    command = [sys.executable, "-m", "pip", "index", "versions", "--ignore-requires-python"]
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    told = run([*command, "--retries=2", "nova"], "asking the package index for nova", environment)
    listed = re.search(r"^Available versions: (.*)$", told, re.MULTILINE)
    series = release.partition(".")[0]
    versions = re.findall(r"(?<![\w.])\d+(?:\.\d+)+(?![\w.])", listed[1] if listed else "")
    found: list[str] = [each for each in versions if each.partition(".")[0] == series]
    if not found:
        raise FetchError(f"the package index has no release of Nova {series}")
    return max(found, key=lambda each: [int(part) for part in each.split(".")])
