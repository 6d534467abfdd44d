"""The command that makes packages; building them is tested in tests/packages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nova_xloud.cli import build as cli_build
from nova_xloud.cli import main as cli
from nova_xloud.ground import errors
from nova_xloud.packages import builds, companion_builds, companions, targets


def run(*words: object) -> Result:
    return CliRunner().invoke(cli.main, [str(each) for each in words])


def test_all_targets_are_listed_with_what_was_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    rows = run("build", "--list").output.splitlines()[1:]
    assert len(rows) == len(targets.known())
    for row, target in zip(rows, targets.known().values(), strict=True):
        for told in (target.name, target.base, target.format, target.python, target.verified):
            assert told in row


def test_targets_are_listed_for_programs() -> None:
    rows = json.loads(run("build", "--list", "--json").output)
    assert [row["name"] for row in rows] == list(targets.known())
    assert rows[0]["format"] == "deb"


def test_one_target_that_fails_keeps_no_other_from_being_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(target: targets.Target, options: object) -> None:
        if target.name in ("debian-13", "el9"):
            raise errors.PackageError(f"no {target.name}")
        (tmp_path / target.name).touch()

    monkeypatch.setattr("nova_xloud.ground.root.require_root", lambda what: None)
    monkeypatch.setattr(cli_build, "_build", build)
    monkeypatch.setattr(cli_build, "_build_companion", lambda *_: None)
    result = run("build", "debian-13", "29.4.0-wheel", "el9", "--dist", tmp_path)
    assert result.exit_code == errors.TargetsError.exit_code
    assert (tmp_path / "29.4.0-wheel").exists()
    end = result.stderr.partition("not all targets are built")[2]
    assert "2 of 3 failed" in end
    for name in ("debian-13", "el9"):
        assert f"{name}: the package could not be built: no {name}" in end
    alone = run("build", "el9", "--dist", tmp_path)
    assert alone.exit_code == errors.PackageError.exit_code


@pytest.fixture
def in_no_root(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Builds of companions that only write a file; the list gets the name of each."""
    begun: list[str] = []

    def build(
        companion: companions.Companion, target: targets.Target, dist: Path, digest: str
    ) -> list[Path]:
        place = companions.as_target(companion, target)
        begun.append(place.name)
        with builds.replacing(place, dist, digest) as work:
            (work / "out/package").touch()
        return builds.built(place, dist)

    monkeypatch.setattr("nova_xloud.ground.root.require_root", lambda what: None)
    monkeypatch.setattr(cli_build, "_build", lambda target, options: None)
    monkeypatch.setattr(companion_builds, "build", build)
    return begun


def test_each_target_gets_its_companions_once(in_no_root: list[str], tmp_path: Path) -> None:
    words = ("build", "debian-13", "29.4.0-wheel", "--dist", tmp_path)
    first = run(*words)
    names = [
        f"{name}-{each.name}"
        for name in ("debian-13", "29.4.0-wheel")
        for each in companions.of(targets.get(name))
    ]
    assert "debian-13-client" in names
    assert in_no_root == names
    version = companions.changelog(companions.known()["client"])[0].version
    assert f"debian-13-client: {version} built" in first.output
    assert f"  {tmp_path}/debian-13-client/package\n" in first.output
    again = run(*words)
    assert in_no_root == names
    assert f"debian-13-client: {version} is up to date" in again.output
    run(*words, "--force")
    assert in_no_root == names * 2


def test_companions_may_be_left_out(in_no_root: list[str], tmp_path: Path) -> None:
    assert run("build", "debian-13", "--no-companions", "--dist", tmp_path).exit_code == 0
    assert in_no_root == []


def test_a_version_to_stand_in_for_is_checked_before_anything_is_built(tmp_path: Path) -> None:
    wrong = run("build", "el9", "--provides", "29.2.0", "--dist", tmp_path / "dist")
    assert wrong.exit_code == errors.PackageError.exit_code
    assert "29.2.0 is no version of a package: EPOCH:VERSION-RELEASE" in wrong.output
    unfit = run("build", "debian-13", "--provides", "1:29.2.0-1", "--dist", tmp_path / "dist")
    assert unfit.exit_code == errors.ProvidesError.exit_code
    assert "leave --provides out" in unfit.output
    silent = run("build", "debian-13", "ubuntu-24.04", "--dist", tmp_path / "dist")
    assert silent.exit_code == errors.ProvidesError.exit_code
    assert "--provides 3:29" in silent.output
    assert "(nothing was built; earlier builds are as they were)" in silent.output
    assert not (tmp_path / "dist").exists()


def test_a_wheel_of_a_source_takes_a_checkout_or_an_sdist(tmp_path: Path) -> None:
    for words, told in (
        (("wheel",), "the target wheel takes --base DIR"),
        (("29.4.0-wheel", "--base", tmp_path), "--base is for the target wheel, alone"),
        (("wheel", "el9", "--base", tmp_path), "--base is for the target wheel, alone"),
    ):
        result = run("build", *words, "--dist", tmp_path / "dist")
        assert result.exit_code == 2, result.output
        assert told in result.output
    plain = run("build", "wheel", "--base", tmp_path, "--dist", tmp_path / "dist")
    assert plain.exit_code == errors.DirectoryError.exit_code
    assert "is no git checkout: give one, or an sdist" in plain.output
    assert not (tmp_path / "dist").exists()
