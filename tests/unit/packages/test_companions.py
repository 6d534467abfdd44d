"""Companions: their table, their sources, and the reasons to rebuild them."""

from __future__ import annotations

import io
import itertools
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from nova_xloud.ground.errors import PackageError
from nova_xloud.packages import (
    builds,
    checkout,
    companion_builds,
    companion_deb,
    companion_rpm,
    companions,
    targets,
)
from nova_xloud.packages.companions import Companion
from tests.unit.packages import rooms

CHANGELOG = """\
beside (1.2.0-3) unstable; urgency=medium

  * Says 100% of it
    in two lines.
  * And more.

 -- A Person <a@example.org>  Thu, 26 Nov 2026 12:00:00 +0000

beside (1.1.0-1) unstable; urgency=low

  * First.

 -- A Person <a@example.org>  Wed, 25 Nov 2026 12:00:00 +0000
"""
SPEC = "Source1: @TARGET@.macros\n@VERSION@ @RELEASE@\n@CHANGELOG@\n"
ROWS = [
    (companion, target)
    for target in targets.known().values()
    for companion in companions.of(target)
]


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Companion:
    """A companion of a checkout of its own."""
    for name, text in {
        "beside/run": "#!/bin/sh\n",
        "beside/sub/data": "data\n",
        "beside/debian/changelog": CHANGELOG,
        "beside/debian/control": "Source: beside\nBuild-Depends: debhelper-compat (= 13), make,\n",
        "beside/debian/rules": "#!/usr/bin/make -f\n",
        "beside/rpm/beside.spec.in": SPEC,
        "rpm/el9.macros": "%dist .el9\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for name in ("run", "debian/rules"):
        (tmp_path / "beside" / name).chmod(0o755)
    monkeypatch.setattr(checkout, "TOP", tmp_path)
    monkeypatch.setattr(checkout, "RPM", tmp_path / "rpm")
    return Companion("beside", ("deb", "rpm"))


@pytest.mark.parametrize(("companion", "target"), ROWS, ids=lambda each: each.name)
def test_each_row_has_its_packaging_and_a_root_to_build_in(
    companion: Companion, target: targets.Target
) -> None:
    source = companions.changelog(companion)[0].source
    needed = {"deb": "debian/control", "rpm": f"rpm/{source}.spec.in", "wheel": "setup.py"}
    assert (companion.directory / needed[target.format]).exists()
    assert companion_builds.of(target).recipe(companion, target).suite == target.suite
    assert companions.as_target(companion, target).name not in targets.known()


@pytest.mark.parametrize("companion", companions.known().values(), ids=lambda each: each.name)
def test_each_changelog_is_read_as_dpkg_reads_it(companion: Companion) -> None:
    file = companion.directory / "debian/changelog"
    command = ["dpkg-parsechangelog", "-l", str(file), "--show-field"]
    told = [
        subprocess.run([*command, field], check=True, capture_output=True, text=True).stdout.strip()
        for field in ("Source", "Version", "Timestamp", "Maintainer")
    ]
    newest = companions.changelog(companion)[0]
    version = f"{newest.version}-{newest.revision}"
    assert told == [newest.source, version, str(newest.date), newest.author]


def test_a_changelog_has_one_version_for_all_formats(beside: Companion) -> None:
    newest, first = companions.changelog(beside)
    assert (newest.source, newest.version, newest.revision) == ("beside", "1.2.0", "3")
    assert newest.changes == ("Says 100% of it in two lines.", "And more.")
    assert first.version == "1.1.0"
    assert newest.date == first.date + 24 * 3600


@pytest.mark.parametrize(
    "text", ["", "beside\n", CHANGELOG.replace("1.1.0-1", "1.1.0"), CHANGELOG + "\n -- no date\n"]
)
def test_a_changelog_that_cannot_be_read_is_told(beside: Companion, text: str) -> None:
    (beside.directory / "debian/changelog").write_text(text)
    with pytest.raises(PackageError, match="is no changelog of a package"):
        companions.changelog(beside)


def test_the_tarball_has_the_source_alone_and_the_same_bytes(beside: Companion) -> None:
    first = companions.upstream(beside)
    for left in ("build/lib/x", "beside.egg-info/PKG-INFO", "sub/__pycache__/x.pyc", ".hidden"):
        file = beside.directory / left
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    os.utime(beside.directory / "run", (1, 1))
    (beside.directory / "sub/data").chmod(0o600)
    assert companions.upstream(beside) == first
    with tarfile.open(fileobj=io.BytesIO(first)) as archive:
        members = {each.name: oct(each.mode) for each in archive}
        dates = {each.mtime for each in archive}
    assert members == {
        "beside-1.2.0/debian/changelog": "0o644",
        "beside-1.2.0/run": "0o755",
        "beside-1.2.0/sub/data": "0o644",
    }
    assert dates == {companions.changelog(beside)[0].date}


@pytest.mark.parametrize("change", ["file", "mode", "row", "target", "packaging"])
def test_what_goes_in_makes_another_build(beside: Companion, change: str) -> None:
    target = targets.get("debian-13")
    before = companion_builds.inputs(beside, target)
    assert companion_builds.inputs(beside, target) == before
    if change == "file":
        (beside.directory / "sub/data").write_text("more\n")
    elif change == "mode":
        (beside.directory / "sub/data").chmod(0o755)
    elif change == "row":
        beside = beside._replace(rpm_tools=("make",))
    elif change == "packaging":
        (beside.directory / "debian/rules").write_text("more\n")
    else:
        target = targets.get("debian-12")
    assert companion_builds.inputs(beside, target) != before


@pytest.mark.parametrize("change", ["base", "provides", "revision", "relations"])
def test_what_is_of_nova_makes_no_other_build(beside: Companion, change: str) -> None:
    target = targets.get("el9")
    values = {"base": "29.5.0", "provides": "1:29.2.0-2.el9", "revision": 2, "relations": ("a",)}
    other = target._replace(**{change: values[change]})  # type: ignore[arg-type]
    assert companion_builds.inputs(beside, other) == companion_builds.inputs(beside, target)


def test_a_source_package_is_complete_and_names_its_target(
    beside: Companion, tmp_path: Path
) -> None:
    area = tmp_path / "area"
    area.mkdir()
    source = companion_deb.assemble(beside, targets.get("debian-13"), area)
    assert (area / "beside_1.2.0.orig.tar.gz").read_bytes() == companions.upstream(beside)
    first = (source / "debian/changelog").read_text().splitlines()[0]
    assert first == "beside (1.2.0-3+debian13) trixie; urgency=medium"
    assert "beside (1.1.0-1) unstable" in (source / "debian/changelog").read_text()
    assert (source / "debian/rules").stat().st_mode & 0o777 == 0o755
    assert (source / "sub/data").exists()
    assert "make" in companion_deb.recipe(beside, targets.get("debian-13")).packages


def test_versions_of_a_later_debian_are_higher() -> None:
    names = ("debian-12", "debian-12-caracal", "debian-13")
    versions = []
    for name in names:
        told = companion_deb.for_target(CHANGELOG, targets.get(name))
        found = re.search(r"\((.*)\)", told)
        assert found
        versions.append(found[1])
    for lower, higher in itertools.pairwise(versions):
        subprocess.run(["dpkg", "--compare-versions", lower, "lt", higher], check=True)


def test_a_source_rpm_has_the_changelog_of_the_debian_package(
    beside: Companion, tmp_path: Path
) -> None:
    spec = companion_rpm.assemble(beside, targets.get("el9"), tmp_path / "area")
    sources = {each.name for each in (tmp_path / "area/SOURCES").iterdir()}
    assert sources == {"beside-1.2.0.tar.gz", "el9.macros"}
    assert spec.read_text() == (
        "Source1: el9.macros\n1.2.0 3\n"
        "* Thu Nov 26 12:00:00 UTC 2026 A Person <a@example.org> - 1.2.0-3\n"
        "- Says 100%% of it in two lines.\n- And more.\n\n"
        "* Wed Nov 25 12:00:00 UTC 2026 A Person <a@example.org> - 1.1.0-1\n- First.\n"
    )


def test_a_spec_that_asks_for_something_else_is_told(beside: Companion, tmp_path: Path) -> None:
    (beside.directory / "rpm/beside.spec.in").write_text(f"{SPEC}@MORE@\n")
    with pytest.raises(PackageError, match=r"beside\.spec\.in and the builder disagree on MORE"):
        companion_rpm.assemble(beside, targets.get("el9"), tmp_path / "area")


@pytest.fixture
def no_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds whose room is a directory, and whose result is the tarball."""

    def build(companion: Companion, target: targets.Target, room: builds.Room) -> list[Path]:
        made = room.area / "made"
        made.write_bytes(companions.upstream(companion))
        return [made]

    monkeypatch.setattr(builds, "room", rooms.room)
    monkeypatch.setattr(companion_deb, "build", build)


@pytest.mark.usefixtures("no_root")
def test_a_build_has_a_directory_of_its_own_and_is_found_again(
    beside: Companion, tmp_path: Path
) -> None:
    target = targets.get("debian-13")
    place = companions.as_target(beside, target)
    digest = companion_builds.inputs(beside, target)
    dist = tmp_path / "dist"
    dist.mkdir()
    (made,) = companion_builds.build(beside, target, dist, digest)
    assert made == dist / "debian-13-beside/made"
    assert builds.intact(place, dist, digest) == [made]
    shutil.rmtree(beside.directory)
    with pytest.raises(FileNotFoundError):
        companion_builds.build(beside, target, dist, "other")
    assert builds.intact(place, dist, digest) == [made]
