"""What packages are built for: the table in targets.toml. Knows no package format."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources
from typing import NamedTuple

from nova_xloud.errors import UnknownTargetError


class Target(NamedTuple):
    """A distribution's release; the fields are told in targets.toml."""

    name: str
    base: str
    format: str
    suite: str
    repository: str
    python: str
    verified: str
    provides: str = ""


@functools.cache
def known() -> dict[str, Target]:
    """Return all targets by name, in the table's order."""
    text = resources.files("nova_xloud").joinpath("targets.toml").read_text()
    return {name: Target(name, **row) for name, row in tomllib.loads(text).items()}


def get(name: str) -> Target:
    """Return a target.

    :raises UnknownTargetError: if there is none of this name; the text lists those there are
    """
    try:
        return known()[name]
    except KeyError:
        raise UnknownTargetError(name, list(known())) from None
