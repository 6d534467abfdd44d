"""Real pip, on a directory of sdists instead of an index; a stand-in for apt is in test_apt."""

from __future__ import annotations

import errno
import hashlib
import io
import multiprocessing
import shutil
import tarfile
from pathlib import Path

import pytest

from nova_xloud import bases
from nova_xloud.bases import releases
from nova_xloud.ground import cache
from nova_xloud.ground.errors import (
    HashError,
    MissingToolError,
    NetworkError,
    NoSpaceError,
    UnknownBaseError,
    XloudError,
)

BACKEND = """\
import os

def get_requires_for_build_wheel(config_settings=None):
    return []

def prepare_metadata_for_build_wheel(directory, config_settings=None):
    os.mkdir(os.path.join(directory, "nova-1.2.3.dist-info"))
    with open(os.path.join(directory, "nova-1.2.3.dist-info", "METADATA"), "w") as stream:
        stream.write("Metadata-Version: 2.1\\nName: nova\\nVersion: 1.2.3\\n")
    return "nova-1.2.3.dist-info"
"""
FILES = {
    "PKG-INFO": "Metadata-Version: 2.1\nName: nova\nVersion: 1.2.3\n",
    "pyproject.toml": (
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    ),
    "backend.py": BACKEND,
    "nova/utils.py": "x = 1\n",
}


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory that pip takes sdists from, with a release 1.2.3 that is pinned."""
    top = tmp_path / "index"
    top.mkdir()
    sdist = top / "nova-1.2.3.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        for name, text in FILES.items():
            member = tarfile.TarInfo(f"nova-1.2.3/{name}")
            member.size, member.mtime = len(text), 1234567890
            archive.addfile(member, io.BytesIO(text.encode()))
    for name, value in {
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(top),
        "PIP_CACHE_DIR": str(tmp_path / "pip-cache"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    pin(monkeypatch, hashlib.sha256(sdist.read_bytes()).hexdigest())
    return sdist


def pin(monkeypatch: pytest.MonkeyPatch, digest: str) -> None:
    table = {"1.2.3": bases.Known("1.2.3", "test", ">=3", digest, checked=True)}
    monkeypatch.setattr(releases, "known", lambda: table)


def cached_files() -> list[str]:
    top = cache.directory() / "releases"
    return sorted(each.name for each in top.iterdir()) if top.exists() else []


def test_a_release_is_fetched_once_and_then_needs_no_network(index: Path) -> None:
    assert bases.state("1.2.3") == "not fetched"
    (file,) = bases.fetch("1.2.3")
    assert file.read_bytes() == index.read_bytes()
    index.unlink()
    assert bases.fetch("1.2.3") == (file,)
    assert bases.state("1.2.3") == "cached"
    assert cached_files() == [".lock", "nova-1.2.3.tar.gz"]


def test_a_release_with_another_hash_is_refused(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin(monkeypatch, "0" * 64)
    with pytest.raises(HashError, match="a fetched file is not the pinned one"):
        bases.fetch("1.2.3")
    assert cached_files() == [".lock"]


def test_a_damaged_file_in_the_cache_is_fetched_again(index: Path) -> None:
    file = fetched(index)
    file.write_bytes(b"damaged")
    assert bases.state("1.2.3") == "damaged"
    assert bases.fetch("1.2.3") == (file,)
    assert file.read_bytes() == index.read_bytes()


def test_a_damaged_file_is_reported_where_there_is_no_network(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched(index).write_bytes(b"damaged")
    offline(monkeypatch)
    with pytest.raises(HashError, match=r"is damaged.*and it cannot be fetched again"):
        bases.fetch("1.2.3")


def fetched(index: Path) -> Path:
    """Put the release into the cache, where ``bases.fetch`` has pip put it; return the file."""
    file = cache.directory() / "releases" / index.name
    file.parent.mkdir(parents=True)
    return shutil.copy2(index, file)


def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pip ask an address where nothing listens."""
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "PIP_PROXY"):
        monkeypatch.delenv(name, raising=False)


def test_no_network_is_told_from_other_failures(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offline(monkeypatch)
    with pytest.raises(NetworkError, match=r"fetching nova 1\.2\.3: no answer"):
        bases.fetch("1.2.3")
    assert cached_files() == [".lock"]


def test_a_full_disk_leaves_the_cache_as_it_was(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(NoSpaceError, match="releases"):
        bases.fetch("1.2.3")
    assert cached_files() == [".lock"]


def test_what_a_killed_download_left_is_cleared_away(index: Path) -> None:
    left_over = cache.directory() / "releases" / ".part-killed"
    left_over.mkdir(parents=True)
    (left_over / "nova-1.2.3.tar.gz").write_bytes(b"half")
    bases.fetch("1.2.3")
    assert cached_files() == [".lock", "nova-1.2.3.tar.gz"]


def _fetch() -> None:
    bases.fetch("1.2.3")


def test_two_at_once_both_get_it(index: Path) -> None:
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=_fetch) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert [each.exitcode for each in both] == [0, 0]
    assert cached_files() == [".lock", "nova-1.2.3.tar.gz"]


def test_pip_is_missed_by_name(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python3")
    with pytest.raises(MissingToolError, match="/nowhere/python3 is not installed"):
        bases.fetch("1.2.3")


def test_a_release_is_unpacked_without_its_top_directory(index: Path, tmp_path: Path) -> None:
    fetched(index)
    into = tmp_path / "deep" / "nova"
    base = bases.unpack("1.2.3", into)
    assert base[:4] == ("1.2.3", "1.2.3", 1, 1234567890)
    assert base.packaging is None
    assert base.tarball.name == "nova-1.2.3.tar.gz"
    assert sorted(str(each.relative_to(into)) for each in into.rglob("*") if each.is_file()) == (
        sorted(FILES)
    )


def test_only_what_is_asked_for_is_unpacked(index: Path) -> None:
    fetched(index)
    with bases.opened("1.2.3", only=["nova/utils.py", "nova/gone.py"]) as (base, directory):
        found = sorted(each.name for each in directory.rglob("*") if each.is_file())
    assert found == ["PKG-INFO", "utils.py"]
    assert base.version == "1.2.3"
    assert not directory.exists()


def test_an_unknown_base_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownBaseError, match=r"31: known are 26\.2\.2, .*debian:trixie"):
        bases.fetch("31")


def test_a_directory_is_a_base(nova: Path) -> None:
    with bases.opened(str(nova)) as (base, directory):
        assert directory == nova
    assert base[:3] == (str(nova), "34.9.0", 34)


def test_the_bases_that_are_checked_are_the_releases_and_all_debians() -> None:
    checked = [each.name for each in bases.known().values() if each.checked]
    assert checked == [
        *("26.3.0", "27.5.1", "28.3.1", "29.4.0", "30.3.0", "31.3.1", "32.2.1", "33.0.2"),
        *("34.0.0", "debian:bookworm", "debian:trixie", "debian:testing", "debian:sid"),
    ]
    assert all(len(each.sha256) == 64 for each in bases.known().values() if each.python)


def test_unpacking_into_a_place_without_space_is_reported(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched(index)

    def full(*args: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "extractall", full)
    with pytest.raises(XloudError) as caught:
        bases.unpack("1.2.3", tmp_path / "into")
    assert isinstance(caught.value, NoSpaceError)
    assert not (tmp_path / "into").exists()


def test_a_base_without_dpkg_source_names_the_package_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsc = tmp_path / "nova_1.dsc"
    dsc.touch()
    monkeypatch.setattr(bases, "fetch", lambda *args, **more: (dsc,))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(MissingToolError, match="Debian package dpkg-dev"):
        bases.unpack("debian:trixie", tmp_path / "into")
