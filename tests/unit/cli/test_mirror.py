"""The words and exit codes of the commands for mirrors and their keys."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nova_xloud.cli import main as cli
from nova_xloud.ground import errors
from nova_xloud.packages import builds, companions, targets
from tests.tiny import make_deb
from tests.unit.conftest import Made


@pytest.fixture(autouse=True)
def home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """nova-xloud's own GnuPG directory, without a key."""
    data = tmp_path_factory.mktemp("data")
    monkeypatch.setenv("XDG_DATA_HOME", str(data))
    yield data / "nova-xloud/gnupg"
    subprocess.run(["gpgconf", "--homedir", data / "nova-xloud/gnupg", "--kill", "all"])


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """A build of a package."""
    (tmp_path / "dist").mkdir()
    build(tmp_path / "dist", "1.0")
    return tmp_path / "dist"


def build(dist: Path, version: str, companion: str = "") -> None:
    """Build a version of the package, as a package of Nova or of a companion."""
    target = targets.get("debian-13")
    if companion:
        target = companions.as_target(companions.known()[companion], target)
    with builds.replacing(target, dist, version) as work:
        make_deb(work / "made", version)
        (work / f"made/tiny_{version}_all.deb").rename(work / f"out/tiny_{version}_all.deb")


def run(*words: object) -> Result:
    return CliRunner().invoke(cli.main, [str(each) for each in words])


def test_a_key_is_made_listed_used_and_prolonged(dist: Path, home: Path, tmp_path: Path) -> None:
    key = run("key", "new", "--expire", "30d").stdout.strip()
    assert re.fullmatch(r"[0-9A-F]{40}", key)
    assert re.fullmatch(rf"{key} \d{{4}}-\d\d-\d\d signs\n", run("key", "list").output)
    made = run("mirror", tmp_path / "mirror", "--dist", dist, "--valid-days", 7)
    assert made.exit_code == 0
    assert f"signed by {key}\n" in made.output
    assert "apt accepts the indexes for 7 days" in made.output
    assert f"warning: the key {key} ends on" in made.stderr
    assert "ends 2031-12-31" in run("key", "prolong", key, "--expire", "2031-12-31").output
    again = run("sign", tmp_path / "mirror")
    assert again.exit_code == 0
    assert "warning" not in again.output
    other = run("key", "new", "--expire", "never").stdout.strip()
    both = run("sign", tmp_path / "mirror", "--key", key, "--key", other)
    assert f"signed by {key} and {other}\n" in both.output
    # with two keys in the directory, the mirror itself says which ones sign
    assert f"signed by {key} and {other}\n" in run("sign", tmp_path / "mirror").output


def test_companions_are_in_the_repository_of_their_target(
    dist: Path, home: Path, made_keys: Made, tmp_path: Path
) -> None:
    made_keys.put(home)
    build(dist, "9.0", "client")
    assert run("mirror", tmp_path / "mirror", "--dist", dist).exit_code == 0
    names = sorted(each.name for each in (tmp_path / "mirror/pool/trixie").rglob("*.deb"))
    assert names == ["tiny_1.0_all.deb", "tiny_9.0_all.deb"]


def test_bad_words_change_nothing(dist: Path, home: Path, made_keys: Made, tmp_path: Path) -> None:
    made_keys.put(home)
    place = tmp_path / "mirror"
    assert run("mirror", place, "--dist", dist).exit_code == 0
    before = (place / "dists/trixie/InRelease").read_bytes()
    for words in (
        ("sign", place, "--key", "0" * 40),
        ("key", "prolong", "0" * 40),
        ("key", "new", "--expire", "soon"),
        ("sign", dist),
        ("key", "list", "--gnupg-home", tmp_path / "none"),
    ):
        done = run(*words)
        assert done.exit_code == errors.MirrorError.exit_code, words
        assert "Traceback" not in done.output
    assert (place / "dists/trixie/InRelease").read_bytes() == before


def test_prune_says_what_stays_and_how_it_goes(
    dist: Path, home: Path, made_keys: Made, tmp_path: Path
) -> None:
    made_keys.put(home)
    place = tmp_path / "mirror"
    run("mirror", place, "--dist", dist)
    build(dist, "2.0")
    run("mirror", place, "--dist", dist)
    told = run("prune", place, "--keep", 1).output
    assert re.search(r"[1-9]\d* files of former states stay on the disk \(0\.\d MiB\)", told)
    assert f"`nova-xloud prune {place} --keep 1 --now` does it at once" in told
    assert list(place.rglob("tiny_1.0_all.deb"))
    assert "stay on the disk" not in run("prune", place, "--keep", 1, "--now").output
    assert not list(place.rglob("tiny_1.0_all.deb"))
    assert list(place.rglob("tiny_2.0_all.deb"))
