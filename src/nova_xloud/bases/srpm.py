"""The source RPM of a distribution's nova as a base: found, verified, prepared, read.

rpm checks the signature and unpacks. The spec's own %prep runs in a clean root without network, as
an unprivileged user: it leaves the tree that the distribution compiles. The base is the upstream
tarball with the distribution's patches. One more patch has all other changes that %prep makes.
"""

from __future__ import annotations

import contextlib
import functools
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from nova_xloud.bases import releases
from nova_xloud.bases.base import DISTRIBUTION, Base
from nova_xloud.ground import cache, root
from nova_xloud.ground.commands import answer
from nova_xloud.ground.errors import SourceRpmError
from nova_xloud.ground.patches import Patch

PACKAGE = "openstack-nova"
#: The files of the tree that end up in packages; %prep may change others, for example tests' setup.
_SHIPPED = ("nova", "setup.cfg", "setup.py", "pyproject.toml", "requirements.txt")
_RECIPE = ("git", "patch", "rpm", "xz-utils")
#: The macros of an EL host's rpm that el9.macros, which are for our own spec, do not have.
_EL_MACROS = "%rhel 9\n%gpgverify true\n%_db_backend sqlite\n"
_PREPARE = """\
set -eu
cd /build
export GIT_AUTHOR_NAME=x GIT_AUTHOR_EMAIL=x@x GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x@x
rpmspec --define '_topdir /build' -P SPECS/*.spec >expanded.spec
rpmbuild --define '_topdir /build' -bp --nodeps SPECS/*.spec
"""


class Given(NamedTuple):
    """A source RPM, and the signature or hash that vouches for it.

    :ivar file: the source RPM
    :ivar key: an OpenPGP public key, one of whose signatures it must have
    :ivar sha256: or the hash that it must have, as hex digits
    """

    file: Path
    key: Path | None
    sha256: str


class SourceRpm(NamedTuple):
    """A verified source RPM.

    :ivar version: EPOCH:VERSION-RELEASE of it and of the packages made of it
    :ivar date: when it was built, in seconds since 1970
    :ivar changelog: its changelog, as it is in a spec
    """

    file: Path
    version: str
    date: int
    changelog: str


def find(source: Path) -> Path:
    """Return a source RPM, or the newest of openstack-nova below a directory.

    :param source: the file, or the directory of a dnf repository
    :raises SourceRpmError: if there is none
    """
    if not source.is_dir():
        return source
    found = [each for each in source.rglob("*.src.rpm") if _name(each) == PACKAGE]
    if not found:
        raise SourceRpmError(f"{source} has no source RPM of {PACKAGE}")
    return max(found, key=functools.cmp_to_key(_compared))


def verified(given: Given) -> SourceRpm:
    """Return the header of a source RPM, after its signature or hash was checked.

    :raises SourceRpmError: if nothing vouches for it, or it is not nova's
    """
    if not given.file.is_file():
        raise SourceRpmError(f"{given.file} does not exist")
    if given.key:
        _check_signature(given.file, given.key)
    elif given.sha256:
        if cache.sha256(given.file) != given.sha256.lower():
            raise SourceRpmError(f"{given.file} does not have the hash {given.sha256}")
    else:
        raise SourceRpmError(
            f"nothing vouches for {given.file}: name the distribution's key (--source-key), or the "
            "hash that you know (--source-sha256)"
        )
    name, version, built = _query(
        given.file, "%{name}|%{epochnum}:%{version}-%{release}|%{buildtime}"
    ).split("|")
    if name != PACKAGE:
        raise SourceRpmError(f"{given.file} is the source of {name}, not of {PACKAGE}")
    told = answer(["rpm", "-qp", "--nosignature", "--changelog", given.file], SourceRpmError)
    changelog = "" if told.strip() == "(none)" else told.strip()
    return SourceRpm(given.file, version, int(built), changelog)


@contextlib.contextmanager
def opened(
    source: SourceRpm, macros: Path, suite: str, log: Path, work: Path
) -> Iterator[tuple[Base, Path]]:
    """Yield a source RPM's nova as a base, and a directory that it is unpacked in.

    :param macros: those of an EL host that Debian's rpm has not
    :param suite: the Debian release of the clean root that %prep runs in
    :param log: gets the output of rpmbuild
    :param work: the beginning of a scratch directory's path; the files that a killed build has
        left there are removed
    :raises SourceRpmError: if %prep fails, or makes a change that a patch cannot express
    """
    for left in work.parent.glob(f"{work.name}-*"):
        root.remove_abandoned(left)
    clean = root.make(
        root.Recipe(
            "srpm-prepare",
            suite,
            _RECIPE,
            (f'--customize-hook=chroot "$1" useradd --create-home {root.BUILDER}',),
        )
    )
    scratch = Path(tempfile.mkdtemp(prefix=f"{work.name}-", dir=work.parent))
    try:
        with root.overlay([clean], scratch / "overlay") as merged:
            area = merged / "build"
            area.mkdir()
            _install(source.file, area, scratch)
            places = merged / "usr/lib/rpm/macros.d/macros.el"
            places.write_text(macros.read_text() + _EL_MACROS)
            root.give_to_builder(merged, area)
            log.write_text("")
            failed = root.run_in(
                merged,
                ["sh", "-c", _PREPARE],
                log=log,
                user=root.BUILDER,
                environment={"LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": f"/home/{root.BUILDER}"},
            )
            if failed:
                raise SourceRpmError(f"%prep of {source.file.name} ended with {failed}: see {log}")
            yield _read(source, area, scratch)
    finally:
        root.remove_tree(scratch)


def own_release(version: str) -> str:
    """Return the release of a version without the distribution's tag, which the build adds.

    >>> own_release("1:29.2.0-2.el9s")
    '2'
    >>> own_release("1:28.1.0-0.20240625002040.ecdd747.el9")
    '0.20240625002040.ecdd747'
    """
    return re.sub(r"\.el\d\w*$", "", version.rpartition("-")[2])


def patches_of(expanded: str) -> list[str]:
    r"""Return the names of a spec's patches in the order in which %autosetup applies them.

    >>> patches_of("Patch2: b.patch\nPatch0001: https://x.example/a.patch\n")
    ['b.patch', 'a.patch']
    """
    found = re.findall(r"^Patch\d*:\s*(\S+)", expanded, re.MULTILINE | re.IGNORECASE)
    return [name.rpartition("/")[2] for name in found]


def _read(source: SourceRpm, area: Path, scratch: Path) -> tuple[Base, Path]:
    """Return the base that %prep has left, and its tree."""
    expanded = (area / "expanded.spec").read_text()
    found = re.search(r"^Source0?:\s*(\S+)", expanded, re.MULTILINE | re.IGNORECASE)
    trees = [each.parent for each in (area / "BUILD").glob("*/setup.cfg")]
    if found is None or len(trees) != 1 or not (trees[0] / "nova").is_dir():
        raise SourceRpmError(f"{source.file.name} has no source of Nova that its %prep unpacks")
    tree = trees[0]
    tarball = area / "SOURCES" / found[1].rpartition("/")[2]
    patched = scratch / "patched"
    patched.mkdir()
    with tarfile.open(tarball) as archive:
        archive.extractall(patched, filter="tar")
    plain = patched / tree.name
    if not plain.is_dir():
        raise SourceRpmError(f"{tarball.name} has no directory {tree.name}")
    patches = []
    for name in patches_of(expanded):
        content = (area / "SOURCES" / name).read_bytes()
        _apply(plain, name, content)
        patches.append(Patch(f"distribution/{name}", content))
    if rest := _difference(plain, tree, source.file.name):
        patches.append(Patch("distribution/prep.patch", rest))
    # the tree as it is patched: anything else of %prep is of no consequence to a package
    version = source.version.partition(":")[2].rpartition("-")[0]
    series = int(version.partition(".")[0])
    releases.check_supported(version, series)
    kept = scratch / tarball.name
    shutil.copyfile(tarball, kept)
    base = Base(
        source.file.name,
        version,
        series,
        source.date,
        (source.file, kept),
        patches=tuple(patches),
        release=own_release(source.version),
        changelog=source.changelog,
        form=DISTRIBUTION,
    )
    return base, tree


def _apply(tree: Path, name: str, content: bytes) -> None:
    """Apply a patch as rpm does, and fail if it does not fit the tree."""
    command = ["patch", "-p1", "-s", "-f", "--no-backup-if-mismatch", "-d", str(tree)]
    done = subprocess.run(command, input=content, capture_output=True)
    if done.returncode:
        said = (done.stdout + done.stderr).decode(errors="replace").strip()
        raise SourceRpmError(f"{name} does not apply to the upstream tarball: {said}")


def _difference(plain: Path, prepared: Path, name: str) -> bytes:
    """Return a patch with the changes of %prep beside the distribution's patches; b"" for none.

    :raises SourceRpmError: if a patch cannot express it
    """
    text = b""
    for part in _SHIPPED:
        if not (plain / part).exists() and not (prepared / part).exists():
            continue
        done = subprocess.run(
            ["diff", "-ruN", f"a/{part}", f"b/{part}"],
            cwd=_side_by_side(plain, prepared),
            capture_output=True,
        )
        if done.returncode > 1 or b"\nBinary files" in b"\n" + done.stdout:
            said = (done.stdout[-500:] + done.stderr).decode(errors="replace")
            raise SourceRpmError(f"%prep of {name} does what no patch can express: {said}")
        text += re.sub(rb"(?m)^(diff .*\n|((?:---|\+\+\+) \S+)\t.*$)", rb"\2", done.stdout)
    head = "Description: The distribution's %prep\n It changes this beside its patches.\n---\n"
    return head.encode() + text if text else b""


def _side_by_side(plain: Path, prepared: Path) -> Path:
    """Make both trees known as a and b beside each other, as patches name them."""
    place = plain.parent / "sides"
    if not place.exists():
        place.mkdir()
        (place / "a").symlink_to(plain)
        (place / "b").symlink_to(prepared)
    return place


def _install(file: Path, area: Path, scratch: Path) -> None:
    """Unpack a source RPM below a directory, as rpm does."""
    database = scratch / "rpmdb"
    answer(
        [
            *("rpm", "--dbpath", database, "--define", f"_topdir {area}", "--nosignature"),
            *("--define", "_db_backend sqlite", "-i", file),
        ],
        SourceRpmError,
        places=[area, scratch],
    )


def _check_signature(file: Path, key: Path) -> None:
    """Check that a key has signed a package.

    :raises SourceRpmError: if it has not, or the package is damaged
    """
    with tempfile.TemporaryDirectory(prefix="nova-xloud-") as scratch:
        keys = ["rpmkeys", "--dbpath", scratch, "--define", "_pkgverify_level all"]
        answer([*keys, "--import", key], SourceRpmError)
        done = subprocess.run([*keys, "--checksig", file], capture_output=True, text=True)
    if done.returncode:
        said = (done.stdout + done.stderr).strip()
        raise SourceRpmError(f"{key} has not signed this file, or the file is damaged: {said}")


def _query(file: Path, form: str) -> str:
    return answer(["rpm", "-qp", "--nosignature", "--qf", form, file], SourceRpmError)


def _name(file: Path) -> str:
    return _query(file, "%{name}")


def _compared(one: Path, other: Path) -> int:
    """Compare the versions of two packages as rpm does."""
    parts: list[Sequence[str]] = [
        _query(each, "%{epochnum} %{version} %{release}").split() for each in (one, other)
    ]
    for first, second in zip(*parts, strict=True):
        told = answer(
            ["rpm", "--eval", f"%{{lua:print(rpm.vercmp('{first}', '{second}'))}}"], SourceRpmError
        )
        if int(told):
            return int(told)
    return 0
