"""Packages of a release of Nova that a Debian has not, shaped as that Debian's own are.

The library is the pristine release; the service packages are Debian's, which are thin scripts and
units around it, under the release's version.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

from nova_xloud import bases
from nova_xloud.packages import targets
from nova_xloud.packages.deb import newer_relations
from tests.packages.deb.debs import control_of, field, repack

LIBRARIES = "usr/lib/python3/dist-packages"


def replace(distribution: Path, target: targets.Target, libraries: Path) -> None:
    """Put stand-ins in the place of a distribution's packages of nova.

    :param distribution: a directory with those packages, which go
    :param target: says which release, and which version they get
    :param libraries: a directory with packages that the release needs; those that are not
        of Nova come along
    """
    before = sorted(distribution.glob("*.deb"))
    source = distribution / "source"
    bases.unpack(target.base, source)
    for deb in before:
        control = control_of(deb)
        changes = {field(control, "Version"): target.provides}
        edit: Callable[[Path], None] | None = None
        if deb.name.startswith("python3-nova_"):
            relations = field(control, "Depends")
            newer = newer_relations(relations.split(", "), target.depends)
            changes[relations] = ", ".join(newer)
            edit = partial(_library, source=source, release=target.base)
        elif deb.name.startswith("nova-common_"):
            edit = partial(_configuration, source=source)
        repack(deb, distribution, changes, edit)
        deb.unlink()
    shutil.rmtree(source)
    for deb in libraries.glob("*.deb"):
        if "nova" not in deb.name:
            shutil.copy(deb, distribution)


def _library(unpacked: Path, source: Path, release: str) -> None:
    """Put a release's library in the place of that in an unpacked package."""
    place = unpacked / LIBRARIES
    shutil.rmtree(place)
    place.mkdir()
    shutil.copytree(source / "nova", place / "nova")
    metadata = place / f"nova-{release}.egg-info"
    # Debian's builds leave out the list of files
    shutil.copytree(source / "nova.egg-info", metadata, ignore=lambda *_: ["SOURCES.txt"])
    # it has the checksums of the files that were there
    (unpacked / "DEBIAN/md5sums").unlink()
    subprocess.run(["chown", "-R", "0:0", place], check=True)


def _configuration(unpacked: Path, source: Path) -> None:
    """Put a release's configuration of the API in the place of that in an unpacked package."""
    shutil.copy(source / "etc/nova/api-paste.ini", unpacked / "usr/share/nova-common")
