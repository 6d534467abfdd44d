"""Upstream releases of Python projects: fetched by pip, pinned by hash, cached, verified at use."""

from __future__ import annotations

import logging
import os
import re
import sys
import tarfile
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from nova_xloud.ground import cache
from nova_xloud.ground.commands import run
from nova_xloud.ground.errors import FetchError, HashError

_LOG = logging.getLogger(__name__)


class Sdist(NamedTuple):
    """A release of a project.

    :ivar name: the project's, with ``-`` and ``.`` as it writes itself
    :ivar sha256: of ``NAME-VERSION.tar.gz`` on the Python package index
    """

    name: str
    version: str
    sha256: str

    @property
    def file(self) -> str:
        """The name of the file in the cache."""
        return f"{self.name}-{self.version}.tar.gz"


def fetch(wanted: Sdist) -> Path:
    """Return a release's file from the cache, fetched if need be.

    :raises HashError: if the fetched or the cached file has another hash than the pinned one
    :raises XloudError: if nothing is fetched; the class says why
    """
    with cache.locked("sdists") as place:
        if found := cached(wanted, place):
            return found
        _LOG.info("fetching %s %s", wanted.name, wanted.version)
        return download(wanted, place)


def cached(wanted: Sdist, place: Path) -> Path | None:
    """Return a release's verified file, or None if it was never fetched.

    :raises HashError: if the file has changed since it was fetched
    """
    file = place / wanted.file
    if not file.exists():
        return None
    if cache.sha256(file) != wanted.sha256:
        raise HashError(f"{file} is damaged: its hash is not the pinned one")
    return file


def download(wanted: Sdist, place: Path) -> Path:
    """Let pip download a release into its place in the cache.

    pip prepares the metadata of an sdist that it downloads, for which pbr needs a version.

    :param wanted: with a hash of "", the file that the index serves today
    """
    with cache.part(place) as part:
        requirements = part / "requirements.txt"
        pin = f" --hash=sha256:{wanted.sha256}" if wanted.sha256 else ""
        requirements.write_text(f"{wanted.name}=={wanted.version}{pin}\n")
        command = [sys.executable, "-m", "pip", "download", "--no-deps"]
        command += [
            f"--no-binary={wanted.name}",
            *(["--require-hashes"] if pin else []),
            # without a retry pip does not say that nothing answers
            "--retries=2",
            f"--dest={part}",
            f"--requirement={requirements}",
        ]
        environment = {
            **os.environ,
            "PBR_VERSION": wanted.version,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        run(command, f"fetching {wanted.name} {wanted.version}", environment)
        # newer projects write os_vif-3.5.0.tar.gz
        found = [*part.glob(f"*-{wanted.version}.tar.gz")]
        if len(found) != 1:
            raise FetchError(f"pip fetched no {wanted.file}")
        if pin and cache.sha256(found[0]) != wanted.sha256:
            raise HashError(f"{wanted.file} has not the pinned hash {wanted.sha256}")
        return found[0].rename(place / wanted.file)


def unpack(file: Path, into: Path, only: Collection[str] | None = None) -> None:
    """Unpack a tarball without the directory that all of it is in.

    :param only: the files that will be read, if not all; others may be missing
    """
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


def as_in_git(setup_cfg: bytes) -> bytes:
    r"""Return the setup.cfg of an sdist with the text that the repository has, without comments.

    setuptools writes it anew for an sdist: the lines of a value begin with a tab, and a blank
    follows the ``=`` that ends a line.

    >>> as_in_git(b"[entry_points]\nkey = \n\ta = b\n")
    b'[entry_points]\nkey =\n    a = b\n'
    """
    lines = setup_cfg.split(b"\n")
    return b"\n".join(re.sub(rb"^\t", b"    ", line.removesuffix(b" ")) for line in lines)
