"""A distribution's nova, from archives on loopback: the real apt, with signatures and all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_xloud import bases
from nova_xloud.bases import apt, sdists
from nova_xloud.ground import archive, cache
from nova_xloud.ground.errors import (
    ArchiveError,
    FetchError,
    HashError,
    MissingToolError,
    NetworkError,
    UnservedError,
)
from tests.archives import Archive, Key

BASE = "debian:trixie"
OLD = {"nova/__init__.py": b"", "nova/api.py": b"one\ntwo\n", "nova/gone.py": b"gone\n"}
NEW = {"nova/__init__.py": b"", "nova/api.py": b"one\n2\n", "nova/added.py": b"no newline"}


#: Each suite costs apt a tenth of a second, whenever it reads an archive.
WITH_SECURITY = pytest.mark.parametrize("debian", [("trixie", "trixie-security")], indirect=True)


@pytest.fixture
def debian(
    request: pytest.FixtureRequest, tmp_path: Path, key: Key, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Archive]:
    """An empty archive of trixie, which is the one to build from."""
    archive.forget()
    with Archive(tmp_path / "archive", key, *getattr(request, "param", ("trixie",))) as made:
        monkeypatch.setenv(archive.VARIABLE, str(made.sources))
        yield made
    archive.forget()


def names(files: tuple[Path, ...]) -> list[str]:
    return [each.name for each in files]


def unpacked(into: Path) -> tuple[bases.Base, dict[str, bytes]]:
    """Unpack the base; return it, and the files of its library."""
    base = bases.unpack(BASE, into)
    found = [each for each in (into / "nova").rglob("*") if each.is_file()]
    return base, {each.relative_to(into).as_posix(): each.read_bytes() for each in found}


def test_a_source_that_is_served_is_the_base(debian: Archive, tmp_path: Path) -> None:
    debian.add_source("2:31.0.0-6", OLD)
    debian.add_binary("2:31.0.0-6", OLD)
    debian.publish()
    assert names(bases.fetch(BASE)) == [
        "nova_31.0.0-6.dsc",
        "nova_31.0.0.orig.tar.gz",
        "nova_31.0.0-6.debian.tar.xz",
        "python3-nova_2%3a31.0.0-6_all.deb",
    ]
    base, files = unpacked(tmp_path / "tree")
    assert (base.version, base.source, base.patches) == ("2:31.0.0-6", "2:31.0.0-6", ())
    assert files == OLD
    assert bases.notice(BASE) == ""
    assert "Depends: python3-os-traits (>= 3.0.0), sudo" in bases.record(BASE)


@WITH_SECURITY
def test_a_source_that_is_listed_only_is_made_of_an_older_one_and_the_library(
    debian: Archive, tmp_path: Path
) -> None:
    debian.add_source("2:31.0.0-5", {**OLD, "nova/api.py": b"much older\n"})
    debian.add_source("2:31.0.0-6", OLD, "trixie-security")
    debian.add_source("2:31.0.0-7", NEW)
    debian.add_binary("2:31.0.0-6", OLD, "trixie-security")
    debian.add_binary("2:31.0.0-7", NEW, depends="newer")
    debian.publish()
    debian.withdraw("nova_31.0.0-7.*")
    base, files = unpacked(tmp_path / "tree")
    assert (base.version, base.source) == ("2:31.0.0-7", "2:31.0.0-6")
    assert files == NEW
    ((name, text),) = base.patches
    assert name == "debian-2:31.0.0-7-from-binary.patch"
    for file in (base.files[0], base.files[-1]):
        assert f" {file.name}\n   SHA-256 {cache.sha256(file)}\n" in text.decode()
    assert "source 2:31.0.0-6: nova_31.0.0-6.dsc" in text.decode()
    assert "Depends: newer" in bases.record(BASE)
    told = bases.notice(BASE)
    assert "does not serve the source of nova 2:31.0.0-7" in told
    assert "The base is the source of 2:31.0.0-6" in told


def test_without_a_source_package_the_upstream_tarball_does(
    debian: Archive, tmp_path: Path
) -> None:
    debian.add_source("2:31.0.0-6", OLD)
    debian.add_binary("2:31.0.0-6", NEW)
    debian.publish()
    debian.withdraw("nova_*.dsc")
    base, files = unpacked(tmp_path / "tree")
    assert names(base.files) == ["nova_31.0.0.orig.tar.gz", "python3-nova_2%3a31.0.0-6_all.deb"]
    assert (base.version, base.source, base.series) == ("2:31.0.0-6", "31.0.0", 31)
    assert files == NEW


def test_without_any_source_the_release_of_the_index_does(
    debian: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    debian.add_source("2:31.0.0-6", OLD)
    debian.add_binary("2:31.0.0-6", NEW)
    debian.publish()
    sdist = tmp_path / "nova-31.0.0.tar.gz"
    sdist.write_bytes((debian.top / "pool/trixie/nova_31.0.0.orig.tar.gz").read_bytes())
    debian.withdraw("nova_*")
    with pytest.raises(UnservedError, match=r"hosts with nova-common 2:31.0.0-6 cannot be served"):
        bases.fetch(BASE)
    release = bases.Known("31.0.0", "epoxy", ">=3.9", cache.sha256(sdist), checked=True)
    monkeypatch.setitem(bases.known(), "31.0.0", release)
    monkeypatch.setattr(sdists, "download", lambda wanted, place: sdist.rename(place / sdist.name))
    base, files = unpacked(tmp_path / "tree")
    assert (base.version, base.source) == ("2:31.0.0-6", "31.0.0")
    assert files == NEW
    assert "The base is the upstream release 31.0.0" in bases.notice(BASE)


def test_the_version_is_the_one_that_hosts_install_not_the_newest_source(
    debian: Archive, tmp_path: Path
) -> None:
    debian.add_source("2:31.0.0-7", NEW)
    debian.add_binary("2:31.0.0-6", OLD)
    debian.publish()
    base, files = unpacked(tmp_path / "tree")
    assert (base.version, base.source) == ("2:31.0.0-6", "2:31.0.0-7")
    assert files == OLD


def test_a_source_of_another_upstream_version_is_no_base(debian: Archive) -> None:
    debian.add_source("2:31.0.0-6", OLD)
    debian.add_binary("2:31.0.9-1", NEW)
    debian.publish()
    with pytest.raises(UnservedError, match=r"nova-common 2:31.0.9-1 cannot be served"):
        bases.fetch(BASE)


def test_a_library_that_is_listed_only_is_told(debian: Archive) -> None:
    debian.add_source("2:31.0.0-6", OLD)
    debian.add_binary("2:31.0.0-6", OLD)
    debian.publish()
    debian.withdraw("python3-nova_*")
    with pytest.raises(UnservedError, match=r"nova-common 2:31.0.0-6 cannot be served"):
        bases.fetch(BASE)
    assert bases.state(BASE) == "not fetched"


def test_an_archive_without_the_library_is_told(debian: Archive) -> None:
    debian.add_source("2:31.0.0-6", OLD)
    debian.publish()
    with pytest.raises(UnservedError, match="has no python3-nova"):
        bases.fetch(BASE)


def test_a_package_that_is_not_the_signed_one_is_refused(debian: Archive) -> None:
    debian.add_source("2:31.0.0-6", OLD)
    package = debian.add_binary("2:31.0.0-6", OLD)
    debian.publish()
    package.write_bytes(package.read_bytes()[:-1] + b"x")
    with pytest.raises(HashError, match="a fetched file is not the pinned one"):
        bases.fetch(BASE)
    assert not list(cache.directory().rglob("*.deb"))


def test_an_archive_that_another_key_has_signed_is_refused(debian: Archive, tmp_path: Path) -> None:
    debian.add_source("2:31.0.0-6", OLD)
    debian.add_binary("2:31.0.0-6", OLD)
    debian.publish()
    other = Key(tmp_path / "other")
    debian.describe(str(other.public))
    other.end()
    with pytest.raises(FetchError, match=r"not signed|NO_PUBKEY"):
        bases.fetch(BASE)
    assert not list(cache.directory().rglob("*.dsc"))


def test_the_second_use_needs_no_network(debian: Archive) -> None:
    debian.add_source("2:31.0.0-6", OLD)
    debian.add_binary("2:31.0.0-6", OLD)
    debian.publish()
    files = bases.fetch(BASE)
    debian.stop()
    archive.forget()
    assert bases.fetch(BASE) == files
    with pytest.raises(NetworkError, match="no answer"):
        bases.fetch(BASE, ask=True)
    assert bases.fetch(BASE) == files


def test_a_newer_version_comes_only_when_asked_for(debian: Archive) -> None:
    debian.add_source("2:31.0.0-6", OLD)
    debian.add_binary("2:31.0.0-6", OLD)
    debian.publish()
    bases.fetch(BASE)
    debian.add_source("2:31.0.0-7", NEW)
    debian.add_binary("2:31.0.0-7", NEW)
    debian.publish()
    archive.forget()
    assert names(bases.fetch(BASE))[0] == "nova_31.0.0-6.dsc"
    assert names(bases.fetch(BASE, ask=True))[0] == "nova_31.0.0-7.dsc"
    assert names(bases.fetch(BASE))[0] == "nova_31.0.0-7.dsc"


def test_what_has_not_changed_is_not_fetched_again_unless_it_is_refreshed(debian: Archive) -> None:
    debian.add_source("2:31.0.0-6", OLD)
    debian.add_binary("2:31.0.0-6", OLD)
    debian.publish()
    dsc = debian.top / "pool/trixie/nova_31.0.0-6.dsc"
    content = dsc.read_bytes()
    dsc.unlink()
    assert names(bases.fetch(BASE))[0] == "nova_31.0.0.orig.tar.gz"
    dsc.write_bytes(content)
    debian.asked.clear()
    archive.forget()
    assert names(bases.fetch(BASE, ask=True))[0] == "nova_31.0.0.orig.tar.gz"
    assert not [each for each in debian.asked if "/pool/" in each]
    assert names(bases.fetch(BASE, refresh=True))[0] == "nova_31.0.0-6.dsc"


@pytest.mark.parametrize("suffix", [".dsc", ".orig.tar.gz", ".deb"])
def test_a_damaged_file_is_fetched_again_or_reported(debian: Archive, suffix: str) -> None:
    debian.add_source("2:31.0.0-6", OLD)
    debian.add_binary("2:31.0.0-6", OLD)
    debian.publish()
    files = bases.fetch(BASE)
    damaged = next(each for each in files if each.name.endswith(suffix))
    damaged.write_text("damaged")
    assert bases.state(BASE) == "damaged"
    assert bases.fetch(BASE) == files
    damaged.write_text("damaged")
    debian.stop()
    archive.forget()
    with pytest.raises(HashError, match=r"is damaged.*cannot be fetched again"):
        bases.fetch(BASE)


@WITH_SECURITY
def test_what_is_listed_can_be_asked_for_alone(debian: Archive) -> None:
    debian.add_source("2:31.0.0-6", OLD)
    debian.add_source("2:31.0.0-6+deb13u10", OLD, "trixie-security")
    debian.add_source("2:31.0.0-6+deb13u9", OLD)
    debian.add_binary("2:31.0.0-6+deb13u9", OLD)
    debian.publish()
    offer = apt.newest("trixie")
    assert offer.version == "2:31.0.0-6+deb13u9"
    assert offer.sources == ("2:31.0.0-6+deb13u10", "2:31.0.0-6+deb13u9", "2:31.0.0-6")
    assert not [each for each in debian.asked if "/pool/" in each]


def test_nothing_is_unusual_about_a_release_or_a_directory(debian: Archive, tmp_path: Path) -> None:
    assert bases.notice(BASE) == ""
    assert bases.notice("29.4.0") == ""
    assert bases.notice(str(tmp_path)) == ""


def test_a_host_without_apt_is_told_so(debian: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingToolError, match="apt-get"):
        bases.fetch(BASE)


def test_a_suite_that_no_archive_serves_is_told(debian: Archive) -> None:
    debian.sources.write_text(debian.sources.read_text().replace("trixie", "noble"))
    with pytest.raises(ArchiveError, match=r"names no archive of Debian trixie.*--archive"):
        bases.fetch(BASE)


def test_ubuntus_nova_is_the_newest_of_its_pockets(
    tmp_path: Path, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.forget()
    pockets = ("noble", "noble-updates", "noble-security")
    with Archive(tmp_path / "ubuntu", key, *pockets) as ubuntu:
        monkeypatch.setenv(archive.VARIABLE, str(ubuntu.sources))
        ubuntu.add_source("3:29.2.0-0ubuntu1", OLD)
        ubuntu.add_binary("3:29.2.0-0ubuntu1", OLD)
        ubuntu.add_source("3:29.2.0-0ubuntu1.10", NEW, "noble-security")
        ubuntu.add_binary("3:29.2.0-0ubuntu1.10", NEW, "noble-security", depends="newest")
        ubuntu.add_binary("3:29.2.0-0ubuntu1.9", OLD, "noble-updates")
        ubuntu.publish(Origin="Ubuntu")
        ubuntu.withdraw("nova_29.2.0-0ubuntu1.10.*")
        base = bases.unpack("ubuntu:noble", tmp_path / "tree")
    archive.forget()
    assert (base.version, base.source) == ("3:29.2.0-0ubuntu1.10", "3:29.2.0-0ubuntu1")
    (patch,) = base.patches
    assert patch.name == "ubuntu-3:29.2.0-0ubuntu1.10-from-binary.patch"
    assert (tmp_path / "tree/nova/api.py").read_bytes() == NEW["nova/api.py"]
    assert "Depends: newest" in bases.record("ubuntu:noble")
