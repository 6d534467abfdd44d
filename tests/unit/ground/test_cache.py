from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from nova_xloud.ground import cache
from nova_xloud.ground.errors import NoSpaceError


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVA_XLOUD_CACHE", "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    monkeypatch.setenv("HOME", "/c")
    assert cache.directory() == Path("/a")
    monkeypatch.delenv("NOVA_XLOUD_CACHE")
    assert cache.directory() == Path("/b/nova-xloud")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.directory() == Path("/c/.cache/nova-xloud")


def _fail_in_part(place: Path) -> None:
    with cache.part(place) as part:
        (part / "file").touch()
        raise ValueError("stop")


def test_a_part_is_gone_when_it_fails() -> None:
    with cache.locked("x") as place:
        with pytest.raises(ValueError, match="stop"):
            _fail_in_part(place)
        assert [each.name for each in place.iterdir()] == [".lock"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named(tmp_path: Path, number: int) -> None:
    with pytest.raises(NoSpaceError, match=str(tmp_path)), cache.space_on(tmp_path):
        raise OSError(number, "full")


def test_a_disk_that_gets_full_while_a_tree_is_copied_is_named(tmp_path: Path) -> None:
    told = [("a", "b", "[Errno 28] No space left on device: 'b'")]
    with pytest.raises(NoSpaceError), cache.space_on(tmp_path):
        raise shutil.Error(told)


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), cache.space_on(tmp_path):
        raise PermissionError(errno.EACCES, "no")


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert cache.sha256(tmp_path / "x").startswith("ba7816bf")
