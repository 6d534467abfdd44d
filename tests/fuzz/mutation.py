"""Mutations, and the table of all their kinds.

A mutation alters a woven file, not a pristine one: the lines of ours travel with the code that they
belong to. Without them the result is the mutated file of Nova's. With them it is the file that
weaving must give.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Callable
from typing import NamedTuple

from tests.fuzz.woven import Site, Woven


class Verdict(enum.Enum):
    """The answers that the weaver may give to a mutated file."""

    WOVEN = "must be woven"
    REFUSED = "must be refused"
    EITHER = "must be woven right or be refused"


class Mutation(NamedTuple):
    """A mutated file.

    :ivar text: the woven text, mutated; None where only a refusal is right
    :ivar verdict: the answers that the weaver may give
    :ivar base: the bytes to weave into; the text without lines of ours unless given
    :ivar imports: which imports of ours are needed may have changed
    """

    text: str
    verdict: Verdict
    base: bytes | None = None
    imports: bool = False


Maker = Callable[[Woven, Site, random.Random], Mutation | None]


class Kind(NamedTuple):
    """A kind of mutation.

    :ivar sites: the kinds of sites that it is for
    :ivar make: gives the mutation, or None where the site has nothing to mutate
    :ivar stacks: others may come on top of it
    :ivar alone: it comes on top of no other
    """

    name: str
    sites: frozenset[str]
    make: Maker
    stacks: bool
    alone: bool


ALL = ("import", "decorator", "statements", "definition", "attribute", "elements")
KINDS: list[Kind] = []


def mutation(*sites: str, stacks: bool = False, alone: bool = False) -> Callable[[Maker], Maker]:
    """Enter a function into the table of kinds."""

    def enter(make: Maker) -> Maker:
        name = getattr(make, "__name__", "").replace("_", " ").strip()
        KINDS.append(Kind(name, frozenset(sites or ALL), make, stacks, alone))
        return make

    return enter
