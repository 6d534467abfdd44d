"""The table of bases in releases.toml: upstream releases, and suites of distributions."""

from __future__ import annotations

import functools
import importlib.resources
import tomllib
from typing import NamedTuple

from nova_xloud.bases.sdists import Sdist
from nova_xloud.ground.errors import UnknownBaseError


class Known(NamedTuple):
    """A base that can be asked for.

    :ivar name: ``29.4.0`` or ``debian:trixie``
    :ivar codename: what its makers call it
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


def find(name: str) -> Known:
    """Return a base of the table.

    :raises UnknownBaseError: if the table has none of this name
    """
    try:
        return known()[name]
    except KeyError:
        raise UnknownBaseError(name, list(known())) from None
