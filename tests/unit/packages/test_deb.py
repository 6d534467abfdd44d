"""The contents of a source package; building it is tested in tests/packages."""

from __future__ import annotations

import gzip
import re
import struct
import subprocess
import tarfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from nova_xloud.bases import apt
from nova_xloud.ground import archive
from nova_xloud.ground.errors import PackageError
from nova_xloud.ground.patches import Patch
from nova_xloud.packages import builds, deb, targets
from tests.archives import Archive, Key

VERSION = "2:31.0.0-6+deb13u2"
PACKAGING = Path(__file__).parents[3] / "debian"
RELATIONS = ("python3-os-traits (>= 3.3.0)", "sudo")
TARGET = targets.get("debian-13")._replace(relations=RELATIONS)
#: Fri, 06 Feb 2026 08:34:00 UTC
DATE = 1770366840


THEIR_CHANGELOG = f"""\
nova ({VERSION}) trixie-security; urgency=high

  * CVE-2026-11111: mended.

 -- Somebody <somebody@example.org>  Fri, 06 Feb 2026 08:34:00 +0000

nova (2:31.0.0-6) unstable; urgency=medium

  * CVE-2025-22222: mended.

 -- Somebody <somebody@example.org>  Fri, 07 Feb 2025 08:34:00 +0000
"""


@pytest.fixture
def material(tmp_path: Path) -> deb.Sources:
    """A tiny nova of a distribution, with one patch of its own and one of ours."""
    upstream = tmp_path / "nova-31.0.0"
    (upstream / "nova").mkdir(parents=True)
    (upstream / "nova/__init__.py").write_text("one\n")
    orig = tmp_path / "nova_31.0.0.orig.tar.xz"
    with tarfile.open(orig, "w:xz") as tar:
        tar.add(upstream, upstream.name)
    theirs = tmp_path / "debian"
    (theirs / "patches").mkdir(parents=True)
    (theirs / "patches/series").write_text("theirs.patch -p1\n#left-out.patch\n\n")
    (theirs / "patches/theirs.patch").write_text("their patch\n")
    (theirs / "changelog").write_text(THEIR_CHANGELOG)
    packaging = tmp_path / "nova.debian.tar.xz"
    with tarfile.open(packaging, "w:xz") as tar:
        tar.add(theirs, "debian")
    guide = tmp_path / "guide.md"
    guide.write_text("guide\n")
    ours = [Patch("xloud/ours.patch", b"our patch\n")]
    return deb.Sources(
        TARGET, VERSION, "31.0.0", DATE, orig, packaging, ours, (), None, PACKAGING, [guide]
    )


@pytest.fixture
def source(material: deb.Sources, tmp_path: Path) -> Path:
    """The source package of that nova, unpacked."""
    area = tmp_path / "area"
    area.mkdir()
    return deb.assemble(material._replace(target=TARGET._replace(revision=3)), area)


def test_the_orig_tarball_is_the_distributions_renamed(source: Path, material: deb.Sources) -> None:
    ours = source.parent / "nova-xloud_31.0.0.orig.tar.xz"
    assert ours.read_bytes() == material.orig.read_bytes()
    assert source.name == "nova-xloud-31.0.0"
    assert (source / "nova/__init__.py").read_text() == "one\n"


def test_our_patches_follow_the_distributions(source: Path) -> None:
    patches = source / "debian/patches"
    assert (patches / "series").read_text() == "theirs.patch\nxloud/ours.patch\n"
    assert (patches / "theirs.patch").read_text() == "their patch\n"
    assert (patches / "xloud/ours.patch").read_text() == "our patch\n"
    assert not (patches / "left-out.patch").exists()


def test_the_version_is_the_replaced_one_and_our_revision(source: Path) -> None:
    told = subprocess.run(
        ["dpkg-parsechangelog", "-l", source / "debian/changelog", "-S", "Version"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert told == "2:31.0.0-6+deb13u2+xloud3\n"


def test_the_bases_entries_stand_below_ours(source: Path) -> None:
    told = subprocess.run(
        ["dpkg-parsechangelog", "-l", source / "debian/changelog", "--all", "--format=rfc822"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert not told.stderr
    found = re.findall(r"^(Source|Version): (.*)$", told.stdout, re.MULTILINE)
    assert found == [
        *(("Source", "nova-xloud"), ("Version", f"{VERSION}+xloud3")),
        *(("Source", "nova"), ("Version", VERSION)),
        *(("Source", "nova"), ("Version", "2:31.0.0-6")),
    ]
    text = (source / "debian/changelog").read_text()
    assert text.endswith(THEIR_CHANGELOG)


def test_where_the_source_is_older_the_entries_are_those_of_the_binary(
    material: deb.Sources, tmp_path: Path
) -> None:
    content = tmp_path / "library"
    place = content / "usr/share/doc/python3-nova/changelog.Debian.gz"
    place.parent.mkdir(parents=True)
    newer = THEIR_CHANGELOG.replace("deb13u2", "deb13u3")
    place.write_bytes(gzip.compress(newer.encode()))
    (content / "DEBIAN").mkdir()
    (content / "DEBIAN/control").write_text(
        "Package: python3-nova\nVersion: 2:31.0.0-6+deb13u3\nArchitecture: all\n"
        "Maintainer: Nobody <nobody@example.org>\nDescription: x\n"
    )
    library = tmp_path / "python3-nova.deb"
    subprocess.run(["dpkg-deb", "-b", content, library], check=True, capture_output=True)
    (tmp_path / "newer").mkdir()
    meant = material._replace(provided="2:31.0.0-6+deb13u3", library=library)
    made = deb.assemble(meant, tmp_path / "newer")
    assert (made / "debian/changelog").read_text().endswith(f"\n\n{newer}")
    same = material._replace(library=library)
    (tmp_path / "same").mkdir()
    made = deb.assemble(same, tmp_path / "same")
    assert (made / "debian/changelog").read_text().endswith(f"\n\n{THEIR_CHANGELOG}")


@pytest.mark.parametrize("lower", [VERSION, VERSION + "+xloud2"])
@pytest.mark.parametrize("higher", ["2:31.0.0-6+deb13u3", "2:31.0.1-1", VERSION + "+xloud10"])
def test_our_version_stands_between_what_it_replaces_and_what_comes(
    lower: str, higher: str
) -> None:
    ours = deb.package_version(VERSION, "31.0.0", 3)
    for one, other in ((lower, ours), (ours, higher)):
        subprocess.run(["dpkg", "--compare-versions", one, "lt", other], check=True)


def test_a_later_point_release_stands_between_what_it_replaces_and_its_own_package() -> None:
    in_order = [
        "3:29.2.0-0ubuntu1.4",
        deb.package_version("3:29.2.0-0ubuntu1.4", "29.4.0", 1),
        deb.package_version("3:29.2.0-0ubuntu1.4", "29.4.0", 2),
        deb.package_version("3:29.2.0-0ubuntu1.10", "29.4.0", 1),
        deb.package_version("3:29.2.1-0ubuntu1", "29.4.0", 1),
        "3:29.4.0-0ubuntu1",
        deb.package_version("3:29.4.0-0ubuntu1", "29.4.0", 1),
        "3:29.4.0-0ubuntu1.1",
    ]
    for lower, higher in pairwise(in_order):
        subprocess.run(["dpkg", "--compare-versions", lower, "lt", higher], check=True)
    assert {apt.upstream_version(each) for each in in_order[1:5]} == {"29.4.0"}


def test_the_tree_of_a_later_point_release_has_that_releases_version(
    material: deb.Sources, tmp_path: Path
) -> None:
    later = material._replace(
        target=targets.get("ubuntu-24.04"), provided="3:29.2.0-0ubuntu1", upstream="31.0.0"
    )
    made = deb.assemble(later, tmp_path)
    assert made.name == "nova-xloud-31.0.0"
    assert "python3-nova (= 3:29.2.0-0ubuntu1)" in (made / "debian/control").read_text()
    changelog = (made / "debian/changelog").read_text()
    assert "(3:31.0.0-0~29.2.0+0ubuntu1+xloud1) noble;" in changelog


def test_the_date_is_the_distributions_and_differs_by_revision(source: Path) -> None:
    dated = re.compile(r">  (.*)$", re.MULTILINE)
    found = dated.search((source / "debian/changelog").read_text())
    assert found is not None
    assert found[1] == "Fri, 06 Feb 2026 11:34:00 -0000"


def test_stevedores_cache_tells_every_revision_from_the_next() -> None:
    dates = [1770366840.0 + builds.REVISION_SECONDS * revision for revision in range(100)]
    assert len({struct.pack("f", date) for date in dates}) == len(dates)


def test_the_control_file_is_filled(source: Path) -> None:
    control = (source / "debian/control").read_text()
    assert not re.search("@[A-Z]+@", control)
    assert f"python3-nova (= {VERSION})" in control
    assert "\n python3-os-traits (>= 3.3.0),\n sudo,\n" in control
    assert not (source / "debian/control.in").exists()
    assert (source / "debian/guide.md").read_text() == "guide\n"


def test_a_release_has_our_patches_only(material: deb.Sources, tmp_path: Path) -> None:
    sdist = tmp_path / "nova-29.4.0.tar.gz"
    with tarfile.open(sdist, "w:gz") as tar:
        tar.add(tmp_path / "nova-31.0.0", "nova-29.4.0")
    release = material._replace(provided="2:29.4.0-1", upstream="29.4.0", orig=sdist, debian=None)
    made = deb.assemble(release, tmp_path)
    assert made.name == "nova-xloud-29.4.0"
    assert (tmp_path / "nova-xloud_29.4.0.orig.tar.gz").read_bytes() == sdist.read_bytes()
    assert (made / "debian/patches/series").read_text() == "xloud/ours.patch\n"
    assert "python3-nova (= 2:29.4.0-1)" in (made / "debian/control").read_text()
    assert "(2:29.4.0-1+xloud1) trixie;" in (made / "debian/changelog").read_text()


def test_a_distribution_without_the_library_is_refused() -> None:
    with pytest.raises(PackageError):
        deb.library_relations("")


@pytest.fixture
def bookworm(tmp_path: Path, key: Key, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    """An archive of bookworm whose library needs two packages."""
    archive.forget()
    with Archive(tmp_path / "archive", key, "bookworm") as made:
        monkeypatch.setenv(archive.VARIABLE, str(made.sources))
        made.add_binary("2:26.2.2-1", {"nova/__init__.py": b""}, depends="python3-eventlet, sudo")
        made.publish()
        yield made
    archive.forget()


def test_a_releases_relations_are_those_of_the_archives_library(bookworm: Archive) -> None:
    caracal = targets.get("debian-12-caracal")
    assert deb.related(caracal, refresh=False).relations == ("python3-eventlet", "sudo")
    ubuntu = targets.get("ubuntu-24.04")
    assert deb.related(ubuntu, refresh=False) == ubuntu


def test_build_dependencies_can_be_installed_by_name() -> None:
    names = deb.build_dependencies((PACKAGING / "control.in").read_text())
    assert {"debhelper", "python3-pbr", "python3-setuptools"} <= set(names)
    assert all(re.fullmatch(r"[a-z0-9.+-]+", name) for name in names), names


@pytest.mark.parametrize(
    ("version", "upstream"),
    [(VERSION, "31.0.0"), ("3:29.2.0-0ubuntu1.4", "29.2.0"), ("29.4.0~rc1-1", "29.4.0~rc1")],
)
def test_the_upstream_version_has_neither_epoch_nor_revision(version: str, upstream: str) -> None:
    assert apt.upstream_version(version) == upstream
