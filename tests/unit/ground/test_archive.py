"""The archive of a suite: named by the operator, else the host's; reading it is in test_apt."""

from __future__ import annotations

from pathlib import Path

import pytest

from nova_xloud.ground import archive
from nova_xloud.ground.errors import ArchiveError, MissingToolError

SOURCES = """\
# a comment that is no paragraph

Types: deb deb-src
URIs: http://archive.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
# a comment inside of one
Signed-By: /keys/debian.gpg

Types: deb
URIs: http://security.example/debian-security/
Suites: bookworm-security
Components: main

Types: deb
URIs: http://disabled.example/debian
Suites: bookworm
Enabled: no
Components: main
"""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the /etc of a Debian 12."""
    etc = tmp_path / "etc"
    (etc / "apt/sources.list.d").mkdir(parents=True)
    (etc / "os-release").write_text('ID=debian\nVERSION_CODENAME="bookworm"\n')
    (etc / "apt/sources.list.d/debian.sources").write_text(SOURCES)
    (etc / "apt/sources.list.d/other.list").write_text(
        "deb [arch=amd64] http://other.example/ other main\n# deb http://x.example y main\n"
    )
    (tmp_path / "default.gpg").touch()
    monkeypatch.setattr(archive, "_ETC", etc)
    monkeypatch.setattr(archive, "_KEYRINGS", {"debian": (str(tmp_path / "default.gpg"),)})
    monkeypatch.delenv(archive.VARIABLE, raising=False)
    return etc


def told(suite: str, distribution: str = "debian") -> list[tuple[str, str, str]]:
    return [
        (each.address, each.suite, Path(each.keys).name)
        for each in archive._entries(suite, distribution)
    ]


def test_the_hosts_own_archives_serve_its_suite(host: Path) -> None:
    assert told("bookworm") == [
        ("http://archive.example/debian", "bookworm", "debian.gpg"),
        ("http://archive.example/debian", "bookworm-updates", "debian.gpg"),
        ("http://security.example/debian-security", "bookworm-security", "default.gpg"),
    ]


def test_another_suite_is_asked_of_the_same_archives(host: Path) -> None:
    assert told("trixie") == [
        ("http://archive.example/debian", "trixie", "debian.gpg"),
        ("http://archive.example/debian", "trixie-updates", "debian.gpg"),
        ("http://security.example/debian-security", "trixie-security", "default.gpg"),
    ]
    assert [each[1] for each in told("sid")] == ["sid"]


def test_archives_that_name_the_suite_go_before_the_hosts(host: Path) -> None:
    (host / "apt/sources.list.d/trixie.list").write_text(
        "# mine\ndeb [signed-by=/keys/mine.gpg] http://mine.example/debian trixie main\n"
    )
    assert told("trixie") == [("http://mine.example/debian", "trixie", "mine.gpg")]


def test_one_line_sources_serve_as_well(host: Path) -> None:
    (host / "apt/sources.list.d/debian.sources").unlink()
    (host / "apt/sources.list").write_text("deb http://old.example/debian bookworm main contrib\n")
    (entry,) = archive._entries("trixie", "debian")
    assert (entry.address, entry.components) == ("http://old.example/debian", ("main",))


def test_an_archive_of_another_distribution_is_not_asked_for_a_suite_of_debian(host: Path) -> None:
    (host / "os-release").write_text("ID=ubuntu\nVERSION_CODENAME=bookworm\n")
    assert told("trixie") == []
    assert not archive.serves("trixie", "debian")


def test_a_host_without_an_archive_is_told_how_to_name_one(host: Path) -> None:
    (host / "apt/sources.list.d/debian.sources").unlink()
    with pytest.raises(
        ArchiveError, match=r"this host name no archive of Debian trixie.*--archive"
    ):
        archive.read("trixie")


def test_a_host_without_keys_is_told_which_package_has_them(
    host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "_KEYRINGS", {"debian": ("/nowhere/keyring.gpg",)})
    with pytest.raises(MissingToolError, match="Debian package debian-archive-keyring"):
        archive.read("trixie")


@pytest.fixture
def named(host: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file that the operator names, empty."""
    file = tmp_path / "an archive.sources"
    file.touch()
    monkeypatch.setenv(archive.VARIABLE, str(file))
    return file


def test_the_archive_that_is_named_goes_in_the_place_of_the_hosts(named: Path) -> None:
    named.write_text(
        "Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie\nComponents: main\n"
        "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n"
        " -----END PGP PUBLIC KEY BLOCK-----\n"
    )
    (entry,) = archive._entries("trixie", "debian")
    assert entry.address == "http://mirror.example/debian"
    armor = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabc\n-----END PGP PUBLIC KEY BLOCK-----"
    assert entry.keys == armor
    # the file that is written for apt says the same
    named.write_text(archive._stanza(entry))
    assert archive._entries("trixie", "debian") == [entry]


@pytest.mark.parametrize(
    ("text", "reason"),
    [("Types: deb\nURIs: x\n", "Malformed"), ("", "names no archive of Debian trixie")],
)
def test_a_file_that_names_nothing_is_refused(named: Path, text: str, reason: str) -> None:
    named.write_text(text)
    with pytest.raises(ArchiveError, match=reason):
        archive.read("trixie")


def test_a_file_that_is_missing_or_of_another_kind_is_refused(
    named: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named.unlink()
    with pytest.raises(ArchiveError, match="is not there"):
        archive.read("trixie")
    monkeypatch.setenv(archive.VARIABLE, str(named.with_suffix(".txt")))
    named.with_suffix(".txt").touch()
    with pytest.raises(ArchiveError, match=r"must be called \.sources"):
        archive.read("trixie")


def test_the_hosts_proxies_and_its_word_on_old_release_files_go_into_a_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "apt.conf"
    told.write_text(
        'Acquire::http::Proxy "http://proxy.example:3142";\n'
        'Acquire::Check-Valid-Until "false";\nAcquire::Retries "7";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(told))
    settings = archive.settings()
    assert 'Acquire::http::Proxy "http://proxy.example:3142"' in settings
    assert 'Acquire::Check-Valid-Until "false"' in settings
    assert not [each for each in settings if "Retries" in each]
