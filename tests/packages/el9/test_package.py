"""The RPMs by themselves: rpmlint, the same bytes twice, rebuilt by hand, nothing lost."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from nova_xloud.ground import root
from nova_xloud.ground.cache import sha256
from nova_xloud.ground.errors import PackageError
from nova_xloud.packages import rpm, targets
from tests.packages.conftest import REPOSITORY
from tests.packages.el9.lab import build, run_build

TARGET = targets.get("el9")
RPMLINT = root.Recipe("rpmlint-debian-13", "trixie", ("rpm", "rpmlint"))


def hashes(place: Path) -> dict[str, str]:
    """Return the hashes of the packages in a directory."""
    return {each.name: sha256(each) for each in place.glob("*.rpm")}


def run_on(packages: Path, recipe: root.Recipe, command: str, log: Path, place: Path) -> int:
    """Run a shell command in a root with a copy of packages in /srv; return its exit code."""
    with root.overlay([root.make(recipe)], place) as merged:
        shutil.copytree(packages, merged / "srv/packages")
        shutil.copy(REPOSITORY / "rpm/rpmlint.toml", merged / "srv")
        failed = root.run_in(
            merged, ["sh", "-euc", f"cd /srv/packages; {command}"], log=log, user="root"
        )
        for made in (merged / "srv/packages/rebuilt").glob("*/*.rpm"):
            shutil.copy(made, log.parent)
    root.remove_tree(place)
    return failed


def test_rpmlint_has_nothing_to_say(built: Path, scratch: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = "rpmlint -c /srv/rpmlint.toml *.rpm"
    failed = run_on(built, RPMLINT, command, log, scratch / "rpmlint")
    assert failed == 0, log.read_text()
    assert " 0 errors, 0 warnings" in log.read_text()


@pytest.mark.slow
def test_the_source_package_rebuilds_by_hand_and_gives_the_same_bytes(
    built: Path, scratch: Path, tmp_path: Path
) -> None:
    """A build rebuilds its own source: two builds with the same bytes are the quick proof."""
    command = "rpmbuild --define '_rpmdir /srv/packages/rebuilt' --rebuild *.src.rpm"
    failed = run_on(built, rpm.recipe(TARGET), command, tmp_path / "log", scratch / "rebuild")
    assert failed == 0, (tmp_path / "log").read_text()[-3000:]
    binaries = {name: told for name, told in hashes(built).items() if "noarch" in name}
    assert hashes(tmp_path) == binaries


@pytest.fixture(scope="module")
def second_dist(scratch: Path, built: Path) -> Path:
    """A second build of the same checkout, in another directory."""
    (package,) = built.glob("*.src.rpm")
    build(scratch / "dist-rpm", "--revision", package.name.split("xloud")[2].split(".")[0])
    return scratch / "dist-rpm"


def test_two_builds_give_the_same_bytes(built: Path, second_dist: Path) -> None:
    assert hashes(second_dist / TARGET.name) == hashes(built)


def test_a_build_with_nothing_changed_is_over_in_a_moment(
    second_dist: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = time.monotonic()
    build(second_dist)
    assert time.monotonic() - start < 5
    assert "up to date" in capsys.readouterr().out


def test_a_build_that_has_lost_relations_fails_and_leaves_the_last_one(
    second_dist: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = hashes(second_dist / TARGET.name)
    # the generator of Python relations finds nothing, and rpmbuild ends well
    blind = "echo '%__pythondist_path nothing' >~/.rpmmacros\n"
    monkeypatch.setattr(rpm, "_BUILD", blind + rpm._BUILD)
    assert run_build(second_dist, "--force") == PackageError.exit_code
    assert "lost relations" in capsys.readouterr().err
    assert hashes(second_dist / TARGET.name) == before
