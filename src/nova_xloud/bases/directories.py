"""A source of Nova that the user has, unpacked or as a tarball: which release it is."""

from __future__ import annotations

import email.utils
import lzma
import re
import tarfile
import zlib
from pathlib import Path

from nova_xloud.bases import checkouts, sdists
from nova_xloud.bases.base import DISTRIBUTION, GIT, SDIST, Base
from nova_xloud.ground.errors import DirectoryError

_CHANGELOG = "debian/changelog"
_METADATA = "PKG-INFO"
#: The files that tell the version of a source.
TELLING = (_CHANGELOG, _METADATA)
_VERSION = re.compile(r"(?:\d+:)?(\d+)(?:[.~+-]\S*)?")


def describe(directory: Path, version: str = "") -> Base:
    """Describe an unpacked source of Nova.

    The changelog of a package tells the version, else the metadata of an sdist, else git.

    :param version: counts instead, unless it is ""
    :raises DirectoryError: if it is no source of Nova, or nothing tells the version
    """
    if not (directory / "nova").is_dir():
        raise DirectoryError(directory, "is no source of Nova: it has no directory nova")
    told = version or _told(directory)
    found = _VERSION.fullmatch(told)
    if found is None:
        raise DirectoryError(directory, f"{told!r} is no version of Nova: write it like 29.4.0")
    return Base(str(directory), told, int(found[1]), _date(directory), form=_form(directory))


def unpack(file: Path, into: Path, only: tuple[str, ...] | None = None) -> None:
    """Unpack a tarball of Nova's source that the user has.

    :param only: the files that will be read, if not all; others may be missing
    :raises DirectoryError: if it is none
    """
    try:
        sdists.unpack(file, into, None if only is None else (*only, *TELLING))
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, ValueError) as error:
        reason = "is no tarball with one directory, as an sdist of Nova is"
        raise DirectoryError(file, f"{reason} ({error})") from error


def notice(base: Base, directory: Path) -> str:
    """Return the notice to users about a source of their own; "" where nothing is unusual."""
    series = directory / "debian/patches/series"
    if base.form == SDIST or not series.exists():
        return ""
    named = [line for line in _text(series).splitlines() if line.split("#")[0].strip()]
    if not named or (directory / ".pc/applied-patches").exists():
        return ""
    return (
        f"{series} names {len(named)} patches, and nothing tells that they are applied. Unless "
        f"they are, run `dpkg-source --before-build {directory}` first: the packages are made of "
        "the patched source."
    )


def _told(directory: Path) -> str:
    """Return the version that a source tells.

    :raises DirectoryError: if it tells none, or is the source of something else
    """
    changelog, metadata = directory / _CHANGELOG, directory / _METADATA
    if changelog.exists():
        if found := re.match(r"nova \((\S+)\)", _text(changelog)):
            return found[1]
        raise DirectoryError(changelog, "is not the changelog of the source package nova")
    if metadata.exists():
        text = _text(metadata)
        name = re.search(r"^Name: (\S+)$", text, re.MULTILINE)
        version = re.search(r"^Version: (\S+)$", text, re.MULTILINE)
        if name and version and name[1] == "nova":
            return version[1]
        raise DirectoryError(metadata, "is not the metadata of nova")
    if checkouts.is_one(directory):
        return checkouts.version(directory)
    raise DirectoryError(directory, "nothing in it tells the version of Nova: give --version X.Y.Z")


def _date(directory: Path) -> int:
    """Return when a source was released, in seconds since 1970."""
    changelog, metadata = directory / _CHANGELOG, directory / _METADATA
    if changelog.exists():
        signed = re.search(r"^ -- .*>  (.*)$", _text(changelog), re.MULTILINE)
        if signed is None:
            raise DirectoryError(changelog, "has no entry with a date")
        try:
            return int(email.utils.parsedate_to_datetime(signed[1]).timestamp())
        except ValueError as error:
            raise DirectoryError(changelog, f"has no date that can be read: {error}") from error
    if metadata.exists():
        return int(metadata.stat().st_mtime)
    if checkouts.is_one(directory):
        return checkouts.date(directory)
    return int((directory / "nova").stat().st_mtime)


def _form(directory: Path) -> str:
    if checkouts.is_one(directory):
        return GIT
    if (directory / _CHANGELOG).exists():
        return DISTRIBUTION
    return SDIST if (directory / _METADATA).exists() else ""


def _text(file: Path) -> str:
    """Return the text of a file.

    :raises DirectoryError: if it is not UTF-8
    """
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DirectoryError(file, f"is not UTF-8: {error.reason} at byte {error.start}") from error
