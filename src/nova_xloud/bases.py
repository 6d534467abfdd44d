"""Where Nova comes from: an upstream release, a distribution's source package, a directory.

Releases are fetched as sdists and must have the hash that releases.toml pins; source packages are
fetched by apt, which checks the archive's signature.  Both are cached, verified at every use.
"""

from __future__ import annotations

import contextlib
import email.utils
import functools
import importlib.resources
import re
import shutil
import tarfile
import tempfile
import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from nova_xloud import apt, cache, sdists
from nova_xloud.commands import run
from nova_xloud.errors import (
    DirectoryError,
    HashError,
    MissingToolError,
    NetworkError,
    UnknownBaseError,
)
from nova_xloud.sdists import Sdist


class Base(NamedTuple):
    """An unpacked base.

    :ivar name: what it was asked for by: ``29.4.0``, ``debian:trixie``, or a directory
    :ivar version: ``29.4.0``, or a package's ``2:31.0.0-6+deb13u2``
    :ivar series: Nova's major version
    :ivar date: when it was released, in seconds since 1970
    :ivar files: what it was unpacked from: the sdist, or the .dsc and the files it lists
    """

    name: str
    version: str
    series: int
    date: int
    files: tuple[Path, ...] = ()

    @property
    def dsc(self) -> Path | None:
        """The source package's description file."""
        return next((each for each in self.files if each.suffix == ".dsc"), None)

    @property
    def orig(self) -> Path | None:
        """The source package's upstream tarball."""
        return next((each for each in self.files if ".orig.tar." in each.name), None)


class Known(NamedTuple):
    """A base that can be asked for.

    :ivar name: ``29.4.0`` or ``debian:trixie``
    :ivar codename: what its makers call it
    :ivar python: the Python it asks for; "" where the distribution decides
    :ivar sha256: of the sdist; "" where a signature vouches instead
    :ivar checked: ``check`` includes it without being asked
    """

    name: str
    codename: str
    python: str
    sha256: str
    checked: bool


@functools.cache
def known() -> dict[str, Known]:
    """Return the bases of releases.toml, by name."""
    text = importlib.resources.files("nova_xloud").joinpath("releases.toml").read_text()
    table = tomllib.loads(text)
    releases = [
        Known(name, row["codename"], row["python"], row["sha256"], checked=True)
        for name, row in table["releases"].items()
    ]
    suites = [
        Known(f"debian:{name}", row["codename"], "", "", row["checked"])
        for name, row in table["debian"].items()
    ]
    return {each.name: each for each in [*releases, *suites]}


def state(name: str) -> str:
    """Return ``cached``, ``not fetched`` or ``damaged`` for a known base."""
    wanted = _find(name)
    try:
        return "cached" if _cached(wanted) else "not fetched"
    except HashError:
        return "damaged"


def fetch(name: str, *, refresh: bool = False) -> tuple[Path, ...]:
    """Return a base's files from the cache, fetched if need be; each has been verified.

    :param refresh: ask the archive whether a suite has a newer source package
    :raises UnknownBaseError: if no such base is known
    :raises HashError: if what comes is not what is pinned
    :raises NetworkError: if nothing comes; a damaged file in the cache is then reported
    :raises NoSpaceError: if the disk is full
    :raises FetchError: if pip or apt fails otherwise
    """
    wanted = _find(name)
    with cache.locked(_place(wanted)) as place:
        damage: HashError | None = None
        try:
            files = _cached(wanted)
        except HashError as error:
            files, damage = (), error
        if files and not (refresh and not wanted.sha256):
            return files
        try:
            return _download(wanted, place)
        except NetworkError as error:
            if damage:
                raise HashError(f"{damage}; and it cannot be fetched again: {error}") from error
            raise


def passed_over(name: str) -> str:
    """Return the version of a suite's source package that its archive lists, but did not serve.

    :returns: "" where the newest one was fetched, for a release, and for a directory
    """
    wanted = known().get(name)
    if wanted is None or wanted.sha256:
        return ""
    return apt.passed_over(cache.directory() / _place(wanted))


def unpack(
    name: str, into: Path, *, refresh: bool = False, only: Collection[str] | None = None
) -> Base:
    """Fetch a base and unpack it, a distribution's patches applied.

    :param into: a directory that is missing or empty
    :param only: the files that will be read, if not all; others may be missing
    :raises XloudError: as fetch, and if the files cannot be unpacked
    """
    files = fetch(name, refresh=refresh)
    with cache.space_on(into):
        if files[0].suffix == ".dsc":
            _unpack_dsc(files[0], into)
        else:
            _unpack_sdist(files[0], into, only)
    return describe(into)._replace(name=name, files=files)


@contextlib.contextmanager
def opened(
    name: str, *, refresh: bool = False, only: Collection[str] | None = None
) -> Iterator[tuple[Base, Path]]:
    """Yield a base and a directory that it is unpacked in.

    :param name: a known base, or a directory with one, which is read where it is
    :param only: as in unpack
    """
    if name not in known() and Path(name).is_dir():
        yield describe(Path(name)), Path(name)
        return
    with tempfile.TemporaryDirectory(prefix="nova-xloud-") as scratch:
        directory = Path(scratch, "nova")
        yield unpack(name, directory, refresh=refresh, only=only), directory


def describe(directory: Path) -> Base:
    """Describe an unpacked base by its changelog (Debian) or its metadata (upstream).

    :raises DirectoryError: if it is no source of Nova
    """
    changelog = directory / "debian" / "changelog"
    info = directory / "PKG-INFO"
    if changelog.exists():
        text = changelog.read_text()
        found = re.match(r"nova \(((?:\d+:)?(\d+)[^)]*)\)", text)
        signed = re.search(r"^ -- .*>  (.*)$", text, re.MULTILINE)
        if found and signed:
            date = email.utils.parsedate_to_datetime(signed[1])
            return Base(str(directory), found[1], int(found[2]), int(date.timestamp()))
    elif info.exists():
        found = re.search(r"^Name: nova\nVersion: ((\d+)\S*)$", info.read_text(), re.MULTILINE)
        if found:
            date_of_release = int(info.stat().st_mtime)
            return Base(str(directory), found[1], int(found[2]), date_of_release)
    raise DirectoryError(directory, "is no source of Nova: nothing in it tells the version")


def _find(name: str) -> Known:
    try:
        return known()[name]
    except KeyError:
        raise UnknownBaseError(name, list(known())) from None


def _place(wanted: Known) -> str:
    """Return the directory in the cache that a base's files are in."""
    return "releases" if wanted.sha256 else wanted.name.replace(":", "-")


def _cached(wanted: Known) -> tuple[Path, ...]:
    """Return a base's verified files; none if it was never fetched.

    :raises HashError: if a file is not what it was
    """
    place = cache.directory() / _place(wanted)
    if not wanted.sha256:
        return apt.cached(place)
    file = sdists.cached(_sdist(wanted), place)
    return (file,) if file else ()


def _download(wanted: Known, place: Path) -> tuple[Path, ...]:
    """Fetch a base into its place in the cache."""
    if wanted.sha256:
        return (sdists.download(_sdist(wanted), place),)
    with cache.part(place) as part:
        return apt.download(wanted.name.partition(":")[2], part, place)


def _sdist(wanted: Known) -> Sdist:
    return Sdist("nova", wanted.name, wanted.sha256)


def _unpack_sdist(file: Path, into: Path, only: Collection[str] | None) -> None:
    """Unpack a tarball without the directory that all of it is in."""
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{into.name}.", dir=into.parent) as scratch:
        with tarfile.open(file) as archive:
            wanted = [
                each
                for each in archive
                if only is None or each.name.partition("/")[2] in {"PKG-INFO", *only}
            ]
            archive.extractall(scratch, wanted, filter="tar")
        (top,) = Path(scratch).iterdir()
        top.rename(into)


def _unpack_dsc(file: Path, into: Path) -> None:
    """Unpack a source package, its patches applied; apt has checked the signature before."""
    into.parent.mkdir(parents=True, exist_ok=True)
    if shutil.which("dpkg-source") is None:
        raise MissingToolError("dpkg-source", package="dpkg-dev")
    with tempfile.TemporaryDirectory(prefix=f".{into.name}.", dir=into.parent) as scratch:
        target = Path(scratch, "nova")
        run(["dpkg-source", "--no-check", "-x", str(file), str(target)], f"unpacking {file.name}")
        target.rename(into)
