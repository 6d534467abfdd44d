"""The protocol that all package formats follow, and a build by way of it.

A format is a module of this wing that has the names of ``Format``. The format of a target in
targets.toml is the name of that module. Nothing else lists the formats.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol, cast

from nova_xloud.ground import cache, root
from nova_xloud.packages import builds
from nova_xloud.packages.targets import Target
from nova_xloud.trees import tree as trees
from nova_xloud.trees.patched import Tree

_BUILDER = Path(__file__).parents[1]


class Format(Protocol):
    """A package format."""

    @property
    def PARTS(self) -> tuple[Path, ...]:  # noqa: N802
        """The files and directories of the checkout that go into the packages."""

    @property
    def NEXT(self) -> str:  # noqa: N802
        """A sentence that names the next step of an operator with the packages."""

    def related(self, target: Target, *, refresh: bool) -> Target:
        """Return a target with the relations that its packages must have.

        :param refresh: fail where an archive cannot be asked, instead of using its last answer
        """

    def recipe(self, target: Target) -> root.Recipe:
        """Return the recipe of the clean root that the packages are built in."""

    def prepare(self, tree: Tree, target: Target) -> Any:
        """Gather the sources of the packages: values, and files that exist."""

    def build(self, sources: Any, room: builds.Room) -> list[Path]:
        """Build the packages of such sources.

        :returns: the files that are the result, in the room or elsewhere
        :raises PackageError: if the build fails; the text names the log
        """


def of(target: Target) -> Format:
    """Return the format of a target."""
    return cast(Format, importlib.import_module(f"{__package__}.{target.format}"))


def inputs(target: Target, files: Iterable[Path]) -> str:
    """Return a digest of all inputs of the packages of a target; the builder is one of them.

    :param files: the files of the base
    """
    told = hashlib.sha256(repr(target).encode())
    ours = (trees.sources(), *of(target).PARTS, _BUILDER)
    listed = sorted(path for place in ours for path in (place, *place.rglob("*")))
    for path in [*files, *listed]:
        if path.is_file() and path.suffix != ".pyc":
            told.update(f"{path} {cache.sha256(path)}\n".encode())
    return told.hexdigest()


def build(tree: Tree, target: Target, dist: Path, digest: str) -> list[Path]:
    """Build the packages of a target into ``dist/TARGET``, which is replaced as a whole.

    :param digest: the answer of ``inputs``; a finished build is found by it
    :returns: the files, sorted
    :raises PackageError: if the build fails; the text names the log
    """
    chosen = of(target)
    sources = chosen.prepare(tree, target)
    return builds.made(
        target,
        chosen.recipe(target),
        dist,
        digest,
        tree.base.version,
        lambda room: chosen.build(sources, room),
    )
