"""Companions: packages beside those of Nova. This module reads their table and their sources.

A companion is a directory of the checkout, with packaging of its own. It knows nothing of the Nova
tree, and this module knows no package format.
"""

from __future__ import annotations

import email.utils
import functools
import gzip
import io
import re
import tarfile
import tomllib
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from nova_xloud.ground.errors import PackageError
from nova_xloud.packages import checkout, targets
from nova_xloud.packages.targets import Target

#: What a build or a test leaves in a checkout, and packaging, which is no part of the source.
_LEFT_OUT = re.compile(r"\.|__pycache__$|build$|dist$|.*\.egg-info$|.*\.pyc$")
_PACKAGING = ("debian", "rpm")
_ENTRY = re.compile(
    r"(?P<source>[a-z0-9][a-z0-9+.-]+) \((?P<version>[^-) ]+)-(?P<revision>[^-) ]+)\) .*\n"
    r"(?P<text>(?:\n|  .*\n)+) -- (?P<author>.+>)  (?P<date>.+)\n"
)


class Companion(NamedTuple):
    """A row of the table; companions.toml explains the fields."""

    name: str
    formats: tuple[str, ...]
    rpm_tools: tuple[str, ...] = ()

    @property
    def directory(self) -> Path:
        """The directory of the checkout that it is made of."""
        return checkout.TOP / self.name


class Entry(NamedTuple):
    """An entry of a changelog.

    :ivar source: the name of the source package
    :ivar version: the upstream version
    :ivar revision: of the packaging
    :ivar changes: the changes, a paragraph each
    :ivar author: name and mail address
    :ivar date: in seconds since 1970
    """

    source: str
    version: str
    revision: str
    changes: tuple[str, ...]
    author: str
    date: int


@functools.cache
def known() -> dict[str, Companion]:
    """Return all companions by name, in the table's order."""
    text = resources.files("nova_xloud.packages").joinpath("companions.toml").read_text()
    return {
        name: Companion(name, tuple(row["formats"]), tuple(row.get("rpm_tools", ())))
        for name, row in tomllib.loads(text).items()
    }


def of(target: Target) -> list[Companion]:
    """Return the companions that have packages for a target."""
    return [each for each in known().values() if target.format in each.formats]


def as_target(companion: Companion, target: Target) -> Target:
    """Return the target under which the packages of a companion are built and recorded.

    >>> from nova_xloud.packages import targets
    >>> as_target(Companion("client", ("deb",)), targets.get("debian-13")).name
    'debian-13-client'
    """
    return Target(
        f"{target.name}-{companion.name}",
        base="",
        format=target.format,
        suite=target.suite,
        repository=target.repository,
        python=target.python,
        verified="",
    )


@functools.cache
def places() -> frozenset[str]:
    """Return the names under which packages of companions are recorded."""
    everything = targets.known().values()
    return frozenset(as_target(each, target).name for target in everything for each in of(target))


def changelog(companion: Companion) -> list[Entry]:
    """Return the entries of a companion's changelog, the newest first.

    :raises PackageError: if it is none; ``dpkg-parsechangelog`` says more
    """
    file = companion.directory / "debian/changelog"
    text = file.read_text()
    entries = []
    for found in _ENTRY.finditer(text):
        items = re.split(r"^  \* ", found["text"], flags=re.MULTILINE)
        changes = tuple(" ".join(item.split()) for item in items if item.strip())
        date = int(email.utils.parsedate_to_datetime(found["date"]).timestamp())
        told = (found["source"], found["version"], found["revision"])
        entries.append(Entry(*told, changes, found["author"], date))
    if not entries or len(entries) != text.count("\n -- "):
        raise PackageError(f"{file} is no changelog of a package with an upstream version")
    return entries


def files(directory: Path) -> list[Path]:
    """Return the files below a directory, sorted; caches and what a build leaves are left out."""
    found: list[Path] = []
    for each in sorted(directory.iterdir()):
        if _LEFT_OUT.match(each.name):
            continue
        if each.is_dir():
            found += files(each)
        elif each.is_file():
            found.append(each)
    return found


def upstream(companion: Companion) -> bytes:
    """Return the upstream tarball of a companion: the same bytes for the same files.

    All is in a directory ``SOURCE-VERSION``, has the date of the changelog, and belongs to root.
    """
    entry = changelog(companion)[0]
    packed = io.BytesIO()
    with (
        gzip.GzipFile("", "wb", 9, packed, mtime=entry.date) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        for file in source_files(companion):
            name = file.relative_to(companion.directory)
            member = tarfile.TarInfo(f"{entry.source}-{entry.version}/{name}")
            member.size = file.stat().st_size
            member.mode = 0o755 if file.stat().st_mode & 0o100 else 0o644
            member.mtime = entry.date
            with file.open("rb") as content:
                archive.addfile(member, content)
    return packed.getvalue()


def source_files(companion: Companion) -> list[Path]:
    """Return the files of a companion's upstream source.

    The changelog is one of them: a version that is told once is told there.
    """
    directory = companion.directory
    packaging = [directory / name for name in _PACKAGING]
    inside = [
        each for each in files(directory) if not any(part in each.parents for part in packaging)
    ]
    return sorted([*inside, directory / "debian/changelog"])
