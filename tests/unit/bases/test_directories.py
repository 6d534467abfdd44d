"""Sources that a user has: which release they are, and a clear word for all that are none."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from nova_xloud import bases
from nova_xloud.bases import directories
from nova_xloud.ground.errors import DirectoryError
from nova_xloud.trees import tree

CHANGELOG = (
    "nova (2:31.0.0-6+deb13u2) trixie-security; urgency=high\n\n  * Fix.\n\n"
    " -- A B <a@b.example>  Fri, 06 Feb 2026 09:34:57 +0000\n\n"
    "nova (2:30.0.0-1) unstable; urgency=low\n\n -- A <a@b.example>  Mon, 01 Jan 2024"
    " 00:00:00 +0000\n"
)


def pack(nova: Path, file: Path, mode: str = "w:gz", top: str = "nova-34.9.0") -> Path:
    with tarfile.open(file, mode) as archive:
        archive.add(nova, arcname=top)
    return file


def test_a_debian_directory_tells_the_version_of_the_package(nova: Path) -> None:
    (nova / "debian").mkdir()
    (nova / "debian/changelog").write_text(CHANGELOG)
    base = bases.describe(nova)
    assert base[1:4] == ("2:31.0.0-6+deb13u2", 31, 1770370497)
    assert (base.form, base.point) == (bases.DISTRIBUTION, (0, 0))


def test_an_sdist_tells_the_version_of_the_release(nova: Path) -> None:
    os.utime(nova / "PKG-INFO", (1234567890, 1234567890))
    base = bases.describe(nova)
    assert base[:4] == (str(nova), "34.9.0", 34, 1234567890)
    assert (base.form, base.point) == (bases.SDIST, (9, 0))


@pytest.mark.parametrize(
    ("version", "point"),
    [
        ("27.1.0", (1, 0)),
        ("27", ()),
        ("2:27.1.0-6+deb13u2", (1, 0)),
        ("30.0.0.0rc1", (0, 0)),
        ("27.1.0-12-g1a2b3c4", (1, 0)),
        ("35.0.0.dev12", (0, 0)),
    ],
)
def test_a_version_that_is_given_counts(nova: Path, version: str, point: tuple[int, ...]) -> None:
    base = bases.describe(nova, version)
    assert (base.version, base.point[: len(point) or 1]) == (version, point)
    assert base.series in (27, 30, 35)


@pytest.mark.parametrize("version", ["zed", "v29.4.0", "29x"])
def test_what_is_no_version_is_refused(nova: Path, version: str) -> None:
    with pytest.raises(DirectoryError, match=f"'{version}' is no version of Nova"):
        bases.describe(nova, version)


def test_a_directory_without_nova_is_none(tmp_path: Path) -> None:
    with pytest.raises(DirectoryError, match="it has no directory nova"):
        bases.describe(tmp_path)


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        ("PKG-INFO", b"Name: neutron\nVersion: 1.0\n", "is not the metadata of nova"),
        ("PKG-INFO", b"Name: nova\n", "is not the metadata of nova"),
        ("PKG-INFO", b"Name: nova\nVersion: 29.4.0\nAuthor: \xe9\n", "PKG-INFO: is not UTF-8"),
        ("debian/changelog", b"glance (2:1-1) sid;\n", "not the changelog of the source package"),
        ("debian/changelog", b"nova (2:34.0.0-1) sid; \xe9\n", "changelog: is not UTF-8"),
        ("debian/changelog", b"nova (2:34.0.0-1) sid;\n", "has no entry with a date"),
        (
            "debian/changelog",
            b"nova (2:34.0.0-1) sid;\n\n -- A <a@b.c>  yesterday\n",
            "has no date that can be read",
        ),
    ],
)
def test_what_does_not_tell_the_version_is_named(
    nova: Path, path: str, text: bytes, told: str
) -> None:
    (nova / path).parent.mkdir(exist_ok=True)
    (nova / path).write_bytes(text)
    with pytest.raises(DirectoryError, match=told):
        bases.describe(nova)


@pytest.mark.parametrize(
    "text", ["\ufeffName: nova\nVersion: 34.9.0\n", "Name: nova\r\nVersion: 34.9.0\r\n"]
)
def test_metadata_from_elsewhere_is_read(nova: Path, text: str) -> None:
    (nova / "PKG-INFO").write_bytes(text.encode())
    assert bases.describe(nova).version == "34.9.0"


@pytest.mark.parametrize(("ending", "mode"), [("gz", "w:gz"), ("xz", "w:xz")])
def test_an_sdist_is_a_base(nova: Path, ours: Path, tmp_path: Path, ending: str, mode: str) -> None:
    file = pack(nova, tmp_path / f"nova.tar.{ending}", mode)
    with bases.opened(str(file), only=tree.paths()) as (base, directory):
        assert (base.name, base.version, base.form) == (str(file), "34.9.0", bases.SDIST)
        found, failures = tree.compose(base, directory)
    assert not failures
    assert len(found) == 3
    assert not directory.exists()


def test_a_tarball_without_metadata_takes_a_version(nova: Path, tmp_path: Path) -> None:
    (nova / "PKG-INFO").unlink()
    file = pack(nova, tmp_path / "nova.orig.tar.gz")
    with pytest.raises(DirectoryError, match="nothing in it tells the version"):
        bases.opened(str(file)).__enter__()
    with bases.opened(str(file), version="34.9.0") as (base, _):
        assert (base.version, base.form) == ("34.9.0", "")


def test_a_file_that_is_no_sdist_is_refused(nova: Path, tmp_path: Path) -> None:
    whole = pack(nova, tmp_path / "whole.tar.gz").read_bytes()
    flat = io.BytesIO()
    with tarfile.open(fileobj=flat, mode="w:gz") as archive:
        archive.add(nova, arcname=".")
        archive.add(nova, arcname="other")
    contents = [b"", b"text\n", whole[: len(whole) // 2], flat.getvalue()]
    for number, content in enumerate(contents):
        file = tmp_path / f"{number}.tar.gz"
        file.write_bytes(content)
        with pytest.raises(DirectoryError, match=f"{file}: is no "):
            bases.opened(str(file)).__enter__()


def test_only_patches_that_may_be_missing_are_told(nova: Path) -> None:
    base = bases.describe(nova)
    assert directories.notice(base, nova) == ""
