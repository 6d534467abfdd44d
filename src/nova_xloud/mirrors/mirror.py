"""A signed mirror of the built packages: plain files that any web server, or file:, serves.

The last builds of each target are kept. Each kind of repository is a module with the names
``files``, ``add``, ``write`` and ``SIGNED``: ``apt`` and ``dnf``.
"""

from __future__ import annotations

import glob
import hashlib
import json
import logging
import re
import tempfile
import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from nova_xloud.ground import root
from nova_xloud.ground.cache import sha256
from nova_xloud.ground.errors import MirrorError
from nova_xloud.ground.files import RECORD, link, locked
from nova_xloud.mirrors import apt as apt_repository
from nova_xloud.mirrors import dnf as dnf_repository
from nova_xloud.mirrors import publishing, signing
from nova_xloud.mirrors.signing import Signer

_LOG = logging.getLogger(__name__)

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


class Build(NamedTuple):
    """The packages of one build in a mirror.

    :ivar directory: its name in the pool
    :ivar content: a digest of the packages as they were built, unsigned; "" if not recorded
    :ivar key: the fingerprint of the key that signed the packages; "" if not recorded
    :ivar target: the target that they were built for; "" if not recorded
    :ivar base: the version of Nova that they are made from; "" if not recorded
    :ivar of: the base that they were asked for, e.g. ``debian:trixie``; "" if not recorded
    """

    directory: str
    content: str = ""
    key: str = ""
    target: str = ""
    base: str = ""
    of: str = ""


class Written(NamedTuple):
    """The state that a mirror was brought to.

    :ivar signer: the keys that signed it
    :ivar left: the files that stay for readers of the former state
    :ivar valid_days: how long apt accepts the indexes, in days; 0 for ever
    """

    signer: Signer
    left: publishing.Left
    valid_days: int


def write(
    mirror: Path,
    packages: Mapping[Repository, Sequence[Path]],
    signer: Signer,
    *,
    keep: int | None = KEEP,
    url: str = "",
    valid_days: int | None = None,
    keep_former: bool = True,
) -> Written:
    """Add builds to a mirror, which is made if missing, and drop its oldest ones; sign it again.

    Readers are never stopped: see publishing. The builds of a repository that is not named stay; a
    build that the mirror has already is not added again. Packages that carry the signature of
    another key are signed again.

    :param packages: by repository, directories of packages, each a build
    :param signer: see signing.ready; without keys of its own, those sign that signed last
    :param keep: how many builds of each target stay in a repository, the last ones; None: all
    :param url: where clients will find it; default: as before, else the directory, by ``file:``
    :param valid_days: for how long apt accepts the indexes, in days; 0 for ever; None: as before
    :param keep_former: let the files stay that a reader of the former state may still want
    :raises MirrorError: if a package is not fit, or it cannot be signed; nothing has changed then
    """
    mirror = mirror.absolute()
    if mirror.is_dir() and any(mirror.iterdir()) and not (mirror / publishing.STATE).exists():
        raise MirrorError(f"{mirror} is not empty and not a mirror of ours")
    mirror.parent.mkdir(parents=True, exist_ok=True)
    lock = mirror.with_name(f".{mirror.name}.lock")
    with locked(lock, f"waiting for another run that writes {mirror}"):
        _LOG.info("indexing and signing the mirror %s", mirror)
        _remove_abandoned(mirror)
        state = publishing.state(mirror)
        signer = signing.ready(signer, state.get("keys", ()))
        work = Path(tempfile.mkdtemp(prefix=f".{mirror.name}.", dir=mirror.parent))
        try:
            url = url or state.get("url") or f"file:{urllib.parse.quote(str(mirror))}"
            days = int(state.get("valid_days", 0)) if valid_days is None else valid_days
            kept = _builds(state)
            new = work / "new"
            for repository in {**kept, **packages}:
                format_ = _FORMATS[repository.format]
                pool = new / _pool(repository)
                pool.mkdir(parents=True)
                builds = kept.setdefault(repository, [])
                for build in builds:
                    _link(mirror / _pool(repository) / build.directory, pool / build.directory)
                for directory in packages.get(repository, ()):
                    _add(format_, directory, pool, builds, signer)
                for build in superseded(builds, keep) if keep else ():
                    root.remove_tree(pool / build.directory)
                    builds.remove(build)
                builds[:] = [_signed_again(format_, build, pool, signer) for build in builds]
                format_.write(new, repository.name, signer, url, days)
            signer.export(new / f"{NAME}.gpg", armor=False)
            signer.export(new / f"RPM-GPG-KEY-{NAME}", armor=True)
            record = {
                "url": url,
                "valid_days": days,
                "keys": list(signer.keys),
                "builds": [[*repository, builds] for repository, builds in kept.items()],
            }
            left = publishing.publish(new, mirror, record, keep_former=keep_former)
        finally:
            root.remove_tree(work)
    return Written(signer, left, days)


def prune(mirror: Path, signer: Signer, keep: int, *, now: bool = False) -> Written:
    """Drop all but the last builds of each target in a mirror.

    :param now: remove at once the files too that a reader of the former state may still want
    :raises MirrorError: if there is no mirror of ours, or it cannot be signed
    """
    _require(mirror)
    return write(mirror, {}, signer, keep=keep, keep_former=not now)


def sign(mirror: Path, signer: Signer, *, valid_days: int | None = None) -> Written:
    """Sign a mirror again: its indexes, and the packages that another key has signed.

    :raises MirrorError: if there is no mirror of ours, or it cannot be signed
    """
    _require(mirror)
    return write(mirror, {}, signer, keep=None, valid_days=valid_days)


def kept(state: Mapping[str, Any]) -> list[Build]:
    """Return the builds that a mirror has, of each repository in the order in which they came.

    :param state: the mirror's record, by publishing.state
    """
    return [build for builds in _builds(state).values() for build in builds]


def superseded(builds: Sequence[Build], keep: int) -> list[Build]:
    """Return the builds of a repository that are not among the last ones of their target.

    A build without a recorded target is of the target that was the first to be recorded: companions
    have been recorded from their beginning, after the packages of Nova.

    :param keep: how many builds of each target stay
    """
    first = next((each.target for each in builds if each.target), "")
    by_target: dict[str, list[Build]] = {}
    for each in builds:
        by_target.setdefault(each.target or first, []).append(each)
    return [each for of_one in by_target.values() for each in of_one[:-keep]]


def _require(mirror: Path) -> None:
    if not (mirror / publishing.STATE).exists():
        raise MirrorError(f"{mirror} is not a mirror of ours")


def _remove_abandoned(mirror: Path) -> None:
    """Remove the scratch directories of runs that were killed; this is the only run now."""
    # mkdtemp's own names: no other mirror's
    ours = re.compile(rf"\.{re.escape(mirror.name)}\.[a-z0-9_]{{8}}")
    for left in mirror.parent.glob(f".{glob.escape(mirror.name)}.*"):
        if left.is_dir() and ours.fullmatch(left.name) and (left / "new").is_dir():
            root.remove_tree(left)


def _builds(state: Mapping[str, Any]) -> dict[Repository, list[Build]]:
    """Return the builds that a mirror has, by repository, in the order in which they came.

    Version 1.0.0 recorded only the directory of a build.
    """
    return {
        Repository(format_, name): [
            Build(each) if isinstance(each, str) else Build(*each) for each in builds
        ]
        for format_, name, builds in state.get("builds", [])
    }


def _pool(repository: Repository) -> Path:
    return Path("pool") / repository.name


def _link(build: Path, there: Path) -> None:
    """Have a build that the mirror has in its next state too."""
    there.mkdir()
    for file in build.iterdir():
        link(file, there / file.name)


def _add(
    format_: ModuleType, directory: Path, pool: Path, builds: list[Build], signer: Signer
) -> None:
    """Put a build into the pool unless it is there; another one of the same packages goes."""
    files = format_.files(directory)
    told = "".join(f"{file.name} {sha256(file)}\n" for file in files)
    build = _named(format_, hashlib.sha256(told.encode()).hexdigest(), signer)
    record = directory / RECORD
    about = json.loads(record.read_text()) if record.exists() else {}
    build = build._replace(**{key: about.get(key, "") for key in ("target", "base", "of")})
    names = [each.directory for each in builds]
    if build.directory in names:
        builds[names.index(build.directory)] = build
        return
    packages = _packages(directory)
    for other in [each for each in builds if _packages(pool / each.directory) == packages]:
        root.remove_tree(pool / other.directory)
        builds.remove(other)
    (pool / build.directory).mkdir()
    format_.add(files, pool / build.directory, signer)
    builds.append(build)


def _signed_again(format_: ModuleType, build: Build, pool: Path, signer: Signer) -> Build:
    """Return a build that the signer's first key has signed: in a directory of another name."""
    if not format_.SIGNED or build.key == signer.key:
        return build
    old = pool / build.directory
    files = sorted(old.iterdir())
    told = "".join(f"{file.name} {sha256(file)}\n" for file in files)
    content = build.content or hashlib.sha256(told.encode()).hexdigest()
    named = _named(format_, content, signer)
    again = build._replace(directory=named.directory, content=content, key=signer.key)
    (pool / again.directory).mkdir()
    format_.add(files, pool / again.directory, signer)
    root.remove_tree(old)
    return again


def _named(format_: ModuleType, content: str, signer: Signer) -> Build:
    """Return a build whose directory has a name of its own for each content and signature."""
    key = signer.key if format_.SIGNED else ""
    return Build(hashlib.sha256(f"{content}{key}".encode()).hexdigest()[:16], content, key)


def _packages(directory: Path) -> set[str]:
    return {file.name for file in directory.iterdir() if file.suffix in (".deb", ".rpm")}
