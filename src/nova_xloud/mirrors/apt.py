"""The apt side of a mirror: signed indexes of the packages in its pool, by apt-ftparchive."""

from __future__ import annotations

import hashlib
import lzma
from collections.abc import Sequence
from pathlib import Path

from nova_xloud.ground.commands import answer
from nova_xloud.ground.errors import MirrorError
from nova_xloud.mirrors.signing import Signer

#: Our packages are for all of these; apt asks for its own.
ARCHITECTURES = ("amd64", "arm64", "armhf", "i386", "ppc64el", "riscv64", "s390x")
KINDS = ("*.deb", "*.dsc", "*.tar.*")
POOL = "pool"
#: Whether the packages are signed themselves.
SIGNED = False
_DAY = 24 * 3600

_CLIENT = """\
# nova-xloud for {suite}; nova-xloud.gpg of the mirror belongs at Signed-By
Types: deb deb-src
URIs: {url}
Suites: {suite}
Components: main
Signed-By: /usr/share/keyrings/nova-xloud.gpg
"""


def files(directory: Path) -> list[Path]:
    """Return the files of a directory of packages that belong into a pool.

    :raises MirrorError: if there is no package
    """
    found = sorted(file for kind in KINDS for file in directory.glob(kind))
    if not any(file.suffix == ".deb" for file in found):
        raise MirrorError(f"there are no packages in {directory}: build them first")
    return found


def add(files: Sequence[Path], into: Path, signer: Signer) -> None:
    """Put the files of a build into a new directory of the pool; a .deb is not signed itself."""
    del signer
    for file in files:
        (into / file.name).write_bytes(file.read_bytes())


def write(mirror: Path, suite: str, signer: Signer, url: str, valid_days: int = 0) -> None:
    """Write the signed indexes of ``pool/SUITE`` of a mirror, and the client's file.

    Every index is there under its hash too (by-hash): a client that has read the old InRelease
    finds the indexes that it names, whenever the new one comes.

    :param url: where clients find the mirror
    :param valid_days: for how long apt accepts the indexes, in days; 0: for ever
    :raises MirrorError: if a package is broken or the signature cannot be made
    """
    top = mirror / "dists" / suite
    packages = answer(["apt-ftparchive", "packages", f"{POOL}/{suite}"], MirrorError, cwd=mirror)
    sources = answer(["apt-ftparchive", "sources", f"{POOL}/{suite}"], MirrorError, cwd=mirror)
    # it leaves out packages that it cannot read, and says so only on its standard error
    for deb in (mirror / POOL / suite).rglob("*.deb"):
        if f"\nFilename: {deb.relative_to(mirror)}\n" not in packages:
            raise MirrorError(f"{deb.name} is not a package that can be read")
    for architecture in ARCHITECTURES:
        _write_index(top / f"main/binary-{architecture}/Packages", packages)
    _write_index(top / "main/source/Sources", sources)
    fields = {
        **dict.fromkeys(("Origin", "Label"), "nova-xloud"),
        **dict.fromkeys(("Suite", "Codename"), suite),
        "Architectures": " ".join((*ARCHITECTURES, "source")),
        "Components": "main",
        "Description": "OpenStack Nova with live vertical resize",
        "Acquire-By-Hash": "yes",
    }
    options = [f"-oAPT::FTPArchive::Release::{name}={value}" for name, value in fields.items()]
    # apt asks for an index by the strongest hash that is listed: by the one that it is there under
    options += [f"-oAPT::FTPArchive::{name}=false" for name in ("MD5", "SHA1", "SHA512")]
    if valid_days:
        options.append(f"-oAPT::FTPArchive::Release::ValidTime={valid_days * _DAY}")
    archive = ["apt-ftparchive", *options]
    release = answer([*archive, "release", f"dists/{suite}"], MirrorError, cwd=mirror)
    (top / "Release").write_text(release)
    signer.clear_sign(top / "Release", top / "InRelease")
    signer.detach_sign(top / "Release", top / "Release.gpg")
    for index in [*top.glob("main/*/Packages*"), *top.glob("main/*/Sources*")]:
        named = index.parent / "by-hash/SHA256" / hashlib.sha256(index.read_bytes()).hexdigest()
        named.parent.mkdir(parents=True, exist_ok=True)
        named.write_bytes(index.read_bytes())
    (mirror / suite).mkdir()
    (mirror / suite / "nova-xloud.sources").write_text(_CLIENT.format(suite=suite, url=url))


def _write_index(index: Path, text: str) -> None:
    index.parent.mkdir(parents=True)
    index.write_text(text)
    index.with_name(f"{index.name}.xz").write_bytes(lzma.compress(text.encode()))
