from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest
from conftest import CHANGE_FILE, NOVA_FILE, PATH, SETUP_CFG

from nova_xloud import bases
from nova_xloud.ground.errors import (
    AnchorError,
    ChangeError,
    DirectoryError,
    IncompleteError,
    MarkedLineError,
    NoSpaceError,
)
from nova_xloud.trees import tree
from nova_xloud.weave import without_marked


def compose(nova: Path) -> tree.Composition:
    return tree.compose(bases.describe(nova), nova)


def write(nova: Path, target: Path) -> list[str]:
    base = bases.describe(nova)
    return tree.write(base, nova, compose(nova).files, target)


def content(top: Path) -> dict[str, tuple[bytes, int, int]]:
    """Return {path: (bytes, mode, mtime)} of the files below a directory."""
    return {
        str(file.relative_to(top)): (
            file.read_bytes(),
            file.stat().st_mode & 0o777,
            int(file.stat().st_mtime),
        )
        for file in sorted(top.rglob("*"))
        if file.is_file()
    }


def test_the_composition_has_the_additions_and_what_was_woven(nova: Path, ours: Path) -> None:
    files, failures = compose(nova)
    assert not failures
    assert {each.path: each.base for each in files} == {
        PATH: NOVA_FILE.encode(),
        "nova/xloud/size.py": None,
        "setup.cfg": SETUP_CFG.encode(),
    }
    assert b"size.fit(instance)  # xloud\n" in files[0].content


def test_a_tree_is_the_base_with_ours_and_nothing_else(
    nova: Path, ours: Path, tmp_path: Path
) -> None:
    before = content(nova)
    target = tmp_path / "deep" / "out"
    assert write(nova, target) == [PATH, "nova/xloud/size.py", "setup.cfg"]
    assert content(nova) == before, "the base was changed"
    after = content(target)
    assert after["PKG-INFO"] == before["PKG-INFO"]
    assert after[PATH][1] == 0o755, "the mode was lost"
    assert sorted(after) == sorted([*before, "nova/xloud/size.py"])
    for path in (PATH, "setup.cfg"):
        assert without_marked(after[path][0], path=path) == before[path][0]
    assert [each.name for each in (tmp_path / "deep").iterdir()] == ["out"], "a scratch stayed"


def test_two_builds_are_the_same_to_the_second(
    nova: Path, ours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(nova, tmp_path / "a")
    write(nova, tmp_path / "b")
    assert content(tmp_path / "a") == content(tmp_path / "b")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    write(nova, tmp_path / "c")
    assert {date for _, _, date in content(tmp_path / "c").values()} == {1000000000}


def test_a_tree_that_is_woven_already_is_left_alone(nova: Path, ours: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    write(nova, target)
    before = content(target)
    assert write(nova, target) == []
    assert content(target) == before


def test_a_tree_of_ours_is_brought_up_to_date(nova: Path, ours: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    write(nova, target)
    (target / "notes").write_text("someone's")
    change = ours / "changes" / PATH
    change.write_text(CHANGE_FILE.replace("size.fit", "size.fix"))
    assert write(nova, target) == [PATH]
    assert b"size.fix" in (target / PATH).read_bytes()
    assert (target / "notes").exists()


def test_a_woven_tree_serves_as_base(nova: Path, ours: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    write(nova, target)
    assert compose(target) == compose(nova)


def test_a_directory_with_something_else_is_refused(nova: Path, ours: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "letter").write_text("Dear")
    with pytest.raises(DirectoryError, match="is not empty"):
        write(nova, target)
    assert [each.name for each in target.iterdir()] == ["letter"]


def test_a_pristine_base_is_not_woven_in_place(nova: Path, ours: Path) -> None:
    before = content(nova)
    with pytest.raises(DirectoryError, match="has nothing of ours"):
        write(nova, nova)
    assert content(nova) == before


def test_of_two_builds_at_once_one_is_told(
    nova: Path, ours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def be_faster(*args: object) -> None:
        shutil.copytree(nova, tmp_path / "out")

    monkeypatch.setattr(tree, "_set_dates", be_faster)
    with pytest.raises(DirectoryError, match="was made by someone else meanwhile"):
        write(nova, tmp_path / "out")
    assert sorted(each.name for each in tmp_path.iterdir() if each.name.startswith(".")) == []


def test_a_tree_of_another_base_is_refused(nova: Path, ours: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    write(nova, target)
    before = content(target)
    (nova / PATH).write_text("# another release\n" + NOVA_FILE)
    with pytest.raises(DirectoryError, match=r"manager\.py in it is not this base's"):
        write(nova, target)
    assert content(target) == before


def test_an_empty_directory_is_used(nova: Path, ours: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert write(nova, tmp_path / "out")


def test_a_full_disk_leaves_nothing_behind(
    nova: Path, ours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    place = tmp_path / "place"
    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(NoSpaceError, match=str(place)):
        write(nova, place / "out")
    assert list(place.iterdir()) == []


def test_every_failure_is_reported_with_its_file(nova: Path, ours: Path) -> None:
    (nova / PATH).write_text(NOVA_FILE.replace("def start", "def begin"))
    (ours / "changes" / "setup.cfg").unlink()
    (ours / "additions/nova/xloud/empty.py").touch()
    (ours / "changes/nova/gone.py").write_text(CHANGE_FILE)
    failures = dict(compose(nova).failures)
    assert {path: type(error) for path, error in failures.items()} == {
        PATH: AnchorError,
        "nova/gone.py": DirectoryError,
        "nova/xloud/empty.py": ChangeError,
        "setup.cfg or pyproject.toml": IncompleteError,
    }
    assert str(failures[PATH]) == f"{PATH}: ComputeManager.start: not found (Nova 34.9.0)"


def test_an_addition_does_not_replace_a_file_of_nova(nova: Path, ours: Path) -> None:
    (nova / "nova/xloud").mkdir()
    for text in ("theirs = 1\n", "# xloud: of a patch made by hand\n"):
        (nova / "nova/xloud/size.py").write_text(text)
        (failure,) = compose(nova).failures
        assert "is there already, and is another than ours" in str(failure.error)


def test_a_base_with_marked_lines_of_another_origin_is_refused(nova: Path, ours: Path) -> None:
    patched = NOVA_FILE.replace("    def stop", "    limit = 4  # xloud\n\n    def stop")
    (nova / PATH).write_text(patched)
    (failure,) = compose(nova).failures
    assert isinstance(failure.error, MarkedLineError)
    assert f"{PATH}, line 12: carries the mark" in str(failure.error)
    assert "Nova 34.9.0" in str(failure.error)
    assert (nova / PATH).read_text() == patched


def test_a_base_that_another_version_has_woven_is_refused(
    nova: Path, ours: Path, tmp_path: Path
) -> None:
    write(nova, tmp_path / "out")
    change = ours / "changes" / PATH
    change.write_text(CHANGE_FILE.replace("size.fit", "size.fix"))
    (failure,) = compose(tmp_path / "out").failures
    assert isinstance(failure.error, MarkedLineError)
    assert f"{PATH}, line 12: " in str(failure.error)


def test_our_sources_are_found_beside_the_builder() -> None:
    top = tree.sources()
    assert (top / "changes" / "nova").is_dir()
    assert (top / "additions" / "nova").is_dir()
