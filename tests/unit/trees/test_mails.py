"""The series for git, applied by the real `git am`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import CHANGE_FILE, NOVA_FILE, PATH, git

from nova_xloud import bases
from nova_xloud.cli import main as cli
from nova_xloud.ground import errors
from nova_xloud.trees import mails, tree


def run(*words: object) -> Result:
    return CliRunner().invoke(cli.main, [str(each) for each in words])


def series(directory: Path) -> bytes:
    result = run("diff", directory, "--for", "git")
    assert result.exit_code == 0, result.output
    return result.stdout_bytes


def apply(top: Path, mails_: bytes) -> None:
    file = top.parent / "series.mbox"
    file.write_bytes(mails_)
    git(top, "am", str(file))


def test_git_am_gives_the_bytes_of_the_tree(checkout: Path, ours: Path, tmp_path: Path) -> None:
    git(checkout, "tag", "34.9.0")
    tree_ = tmp_path / "tree"
    assert run("tree", checkout, tree_).exit_code == 0
    apply(checkout, series(checkout))
    for path in tree.paths():
        assert (checkout / path).read_bytes() == (tree_ / path).read_bytes()
    assert git(checkout, "status", "--porcelain") == ""
    subjects = git(checkout, "log", "--format=%s|%an|%at", "34.9.0..").splitlines()
    assert subjects == [
        "Our validators.|nova-xloud|1234567890",
        "Servers are adjusted when they start.|nova-xloud|1234567890",
        "Files of nova-xloud|nova-xloud|1234567890",
    ]
    assert git(checkout, "ls-tree", "HEAD", PATH).startswith("100755 ")


def test_the_series_of_an_sdist_fits_the_text_of_the_repository(
    checkout: Path, ours: Path, tmp_path: Path
) -> None:
    """setuptools has written the setup.cfg of the sdist anew, with tabs."""
    sdist = tmp_path / "sdist"
    (sdist / "nova").mkdir(parents=True)
    (sdist / "nova/compute").mkdir()
    (sdist / PATH).write_text(NOVA_FILE)
    (sdist / "PKG-INFO").write_text("Name: nova\nVersion: 34.9.0\n")
    text = (checkout / "setup.cfg").read_text()
    (sdist / "setup.cfg").write_text(re.sub(r"(?m)^    ", "\t", text).replace("=\n", "= \n"))
    before = (sdist / "setup.cfg").read_bytes()
    (checkout / "setup.cfg").write_text("# a comment that the sdist has not\n" + text)
    git(checkout, "commit", "-q", "-a", "-m", "comment")
    apply(checkout, series(sdist))
    assert "    # xloud\n    minimum = " in (checkout / "setup.cfg").read_text()
    assert (sdist / "setup.cfg").read_bytes() == before


def test_the_same_files_give_the_same_bytes(
    checkout: Path, ours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the settings of the user and of a hook are."""
    git(checkout, "tag", "34.9.0")
    first = series(checkout)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[format]\n\tsignature = me\n\tsubjectPrefix = MINE\n[diff]\n\tnoprefix = true\n"
        "\tcontext = 1\n[user]\n\tname = Me\n[i18n]\n\tcommitEncoding = latin1\n"
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert series(checkout) == first
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert b"\nDate: Thu, 1 Jan 1970 00:00:00 +0000\n" in series(checkout)


def test_a_description_stays_whole(checkout: Path, ours: Path) -> None:
    git(checkout, "tag", "34.9.0")
    told = [
        "Größe: it says so.",
        "From: nobody",
        "---",
        "diff --git a/x b/x",
        "Index: x",
        "From nobody Mon Sep 17 00:00:00 2001",
        "and the end.",
    ]
    text = CHANGE_FILE.partition('"""\n')[2]
    (ours / "changes" / PATH).write_text(
        '"""' + "\n".join([told[0], "", *told[1:]]) + f'\n"""\n{text}'
    )
    apply(checkout, series(checkout))
    message = git(checkout, "log", "-1", "--format=%B", "HEAD~1").splitlines()
    assert [each.strip() for each in message if each] == told


def test_a_file_without_a_last_newline_is_patched(checkout: Path, ours: Path) -> None:
    (checkout / PATH).write_text(NOVA_FILE.rstrip("\n"))
    git(checkout, "commit", "-q", "-a", "-m", "no newline")
    git(checkout, "tag", "34.9.0")
    expected = {each.path: each.content for each in compose(checkout)}
    apply(checkout, series(checkout))
    assert (checkout / PATH).read_bytes() == expected[PATH]


def compose(directory: Path) -> list[tree.Ours]:
    return tree.compose(bases.describe(directory), directory).files


def test_a_file_that_is_not_the_commits_is_refused(checkout: Path, ours: Path) -> None:
    git(checkout, "tag", "34.9.0")
    (checkout / PATH).write_text("# of mine\n" + NOVA_FILE)
    result = run("diff", checkout, "--for", "git")
    assert result.exit_code == errors.DirectoryError.exit_code
    assert f"{PATH} differs from the commit's: commit it, or restore it, first" in result.stderr
    assert result.stdout == ""
    assert run("diff", checkout).exit_code == 0


def test_a_woven_working_tree_gives_the_same_series_until_it_is_committed(
    checkout: Path, ours: Path
) -> None:
    git(checkout, "tag", "34.9.0")
    first = series(checkout)
    for each in compose(checkout):
        (checkout / each.path).parent.mkdir(exist_ok=True)
        (checkout / each.path).write_bytes(each.content)
    assert series(checkout) == first
    git(checkout, "add", "-A")
    git(checkout, "commit", "-q", "-m", "woven")
    result = run("diff", checkout, "--for", "git")
    assert result.exit_code == errors.DirectoryError.exit_code
    assert "nova/xloud/size.py is in the commit already" in result.stderr


def test_git_that_fails_or_is_missing_prints_nothing(
    nova: Path, ours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    result = run("diff", nova, "--for", "git")
    assert result.exit_code == errors.MissingToolError.exit_code
    (programs / "git").write_text("#!/bin/sh\necho 'fatal: no' >&2\nexit 128\n")
    (programs / "git").chmod(0o755)
    result = run("diff", nova, "--for", "git")
    assert result.exit_code == errors.PatchError.exit_code
    assert "git init failed: fatal: no" in result.stderr
    assert result.stdout == ""


def test_the_scratch_repository_is_removed(
    nova: Path, ours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    files = compose(nova)
    assert mails.series(bases.describe(nova), nova, files)
    assert list(scratch.iterdir()) == []
