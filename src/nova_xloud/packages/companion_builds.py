"""The builds of companions: each format of packages has a module companion_FORMAT.

A companion is built again when its own files, its row or its target have changed, and not when Nova
or our changes of it have.
"""

from __future__ import annotations

import hashlib
import importlib
from pathlib import Path
from typing import Protocol, cast

from nova_xloud.ground import cache, root
from nova_xloud.packages import builds, checkout, companions
from nova_xloud.packages.companions import Companion
from nova_xloud.packages.targets import Target

#: The parts of the builder that make the packages.
_WINGS = (Path(__file__).parent, Path(root.__file__).parent)


class Format(Protocol):
    """How the packages of companions are made in one format."""

    def recipe(self, companion: Companion, target: Target) -> root.Recipe:
        """Return the recipe of the clean root that the packages are built in."""

    def build(self, companion: Companion, target: Target, room: builds.Room) -> list[Path]:
        """Build the packages; return the files that are the result."""


def of(target: Target) -> Format:
    """Return how companions are built for a target."""
    return cast(Format, importlib.import_module(f"{__package__}.companion_{target.format}"))


def inputs(companion: Companion, target: Target) -> str:
    """Return a digest of all inputs of a companion's packages; the builder is one of them."""
    told = hashlib.sha256(repr((companion, companions.as_target(companion, target))).encode())
    macros = checkout.RPM / f"{target.name}.macros"
    builder = [each for wing in _WINGS for each in companions.files(wing)]
    for path in [*companions.files(companion.directory), macros, *builder]:
        if path.exists():
            mode = path.stat().st_mode & 0o100
            told.update(f"{path} {mode} {cache.sha256(path)}\n".encode())
    return told.hexdigest()


def build(companion: Companion, target: Target, dist: Path, digest: str) -> list[Path]:
    """Build the packages of a companion into ``dist/TARGET-COMPANION``.

    That directory is replaced as a whole. It is the caller's ``builds.turn``.

    :param target: the target of Nova's packages
    :param digest: the answer of ``inputs``; a finished build is found by it
    :returns: the files, sorted
    :raises PackageError: if the build fails; the text names the log
    """
    chosen = of(target)
    place = companions.as_target(companion, target)
    return builds.made(
        place,
        chosen.recipe(companion, target),
        dist,
        digest,
        companions.changelog(companion)[0].version,
        lambda room: chosen.build(companion, target, room),
    )
