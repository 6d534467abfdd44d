"""The value that describes an unpacked base, whichever kind of base it is."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Base(NamedTuple):
    """An unpacked base.

    :ivar name: what it was asked for by: ``29.4.0``, ``debian:trixie``, or a directory
    :ivar version: ``29.4.0``, or a package's ``2:31.0.0-6+deb13u2``
    :ivar series: Nova's major version
    :ivar date: when it was released, in seconds since 1970
    :ivar files: the files it was unpacked from: an sdist, or a source package with the .dsc first;
        then the binary package of a distribution
    :ivar source: the version of the source; another than ``version`` where the archive does not
        serve that
    :ivar patch: the name and the text of the patch between the two; None where there is none
    :ivar aside: the paths of files that differ between the two and that no patch can express
    """

    name: str
    version: str
    series: int
    date: int
    files: tuple[Path, ...] = ()
    source: str = ""
    patch: tuple[str, bytes] | None = None
    aside: tuple[str, ...] = ()

    @property
    def library(self) -> Path | None:
        """The distribution's binary package."""
        return next((each for each in self.files if each.suffix == ".deb"), None)

    @property
    def dsc(self) -> Path | None:
        """The source package's description file."""
        return next((each for each in self.files if each.suffix == ".dsc"), None)

    @property
    def orig(self) -> Path | None:
        """The source package's upstream tarball."""
        return next((each for each in self.files if ".orig.tar." in each.name), None)
