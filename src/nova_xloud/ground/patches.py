"""A patch as bytes, which bases, trees and packages hand to each other."""

from __future__ import annotations

from typing import NamedTuple


class Patch(NamedTuple):
    """A patch of a series.

    :ivar name: below debian/patches
    :ivar content: the whole file, its DEP-3 header included
    """

    name: str
    content: bytes
