"""apt is a stand-in that copies files; that the real one checks signatures is in tests/bases."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from nova_xloud import apt, bases, cache
from nova_xloud.errors import FetchError, HashError, MissingToolError, NetworkError

SOURCES = """\
Types: deb deb-src
URIs: http://archive.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main

Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main

Types: deb
URIs: http://disabled.example/debian
Suites: bookworm
Enabled: no
Components: main
"""
FAKE_APT = """\
#!/bin/sh
for word; do
    case $word in
    -oDir::Etc::sourcelist=*) cat "${word#*=}" > "$ARCHIVE/asked" ;;
    update) [ -e "$ARCHIVE/offline" ] && { echo "E: Could not connect to x"; exit 100; } ;;
    nova | nova=*)
        grep -qsxF "$word" "$ARCHIVE/not-served" && { echo "E: x  404  Not Found"; exit 100; }
        cp "$ARCHIVE"/nova_* . || exit 100 ;;
    esac
done
exit 0
"""
FAKE_APT_CACHE = """\
#!/bin/sh
cat "$ARCHIVE/listed"
"""


def publish(archive: Path, version: str) -> None:
    """Put a source package of some version into an archive, in place of the one there."""
    for old in archive.glob("nova_*"):
        old.unlink()
    names = [f"nova_{version}.orig.tar.xz", f"nova_{version}-1.debian.tar.xz"]
    rows = []
    for name in names:
        (archive / name).write_text(f"this is {name}")
        digest = hashlib.sha256((archive / name).read_bytes()).hexdigest()
        rows.append(f" {digest} {(archive / name).stat().st_size} {name}\n")
    (archive / f"nova_{version}-1.dsc").write_text(
        f"Source: nova\nVersion: 2:{version}-1\nChecksums-Sha256:\n{''.join(rows)}Files:\n x\n"
    )


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory that the stand-in for apt-get takes source packages from."""
    top = tmp_path / "archive"
    tools = tmp_path / "tools"
    etc = tmp_path / "etc"
    for each in (top, tools, etc / "apt" / "sources.list.d"):
        each.mkdir(parents=True)
    for name, script in (("apt-get", FAKE_APT), ("apt-cache", FAKE_APT_CACHE)):
        (tools / name).write_text(script)
        (tools / name).chmod(0o755)
    (tmp_path / "keyring.gpg").touch()
    (etc / "os-release").write_text("ID=debian\nVERSION_CODENAME=bookworm\n")
    (etc / "apt/sources.list.d/debian.sources").write_text(SOURCES)
    (etc / "apt/sources.list.d/other.list").write_text(
        "deb [arch=amd64] http://other.example/ other main\n# deb http://x.example y main\n"
    )
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("ARCHIVE", str(top))
    monkeypatch.setattr(apt, "_ETC", etc)
    monkeypatch.setattr(apt, "_KEYRINGS", (str(tmp_path / "keyring.gpg"),))
    publish(top, "31.0.0")
    return top


def names(files: tuple[Path, ...]) -> list[str]:
    return [each.name for each in files]


def test_the_source_package_is_fetched_from_the_hosts_own_debian_archives(
    archive: Path, tmp_path: Path
) -> None:
    files = bases.fetch("debian:trixie")
    assert names(files) == [
        "nova_31.0.0-1.dsc",
        "nova_31.0.0.orig.tar.xz",
        "nova_31.0.0-1.debian.tar.xz",
    ]
    signed = f"[signed-by={tmp_path}/keyring.gpg]"
    assert (archive / "asked").read_text().splitlines() == [
        f"deb-src {signed} http://archive.example/debian trixie main",
        f"deb-src {signed} http://security.example/debian-security trixie-security main",
        f"deb-src {signed} http://archive.example/debian trixie-updates main",
    ]


def test_one_line_sources_serve_as_well(archive: Path) -> None:
    sources = apt._ETC / "apt" / "sources.list"
    (apt._ETC / "apt/sources.list.d/debian.sources").unlink()
    sources.write_text("deb http://old.example/debian bookworm main contrib\n")
    bases.fetch("debian:trixie")
    assert "http://old.example/debian trixie main" in (archive / "asked").read_text()


def test_the_second_use_needs_no_network(archive: Path) -> None:
    files = bases.fetch("debian:trixie")
    (archive / "offline").touch()
    assert bases.fetch("debian:trixie") == files


def test_a_newer_package_comes_only_when_asked_for(archive: Path) -> None:
    bases.fetch("debian:trixie")
    publish(archive, "31.0.1")
    assert names(bases.fetch("debian:trixie"))[0] == "nova_31.0.0-1.dsc"
    assert names(bases.fetch("debian:trixie", refresh=True))[0] == "nova_31.0.1-1.dsc"
    assert names(bases.fetch("debian:trixie"))[0] == "nova_31.0.1-1.dsc"


@pytest.mark.parametrize("suffix", [".dsc", ".orig.tar.xz"])
def test_a_damaged_file_is_fetched_again_or_reported(archive: Path, suffix: str) -> None:
    files = bases.fetch("debian:trixie")
    damaged = next(each for each in files if each.name.endswith(suffix))
    damaged.write_text("damaged")
    (archive / "offline").touch()
    with pytest.raises(HashError, match=f"{damaged.name} is damaged.*cannot be fetched again"):
        bases.fetch("debian:trixie")
    (archive / "offline").unlink()
    assert bases.fetch("debian:trixie") == files


def test_a_failed_refresh_leaves_the_cache_as_it_was(archive: Path) -> None:
    files = bases.fetch("debian:trixie")
    (archive / "offline").touch()
    with pytest.raises(NetworkError, match="no answer"):
        bases.fetch("debian:trixie", refresh=True)
    assert bases.fetch("debian:trixie") == files


def lists(archive: Path, *versions: str, serves_not: tuple[str, ...]) -> None:
    """Have an archive list versions, the first the newest, and serve the files of some only."""
    listed = "".join(f"Package: nova\nVersion: {version}\n\n" for version in sorted(versions))
    (archive / "listed").write_text(listed)
    asked = [f"nova={version}" for version in serves_not]
    (archive / "not-served").write_text("\n".join(["nova", *asked]))


def test_what_is_listed_but_not_served_is_passed_over(archive: Path) -> None:
    lists(archive, "2:31.0.10-1", "2:31.0.9-1", "2:31.0.0-1", serves_not=("2:31.0.9-1",))
    assert names(bases.fetch("debian:trixie"))[0] == "nova_31.0.0-1.dsc"
    assert bases.passed_over("debian:trixie") == "2:31.0.10-1"
    # as long as what is cached is used
    assert names(bases.fetch("debian:trixie"))[0] == "nova_31.0.0-1.dsc"
    assert bases.passed_over("debian:trixie") == "2:31.0.10-1"
    (archive / "not-served").unlink()
    bases.fetch("debian:trixie", refresh=True)
    assert bases.passed_over("debian:trixie") == ""


@pytest.mark.parametrize("versions", [("2:31.0.0-1",), ("2:31.0.1-1", "2:31.0.0-1")], ids=len)
def test_an_archive_that_serves_none_is_told_so(archive: Path, versions: tuple[str, ...]) -> None:
    lists(archive, *versions, serves_not=versions)
    with pytest.raises(FetchError, match="404  Not Found"):
        bases.fetch("debian:trixie")


def test_nothing_is_passed_over_of_a_release_or_a_directory(archive: Path, tmp_path: Path) -> None:
    assert bases.passed_over("debian:trixie") == ""
    assert bases.passed_over("29.4.0") == ""
    assert bases.passed_over(str(tmp_path)) == ""


def test_an_apt_that_fails_otherwise_is_quoted(archive: Path) -> None:
    for each in archive.glob("nova_*"):
        each.unlink()
    with pytest.raises(FetchError, match=r"from Debian trixie failed:\n.*cannot stat"):
        bases.fetch("debian:trixie")


def test_a_host_without_debian_archives_is_told_so(archive: Path) -> None:
    (apt._ETC / "apt/sources.list.d/debian.sources").unlink()
    with pytest.raises(FetchError, match="name no Debian archive"):
        bases.fetch("debian:trixie")


def test_a_host_without_debians_keys_is_told_so(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apt, "_KEYRINGS", ("/nowhere/keyring.gpg",))
    with pytest.raises(MissingToolError, match="Debian package debian-archive-keyring"):
        bases.fetch("debian:trixie")


def test_a_dsc_without_files_is_damaged(archive: Path) -> None:
    (dsc, *_) = bases.fetch("debian:trixie")
    dsc.write_text("Source: nova\n")
    (cache.directory() / "debian-trixie" / "current").write_text(
        f"{cache.sha256(dsc)}  {dsc.name}\n"
    )
    with pytest.raises(HashError, match="lists no files"):
        apt.cached(dsc.parent)
