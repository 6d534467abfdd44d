"""A signed mirror of what was built: plain files that any web server, or file:, serves.

Keeps the last builds of each repository. Knows the formats by their one face only: ``files``,
``add``, ``write``; see apt_repository.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from nova_xloud import apt_repository, dnf_repository, publishing, root
from nova_xloud.cache import sha256
from nova_xloud.errors import MirrorError
from nova_xloud.files import locked
from nova_xloud.signing import Signer

NAME = "nova-xloud"
KEEP = 3
_FORMATS: Mapping[str, ModuleType] = {"deb": apt_repository, "rpm": dnf_repository}


class Repository(NamedTuple):
    """One of a mirror's repositories.

    :ivar format: ``deb`` or ``rpm``
    :ivar name: apt's suite, or the directory of the dnf repository
    """

    format: str
    name: str


def write(
    mirror: Path,
    packages: Mapping[Repository, Sequence[Path]],
    signer: Signer,
    *,
    keep: int = KEEP,
    url: str = "",
) -> None:
    """Add builds to a mirror, which is made if missing, and drop its oldest ones.

    Readers are never stopped: see publishing. What the mirror has of a repository that is not
    named stays; a build that it has already is not added again.

    :param packages: by repository, directories of packages, each a build
    :param keep: how many builds of each repository stay, the last ones
    :param url: where clients will find it; default: the directory itself, by ``file:``
    :raises MirrorError: if a package is not fit, or it cannot be signed; nothing has changed then
    """
    mirror = mirror.absolute()
    if mirror.is_dir() and any(mirror.iterdir()) and not (mirror / publishing.STATE).exists():
        raise MirrorError(f"{mirror} is not empty and not a mirror of ours")
    mirror.parent.mkdir(parents=True, exist_ok=True)
    with locked(mirror.with_name(f".{mirror.name}.lock")):
        work = Path(tempfile.mkdtemp(prefix=f".{mirror.name}.", dir=mirror.parent))
        try:
            state = publishing.state(mirror)
            url = url or state.get("url") or f"file:{urllib.parse.quote(str(mirror))}"
            kept = _builds(state)
            new = work / "new"
            for repository in {**kept, **packages}:
                pool = new / _pool(repository)
                pool.mkdir(parents=True)
                builds = kept.setdefault(repository, [])
                for build in builds:
                    _link(mirror / _pool(repository) / build, pool / build)
                for directory in packages.get(repository, ()):
                    _add(_FORMATS[repository.format], directory, pool, builds, signer)
                for build in builds[:-keep]:
                    root.remove_tree(pool / build)
                del builds[:-keep]
                _FORMATS[repository.format].write(new, repository.name, signer, url)
            signer.export(new / f"{NAME}.gpg", armor=False)
            signer.export(new / f"RPM-GPG-KEY-{NAME}", armor=True)
            listed = [[*repository, builds] for repository, builds in kept.items()]
            publishing.publish(new, mirror, {"url": url, "builds": listed})
        finally:
            root.remove_tree(work)


def prune(mirror: Path, signer: Signer, keep: int) -> None:
    """Drop all but the last builds of each repository of a mirror.

    :raises MirrorError: if there is no mirror of ours, or it cannot be signed
    """
    if not (mirror / publishing.STATE).exists():
        raise MirrorError(f"{mirror} is not a mirror of ours")
    write(mirror, {}, signer, keep=keep)


def _builds(state: Mapping[str, Any]) -> dict[Repository, list[str]]:
    """Return the builds that a mirror has, by repository, in the order in which they came."""
    recorded = state.get("builds", [])
    return {Repository(format_, name): list(builds) for format_, name, builds in recorded}


def _pool(repository: Repository) -> Path:
    return Path("pool") / repository.name


def _link(build: Path, there: Path) -> None:
    """Have a build that the mirror has in its next state too."""
    there.mkdir()
    for file in build.iterdir():
        os.link(file, there / file.name)


def _add(
    format_: ModuleType, directory: Path, pool: Path, builds: list[str], signer: Signer
) -> None:
    """Put a build into the pool unless it is there; another one of the same packages goes."""
    files = format_.files(directory)
    told = "".join(f"{file.name} {sha256(file)}\n" for file in files)
    build = hashlib.sha256(f"{told}{signer.key}".encode()).hexdigest()[:16]
    if build in builds:
        return
    packages = _packages(directory)
    for other in [each for each in builds if _packages(pool / each) == packages]:
        root.remove_tree(pool / other)
        builds.remove(other)
    (pool / build).mkdir()
    format_.add(files, pool / build, signer)
    builds.append(build)


def _packages(directory: Path) -> set[str]:
    return {file.name for file in directory.iterdir() if file.suffix in (".deb", ".rpm")}
