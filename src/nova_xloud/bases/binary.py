"""The library of a distribution, read from its signed binary package: the code that hosts run.

The library stands in for a source that the archive does not serve.  This module does not fetch and
does not build.
"""

from __future__ import annotations

import email.utils
import gzip
import re
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from nova_xloud.ground import cache
from nova_xloud.ground.commands import answer
from nova_xloud.ground.errors import PackageError, UnservedError

_LIBRARY = "usr/lib/python3/dist-packages/"
_CHANGELOG = "usr/share/doc/python3-nova/changelog.Debian.gz"
#: Files that a patch cannot express, and that no service runs: translations in machine form, and
#: archives that are fixtures of tests.  Debian's build gives both other dates.
ASIDE = re.compile(r"\.mo$|^nova/tests/.*\.(?:tar|tgz|gz|bz2|xz|zip)$")


class Binary(NamedTuple):
    """A binary package with the library.

    :ivar version: e.g. ``2:31.0.0-6+deb13u3``
    :ivar date: of its changelog's last entry, in seconds since 1970
    :ivar files: content by path below dist-packages, byte code left out
    :ivar changelog: Debian's changelog in it, from which a build may leave out old entries
    """

    version: str
    date: int
    files: Mapping[str, bytes]
    changelog: str = ""


class Difference(NamedTuple):
    """How a library differs from a source.

    :ivar changed: new content by path; None where the library has no such file
    :ivar patch: the same as text, with a DEP-3 header; empty where nothing differs
    :ivar aside: the paths of files that differ and that no patch can express
    """

    changed: Mapping[str, bytes | None]
    patch: bytes
    aside: tuple[str, ...]


def read(package: Path) -> Binary:
    """Read a binary package.

    :raises PackageError: if it is none, or has other members than files and directories
    """
    version = answer(["dpkg-deb", "-f", package, "Version"], PackageError).strip()
    files: dict[str, bytes] = {}
    changelog = ""
    unpacking = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE)
    assert unpacking.stdout  # noqa: S101
    with unpacking, tarfile.open(fileobj=unpacking.stdout, mode="r|") as archive:
        latest = 0
        for member in archive:
            name = member.name.removeprefix("./")
            latest = max(latest, int(member.mtime))
            stream = archive.extractfile(member) if member.isfile() else None
            if name == _CHANGELOG and stream:
                changelog = gzip.decompress(stream.read()).decode()
            elif name.startswith(_LIBRARY) and "__pycache__" not in name:
                if stream:
                    files[name.removeprefix(_LIBRARY)] = stream.read()
                elif not member.isdir():
                    raise PackageError(f"{package.name}: {name} is neither a file nor a directory")
    if unpacking.returncode:
        raise PackageError(f"{package} cannot be unpacked")
    date = _date(changelog) if changelog else latest
    return Binary(version, date, files, changelog)


def difference(source: Path, binary: Binary, header: Sequence[str]) -> Difference:
    """Compare the ``nova`` directory of an unpacked source with a library.

    :param header: the text of the patch's Description
    :raises UnservedError: if a patch cannot express a change of a file that services run
    """
    ours = {path: file.read_bytes() for path, file in _files(source)}
    theirs = {path: text for path, text in binary.files.items() if path.startswith("nova/")}
    changed: dict[str, bytes | None] = {}
    aside = []
    hunks = []
    for path in sorted(ours.keys() | theirs.keys()):
        old, new = ours.get(path), theirs.get(path)
        if old == new:
            continue
        if ASIDE.search(path):
            aside.append(path)
            continue
        if not _is_text(old) or not _is_text(new) or not (old or new):
            raise UnservedError(
                f"hosts with nova-common {binary.version} cannot be served: {path} of their "
                "library differs from the source that is served, and no patch can express that"
            )
        changed[path] = new
        hunks.append(_unified(path, old, new))
    patch = "".join([_header(binary, header, aside), *hunks]).encode() if hunks else b""
    return Difference(changed, patch, tuple(aside))


def lay_over(source: Path, difference: Difference) -> None:
    """Give an unpacked source the library's files."""
    for path, content in difference.changed.items():
        file = source / path
        if content is None:
            file.unlink()
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)


def _files(source: Path) -> Iterator[tuple[str, Path]]:
    for file in sorted((source / "nova").rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            yield file.relative_to(source).as_posix(), file


def _date(changelog: str) -> int:
    signed = re.search(r"^ -- .*>  (.*)$", changelog, re.MULTILINE)
    return int(email.utils.parsedate_to_datetime(signed[1]).timestamp()) if signed else 0


def _is_text(content: bytes | None) -> bool:
    try:
        return b"\0" not in (content or b"") and bool((content or b"").decode() or True)
    except UnicodeDecodeError:
        return False


def _unified(path: str, old: bytes | None, new: bytes | None) -> str:
    """Return the unified difference of two texts, as diff(1) writes it."""
    with tempfile.TemporaryDirectory() as scratch:
        sides = []
        for name, content in (("a", old), ("b", new)):
            Path(scratch, name).write_bytes(content or b"")
            sides += ["--label", "/dev/null" if content is None else f"{name}/{path}"]
        done = subprocess.run(
            ["diff", "-u", *sides, f"{scratch}/a", f"{scratch}/b"], capture_output=True, text=True
        )
    if done.returncode != 1:
        raise PackageError(f"diff of {path} failed: {done.stderr}")
    return done.stdout


def _header(binary: Binary, told: Sequence[str], aside: Sequence[str]) -> str:
    """Return a DEP-3 header."""
    lines = list(told)
    if aside:
        lines.append("A patch cannot express these files; they stay those of the source:")
        lines += [f"  {path}" for path in aside]
    lines.append("Files outside of nova/ stay those of the source, for example the documents.")
    text = "\n".join(f" {line}" for line in lines)
    date = time.strftime("%Y-%m-%d", time.gmtime(binary.date))
    return (
        f"Description: The library of python3-nova {binary.version}\n{text}\n"
        f"Origin: vendor, python3-nova (= {binary.version})\nForwarded: not-needed\n"
        f"Last-Update: {date}\n---\n"
    )


def told_of(source: Path, version: str, package: Path, binary: Binary) -> list[str]:
    """Return the lines of the patch about the two files that it is made of.

    :param source: the .dsc or the tarball
    :param version: of the source
    """
    return [
        f"The archive does not serve the source of nova {binary.version}, which hosts have.",
        "This patch is the difference between these files:",
        f"  source {version}: {source.name}",
        f"  SHA-256 {cache.sha256(source)}",
        f"  binary {binary.version}: {package.name}",
        f"  SHA-256 {cache.sha256(package)}",
    ]
