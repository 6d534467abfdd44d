"""Pinned releases of projects, from a directory of files that pip takes them from."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import pytest

from nova_xloud.bases import sdists
from nova_xloud.bases.sdists import Sdist
from nova_xloud.ground import cache
from nova_xloud.ground.errors import FetchError, HashError

SETUP = "from setuptools import setup\nsetup(name='some.thing', version='1.2')\n"


@pytest.fixture
def wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sdist:
    """A release that pip finds, in the file name of newer projects; the cache is empty."""
    source = tmp_path / "some_thing-1.2"
    source.mkdir()
    (source / "setup.py").write_text(SETUP)
    (source / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: some.thing\nVersion: 1.2\n")
    index = tmp_path / "index"
    index.mkdir()
    file = index / "some_thing-1.2.tar.gz"
    with tarfile.open(file, "w:gz") as tar:
        tar.add(source, source.name)
    monkeypatch.setenv("NOVA_XLOUD_CACHE", str(tmp_path / "cache"))
    for name, value in {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(index),
        "PIP_NO_BUILD_ISOLATION": "0",
    }.items():
        monkeypatch.setenv(name, value)
    return Sdist("some.thing", "1.2", hashlib.sha256(file.read_bytes()).hexdigest())


def test_a_release_is_fetched_once(wanted: Sdist, monkeypatch: pytest.MonkeyPatch) -> None:
    file = sdists.fetch(wanted)
    assert file.name == "some.thing-1.2.tar.gz"
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    assert sdists.fetch(wanted) == file


def test_another_hash_is_refused_and_nothing_is_kept(wanted: Sdist) -> None:
    with pytest.raises(HashError):
        sdists.fetch(wanted._replace(sha256="0" * 64))
    assert sdists.cached(wanted, cache.directory() / "sdists") is None
    assert not list(cache.directory().rglob("*.tar.gz"))


def test_a_damaged_file_is_not_used(wanted: Sdist) -> None:
    place = cache.directory() / "sdists"
    place.mkdir(parents=True)
    (place / wanted.file).write_bytes(b"damaged")
    with pytest.raises(HashError, match="damaged"):
        sdists.fetch(wanted)


def test_an_unknown_release_is_told(wanted: Sdist) -> None:
    with pytest.raises(FetchError, match=r"some\.thing 9"):
        sdists.fetch(wanted._replace(version="9"))
