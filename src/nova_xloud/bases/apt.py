"""A distribution's nova, fetched by apt: the library that hosts install, and a source for it.

An archive may list a source package and not serve it.  The library is then taken with the newest
source package of the same upstream version that the archive serves, or with the upstream tarball,
or alone.  How these become one base is not this module's business.
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nova_xloud.ground import archive, cache
from nova_xloud.ground.archive import Archive
from nova_xloud.ground.commands import run
from nova_xloud.ground.errors import FetchError, HashError, MissingToolError, UnservedError

SOURCE = "nova"
LIBRARY = "python3-nova"
_RECORD = "fetched.json"
#: apt's words about a file that it knows of, and that the archive does not have.
_NOT_SERVED = re.compile(r"\b40[34]  |\b410  |File not found")


class Offer(NamedTuple):
    """The versions of nova that an archive lists.

    :ivar version: of the library that its hosts install; "" where it has none
    :ivar record: the archive's paragraph about that library
    :ivar sources: the versions of the source package, the newest first, served or not
    :ivar digest: of the archive's indexes
    """

    version: str
    record: str
    sources: tuple[str, ...]
    digest: str


class Fetched(NamedTuple):
    """A library and the source for it, in the cache.

    :ivar version: of the library
    :ivar record: the archive's paragraph about the library
    :ivar source: the version of the source package; "" where none was served
    :ivar digest: of the archive's indexes when this was fetched
    :ivar files: of the source package, the .dsc first; or the upstream tarball; or none
    :ivar library: the binary package
    """

    version: str
    record: str
    source: str
    digest: str
    files: tuple[Path, ...]
    library: Path


def newest(suite: str, distribution: str = "debian") -> Offer:
    """Ask the archive of a suite for its versions; only its indexes are downloaded.

    :raises XloudError: see nova_xloud.ground.archive.read
    """
    _require_apt()
    return _offer(archive.read(suite, distribution=distribution))


def listed(suite: str, distribution: str = "debian") -> Offer:
    """Return the versions that the archive of a suite listed last, without asking it."""
    _require_apt()
    return _offer(archive.as_read(suite, distribution=distribution))


def cached(place: Path) -> Fetched | None:
    """Return the files of the last fetch, or None.

    :raises HashError: if a file has changed since it was fetched
    """
    record = place / _RECORD
    if not record.exists():
        return None
    try:
        told: dict[str, Any] = json.loads(record.read_text())
        library, *files = told["files"]
        found = Fetched(
            told["version"],
            told["record"],
            told["source"],
            told["digest"],
            tuple(place / name for name in files),
            place / library,
        )
        digests: dict[str, str] = told["files"]
    except (ValueError, KeyError) as error:
        raise HashError(f"{record} is damaged") from error
    for name, digest in digests.items():
        if not (place / name).exists() or cache.sha256(place / name) != digest:
            raise HashError(f"{place / name} is damaged: its hash is not the one it came with")
    return found


def download(
    suite: str, distribution: str, part: Path, place: Path, *, anew: bool = False
) -> Fetched:
    """Fetch the library that hosts of a suite install, and a source for it.

    :param part: a scratch directory on the same file system as ``place``
    :param place: where the files go
    :param anew: fetch again although the archive is the same: by now it may serve a source that
        it only listed before
    :raises UnservedError: if the archive has no library, or does not serve it
    :raises XloudError: see nova_xloud.bases.fetch
    """
    _require_apt()
    found = archive.read(suite, distribution=distribution)
    offer = _offer(found)
    if not offer.version:
        raise UnservedError(f"the archive of {distribution} {suite} has no {LIBRARY}")
    before = None
    with contextlib.suppress(HashError):
        before = cached(place)
    if before and not anew:
        is_current = (before.version, before.record) == (offer.version, offer.record)
        if is_current and (before.source == before.version or before.digest == offer.digest):
            return before
    library = _library(found, offer, part / "library")
    version, files = _source(found, offer, part)
    digests = {}
    for file in (library, *files):
        digests[file.name] = cache.sha256(file)
        file.replace(place / file.name)
    told = {
        "version": offer.version,
        "source": version,
        "record": offer.record,
        "digest": offer.digest,
        "files": digests,
    }
    (part / _RECORD).write_text(json.dumps(told, indent=1) + "\n")
    (part / _RECORD).replace(place / _RECORD)
    fetched = cached(place)
    assert fetched  # noqa: S101
    return fetched


def upstream_version(version: str) -> str:
    """Return a package's version without epoch and revision.

    >>> upstream_version("2:26.2.2-1~deb12u5")
    '26.2.2'
    """
    return version.split(":", 1)[-1].rsplit("-", 1)[0]


def _require_apt() -> None:
    if shutil.which("apt-get") is None:
        raise MissingToolError("apt-get", package="apt")


def _offer(found: Archive) -> Offer:
    doing = f"asking the archive of {found.suite} for {SOURCE}"
    try:
        show = ["show", "--no-all-versions", LIBRARY]
        record = run(["apt-cache", *found.options, *show], doing).strip()
    except FetchError:
        record = ""
    version = re.search(r"^Version: (\S+)$", record, re.MULTILINE)
    try:
        told = run(["apt-cache", *found.options, "showsrc", "--only-source", SOURCE], doing)
    except FetchError:
        told = ""
    sources = sorted(
        set(re.findall(r"^Version: (\S+)$", told, re.MULTILINE)),
        key=functools.cmp_to_key(_compared),
        reverse=True,
    )
    return Offer(version[1] if version else "", record, tuple(sources), found.digest())


def _library(found: Archive, offer: Offer, into: Path) -> Path:
    """Fetch the binary package of the library."""
    doing = f"fetching {LIBRARY} {offer.version} from {found.suite}"
    try:
        _run_in(into, ["apt-get", *found.options, "download", f"{LIBRARY}={offer.version}"], doing)
    except FetchError as error:
        if not _NOT_SERVED.search(str(error)):
            raise
        raise UnservedError(
            f"hosts with nova-common {offer.version} cannot be served: the archive of "
            f"{found.suite} lists {LIBRARY} of that version, and does not serve it\n{error}"
        ) from error
    (package,) = into.glob("*.deb")
    return package


def _source(found: Archive, offer: Offer, part: Path) -> tuple[str, list[Path]]:
    """Fetch the source that is nearest to the library.

    :returns: its version and files, the .dsc first; for an upstream tarball "" and the tarball
    """
    upstream = upstream_version(offer.version)
    near = [each for each in offer.sources if upstream_version(each) == upstream]
    for version in sorted(near, key=lambda each: each != offer.version):
        doing = f"fetching {SOURCE} {version} from {found.suite}"
        into = part / f"source-{version}"
        source = ["apt-get", *found.options, "source", "--download-only", f"{SOURCE}={version}"]
        try:
            _run_in(into, source, doing)
        except FetchError as error:
            if not _NOT_SERVED.search(str(error)):
                raise
            continue
        (dsc,) = into.glob("*.dsc")
        return version, [dsc, *_listed(dsc)]
    for version in near:
        into = part / f"tarball-{version}"
        tarball = ["apt-get", *found.options, "source", "--download-only", "--tar-only"]
        try:
            _run_in(into, [*tarball, f"{SOURCE}={version}"], f"fetching the tarball of {version}")
        except FetchError as error:
            if not _NOT_SERVED.search(str(error)):
                raise
            continue
        return "", sorted(into.glob("*.orig.tar.*"))[:1]
    return "", []


def _run_in(directory: Path, command: Sequence[str], doing: str) -> None:
    directory.mkdir()
    run(["env", "-C", str(directory), *command], doing)


def newer(one: str, other: str) -> bool:
    """Say whether a version is higher than another one, as dpkg compares them."""
    return subprocess.run(["dpkg", "--compare-versions", one, "gt", other]).returncode == 0


def _compared(one: str, other: str) -> int:
    """Compare two versions; they differ."""
    return 1 if newer(one, other) else -1


def _listed(dsc: Path) -> list[Path]:
    """Return the files that a .dsc lists, beside it.

    :raises HashError: if one is missing, or has another hash than the .dsc lists
    """
    section = re.search(r"^Checksums-Sha256:\n((?: .*\n)+)", dsc.read_text(), re.MULTILINE)
    files = []
    for line in section[1].splitlines() if section else ():
        digest, _size, name = line.split()
        file = dsc.with_name(name)
        if not file.exists() or cache.sha256(file) != digest:
            raise HashError(f"{file} is damaged: its hash is not the one in {dsc.name}")
        files.append(file)
    if not files:
        raise HashError(f"{dsc} lists no files")
    return files
