"""The surroundings of a build: whole or not at all, on record."""

from __future__ import annotations

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nova_xloud.ground.errors import NoSpaceError
from nova_xloud.packages import builds, targets

TARGET = targets.get("el9")


@pytest.fixture(autouse=True)
def any_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only real builds need root."""
    monkeypatch.setattr("nova_xloud.ground.root.require_root", lambda what: None)


def build(dist: Path, inputs: str, content: str, name: str = "package") -> None:
    """Build a package of one file."""
    with builds.turn(TARGET, dist), builds.replacing(TARGET, dist, inputs) as work:
        (work / "out" / name).write_text(content)


def test_a_finished_build_of_the_same_inputs_is_intact(tmp_path: Path) -> None:
    assert builds.intact(TARGET, tmp_path, "inputs") == []
    build(tmp_path, "inputs", "content")
    files = [tmp_path / "el9/package"]
    assert builds.built(TARGET, tmp_path) == files
    assert builds.intact(TARGET, tmp_path, "inputs") == files
    assert builds.intact(TARGET, tmp_path, "other inputs") == []


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_damaged_build_is_not_intact(tmp_path: Path, damage: str) -> None:
    build(tmp_path, "inputs", "content")
    if damage == "changed":
        (tmp_path / "el9/package").write_text("other content")
    else:
        (tmp_path / "el9/package").unlink()
    assert builds.intact(TARGET, tmp_path, "inputs") == []


def test_a_build_replaces_the_last_one_as_a_whole(tmp_path: Path) -> None:
    build(tmp_path, "inputs", "content")
    (tmp_path / "el9/left-over").write_text("")
    build(tmp_path, "more inputs", "more content")
    assert {each.name for each in (tmp_path / "el9").iterdir()} == {"package", builds.RECORD}
    assert (tmp_path / "el9/package").read_text() == "more content"


def test_a_failed_build_leaves_the_last_one_and_nothing_beside_it(tmp_path: Path) -> None:
    build(tmp_path, "inputs", "content")
    with pytest.raises(ValueError, match="null"):
        build(tmp_path, "inputs", "content", name="no\0name")
    assert builds.intact(TARGET, tmp_path, "inputs") == [tmp_path / "el9/package"]
    assert {each.name for each in tmp_path.iterdir()} == {"el9", ".el9.lock"}


def test_what_a_killed_build_left_goes(tmp_path: Path) -> None:
    (tmp_path / ".el9.build-killed/overlay").mkdir(parents=True)
    build(tmp_path, "inputs", "content")
    assert list(tmp_path.glob(".el9.build-*")) == []


def test_the_second_of_two_equal_builds_finds_what_the_first_has_built(tmp_path: Path) -> None:
    built = []

    def build_unless_there(inputs: str) -> None:
        with builds.turn(TARGET, tmp_path):
            if builds.intact(TARGET, tmp_path, inputs):
                return
            built.append(inputs)
            time.sleep(0.5)
            with builds.replacing(TARGET, tmp_path, inputs) as work:
                (work / "out/package").write_text(inputs)

    with ThreadPoolExecutor() as pool:
        for each in [pool.submit(build_unless_there, "same") for _ in range(3)]:
            each.result()
    assert built == ["same"]


@pytest.mark.usefixtures("as_root")
def test_a_full_disk_is_named_and_the_last_build_stays(tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    dist.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "small", dist], check=True)
    try:
        build(dist, "inputs", "content")
        with pytest.raises(NoSpaceError, match=str(dist)):
            build(dist, "more", "x" * 5_000_000)
        assert builds.intact(TARGET, dist, "inputs") == [dist / "el9/package"]
        assert {each.name for each in dist.iterdir()} == {"el9", ".el9.lock"}
    finally:
        subprocess.run(["umount", dist], check=True)
