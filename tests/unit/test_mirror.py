"""Signed repositories of tiny packages; apt's view of them is tested in tests/packages."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_xloud import mirror
from nova_xloud.errors import MirrorError

CONTROL = """\
Package: tiny
Version: {version}
Architecture: all
Maintainer: Nobody <nobody@example.org>
Section: misc
Priority: optional
Description: a package of nothing
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A GnuPG directory with a signing key."""
    place = tmp_path_factory.mktemp("gnupg") / "home"
    mirror.signing_key(place)
    yield place
    subprocess.run(["gpgconf", "--homedir", place, "--kill", "all"], check=True)


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A directory with one package."""
    return make_package(tmp_path / "packages", "1.0")


def make_package(directory: Path, version: str) -> Path:
    """Write a package of nothing into a directory; return the directory."""
    content = directory.parent / f"tiny-{version}"
    (content / "DEBIAN").mkdir(parents=True)
    (content / "DEBIAN/control").write_text(CONTROL.format(version=version))
    directory.mkdir()
    subprocess.run(["dpkg-deb", "-b", content, directory], check=True, capture_output=True)
    return directory


def test_the_key_is_made_once_and_private(home: Path) -> None:
    assert mirror.signing_key(home) == mirror.signing_key(home)
    assert home.stat().st_mode & 0o777 == 0o700


def test_the_index_is_signed_by_the_key_beside_it(
    home: Path, packages: Path, tmp_path: Path
) -> None:
    place = tmp_path / "mirror"
    mirror.write(place, {"trixie": [packages]}, home, mirror.signing_key(home))
    verified = subprocess.run(
        ["gpgv", "--keyring", place / "nova-xloud.gpg", place / "dists/trixie/InRelease"],
        capture_output=True,
        text=True,
    )
    assert verified.returncode == 0, verified.stderr
    index = (place / "dists/trixie/main/binary-amd64/Packages").read_text()
    assert "Package: tiny\n" in index
    assert list(place.rglob("tiny_1.0_all.deb"))
    assert f"URIs: file:{place}\n" in (place / "nova-xloud.sources").read_text()


def test_no_secret_and_no_database_is_in_the_mirror(
    home: Path, packages: Path, tmp_path: Path
) -> None:
    place = tmp_path / "mirror"
    mirror.write(place, {"trixie": [packages]}, home, mirror.signing_key(home))
    assert {each.name for each in place.iterdir()} == {
        *("dists", "pool", "nova-xloud.gpg", "nova-xloud.sources")
    }
    listed = subprocess.run(
        ["gpg", "--show-keys", "--with-colons", place / "nova-xloud.gpg"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "pub:" in listed
    assert "sec:" not in listed


def test_of_two_versions_the_newer_is_offered(home: Path, packages: Path, tmp_path: Path) -> None:
    newer = make_package(tmp_path / "newer", "1.1")
    place = tmp_path / "mirror"
    mirror.write(place, {"trixie": [packages, newer]}, home, mirror.signing_key(home))
    index = (place / "dists/trixie/main/binary-amd64/Packages").read_text()
    assert [line for line in index.splitlines() if line.startswith("Version")] == ["Version: 1.1"]


def test_a_directory_that_is_no_mirror_is_left_alone(
    home: Path, packages: Path, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/letters.txt").write_text("dear")
    with pytest.raises(MirrorError, match="not a mirror of ours"):
        mirror.write(tmp_path / "home", {"trixie": [packages]}, home, mirror.signing_key(home))
    assert (tmp_path / "home/letters.txt").read_text() == "dear"


def test_a_failure_leaves_the_mirror_as_it_was(home: Path, packages: Path, tmp_path: Path) -> None:
    place = tmp_path / "mirror"
    mirror.write(place, {"trixie": [packages]}, home, mirror.signing_key(home))
    before = (place / "dists/trixie/InRelease").read_bytes()
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "broken_1_all.deb").write_bytes(b"no package")
    with pytest.raises(MirrorError):
        mirror.write(place, {"trixie": [broken]}, home, mirror.signing_key(home))
    with pytest.raises(MirrorError):
        mirror.write(place, {"trixie": [packages]}, home, "0" * 40)
    assert (place / "dists/trixie/InRelease").read_bytes() == before
    assert [each.name for each in tmp_path.glob(".mirror.*")] == [".mirror.lock"]
