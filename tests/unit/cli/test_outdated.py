"""Which packages must be built again: asked of archives on loopback by apt, of files by pip."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nova_xloud.cli import main as cli
from nova_xloud.ground import archive
from nova_xloud.mirrors import mirror
from nova_xloud.mirrors.signing import Signer
from nova_xloud.packages import builds, companions, targets
from tests.archives import Archive, Key
from tests.tiny import make_deb

FILES = {"nova/__init__.py": b""}
TRIXIE = mirror.Repository("deb", "trixie")


@pytest.fixture
def debian(
    request: pytest.FixtureRequest, tmp_path: Path, key: Key, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Archive]:
    """An archive that has nova u2; its other suites have none."""
    archive.forget()
    with Archive(tmp_path / "archive", key, *getattr(request, "param", ("trixie",))) as made:
        monkeypatch.setenv(archive.VARIABLE, str(made.sources))
        made.add_binary("2:31.0.0-6+deb13u2", FILES)
        made.publish()
        yield made
    archive.forget()


@pytest.fixture(autouse=True)
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index where pip finds the releases 29.4.0 and 34.0.0."""
    place = tmp_path / "index"
    place.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(place))
    for version in ("29.3.0", "29.4.0", "29.10.0rc1", "34.0.0"):
        release(place, version)
    return place


def release(index: Path, version: str) -> None:
    """Have pip find a release."""
    (index / f"nova-{version}-py3-none-any.whl").touch()


def built(dist: Path, name: str, base: str) -> Path:
    """Write a build as its record tells it; of a companion, if no target has that name."""
    target = targets.known().get(name)
    if target is None:
        name, _, companion = name.rpartition("-")
        target = companions.as_target(companions.known()[companion], targets.get(name))
    with builds.replacing(target, dist, "inputs", base) as work:
        make_deb(work / "made", "1.0")
        (work / "made/tiny_1.0_all.deb").rename(work / "out/tiny_1.0_all.deb")
    return dist / target.name


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """Packages for Debian 13 and a wheel, both up to date."""
    (tmp_path / "dist").mkdir()
    built(tmp_path / "dist", "debian-13", "2:31.0.0-6+deb13u2")
    built(tmp_path / "dist", "29.4.0-wheel", "29.4.0")
    return tmp_path / "dist"


def ask(*words: object) -> Result:
    """Run the command as a process of its own would."""
    archive.forget()
    return CliRunner().invoke(cli.main, ["outdated", *map(str, words)])


def states(*words: object) -> tuple[int, dict[str, str]]:
    """Return the exit code, and the state of each target."""
    done = ask(*words, "--json")
    return done.exit_code, {each["target"]: each["state"] for each in json.loads(done.stdout)}


def test_all_up_to_date_is_0(debian: Archive, dist: Path) -> None:
    done = ask("--dist", dist)
    assert done.exit_code == 0
    told = " ".join(done.stdout.split())
    assert told.startswith("target state built from newest where debian-13 up to date 2:31.0.0-6")
    assert "Next" not in done.output


def test_companions_are_made_from_no_nova(
    debian: Archive, dist: Path, tmp_path: Path, signer: Signer
) -> None:
    place = tmp_path / "mirror"
    beside = built(dist, "debian-13-client", "1.0.0")
    mirror.write(place, {TRIXIE: [dist / "debian-13", beside]}, signer)
    code, told = states("--dist", dist, "--mirror", place)
    assert (code, set(told)) == (0, {"debian-13", "29.4.0-wheel"})


@pytest.mark.parametrize(
    "debian", [("trixie",), ("trixie", "trixie-security")], ids=" ".join, indirect=True
)
def test_a_newer_library_in_any_suite_is_40(debian: Archive, dist: Path) -> None:
    debian.add_binary("2:31.0.0-6+deb13u3", FILES, debian.suites[-1])
    debian.publish()
    assert states("--dist", dist) == (40, {"debian-13": "outdated", "29.4.0-wheel": "up to date"})
    done = ask("--dist", dist, "debian-13")
    assert done.exit_code == 40
    assert "2:31.0.0-6+deb13u2  2:31.0.0-6+deb13u3" in done.output
    assert "Next: `nova-xloud build --refresh debian-13`" in done.output


def test_one_that_is_named_is_asked_for_alone(debian: Archive, dist: Path) -> None:
    debian.stop()
    assert states("--dist", dist, "29.4.0-wheel") == (0, {"29.4.0-wheel": "up to date"})


def test_a_newer_point_release_of_the_series_is_40(
    debian: Archive, dist: Path, index: Path
) -> None:
    release(index, "29.4.1")
    assert states("--dist", dist) == (40, {"debian-13": "up to date", "29.4.0-wheel": "outdated"})


def test_packages_that_no_host_of_the_archive_fits_yet_are_40(
    debian: Archive, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    built(tmp_path / "other", "debian-13", "2:31.0.0-6+deb13u4")
    assert states("--dist", tmp_path / "other") == (40, {"debian-13": "ahead"})


def test_a_build_of_an_earlier_version_has_to_be_built_again(debian: Archive, dist: Path) -> None:
    record = dist / "debian-13" / builds.RECORD
    told = json.loads(record.read_text())
    del told["base"]
    for text in (json.dumps(told), "{"):
        record.write_text(text)
        assert states("--dist", dist, "debian-13")[1]["debian-13"] == "outdated"


def test_the_base_that_a_build_was_made_of_is_asked_not_the_tables(
    debian: Archive, tmp_path: Path
) -> None:
    dist = tmp_path / "other"
    dist.mkdir()
    el9 = targets.get("el9")
    for of, built_from, state in (
        ("debian:trixie", "2:31.0.0-6+deb13u2", "up to date"),
        ("29.2.0", "29.2.0", "not asked"),
    ):
        with builds.replacing(el9._replace(base=of), dist, "inputs", built_from) as work:
            (work / "out/package").touch()
        assert states("--dist", dist)[1] == {"el9": state}
    assert "named by hand" in ask("--dist", dist).stderr


def test_no_answer_is_41_unless_another_is_outdated(
    debian: Archive, dist: Path, index: Path
) -> None:
    debian.stop()
    done = ask("--dist", dist, "--json")
    assert done.exit_code == 41
    assert "no network" in done.stderr
    told = {each["target"]: each["state"] for each in json.loads(done.stdout)}
    assert told == {"debian-13": "not asked", "29.4.0-wheel": "up to date"}
    release(index, "29.4.1")
    assert states("--dist", dist)[0] == 40


def test_a_package_index_that_does_not_answer_is_41(
    debian: Archive, dist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    assert states("--dist", dist) == (41, {"debian-13": "up to date", "29.4.0-wheel": "not asked"})


def test_an_index_without_the_series_could_not_be_asked(
    debian: Archive, dist: Path, index: Path
) -> None:
    for file in index.glob("nova-29*"):
        file.unlink()
    assert states("--dist", dist)[0] == 41


def test_the_mirror_is_compared_by_its_last_builds(
    debian: Archive, dist: Path, tmp_path: Path, signer: Signer
) -> None:
    place = tmp_path / "mirror"
    mirror.write(place, {TRIXIE: [dist / "debian-13"]}, signer)
    both = ("--dist", dist, "--mirror", place, "debian-13")
    assert ask(*both).exit_code == 0
    debian.add_binary("2:31.0.0-6+deb13u3", FILES)
    debian.publish()
    built(dist, "debian-13", "2:31.0.0-6+deb13u3")
    # it is built, and clients do not have it yet
    done = ask(*both, "--json")
    assert done.exit_code == 40
    told = {each["place"]: each["state"] for each in json.loads(done.stdout)}
    assert told[str(dist / "debian-13")] == "up to date"
    assert told[str(place)] == "outdated"
    mirror.write(place, {TRIXIE: [dist / "debian-13"]}, signer)
    mirror.sign(place, signer)
    assert ask(*both).exit_code == 0
    # the mirror's own machine has no dist/
    assert ask("--dist", tmp_path / "none", "--mirror", place).exit_code == 0


def test_nothing_to_compare_is_an_error(dist: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for words in (
        ("--dist", tmp_path / "empty"),
        ("--dist", dist, "el9"),
        ("--dist", dist, "--mirror", tmp_path / "empty"),
    ):
        assert ask(*words).exit_code == 6


def test_it_needs_no_root(debian: Archive, dist: Path) -> None:
    script = "import os, sys; assert os.geteuid(); from nova_xloud.cli.main import main; main()"
    done = subprocess.run(
        [
            *("unshare", "--user", "--map-user=1000", "--map-group=1000"),
            *(sys.executable, "-c", script, "outdated", "--dist", dist),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
