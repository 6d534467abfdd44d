"""Git checkouts as bases; the git is real."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import git

from nova_xloud import bases
from nova_xloud.bases import checkouts
from nova_xloud.ground.errors import DirectoryError, MissingToolError
from nova_xloud.trees import tree


def commit(checkout: Path) -> None:
    git(checkout, "commit", "-q", "--allow-empty", "-m", "more")


def test_a_tag_tells_the_version(checkout: Path) -> None:
    git(checkout, "tag", "zed-eom")
    git(checkout, "tag", "34.0.0.0rc2")
    git(checkout, "tag", "34.0.0")
    base = bases.describe(checkout)
    assert base[:4] == (str(checkout), "34.0.0", 34, 1234567890)
    assert base.form == bases.GIT


def test_a_commit_between_releases_is_of_the_one_before(checkout: Path) -> None:
    git(checkout, "tag", "-a", "29.4.0", "-m", "29.4.0")
    commit(checkout)
    base = bases.describe(checkout)
    assert base.version.startswith("29.4.0-1-g")
    assert (base.series, base.point) == (29, (4, 0))


def test_a_commit_of_master_behind_a_candidate_is_of_the_next_series(checkout: Path) -> None:
    git(checkout, "tag", "33.0.0.0rc1")
    assert bases.describe(checkout).version == "33.0.0.0rc1"
    commit(checkout)
    base = bases.describe(checkout)
    assert (base.version, base.series, base.point) == ("34.0.0.dev1", 34, (0, 0))
    review = checkout / ".gitreview"
    review.write_text(review.read_text() + "defaultbranch=stable/2026.1\n")
    assert bases.describe(checkout).series == 33


def test_a_checkout_without_tags_takes_a_version(checkout: Path) -> None:
    with pytest.raises(DirectoryError, match=r"git tells no version .* give --version X\.Y\.Z"):
        bases.describe(checkout)
    assert bases.describe(checkout, "34.9.0").version == "34.9.0"


def test_a_linked_worktree_is_a_checkout_and_its_link_is_not_copied(
    checkout: Path, ours: Path, tmp_path: Path
) -> None:
    git(checkout, "tag", "34.9.0")
    linked = tmp_path / "linked"
    git(checkout, "worktree", "add", "-q", str(linked), "34.9.0")
    base = bases.describe(linked)
    assert base.version == "34.9.0"
    tree.write(base, linked, tree.compose(base, linked).files, tmp_path / "out")
    assert (tmp_path / "out/setup.cfg").exists()
    assert not (tmp_path / "out/.git").exists()


def test_only_the_very_directory_is_asked_about(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged .git, in a directory of another repository, and the variables of a git hook."""
    git(checkout, "tag", "34.9.0")
    inner = checkout / "inner"
    (inner / "nova").mkdir(parents=True)
    with pytest.raises(DirectoryError, match="nothing in it tells the version"):
        bases.describe(inner)
    (inner / ".git").mkdir()
    monkeypatch.setenv("GIT_DIR", str(checkout / ".git"))
    with pytest.raises(DirectoryError, match="git tag failed: fatal: not a git repository"):
        bases.describe(inner)
    assert bases.describe(checkout).version == "34.9.0"


def test_a_checkout_without_commit_or_git_is_told(
    nova: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nova / "PKG-INFO").unlink()
    git(nova, "init", "-q")
    with pytest.raises(DirectoryError, match="git"):
        bases.describe(nova, "34.9.0")
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(MissingToolError, match=r"git is not installed \(Debian package git\)"):
        bases.describe(nova)


@pytest.mark.parametrize("form", ["sha1", "sha256"])
def test_the_ids_of_blobs_are_those_of_git(nova: Path, form: str) -> None:
    git(nova, "init", "-q", f"--object-format={form}")
    git(nova, "add", "-A")
    git(nova, "commit", "-q", "-m", "Nova")
    found = checkouts.files(nova, ["setup.cfg", "gone.py"])
    assert list(found) == ["setup.cfg"]
    assert checkouts.is_blob(found["setup.cfg"], (nova / "setup.cfg").read_bytes())
    assert not checkouts.is_blob(found["setup.cfg"], b"")


def test_another_directory_is_no_checkout(nova: Path) -> None:
    assert not checkouts.is_one(nova)
    shutil.rmtree(nova / "nova")
    with pytest.raises(DirectoryError):
        bases.describe(nova)


def test_a_clone_is_of_the_commit_and_shares_no_file(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    git(checkout, "tag", "34.9.0")
    (checkout / "nova/uncommitted.py").touch()
    seen = tmp_path / "seen"
    git(checkout, "worktree", "add", "-q", "--detach", str(seen))
    for place in (checkout, seen):
        into = tmp_path / f"clone of {place.name}"
        commit = checkouts.clone(place.relative_to(tmp_path), into.relative_to(tmp_path))
        assert git(into, "rev-parse", "HEAD") == commit == git(checkout, "rev-parse", "HEAD")
        assert checkouts.version(into) == "34.9.0"
        assert not (into / "nova/uncommitted.py").exists()
        assert all(each.stat().st_nlink == 1 for each in into.rglob("*") if each.is_file())
