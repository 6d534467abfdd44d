"""A signed apt repository of what was built: plain files, by reprepro."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from nova_xloud import root
from nova_xloud.errors import MirrorError
from nova_xloud.files import locked, replace_directory

NAME = "nova-xloud"
KEY_USER = "nova-xloud mirror"

_DISTRIBUTION = """\
Origin: nova-xloud
Label: nova-xloud
Description: OpenStack Nova with live vertical resize
Codename: {suite}
Architectures: amd64 arm64 armhf i386 ppc64el riscv64 s390x source
Components: main
SignWith: {key}

"""
_SOURCES = """\
# nova-xloud; the key beside this file belongs at Signed-By
Types: deb deb-src
URIs: file:{mirror}
Suites: {suites}
Components: main
Signed-By: /usr/share/keyrings/nova-xloud.gpg
"""


def write(mirror: Path, packages: Mapping[str, Sequence[Path]], home: Path, key: str) -> None:
    """Write a repository of some directories of packages; one that is there is replaced whole.

    :param packages: by suite, the directories; of one package in several, the newest version stays
    :param home: the GnuPG directory that has the secret key
    :param key: its fingerprint
    :raises MirrorError: if a package is not fit, or it cannot be signed
    """
    mirror = mirror.absolute()
    if mirror.is_dir() and any(mirror.iterdir()) and not (mirror / f"{NAME}.sources").exists():
        raise MirrorError(f"{mirror} is not empty and not a mirror of ours")
    mirror.parent.mkdir(parents=True, exist_ok=True)
    with locked(mirror.with_name(f".{mirror.name}.lock")):
        work = Path(tempfile.mkdtemp(prefix=f".{mirror.name}.", dir=mirror.parent))
        try:
            new = work / "new"
            (work / "conf").mkdir()
            (work / "conf/distributions").write_text(
                "".join(_DISTRIBUTION.format(suite=suite, key=key) for suite in packages)
            )
            for suite, directories in packages.items():
                for directory in directories:
                    _include(work, new, home, suite, directory)
            _run([*_reprepro(work, new, home), "export"])
            _run(["gpg", "--homedir", home, "--output", new / f"{NAME}.gpg", "--export", key])
            (new / f"{NAME}.sources").write_text(
                _SOURCES.format(mirror=mirror, suites=" ".join(packages))
            )
            replace_directory(mirror, new)
        finally:
            root.remove_tree(work)


def signing_key(home: Path) -> str:
    """Return the fingerprint of the signing key in a GnuPG directory, made if there is none.

    :param home: created with mode 0700 if missing; keep it: clients trust this key
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
    listing = [*gpg, "--with-colons", "--list-secret-keys"]
    if "\nfpr:" not in _run(listing):
        make = ["--passphrase", "", "--quick-generate-key", KEY_USER, "ed25519", "sign", "never"]
        _run([*gpg, *make])
    for line in _run(listing).splitlines():
        if line.startswith("fpr:"):
            return line.split(":")[9]
    raise MirrorError(f"there is no secret key in {home}")


def _include(work: Path, new: Path, home: Path, suite: str, directory: Path) -> None:
    found = sorted(directory.glob("*.deb"))
    if not found:
        raise MirrorError(f"there are no packages in {directory}: build them first")
    reprepro = [*_reprepro(work, new, home), "--export=never"]
    _run([*reprepro, "includedeb", suite, *found])
    for source in sorted(directory.glob("*.dsc")):
        _run([*reprepro, "--section", "net", "--priority", "optional", "includedsc", suite, source])


def _reprepro(work: Path, new: Path, home: Path) -> list[str | Path]:
    return [
        *("reprepro", "--silent", "--basedir", new, "--confdir", work / "conf"),
        *("--dbdir", work / "db", "--gnupghome", home),
    ]


def _run(command: Sequence[str | Path]) -> str:
    """Run a command and return its output.

    :raises MirrorError: with what it said, if it fails or is missing
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise MirrorError(f"{command[0]} is not installed") from error
    if done.returncode:
        raise MirrorError(f"{command[0]} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout
