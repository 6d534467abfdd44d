"""The targets of packages: the table in targets.toml. This module knows no package format."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable
from importlib import resources
from typing import NamedTuple

from nova_xloud.bases.sdists import Sdist
from nova_xloud.ground.errors import PackageError, UnknownTargetError

_EVR = re.compile(r"(?:(?P<epoch>\d+):)?(?P<version>[\w.+~^]+)-(?P<release>[\w.+~^]+)")


class Target(NamedTuple):
    """A distribution's release; targets.toml explains the fields.

    :ivar revision: N of ``+xloudN``; the operator says it, not the table
    """

    name: str
    base: str
    format: str
    suite: str
    repository: str
    python: str
    verified: str
    provides: str = ""
    preferred: str = ""
    relations: tuple[str, ...] = ()
    depends: tuple[str, ...] = ()
    backports: tuple[Sdist, ...] = ()
    revision: int = 1

    def stands_in(self) -> bool:
        """Say whether it takes the place of a package, whose version it has to know."""
        return bool(self.repository)

    def is_distributions(self) -> bool:
        """Say whether its base is the nova of the distribution's own hosts."""
        return self.base.startswith(("debian:", "ubuntu:"))


@functools.cache
def known() -> dict[str, Target]:
    """Return all targets by name, in the table's order."""
    text = resources.files("nova_xloud.packages").joinpath("targets.toml").read_text()
    return {name: _target(name, **row) for name, row in tomllib.loads(text).items()}


def _target(
    name: str,
    *,
    relations: Iterable[str] = (),
    depends: Iterable[str] = (),
    backports: Iterable[dict[str, str]] = (),
    **row: str,
) -> Target:
    sdists = tuple(Sdist(**each) for each in backports)
    return Target(
        name,
        relations=tuple(relations),
        depends=tuple(depends),
        backports=sdists,
        revision=1,
        **row,
    )


def get(name: str) -> Target:
    """Return a target.

    :raises UnknownTargetError: if there is none of this name; the text lists those there are
    """
    try:
        return known()[name]
    except KeyError:
        raise UnknownTargetError(name, list(known())) from None


def of_series(form: str, series: int) -> Target:
    """Return the target of a format for the release of a series.

    :raises PackageError: if there is none
    """
    for target in known().values():
        if target.format == form and target.base.startswith(f"{series}."):
            return target
    raise PackageError(f"no target builds a {form} of Nova {series}")


def epoch(provided: str) -> str:
    """Return the epoch of a version of the distribution's python3-nova.

    >>> epoch("1:29.2.0-1.el9")
    '1'

    :raises PackageError: if that is no EPOCH:VERSION-RELEASE
    """
    found = _EVR.fullmatch(provided)
    if found is None:
        raise PackageError(f"{provided} is no version of a package: EPOCH:VERSION-RELEASE")
    return found["epoch"] or "0"
