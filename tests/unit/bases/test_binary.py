"""The library of a binary package: as a patch for a source."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from conftest import STOCK, VERSION, package

from nova_xloud.bases import binary
from nova_xloud.ground.errors import PackageError, UnservedError


def source(tmp_path: Path, files: Mapping[str, bytes]) -> Path:
    """Make an unpacked source."""
    top = tmp_path / "source"
    for path, content in files.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_bytes(content)
    return top


def test_version_date_and_files_are_read(tmp_path: Path) -> None:
    found = binary.read(package(tmp_path, STOCK))
    assert (found.version, found.date) == (VERSION, 1770366840)
    assert found.files == STOCK


def test_without_a_changelog_the_date_is_that_of_the_newest_file(tmp_path: Path) -> None:
    whole = package(tmp_path, STOCK)
    unpacked = tmp_path / "unpacked"
    subprocess.run(["dpkg-deb", "-R", whole, unpacked], check=True)
    (unpacked / "usr/share/doc/python3-nova/changelog.Debian.gz").unlink()
    again = tmp_path / "again.deb"
    subprocess.run(
        ["dpkg-deb", "-b", unpacked, again],
        check=True,
        env={"PATH": "/usr/bin:/bin", "SOURCE_DATE_EPOCH": "1234567890"},
        stdout=subprocess.DEVNULL,
    )
    assert binary.read(again).date == 1234567890


def test_a_file_that_is_no_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.deb").write_text("no package")
    with pytest.raises(PackageError):
        binary.read(tmp_path / "x.deb")


def test_patch_turns_the_source_into_the_library(tmp_path: Path) -> None:
    old = {"nova/a.py": b"1\n2\n3", "nova/b.py": b"gone\n", "nova/same.py": b"s\n", "doc/x": b"x\n"}
    new = {"nova/a.py": "1\nzwölf\n3\n".encode(), "nova/c/d.py": b"new", "nova/same.py": b"s\n"}
    top = source(tmp_path, old)
    found = binary.difference(top, binary.read(package(tmp_path, new)), ["How it was made:"])
    assert set(found.changed) == {"nova/a.py", "nova/b.py", "nova/c/d.py"}
    assert found.patch.decode().startswith(
        "Description: The library of python3-nova 2:31.0.0-6\n How it was made:\n"
    )
    assert "\nLast-Update: 2026-02-06\n---\n" in found.patch.decode()
    # as dpkg-source applies it
    command = ["patch", "-t", "-F", "0", "-N", "-p1", "-u", "-V", "never", "-E", "-d", top]
    subprocess.run(command, input=found.patch, check=True, stdout=subprocess.DEVNULL)
    after = {
        each.relative_to(top).as_posix(): each.read_bytes()
        for each in top.rglob("*")
        if each.is_file()
    }
    assert after == {**new, "doc/x": b"x\n"}


def test_laid_over_the_source_has_the_librarys_files(tmp_path: Path) -> None:
    top = source(tmp_path, {"nova/a.py": b"1\n", "nova/b.py": b"gone\n"})
    new = {"nova/a.py": b"2\n", "nova/c/d.py": b"new\n"}
    binary.lay_over(top, binary.difference(top, binary.read(package(tmp_path, new)), []))
    assert {each.name for each in top.rglob("*.py")} == {"a.py", "d.py"}
    assert (top / "nova/a.py").read_bytes() == b"2\n"


def test_the_same_two_give_the_same_patch(tmp_path: Path) -> None:
    top = source(tmp_path, {"nova/a.py": b"1\n"})
    library = binary.read(package(tmp_path, {"nova/a.py": b"2\n"}))
    assert binary.difference(top, library, []) == binary.difference(top, library, [])


def test_translations_and_fixture_archives_are_left_aside_and_named(tmp_path: Path) -> None:
    top = source(tmp_path, {"nova/a.py": b"1\n", "nova/tests/unit/image/abs.tar.gz": b"\0one"})
    new = {
        "nova/a.py": b"2\n",
        "nova/tests/unit/image/abs.tar.gz": b"\0other",
        "nova/locale/de/LC_MESSAGES/nova.mo": b"\0",
    }
    found = binary.difference(top, binary.read(package(tmp_path, new)), [])
    assert set(found.changed) == {"nova/a.py"}
    assert found.aside == (
        "nova/locale/de/LC_MESSAGES/nova.mo",
        "nova/tests/unit/image/abs.tar.gz",
    )
    for path in found.aside:
        assert f"\n   {path}\n" in found.patch.decode()


@pytest.mark.parametrize("content", [b"\0", b"\xff\xfe", b""], ids=["nul", "not-utf-8", "empty"])
def test_a_change_that_no_patch_can_express_names_the_hosts_and_the_file(
    tmp_path: Path, content: bytes
) -> None:
    top = source(tmp_path, {"nova/a.py": b"1\n"})
    library = binary.read(package(tmp_path, {"nova/a.py": b"1\n", "nova/key.bin": content}))
    with pytest.raises(UnservedError, match=r"nova-common 2:31.0.0-6 cannot .*nova/key.bin"):
        binary.difference(top, library, [])
