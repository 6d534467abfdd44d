"""The value that describes an unpacked base, whichever kind of base it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from nova_xloud.ground.errors import DirectoryError
from nova_xloud.ground.patches import Patch

#: The forms of a base; see Base.form.
SDIST, GIT, DISTRIBUTION = "sdist", "git", "distribution"


class Base(NamedTuple):
    """An unpacked base.

    :ivar name: the name that it was asked for by: ``29.4.0``, ``debian:trixie``, a directory or an
        sdist
    :ivar version: ``29.4.0``; or of a package, ``2:31.0.0-6+deb13u2``; or of a commit between
        releases, ``29.4.0-12-g1a2b3c4``
    :ivar series: Nova's major version
    :ivar date: when it was released, in seconds since 1970
    :ivar files: the files it was unpacked from: an sdist; or a source package with the .dsc first;
        or a source RPM and its tarball; then the binary package of a distribution
    :ivar source: the version of the source; another than ``version`` where the archive does not
        serve the source of that version
    :ivar patches: the patches that the base has beside those of its source package, in their
        order: the difference to the library of a distribution, or the patches of a source RPM
    :ivar aside: the paths of files that differ from that library and that no patch can express
    :ivar release: of a source RPM: the first part of its release, without the distribution's tag
    :ivar changelog: of a source RPM: its changelog, as a spec has it
    :ivar form: whose files these are, since they differ a little: those of an ``sdist``, of a
        ``git`` commit, or of the source package of a ``distribution``; "" where nothing tells
    """

    name: str
    version: str
    series: int
    date: int
    files: tuple[Path, ...] = ()
    source: str = ""
    patches: tuple[Patch, ...] = ()
    aside: tuple[str, ...] = ()
    release: str = ""
    changelog: str = ""
    form: str = ""

    @property
    def point(self) -> tuple[int, ...]:
        """The numbers behind the series in the version: (4, 0) of 29.4.0."""
        found = re.match(r"(?:\d+:)?\d+((?:\.\d+)*)", self.version)
        return tuple(int(each) for each in found[1].split(".")[1:]) if found else ()

    @property
    def library(self) -> Path | None:
        """The distribution's binary package."""
        return next((each for each in self.files if each.suffix == ".deb"), None)

    @property
    def packaging(self) -> Path | None:
        """The distribution's packaging: the ``*.debian.tar.*`` of a source package."""
        return next((each for each in self.files if ".debian.tar." in each.name), None)

    @property
    def tarball(self) -> Path:
        """The upstream tarball.

        :raises DirectoryError: if the base is a directory, which has none
        """
        for file in self.files:
            if ".tar." in file.name and file != self.packaging:
                return file
        raise DirectoryError(Path(self.name), "has no tarball: packages are built from a release")
