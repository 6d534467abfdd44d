"""RDO's source RPM as the base: vouched for or refused, and no patch of it is lost.

The source RPM has the shape of RDO's; the tests make it of the release, with two patches, and sign
it. No source RPM of RDO's own was seen.
"""

from __future__ import annotations

import difflib
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import NamedTuple

import pytest

from nova_xloud import bases
from nova_xloud.ground.cache import sha256
from nova_xloud.ground.errors import SourceRpmError
from nova_xloud.mirrors import dnf as dnf_repository
from nova_xloud.mirrors import signing
from nova_xloud.weave import without_marked
from tests.packages.el9.lab import BASE, build, run_build

HERE = Path(__file__).parent
SITE = "usr/lib/python3.9/site-packages"
#: The line that the distribution's patches add.
MENDED = "SECURITY = 'mended'\n"


class Rdo(NamedTuple):
    """A site's RDO.

    :ivar repository: a dnf repository with source RPMs
    :ivar newest: the newest source RPM of nova in it
    :ivar key: the public key that signed it
    """

    repository: Path
    newest: Path
    key: Path


def patch(path: str, old: str, new: str) -> str:
    """Return a patch of one file."""
    lines = [each.splitlines(keepends=True) for each in (old, new)]
    return "".join(difflib.unified_diff(*lines, f"a/{path}", f"b/{path}"))


@pytest.fixture(scope="module")
def release(scratch: Path) -> Path:
    """The tree that the site's python3-nova is compiled from, as the test knows it."""
    with tarfile.open(bases.fetch(BASE)[0]) as archive:
        archive.extractall(scratch / "release", filter="tar")
    return scratch / f"release/nova-{BASE}"


@pytest.fixture(scope="module")
def rdo(scratch: Path, release: Path, signer: signing.Signer) -> Rdo:
    """A signed repository with two versions of the source RPM, and the key."""
    top = scratch / "rdo-source"
    sources = top / "SOURCES"
    sources.mkdir(parents=True)
    shutil.copy(bases.fetch(BASE)[0], sources / f"nova-{BASE}.tar.gz")
    mended = release / "nova/exception.py"
    before = mended.read_text()
    (sources / "0001-a-security-patch.patch").write_text(
        patch("nova/exception.py", before, before + MENDED)
    )
    # this one applies behind the first only
    second = before + MENDED + "SECOND = SECURITY\n"
    (sources / "0002-second.patch").write_text(patch("nova/exception.py", before + MENDED, second))
    mended.write_text(second)
    for file in (release / "nova").rglob("*.py"):
        if "#!" in file.read_text():
            kept = [line for line in file.read_text().splitlines(True) if not line.startswith("#!")]
            file.write_text("".join(kept))
    spec = (HERE / "source.spec").read_text()
    for number in (3, 10):
        place = top / f"{number}.spec"
        place.write_text(spec.replace("Release:        3", f"Release:        {number}"))
        command = ["rpmbuild", "--quiet", "-D", f"_topdir {top}", "-D", "dist .el9", "--nodeps"]
        subprocess.run([*command, "-bs", place], check=True)
    (top / "repository/Packages").mkdir(parents=True)
    found = sorted(top.glob("SRPMS/*.src.rpm"))
    assert len(found) == 2
    dnf_repository.add(found, top / "repository/Packages", signer)
    subprocess.run(["createrepo_c", "-q", top / "repository"], check=True)
    key = top / "RPM-GPG-KEY-rdo"
    signer.export(key, armor=True)
    (newest,) = top.glob("repository/Packages/*-10.el9.src.rpm")
    return Rdo(top / "repository", newest, key)


@pytest.fixture(scope="module")
def made(rdo: Rdo, scratch: Path) -> Path:
    """The packages on the newest source RPM of the repository."""
    return build(
        scratch / "dist-srpm", "--source", str(rdo.repository), "--source-key", str(rdo.key)
    )


@pytest.fixture(scope="module")
def unpacked(made: Path, scratch: Path) -> Path:
    """The files of the packages."""
    place = scratch / "unpacked"
    place.mkdir()
    for package in made.glob("python3-nova-xloud*.noarch.rpm"):
        with package.open("rb") as rpm, (place / "files.tgz").open("wb") as out:
            subprocess.run(["rpm2archive", "-"], stdin=rpm, stdout=out, check=True)
        with tarfile.open(place / "files.tgz") as archive:
            archive.extractall(place, filter="tar")
    return place


def query(package: Path, *what: str) -> str:
    """Ask rpm about a package."""
    command = ["rpm", "-qp", "--nosignature", *what, package]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_packages_stand_in_for_those_of_the_source_rpm(made: Path) -> None:
    (library,) = made.glob("python3-nova-xloud-2*.noarch.rpm")
    assert library.name == "python3-nova-xloud-29.4.0-10+xloud1.el9.noarch.rpm"
    provided = query(library, "--provides").splitlines()
    assert "python3-nova = 1:29.4.0-10.el9" in provided
    conflicts = query(library, "--conflicts").splitlines()
    assert "openstack-nova-common > 1:29.4.0-10.el9" in conflicts


def test_the_library_is_rdos_but_for_our_lines(unpacked: Path, release: Path) -> None:
    ours = theirs = 0
    for file in sorted((release / "nova").rglob("*.py")):
        path = str(file.relative_to(release))
        installed = (unpacked / SITE / path).read_bytes()
        stock = file.read_bytes()
        ours += installed != stock
        theirs += 1
        assert without_marked(installed, path=path) == stock, path
    assert ours > 15
    assert theirs > 1000
    assert MENDED + "SECOND = SECURITY" in (unpacked / SITE / "nova/exception.py").read_text()


def test_the_changelog_keeps_rdos_entries(made: Path) -> None:
    (library,) = made.glob("python3-nova-xloud-2*.noarch.rpm")
    told = query(library, "--changelog")
    entries = [line for line in told.splitlines() if line.startswith("* ")]
    assert [line.split()[-1] for line in entries] == [
        *("1:29.4.0-10+xloud1", "1:29.4.0-3", "1:29.4.0-1")
    ]
    assert "- Mend CVE-2026-99999 (100% of it)" in told


def test_nothing_is_said_of_a_lost_patch_and_a_second_build_is_the_first(
    rdo: Rdo, scratch: Path, capsys: pytest.CaptureFixture[str], made: Path
) -> None:
    arguments = ("--source", str(rdo.newest), "--source-sha256", sha256(rdo.newest))
    build(scratch / "dist-srpm", *arguments)
    said = capsys.readouterr().out
    assert "up to date" in said
    assert "the base is the upstream release" not in said


@pytest.mark.parametrize("damage", ["changed", "unsigned", "stranger", "nobody", "hash", "none"])
def test_a_source_rpm_that_nothing_vouches_for_is_refused(
    rdo: Rdo, damage: str, tmp_path: Path, late: signing.Signer, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / rdo.newest.name
    shutil.copy(rdo.newest, file)
    arguments = ["--source-key", str(rdo.key)]
    if damage == "changed":
        with file.open("r+b") as stream:
            stream.seek(file.stat().st_size // 2)
            stream.write(b"changed")
    elif damage == "unsigned":
        subprocess.run(["rpmsign", "--delsign", file], check=True, capture_output=True)
    elif damage == "stranger":
        late.export(tmp_path / "key", armor=True)
        arguments[1] = str(tmp_path / "key")
    elif damage == "nobody":
        arguments = []
    elif damage == "hash":
        arguments = ["--source-sha256", "0" * 64]
    elif damage == "none":
        file = tmp_path / "empty"
        file.mkdir()
    dist = tmp_path / "dist"
    assert run_build(dist, "--source", str(file), *arguments) == SourceRpmError.exit_code
    said = capsys.readouterr().err
    assert "the source RPM cannot be the base" in said
    assert not (dist / "el9").exists()
