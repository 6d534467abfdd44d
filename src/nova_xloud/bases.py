"""The bases: an upstream release, a distribution's nova, or a directory.

pip fetches releases as sdists, whose hash releases.toml pins.  apt fetches a distribution's nova
and checks the archive's signature.  Both are cached, and verified at every use.

The base of a distribution is the nova that its hosts install.  Where the archive does not serve the
source of that version, the base is the nearest source with the library of the binary package laid
over it; the difference is a patch of its own.
"""

from __future__ import annotations

import contextlib
import email.utils
import functools
import importlib.resources
import logging
import re
import shutil
import tarfile
import tempfile
import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from nova_xloud import apt, binary, cache, sdists
from nova_xloud.commands import run
from nova_xloud.errors import (
    DirectoryError,
    HashError,
    MissingToolError,
    NetworkError,
    UnknownBaseError,
    UnservedError,
)
from nova_xloud.sdists import Sdist

_LOG = logging.getLogger(__name__)


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

    @property
    def distribution(self) -> str:
        """The distribution whose nova it is; "" for a release."""
        return "" if self.sha256 else self.name.partition(":")[0]

    @property
    def suite(self) -> str:
        """The suite of that distribution."""
        return self.name.partition(":")[2]


@functools.cache
def known() -> dict[str, Known]:
    """Return the bases of releases.toml, by name."""
    text = importlib.resources.files("nova_xloud").joinpath("releases.toml").read_text()
    table = tomllib.loads(text)
    releases = [
        Known(name, row["codename"], row["python"], row["sha256"], row.get("checked", True))
        for name, row in table["releases"].items()
    ]
    suites = [
        Known(f"{distribution}:{name}", row["codename"], "", "", row.get("checked", True))
        for distribution in ("debian", "ubuntu")
        for name, row in table[distribution].items()
    ]
    return {each.name: each for each in [*releases, *suites]}


def state(name: str) -> str:
    """Return ``cached``, ``not fetched`` or ``damaged`` for a known base."""
    wanted = _find(name)
    try:
        return "cached" if _cached(wanted) else "not fetched"
    except HashError:
        return "damaged"


def fetch(name: str, *, ask: bool = False, refresh: bool = False) -> tuple[Path, ...]:
    """Return a base's files from the cache, fetched if need be; each has been verified.

    :param ask: ask the archive of a distribution whether its hosts have a newer version
    :param refresh: the same, and fetch also where the archive has not changed
    :raises UnknownBaseError: if no such base is known
    :raises HashError: if a file that comes is not the one that is pinned
    :raises NetworkError: if nothing comes; a damaged file in the cache is then reported
    :raises NoSpaceError: if the disk is full
    :raises ArchiveError: if no archive of the distribution is configured
    :raises UnservedError: if the archive does not have all that the base is made of
    :raises FetchError: if pip or apt fails otherwise
    """
    wanted = _find(name)
    with cache.locked(_place(wanted)) as place:
        damage: HashError | None = None
        try:
            files = _cached(wanted)
        except HashError as error:
            files, damage = (), error
        if files and not ((ask or refresh) and wanted.distribution):
            return files
        try:
            return _download(wanted, place, anew=refresh)
        except NetworkError as error:
            if damage:
                raise HashError(f"{damage}; and it cannot be fetched again: {error}") from error
            raise


def cached(name: str) -> tuple[Path, ...]:
    """Return a base's verified files; none if it was never fetched.

    :raises HashError: if a file is not what it was
    """
    return _cached(_find(name))


def record(name: str) -> str:
    """Return the archive's paragraph about the library of a distribution, as it was fetched."""
    fetched = _fetched(name)
    return fetched.record if fetched else ""


def notice(name: str) -> str:
    """Return what an operator must know of a base in the cache; "" where nothing is unusual."""
    fetched = _fetched(name)
    if fetched is None or fetched.source == fetched.version:
        return ""
    source = f"the source of {fetched.source}"
    if not fetched.source:
        source = f"the upstream release {apt.upstream_version(fetched.version)}"
    return (
        f"the archive of {name} does not serve the source of nova {fetched.version}, which its "
        f"hosts install. The base is {source} with the library of the signed binary package "
        f"python3-nova {fetched.version} as a patch. Files outside of nova/, for example the "
        "documents, stay those of the source."
    )


def _fetched(name: str) -> apt.Fetched | None:
    wanted = known().get(name)
    if wanted is None or not wanted.distribution:
        return None
    return apt.cached(cache.directory() / _place(wanted))


def unpack(
    name: str, into: Path, *, refresh: bool = False, only: Collection[str] | None = None
) -> Base:
    """Fetch a base and unpack it, a distribution's patches applied.

    :param into: a directory that is missing or empty
    :param only: the files that will be read, if not all; others may be missing
    :raises XloudError: as fetch, and if the files cannot be unpacked
    """
    files = fetch(name, refresh=refresh)
    distribution = _find(name).distribution
    with cache.space_on(into):
        if files[0].suffix == ".dsc":
            _unpack_dsc(files[0], into)
        else:
            _unpack_sdist(files[0], into, None if distribution else only)
        if distribution:
            return _laid_over(name, distribution, files, into)
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


def _laid_over(name: str, distribution: str, files: tuple[Path, ...], directory: Path) -> Base:
    """Give an unpacked source the library that the distribution's hosts have; describe both."""
    library = binary.read(files[-1])
    upstream = apt.upstream_version(library.version)
    try:
        source = describe(directory).version
    except DirectoryError:
        source = upstream  # a tarball without metadata
    base = Base(
        name,
        library.version,
        int(upstream.partition(".")[0]),
        library.date,
        files,
        source=source,
    )
    if source == library.version:
        return base
    told = binary.told_of(files[0], source, files[-1], library)
    found = binary.difference(directory, library, told)
    binary.lay_over(directory, found)
    named = f"{distribution}-{library.version}-from-binary.patch"
    return base._replace(patch=(named, found.patch) if found.patch else None, aside=found.aside)


def _find(name: str) -> Known:
    try:
        return known()[name]
    except KeyError:
        raise UnknownBaseError(name, list(known())) from None


def _place(wanted: Known) -> str:
    """Return the directory in the cache that a base's files are in."""
    return wanted.name.replace(":", "-") if wanted.distribution else "releases"


def _cached(wanted: Known) -> tuple[Path, ...]:
    """Return a base's verified files; none if it was never fetched.

    :raises HashError: if a file is not what it was
    """
    place = cache.directory() / _place(wanted)
    if wanted.distribution:
        fetched = apt.cached(place)
        return _files(fetched, download=False) if fetched else ()
    file = sdists.cached(_sdist(wanted), place)
    return (file,) if file else ()


def _download(wanted: Known, place: Path, *, anew: bool) -> tuple[Path, ...]:
    """Fetch a base into its place in the cache."""
    _LOG.info("fetching %s", wanted.name)
    if not wanted.distribution:
        return (sdists.download(_sdist(wanted), place),)
    with cache.part(place) as part:
        fetched = apt.download(wanted.suite, wanted.distribution, part, place, anew=anew)
    return _files(fetched, download=True)


def _files(fetched: apt.Fetched, *, download: bool) -> tuple[Path, ...]:
    """Return the files of a distribution's nova; the release's sdist where no source is served.

    :param download: fetch the sdist if need be
    :returns: the source first, the library last; none if the sdist is not in the cache
    :raises UnservedError: if no sdist of the version is pinned
    """
    if fetched.files:
        return (*fetched.files, fetched.library)
    upstream = apt.upstream_version(fetched.version)
    release = known().get(upstream)
    if release is None or not release.sha256:
        raise UnservedError(
            f"hosts with nova-common {fetched.version} cannot be served: the archive serves no "
            f"source of Nova {upstream}, and releases.toml pins no sdist of it"
        )
    if download:
        return (*fetch(upstream), fetched.library)
    file = sdists.cached(_sdist(release), cache.directory() / _place(release))
    return (file, fetched.library) if file else ()


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
        command = ["dpkg-source", "--no-check", "-x", str(file), str(target)]
        run(command, f"unpacking {file.name}", places=[target])
        target.rename(into)
