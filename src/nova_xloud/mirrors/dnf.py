"""The dnf side of a mirror: signed packages, and signed indexes of them, by createrepo_c."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from nova_xloud.ground.commands import answer
from nova_xloud.ground.errors import MirrorError
from nova_xloud.mirrors.signing import Signer

POOL = "pool"
#: Whether the packages are signed themselves: each by one key.
SIGNED = True

_CLIENT = """\
# RPM-GPG-KEY-nova-xloud of the mirror belongs at gpgkey
[nova-xloud]
name=nova-xloud for {name}
baseurl={url}/{pool}/{name}
enabled=1
gpgcheck=1
repo_gpgcheck=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-nova-xloud
"""


def files(directory: Path) -> list[Path]:
    """Return the files of a directory of packages that belong into a pool.

    :raises MirrorError: if there is no package
    """
    found = sorted(directory.glob("*.rpm"))
    if not any(not file.name.endswith(".src.rpm") for file in found):
        raise MirrorError(f"there are no packages in {directory}: build them first")
    return found


def add(files: Sequence[Path], into: Path, signer: Signer) -> None:
    """Put the files of a build into a new directory of the pool, signed by the signer's first key.

    A signature that a file has already is replaced.

    :raises MirrorError: if one is no package, or the signature cannot be made
    """
    for file in files:
        shutil.copyfile(file, into / file.name)
    macros = {
        "__gpg": shutil.which("gpg"),
        "_gpg_path": signer.home.absolute(),
        "_gpg_name": signer.key,
    }
    signing = [f"--define={name} {value}" for name, value in macros.items()]
    copies = [into / file.name for file in files]
    answer(["rpmsign", *signing, "--addsign", *copies], MirrorError, places=[into])


def write(mirror: Path, name: str, signer: Signer, url: str, valid_days: int = 0) -> None:
    """Write the signed indexes of ``pool/NAME`` of a mirror, and the client's file.

    :param url: where clients find the mirror
    :param valid_days: not used: dnf's indexes have no such field
    :raises MirrorError: if a package is broken or the signature cannot be made
    """
    del valid_days
    top = mirror / POOL / name
    # in the way that every dnf reads; the names of indexes differ with their content
    options = ["--quiet", "--no-database", "--general-compress-type=gz", "--unique-md-filenames"]
    answer(["createrepo_c", *options, top], MirrorError, places=[top])
    signer.detach_sign(top / "repodata/repomd.xml", top / "repodata/repomd.xml.asc")
    (mirror / name).mkdir()
    client = _CLIENT.format(name=name, pool=POOL, url=url.replace("file:/", "file:///", 1))
    (mirror / name / "nova-xloud.repo").write_text(client)
