"""The bases: an upstream release, a distribution's nova, or a source that the user has.

pip fetches releases as sdists, whose hash releases.toml pins.  apt fetches a distribution's nova
and checks the archive's signature.  Both are cached, and verified at every use.

The base of a distribution is the nova that its hosts install.  Where the archive does not serve the
source of that version, the base is the nearest source with the library of the binary package laid
over it; the difference is a patch of its own.

A source of the user's is a directory (a git checkout, an unpacked sdist or source package) or an
sdist.  Its files are read where they are, and are not changed.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

from nova_xloud.bases import apt, directories, distributions, releases, sdists
from nova_xloud.bases.base import DISTRIBUTION, GIT, SDIST, Base
from nova_xloud.bases.directories import describe
from nova_xloud.bases.releases import Known, known
from nova_xloud.ground import cache
from nova_xloud.ground.errors import HashError, NetworkError, UnservedError

__all__ = [
    "DISTRIBUTION",
    "GIT",
    "SDIST",
    "Base",
    "Known",
    "as_in_git",
    "cached",
    "describe",
    "fetch",
    "known",
    "notice",
    "opened",
    "record",
    "state",
    "unpack",
]

_LOG = logging.getLogger(__name__)


def state(name: str) -> str:
    """Return ``cached``, ``not fetched`` or ``damaged`` for a known base."""
    wanted = releases.find(name)
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
    wanted = releases.find(name)
    with cache.locked(wanted.place) as place:
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

    :raises HashError: if a file has changed since it was fetched
    """
    return _cached(releases.find(name))


def record(name: str) -> str:
    """Return the archive's paragraph about the library of a distribution, as it was fetched."""
    fetched = _fetched(name)
    return fetched.record if fetched else ""


def notice(name: str) -> str:
    """Return the notice to operators about a base in the cache; "" where nothing is unusual."""
    fetched = _fetched(name)
    return distributions.notice(name, fetched) if fetched else ""


def _fetched(name: str) -> apt.Fetched | None:
    wanted = releases.known().get(name)
    if wanted is None or not wanted.distribution:
        return None
    return apt.cached(cache.directory() / wanted.place)


def unpack(
    name: str, into: Path, *, refresh: bool = False, only: Collection[str] | None = None
) -> Base:
    """Fetch a base and unpack it, a distribution's patches applied.

    :param into: a directory that is missing or empty
    :param only: the files that will be read, if not all; others may be missing
    :raises XloudError: as fetch, and if the files cannot be unpacked
    """
    files = fetch(name, refresh=refresh)
    distribution = releases.find(name).distribution
    with cache.space_on(into):
        if files[0].suffix == ".dsc":
            distributions.unpack(files[0], into)
        else:
            sdists.unpack(files[0], into, None if distribution else only)
        if distribution:
            found = distributions.laid_over(name, distribution, files, into)
            return found._replace(form=DISTRIBUTION)
    return describe(into)._replace(name=name, files=files)


@contextlib.contextmanager
def opened(
    name: str,
    *,
    refresh: bool = False,
    only: Collection[str] | None = None,
    version: str = "",
    unsupported: bool = False,
) -> Iterator[tuple[Base, Path]]:
    """Yield a base and a directory that it is unpacked in.

    :param name: a known base; or a directory with one, which is read where it is; or an sdist
    :param only: as in unpack
    :param version: of a directory or an sdist, instead of the one that it tells
    :param unsupported: accept a series that the changes are not made for
    :raises UnsupportedReleaseError: if the base is of such a series
    :raises XloudError: as unpack; and if a directory or an sdist is none of Nova
    """
    path = Path(name)
    own = name not in releases.known() and path.exists()
    with contextlib.ExitStack() as stack:
        if own and path.is_dir():
            directory = path
            base = describe(path, version)
        else:
            scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="nova-xloud-"))
            directory = Path(scratch, "nova")
            if own:
                with cache.space_on(directory):
                    directories.unpack(path, directory, None if only is None else tuple(only))
                base = describe(directory, version)._replace(name=name, files=(path,))
            else:
                base = unpack(name, directory, refresh=refresh, only=only)
        if not unsupported:
            releases.check_supported(base.version, base.series)
        if told := directories.notice(base, directory) if own else "":
            _LOG.warning("note: %s", told)
        yield base, directory


@contextlib.contextmanager
def as_in_git(base: Base, directory: Path, only: Collection[str]) -> Iterator[Path]:
    """Yield a directory with files of a base as Nova's repository has them.

    setup.cfg is the one file of an sdist that differs from the repository's.

    :param only: the files that will be read
    """
    if base.form != SDIST:
        yield directory
        return
    with tempfile.TemporaryDirectory(prefix="nova-xloud-") as scratch:
        top = Path(scratch)
        with cache.space_on(top):
            for path in only:
                if (directory / path).is_file():
                    (top / path).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(directory / path, top / path)
            settings = top / "setup.cfg"
            if settings.exists():
                settings.write_bytes(sdists.as_in_git(settings.read_bytes()))
        yield top


def _cached(wanted: Known) -> tuple[Path, ...]:
    """Return a base's verified files; none if it was never fetched.

    :raises HashError: if a file has changed since it was fetched
    """
    place = cache.directory() / wanted.place
    if wanted.distribution:
        fetched = apt.cached(place)
        return _files(fetched, download=False) if fetched else ()
    file = sdists.cached(wanted.sdist, place)
    return (file,) if file else ()


def _download(wanted: Known, place: Path, *, anew: bool) -> tuple[Path, ...]:
    """Fetch a base into its place in the cache."""
    _LOG.info("fetching %s", wanted.name)
    if not wanted.distribution:
        return (sdists.download(wanted.sdist, place),)
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
    release = releases.known().get(upstream)
    if release is None or not release.sha256:
        raise UnservedError(
            f"hosts with nova-common {fetched.version} cannot be served: the archive serves no "
            f"source of Nova {upstream}, and releases.toml pins no sdist of it"
        )
    if download:
        return (*fetch(upstream), fetched.library)
    file = sdists.cached(release.sdist, cache.directory() / release.place)
    return (file, fetched.library) if file else ()
