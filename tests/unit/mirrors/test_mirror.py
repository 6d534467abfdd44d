"""Signed repositories of tiny packages; apt's view of them is tested in tests/packages."""

from __future__ import annotations

import email.utils
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from nova_xloud.ground.errors import MirrorError
from nova_xloud.ground.files import RECORD
from nova_xloud.mirrors import mirror, publishing, signing
from nova_xloud.mirrors.mirror import Build, Repository
from nova_xloud.mirrors.signing import Signer, signing_key
from tests.tiny import make_deb, make_rpms
from tests.unit.conftest import Made

TRIXIE = Repository("deb", "trixie")
EL9 = Repository("rpm", "el9")


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A directory with one package."""
    return make_deb(tmp_path / "packages", "1.0")


@pytest.fixture
def place(tmp_path: Path, packages: Path, signer: Signer) -> Path:
    """A mirror with that package."""
    mirror.write(tmp_path / "mirror", {TRIXIE: [packages]}, signer)
    return tmp_path / "mirror"


def offered(place: Path, suite: str = "trixie") -> list[str]:
    """Return the versions that a suite's index has."""
    index = (place / f"dists/{suite}/main/binary-amd64/Packages").read_text()
    return sorted(line.split()[1] for line in index.splitlines() if line.startswith("Version: "))


def test_the_key_is_made_once_and_private(signer: Signer) -> None:
    assert signing_key(signer.home) == signer.key
    assert signer.home.stat().st_mode & 0o777 == 0o700


def test_the_index_is_signed_by_the_key_beside_it(place: Path) -> None:
    verified = subprocess.run(
        ["gpgv", "--keyring", place / "nova-xloud.gpg", place / "dists/trixie/InRelease"],
        capture_output=True,
        text=True,
    )
    assert verified.returncode == 0, verified.stderr
    assert offered(place) == ["1.0"]
    assert list(place.rglob("tiny_1.0_all.deb"))
    assert f"URIs: file:{place}\n" in (place / "trixie/nova-xloud.sources").read_text()


def test_apt_reads_a_mirror_in_any_directory(tmp_path: Path, signer: Signer) -> None:
    place = tmp_path / "a b:c,d\\e \u00e9%20#[1]" / "mirror"
    mirror.write(place, {TRIXIE: [make_deb(tmp_path / "packages", "1.0")]}, signer)
    key = tmp_path / "nova-xloud.gpg"
    key.write_bytes((place / "nova-xloud.gpg").read_bytes())
    told = (place / "trixie/nova-xloud.sources").read_text()
    client = tmp_path / "apt/etc/apt/sources.list.d/nova-xloud.sources"
    client.parent.mkdir(parents=True)
    client.write_text(told.replace("/usr/share/keyrings/nova-xloud.gpg", str(key)))
    for state in ("etc/apt/preferences.d", "var/lib/apt/lists/partial", "var/lib/dpkg"):
        (tmp_path / "apt" / state).mkdir(parents=True)
    (tmp_path / "apt/var/lib/dpkg/status").touch()
    options = [f"-oDir={tmp_path / 'apt'}", "-oAPT::Sandbox::User=root"]
    subprocess.run(["apt-get", *options, "--error-on=any", "update"], check=True)
    told = subprocess.run(["apt-cache", *options, "show", "tiny"], capture_output=True, text=True)
    assert "Version: 1.0\n" in told.stdout


@pytest.mark.usefixtures("as_root")
def test_a_mirror_may_be_a_file_system_of_its_own(tmp_path: Path, signer: Signer) -> None:
    place = tmp_path / "mirror"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "own", place], check=True)
    try:
        for version in ("1.0", "2.0"):
            mirror.write(place, {TRIXIE: [make_deb(tmp_path / version, version)]}, signer)
        assert offered(place) == ["1.0", "2.0"]
        modes = {each.stat().st_mode & 0o777 for each in place.rglob("*.deb")}
        assert modes == {0o644}
        assert [each.name for each in place.rglob("*.new")] == []
    finally:
        subprocess.run(["umount", place], check=True)


def test_a_key_in_any_directory_signs_and_a_colon_is_refused(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, made_keys: Made
) -> None:
    # the path of the agent's socket has at most 108 bytes
    home = tmp_path_factory.mktemp("any") / "a b,c\\d \u00e9"
    key = Signer(home, *made_keys.put(home))
    mirror.write(tmp_path / "mirror", {TRIXIE: [make_deb(tmp_path / "packages", "1.0")]}, key)
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True)
    with pytest.raises(MirrorError, match="no directory with a colon"):
        signing_key(tmp_path / "a:b")
    assert not (tmp_path / "a:b").exists()


def test_a_key_whose_passphrase_nobody_gives_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "locked"
    home.mkdir(mode=0o700)
    asks = tmp_path / "pinentry"
    asks.write_text("#!/bin/sh\nexec sleep 600\n")
    asks.chmod(0o755)
    (home / "gpg-agent.conf").write_text(f"pinentry-program {asks}\n")
    gpg = ["gpg", "--homedir", home, "--batch", "--quiet", "--pinentry-mode=loopback"]
    make = ["--passphrase", "secret", "--quick-generate-key", "locked", "ed25519", "sign", "never"]
    subprocess.run([*gpg, *make], check=True)
    forget = ["gpgconf", "--homedir", home, "--kill", "all"]
    subprocess.run(forget, check=True)
    monkeypatch.setattr(signing, "PASSPHRASE_MINUTES", 0.02)
    key = Signer(home, signing_key(home))
    packages = make_deb(tmp_path / "packages", "1.0")
    with pytest.raises(MirrorError, match="It may wait for the passphrase"):
        mirror.write(tmp_path / "mirror", {TRIXIE: [packages]}, key)
    assert not (tmp_path / "mirror").exists()
    subprocess.run(forget, check=True)


def test_every_index_is_there_by_its_hash(place: Path) -> None:
    release = (place / "dists/trixie/InRelease").read_text()
    assert "Acquire-By-Hash: yes" in release
    assert "SHA512:" not in release
    listed = release.split("SHA256:\n")[1].splitlines()
    rows = [line.split() for line in listed if line.startswith(" ")]
    indexes = [(told, Path(name)) for told, _, name in rows if name.startswith("main/")]
    assert len(indexes) == 16
    for told, name in indexes:
        found = place / "dists/trixie" / name.parent / "by-hash/SHA256" / told
        assert found.read_bytes() == (place / "dists/trixie" / name).read_bytes()


def test_no_secret_is_in_the_mirror(place: Path) -> None:
    assert {each.name for each in place.iterdir()} == {
        *("dists", "pool", "trixie", "nova-xloud.gpg", "RPM-GPG-KEY-nova-xloud"),
        publishing.STATE,
    }
    for key in ("nova-xloud.gpg", "RPM-GPG-KEY-nova-xloud"):
        listed = subprocess.run(
            ["gpg", "--show-keys", "--with-colons", place / key],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        assert "pub:" in listed
        assert "sec:" not in listed


def test_the_last_builds_stay_and_older_ones_go(
    place: Path, signer: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "GRACE", 0)
    for number in range(1, 4):
        newer = make_deb(tmp_path / f"newer{number}", f"1.{number}")
        mirror.write(place, {TRIXIE: [newer]}, signer, keep=2)
    assert offered(place) == ["1.2", "1.3"]
    # a client that has just read the last index still finds the files that it names
    assert sorted(each.name for each in place.rglob("*.deb")) == [
        f"tiny_1.{number}_all.deb" for number in (1, 2, 3)
    ]
    mirror.prune(place, signer, 1)
    assert offered(place) == ["1.3"]
    mirror.prune(place, signer, 1)
    assert [each.name for each in place.rglob("*.deb")] == ["tiny_1.3_all.deb"]


def recorded(directory: Path, target: str) -> Path:
    """Record the packages in a directory as a build of a target."""
    (directory / RECORD).write_text(json.dumps({"target": target}))
    return directory


def test_builds_of_one_target_drop_no_build_of_another(
    place: Path, signer: Signer, tmp_path: Path
) -> None:
    """The first build of the mirror has no recorded target, as those of version 1.0.0."""
    beside = recorded(make_deb(tmp_path / "beside", "9.0"), "debian-13-beside")
    mirror.write(place, {TRIXIE: [beside]}, signer, keep=2, keep_former=False)
    assert offered(place) == ["1.0", "9.0"]
    for number in range(1, 4):
        newer = recorded(make_deb(tmp_path / f"newer{number}", f"1.{number}"), "debian-13")
        mirror.write(place, {TRIXIE: [newer, beside]}, signer, keep=2)
    assert offered(place)[-3:] == ["1.2", "1.3", "9.0"]
    mirror.prune(place, signer, 1)
    assert offered(place) == ["1.3", "9.0"]


def test_a_build_without_a_record_is_of_the_first_recorded_target() -> None:
    old, nova, beside = Build("old"), Build("n", target="t"), Build("b", target="t-beside")
    assert mirror.superseded([old, nova, beside], 1) == [old]
    assert mirror.superseded([old, nova, beside], 2) == []
    assert mirror.superseded([old, Build("older")], 1) == [old]
    assert mirror.superseded([], 1) == []


def test_the_same_build_again_changes_no_package(
    place: Path, packages: Path, signer: Signer
) -> None:
    before = {each: each.stat().st_ino for each in place.rglob("*.deb")}
    mirror.write(place, {TRIXIE: [packages]}, signer)
    assert {each: each.stat().st_ino for each in place.rglob("*.deb")} == before


def test_another_build_of_a_version_takes_the_place_of_the_first(
    place: Path, signer: Signer, tmp_path: Path
) -> None:
    before = (place / "dists/trixie/main/binary-amd64/Packages").read_text()
    other = make_deb(tmp_path / "other", "1.0", "another")
    mirror.write(place, {TRIXIE: [other]}, signer)
    assert offered(place) == ["1.0"]
    assert (place / "dists/trixie/main/binary-amd64/Packages").read_text() != before


def test_repositories_that_are_not_named_stay(place: Path, signer: Signer, tmp_path: Path) -> None:
    other = make_deb(tmp_path / "other", "2.0")
    mirror.write(place, {Repository("deb", "bookworm"): [other]}, signer, url="file:/elsewhere")
    assert offered(place) == ["1.0"]
    assert offered(place, "bookworm") == ["2.0"]
    for suite in ("trixie", "bookworm"):
        told = (place / suite / "nova-xloud.sources").read_text()
        assert f"URIs: file:/elsewhere\nSuites: {suite}\n" in told
    mirror.prune(place, signer, 1)
    assert "URIs: file:/elsewhere\n" in (place / "trixie/nova-xloud.sources").read_text()


def test_a_directory_that_is_no_mirror_is_left_alone(
    signer: Signer, packages: Path, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/letters.txt").write_text("dear")
    with pytest.raises(MirrorError, match="not a mirror of ours"):
        mirror.write(tmp_path / "home", {TRIXIE: [packages]}, signer)
    with pytest.raises(MirrorError, match="not a mirror of ours"):
        mirror.prune(tmp_path / "home", signer, 1)
    assert (tmp_path / "home/letters.txt").read_text() == "dear"


def test_a_failure_leaves_the_mirror_as_it_was(
    place: Path, packages: Path, signer: Signer, tmp_path: Path
) -> None:
    before = state_of(place)
    broken = tmp_path / "broken"
    broken.mkdir()
    with pytest.raises(MirrorError, match="no packages"):
        mirror.write(place, {TRIXIE: [broken]}, signer)
    (broken / "broken_1_all.deb").write_bytes(b"no package")
    with pytest.raises(MirrorError, match="broken_1_all"):
        mirror.write(place, {TRIXIE: [broken]}, signer)
    with pytest.raises(MirrorError, match="has no secret key 0000"):
        mirror.write(place, {TRIXIE: [packages]}, signer._replace(key="0" * 40))
    assert state_of(place) == before
    assert [each.name for each in tmp_path.glob(".mirror.*")] == [".mirror.lock"]


def state_of(place: Path) -> dict[Path, bytes]:
    """Return all files of a directory."""
    return {each: each.read_bytes() for each in place.rglob("*") if each.is_file()}


@pytest.fixture(scope="module")
def second(signer: Signer, made_keys: Made) -> str:
    """The fingerprint of another key beside the signer's."""
    return made_keys.put(signer.home, 2)[-1]


@pytest.fixture
def both_formats(tmp_path: Path, packages: Path, signer: Signer) -> Path:
    """A mirror for apt and for dnf."""
    place = tmp_path / "mirror"
    mirror.write(place, {TRIXIE: [packages], EL9: [make_rpms(tmp_path / "rpms")]}, signer)
    return place


def accepted(place: Path, home: Path, key: str) -> dict[str, bool]:
    """Say which files of a mirror a client accepts that has one key, and no other."""
    ring = home.parent / "ring.gpg"
    Signer(home, key).export(ring, armor=False)
    armored = home.parent / "ring.asc"
    Signer(home, key).export(armored, armor=True)
    database = home.parent / f"db-{key}"
    rpmkeys = ["rpmkeys", f"--dbpath={database}"]
    subprocess.run([*rpmkeys, "--import", armored], check=True)
    repodata = place / "pool/el9/repodata"
    (index,) = (
        each
        for each in repodata.glob("*-primary.xml.gz")
        if each.name in (repodata / "repomd.xml").read_text()
    )
    named = re.search(
        r'href="(\w+/tiny-1-1.noarch.rpm)"', gzip.decompress(index.read_bytes()).decode()
    )
    assert named
    package = place / "pool/el9" / named[1]
    checks = {
        "InRelease": ["gpgv", "--keyring", ring, place / "dists/trixie/InRelease"],
        "Release.gpg": [
            *("gpgv", "--keyring", ring),
            *(place / f"dists/trixie/{name}" for name in ("Release.gpg", "Release")),
        ],
        "repomd.xml": [
            *("gpg", "--homedir", home, "--no-default-keyring", "--keyring", ring),
            *("--verify", repodata / "repomd.xml.asc", repodata / "repomd.xml"),
        ],
        "package": [*rpmkeys, "--checksig", package],
    }
    done = {
        name: subprocess.run(command, capture_output=True, text=True)
        for name, command in checks.items()
    }
    # of two signatures GnuPG says that one cannot be checked, and that the other is good
    return {
        name: "Good signature" in each.stderr if name != "package" else each.returncode == 0
        for name, each in done.items()
    }


def test_a_key_takes_the_place_of_another(
    both_formats: Path, signer: Signer, second: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "GRACE", 0)
    place, home = both_formats, signer.home
    everything = dict.fromkeys(("InRelease", "Release.gpg", "repomd.xml", "package"), True)
    nothing = dict.fromkeys(everything, False)
    assert accepted(place, home, signer.key) == everything
    assert accepted(place, home, second) == nothing

    mirror.sign(place, Signer(home, signer.key, (second,)))
    assert accepted(place, home, signer.key) == everything
    assert accepted(place, home, second) == {**everything, "package": False}
    for key in ("nova-xloud.gpg", "RPM-GPG-KEY-nova-xloud"):
        shown = subprocess.run(
            ["gpg", "--show-keys", "--with-colons", place / key], capture_output=True, text=True
        ).stdout
        assert signer.key in shown
        assert second in shown

    # who names no key signs as before
    assert mirror.sign(place, Signer(home, "")).signer.keys == (signer.key, second)
    assert accepted(place, home, signer.key) == everything

    mirror.sign(place, Signer(home, second, (signer.key,)))
    mirror.prune(place, Signer(home, ""), 3)
    assert accepted(place, home, second) == everything
    assert accepted(place, home, signer.key) == {**everything, "package": False}

    mirror.sign(place, Signer(home, second))
    assert accepted(place, home, second) == everything
    assert accepted(place, home, signer.key) == nothing
    assert signer.key not in (place / publishing.STATE).read_text()


def test_packages_that_an_earlier_version_recorded_are_signed_again(
    both_formats: Path, signer: Signer, second: str
) -> None:
    record = both_formats / publishing.STATE
    told = publishing.state(both_formats)
    told["builds"] = [[*row[:2], [build[0] for build in row[2]]] for row in told["builds"]]
    del told["keys"]
    record.write_text(publishing.json.dumps(told))
    mirror.prune(both_formats, Signer(signer.home, second), 1, now=True)
    assert all(accepted(both_formats, signer.home, second).values())
    assert offered(both_formats) == ["1.0"]


def test_the_indexes_end_when_it_was_said(place: Path, signer: Signer) -> None:
    release = place / "dists/trixie/InRelease"
    assert "Valid-Until" not in release.read_text()
    for days in (14, None):
        assert mirror.sign(place, signer, valid_days=days).valid_days == 14
        fields = dict(
            line.split(": ", 1) for line in release.read_text().splitlines() if ": " in line
        )
        made, ends = (
            email.utils.parsedate_to_datetime(fields[name]) for name in ("Date", "Valid-Until")
        )
        assert (ends - made).days == 14
    mirror.sign(place, signer, valid_days=0)
    assert "Valid-Until" not in release.read_text()


def test_prune_says_what_stays_and_now_removes_it(
    place: Path, signer: Signer, tmp_path: Path
) -> None:
    for number in range(1, 4):
        newer = make_deb(tmp_path / f"newer{number}", f"1.{number}")
        mirror.write(place, {TRIXIE: [newer]}, signer)
    left = mirror.prune(place, signer, 1).left
    assert offered(place) == ["1.3"]
    former = [each for each in place.rglob("*.deb") if each.name != "tiny_1.3_all.deb"]
    assert len(former) == 3
    assert left.files >= 3
    assert left.size >= sum(each.stat().st_size for each in former)
    assert 0 < left.until - time.time() <= publishing.GRACE
    left = mirror.prune(place, signer, 1, now=True).left
    assert left.files == 0
    assert [each.name for each in place.rglob("*.deb")] == ["tiny_1.3_all.deb"]


SIGN = """\
import sys
from pathlib import Path
from nova_xloud.mirrors import mirror, signing
mirror.sign(Path(sys.argv[1]), signing.Signer(Path(sys.argv[2]), sys.argv[3]))
"""


@pytest.mark.parametrize(
    "part",
    [pytest.param(0.3, marks=pytest.mark.slow), 0.6, pytest.param(0.9, marks=pytest.mark.slow)],
)
def test_killed_while_it_signs_again_the_next_run_completes_it(
    both_formats: Path, signer: Signer, second: str, part: float
) -> None:
    """Two more moments are slow tests: they repeat the proof."""
    place, home = both_formats, signer.home
    command = [sys.executable, "-c", SIGN, place, home]
    start = time.monotonic()
    subprocess.run([*command, signer.key], check=True)
    whole = time.monotonic() - start
    running = subprocess.Popen([*command, second], start_new_session=True)
    time.sleep(whole * part)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    # one key's signatures, not a mixture: InRelease comes last
    old, new = (accepted(place, home, key)["InRelease"] for key in (signer.key, second))
    assert old != new
    subprocess.run([*command, second], check=True)
    mirror.prune(place, Signer(home, ""), 3, now=True)
    assert all(accepted(place, home, second).values())
    assert not any(accepted(place, home, signer.key).values())
    assert [each.name for each in place.parent.glob(".mirror.*")] == [".mirror.lock"]


def test_two_at_once_wait_for_each_other(both_formats: Path, signer: Signer, second: str) -> None:
    place, home = both_formats, signer.home
    failures: list[BaseException] = []

    def sign(key: str) -> None:
        try:
            mirror.sign(place, Signer(home, key))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=sign, args=(key,)) for key in (signer.key, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    (last,) = publishing.state(place)["keys"]
    mirror.prune(place, Signer(home, ""), 3, now=True)
    assert all(accepted(place, home, last).values())
