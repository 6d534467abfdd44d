"""The table of bases in releases.toml: upstream releases, and suites of distributions."""

from __future__ import annotations

import functools
import importlib.resources
import re
import tomllib
from typing import NamedTuple

from nova_xloud.bases.sdists import Sdist
from nova_xloud.ground.errors import UnknownBaseError, UnsupportedReleaseError


class Known(NamedTuple):
    """A base that can be asked for.

    :ivar name: ``29.4.0`` or ``debian:trixie``
    :ivar codename: the makers' name for it
    :ivar python: the Python it asks for; "" where the distribution decides
    :ivar sha256: of the sdist; "" where a signature vouches instead
    :ivar checked: ``check`` includes it without being asked
    """

    name: str
    codename: str
    python: str
    sha256: str
    checked: bool

    @property
    def distribution(self) -> str:
        """The distribution whose nova it is; "" for a release."""
        return "" if self.sha256 else self.name.partition(":")[0]

    @property
    def suite(self) -> str:
        """The suite of that distribution."""
        return self.name.partition(":")[2]

    @property
    def place(self) -> str:
        """The directory in the cache that has the files of the base."""
        return self.name.replace(":", "-") if self.distribution else "releases"

    @property
    def sdist(self) -> Sdist:
        """The sdist of a release."""
        return Sdist("nova", self.name, self.sha256)


@functools.cache
def known() -> dict[str, Known]:
    """Return the bases of releases.toml, by name."""
    text = importlib.resources.files("nova_xloud.bases").joinpath("releases.toml").read_text()
    table = tomllib.loads(text)
    releases = [
        Known(name, row["codename"], row["python"], row["sha256"], row.get("checked", True))
        for name, row in table["releases"].items()
    ]
    suites = [
        Known(f"{distribution}:{name}", row["codename"], "", "", row.get("checked", True))
        for distribution in ("debian", "ubuntu")
        for name, row in table[distribution].items()
    ]
    return {each.name: each for each in [*releases, *suites]}


def supported() -> range:
    """Return the series that the changes are made for: those of the releases in the table."""
    series = [int(each.name.partition(".")[0]) for each in known().values() if each.sha256]
    return range(min(series), max(series) + 1)


def check_supported(version: str, series: int) -> None:
    """Refuse a base of a series that the changes are not made for.

    :param version: of the base, for the message
    :raises UnsupportedReleaseError: if the series is not supported
    """
    found = supported()
    if series not in found:
        raise UnsupportedReleaseError(version, found[0], found[-1])


def find(name: str) -> Known:
    """Return a base of the table.

    :raises UnknownBaseError: if the table has none of this name
    :raises UnsupportedReleaseError: if the name is the version of another series
    """
    try:
        return known()[name]
    except KeyError:
        if version := re.fullmatch(r"(\d+)(\.\d+)+", name):
            check_supported(name, int(version[1]))
        raise UnknownBaseError(name, list(known())) from None
