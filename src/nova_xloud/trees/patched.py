"""The tree as patches on its base, as the builders of packages take it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from nova_xloud.bases.base import Base
from nova_xloud.ground.patches import Patch
from nova_xloud.trees import quilt, tree


class Tree(NamedTuple):
    """A base, and the patches that make the complete modified Nova of it.

    :ivar base: where the tree comes from
    :ivar patches: the patches of the base, then ours, in the order in which they apply
    :ivar added: the paths of our own files in the tree
    """

    base: Base
    patches: tuple[Patch, ...]
    added: frozenset[str]


def woven(base: Base, directory: Path) -> Tree:
    """Weave all changes for a base.

    :param directory: where the base is unpacked
    :raises XloudError: if a change does not fit; the class says why
    """
    files, failures = tree.compose(base, directory)
    if failures:
        raise failures[0].error
    added = frozenset(each.path for each in files if each.base is None)
    return Tree(base, (*base.patches, *quilt.series(files)), added)
