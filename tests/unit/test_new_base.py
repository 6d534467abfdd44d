"""`make new-base`: the table of releases, the pins, the report; no network."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from nova_xloud.bases import sdists
from nova_xloud.ground.errors import FetchError
from tests.nova import environment, new_base, pinning, releases

TABLE = releases.TABLE.read_text()
ROW = new_base.Row("0.0.0", "2027.1", ">=3.12", "a" * 64)


def rows(text: str) -> dict[str, bool]:
    """Return the releases of a table in their order, and whether each is checked."""
    table = tomllib.loads(text)["releases"]
    return {name: row.get("checked", True) for name, row in table.items()}


def test_a_new_series_is_one_more_line_and_nothing_else() -> None:
    made = new_base.with_release(TABLE, ROW._replace(version="35.0.0"))
    before, after = TABLE.splitlines(), made.splitlines()
    (line,) = [each for each in after if each not in before]
    assert [each for each in after if each != line] == before
    assert list(rows(made))[-1] == "35.0.0"
    assert rows(made)["35.0.0"]
    assert tomllib.loads(made)["releases"]["35.0.0"]["sha256"] == ROW.sha256


def test_a_later_point_release_takes_the_place_of_the_last_one() -> None:
    made = new_base.with_release(TABLE, ROW._replace(version="29.10.0"))
    assert rows(made)["29.10.0"]
    assert not rows(made)["29.4.0"]
    names = list(rows(made))
    assert names.index("29.10.0") == names.index("29.4.0") + 1
    assert rows(made)["26.3.0"]


def test_an_earlier_point_release_is_not_checked() -> None:
    made = new_base.with_release(TABLE, ROW._replace(version="27.1.0"))
    assert not rows(made)["27.1.0"]
    assert rows(made)["27.5.1"]
    made = new_base.with_release(TABLE, ROW._replace(version="25.3.0"))
    assert next(iter(rows(made))) == "25.3.0"


def test_a_release_that_is_there_stays_as_it_is() -> None:
    there = tomllib.loads(TABLE)["releases"]["29.4.0"]["sha256"]
    same = ROW._replace(version="29.4.0", sha256=there)
    assert new_base.with_release(TABLE, same) == TABLE
    with pytest.raises(ValueError, match="pins another hash of 29"):
        new_base.with_release(TABLE, same._replace(sha256="b" * 64))


def test_the_series_has_the_name_that_is_known_or_that_the_sdist_has(tmp_path: Path) -> None:
    assert new_base.codename_of("29.9.0", TABLE, tmp_path) == "2024.1 caracal"
    assert new_base.codename_of("35.0.0", TABLE, tmp_path) == "series 35"
    notes = tmp_path / "releasenotes/source"
    notes.mkdir(parents=True)
    for name in ("2026.1.rst", "zed.rst", "index.rst"):
        (notes / name).touch()
    assert new_base.codename_of("35.0.0", TABLE, tmp_path) == "2026.2"
    (notes / "2026.2.rst").touch()
    assert new_base.codename_of("35.0.0", TABLE, tmp_path) == "2027.1"
    (tmp_path / "tox.ini").write_text("x = {env:Y:https://host/constraints/upper/2027.2}\n")
    assert new_base.codename_of("35.0.0", TABLE, tmp_path) == "2027.2"


def test_targets_of_an_older_release_are_told() -> None:
    targets = '[a]\nbase = "29.4.0"\n[b]\nbase = "debian:sid"\n[c]\nbase = "34.0.0"\n'
    assert new_base.older_bases("29.10.0", targets) == ["a is built from 29.4.0"]
    assert new_base.older_bases("29.4.0", targets) == []


def test_no_other_file_names_the_releases_that_tests_run_on() -> None:
    """As a value or an argument; sentences may have a release as an example."""
    top = Path(__file__).parents[2]
    files = [top / "Makefile"]
    for folder in ("nova", "bases", "fuzz"):
        files += (top / "tests" / folder).rglob("*.py")
    assert len(files) > 10
    known = list(rows(TABLE))
    for file in files:
        for line in file.read_text().splitlines():
            for release in known:
                assert f'"{release}"' not in line, file
                assert f"--release {release}" not in line, file
                assert f"-k {release}" not in line, file


def test_parts_name_releases_that_are_checked_and_pinned() -> None:
    checked = [name for name, is_checked in rows(TABLE).items() if is_checked]
    assert environment.pinned_releases() == checked
    parts = releases.parts()
    assert parts["oldest"] == (checked[0],)
    assert parts["newest"] == (checked[-1],)
    assert set(parts["main"]) | set(parts["deep"]) <= set(checked)
    assert releases.of("main", "newest", "main") == (*parts["main"], *parts["newest"])


def test_what_changed_in_the_pins_is_told() -> None:
    told = pinning.changes(["a==1", "b==2", "c==3"], ["a==1", "b==3", "d==4"])
    assert told == ["b: 2 -> 3", "c: 3 -> none", "d: none -> 4"]
    frozen = "b==3\n-e /x\npip @ file:///x\nA.b-c==1.0\n"
    assert pinning._locked(frozen) == ["A.b-c==1.0", "b==3"]


def test_the_nearest_pins_are_the_start_of_a_new_series(tmp_path: Path) -> None:
    for series in (26, 33, 34):
        (tmp_path / f"{series}.txt").touch()
    assert pinning._nearest(35, tmp_path).name == "34.txt"
    assert pinning._nearest(25, tmp_path).name == "26.txt"


def test_a_new_series_takes_the_placement_of_its_own_series() -> None:
    start = pinning.beginning(34, ["nova-x==1", "openstack-placement==15.0.0", "oslo.policy==5"])
    assert start == (["nova-x==1", "oslo.policy==5"], ["openstack-placement<17"])
    # the pins that were found by hand say the same
    of_its_own = {}
    for file in environment.PINS.glob("[0-9]*.txt"):
        if named := re.search(r"^openstack-placement==(\d+)", file.read_text(), re.MULTILINE):
            of_its_own[int(file.stem)] = [f"openstack-placement<{int(named[1]) + 1}"]
    assert len(of_its_own) > 3
    assert of_its_own == {each: pinning.beginning(each, [])[1] for each in of_its_own}


def test_the_reason_is_told_from_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("a\nERROR: no versions fit\n\n")
    assert pinning.last_line(log) == "ERROR: no versions fit"
    log.write_text("\n")
    assert pinning.last_line(log) == "it said nothing"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table of its own, an sdist that pip would bring, and libraries that pip would choose."""
    table = tmp_path / "releases.toml"
    table.write_text(TABLE)
    source = tmp_path / "nova-35.0.0"
    (source / "nova").mkdir(parents=True)
    (source / "PKG-INFO").write_text("Name: nova\nVersion: 35.0.0\nRequires-Python: >=3.12\n")
    sdist = tmp_path / "nova-35.0.0.tar.gz"
    subprocess.run(["tar", "-C", tmp_path, "-czf", sdist, source.name], check=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(new_base, "TABLE", table)
    monkeypatch.setattr(sdists, "download", lambda wanted, place: sdist)
    monkeypatch.setattr(
        pinning, "pin", lambda *words: pinning.Pinned(Path("35.txt"), ["a: 1 -> 2"])
    )
    return tmp_path


def test_what_broke_is_told_at_the_end_and_where(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = "35.0.0: nova/compute/api.py: API.resize: not found (Nova 35.0.0)"
    module = checkout / "nova_xloud.py"
    module.write_text(f"print({line!r})\nraise SystemExit(1)\n")
    monkeypatch.setenv("PYTHONPATH", str(checkout))
    result = CliRunner().invoke(new_base.main, ["35.0.0"])
    assert result.exit_code == 1
    end = result.output.partition("\nNova 35.0.0:\n")[2]
    assert "nova_xloud check" in result.output
    assert "check                  ended with 1: see dist/reports/new-base-35.0.0/check.log" in end
    assert f"    {line}\n" in end
    assert "our tests              not run: not all changes fit" in end
    assert "pins                   well\n    in 35.txt:\n    a: 1 -> 2\n" in end
    assert rows((checkout / "releases.toml").read_text())["35.0.0"]
    assert line in (checkout / "dist/reports/new-base-35.0.0/check.log").read_text()


def test_a_step_that_ends_well_is_told(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def well(name: str, command: object, log: Path) -> new_base.Step:
        return new_base.Step(name, "")

    monkeypatch.setattr(new_base, "run", well)
    result = CliRunner().invoke(new_base.main, ["35.0.0"])
    assert result.exit_code == 0, result.output
    names = ("pins", "check", "weaving", "our tests", "imports", "style", "settle on stock Nova")
    assert all(f"  {name:22} well" in result.output for name in names)
    assert "All is well: look at the changes (git diff)" in result.output


@pytest.mark.parametrize("version", ["35", "v35.0.0", "35.0.0rc1"])
def test_what_is_no_release_is_refused(checkout: Path, version: str) -> None:
    result = CliRunner().invoke(new_base.main, [version])
    assert result.exit_code == 2
    assert "make new-base VERSION=34.0.1" in result.output
    assert (checkout / "releases.toml").read_text() == TABLE


def test_a_release_that_does_not_come_changes_nothing(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(wanted: object, place: object) -> Path:
        raise FetchError("pip has no nova 35.0.0")

    monkeypatch.setattr(sdists, "download", fail)
    result = CliRunner().invoke(new_base.main, ["35.0.0"])
    assert result.exit_code == 1
    assert "pip has no nova 35.0.0; nothing was changed" in result.output
    assert (checkout / "releases.toml").read_text() == TABLE


def test_libraries_that_do_not_fit_are_a_step_that_broke(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*words: object) -> pinning.Pinned:
        raise pinning.UnpinnedError("Nova asks for Python >=3.12: see LOG")

    monkeypatch.setattr(pinning, "pin", fail)
    monkeypatch.setattr(new_base, "steps", lambda version, logs: [])
    result = CliRunner().invoke(new_base.main, ["35.0.0"])
    assert result.exit_code == 1
    assert "  pins                   Nova asks for Python >=3.12: see LOG" in result.output
    assert sys.version_info >= (3, 11)
