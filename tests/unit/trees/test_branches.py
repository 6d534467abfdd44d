"""Our branch in a user's repository, written by the real git."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import CHANGE_FILE, PATH, git

from nova_xloud.cli import main as cli
from nova_xloud.ground import errors
from nova_xloud.trees import mails, tree


def run(*words: object) -> Result:
    return CliRunner().invoke(cli.main, ["branch", *map(str, words)])


@pytest.fixture
def nova(nova: Path, ours: Path) -> Path:
    return nova


@pytest.fixture
def clone(checkout: Path) -> Path:
    """A checkout at a release, with a file that the user has changed and not committed."""
    git(checkout, "tag", "34.9.0")
    (checkout / "README").write_text("mine")
    return checkout


def state(top: Path) -> list[str]:
    """The parts that must stay: the commit, the branches of others, index and working tree."""
    branches = git(top, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    others = [each for each in branches if "nova-xloud" not in each]
    return [*others, git(top, "status", "--porcelain"), git(top, "symbolic-ref", "HEAD")]


def test_the_branch_has_a_commit_for_each_change_and_the_bytes_of_the_tree(
    clone: Path, tmp_path: Path
) -> None:
    before = state(clone)
    result = run(clone)
    assert result.exit_code == 0, result.output
    assert state(clone) == before
    assert "branch nova-xloud written, 3 commits of ours" in result.output
    assert git(clone, "rev-parse", "nova-xloud") in result.output
    told = git(clone, "log", "--format=%s|%ae|%at|%ct", "HEAD..nova-xloud").splitlines()
    assert told == [
        f"{summary}|{mails.EMAIL}|1234567890|1234567890"
        for summary in (
            "Our validators.",
            "Servers are adjusted when they start.",
            "Files of nova-xloud",
        )
    ]
    assert git(clone, "merge-base", "HEAD", "nova-xloud") == git(clone, "rev-parse", "HEAD")
    assert CliRunner().invoke(cli.main, ["tree", str(clone), str(tmp_path / "tree")]).exit_code == 0
    git(clone, "worktree", "add", "-q", str(tmp_path / "seen"), "nova-xloud")
    for path in tree.paths():
        assert (tmp_path / "seen" / path).read_bytes() == (tmp_path / "tree" / path).read_bytes()
    assert git(clone, "ls-tree", "nova-xloud", PATH).startswith("100755 ")


def test_the_same_commit_gives_the_same_commits(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    git(clone, "clone", "-q", str(clone), str(other))
    assert run(clone).exit_code == 0
    first = git(clone, "rev-parse", "nova-xloud")
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\n\tname = Me\n[i18n]\n\tcommitEncoding = latin1\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.chdir(tmp_path)
    assert run("other", "mine/xloud").exit_code == 0
    assert git(other, "rev-parse", "mine/xloud") == first
    result = run("other", "mine/xloud")
    assert "is up to date" in result.output


def test_an_older_branch_of_ours_is_replaced(clone: Path, ours: Path) -> None:
    assert run(clone).exit_code == 0
    old = git(clone, "rev-parse", "nova-xloud")
    (clone / "nova/new.py").write_text("")
    git(clone, "add", "nova")
    git(clone, "commit", "-q", "-m", "upstream's next")
    (ours / "changes" / PATH).write_text(CHANGE_FILE.replace("Servers are", "Each server is"))
    assert run(clone).exit_code == 0
    assert git(clone, "rev-parse", "nova-xloud") != old
    assert git(clone, "log", "--format=%s", "-1", "nova-xloud~3") == "upstream's next"
    assert "Each server is" in git(clone, "log", "--format=%s", "HEAD..nova-xloud")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("theirs", "the branch theirs has commits of test@example.org"),
        ("amended", "the branch amended has commits of test@example.org"),
        ("master", "the branch master is checked out"),
        ("elsewhere", "the branch elsewhere is checked out"),
        ("no good", "'no good' is no name of a branch"),
    ],
)
def test_a_branch_that_is_not_ours_to_replace_stays(
    clone: Path, tmp_path: Path, name: str, told: str
) -> None:
    git(clone, "worktree", "add", "-q", "-b", "elsewhere", str(tmp_path / "elsewhere"))
    git(clone, "checkout", "-q", "-b", "theirs")
    git(clone, "commit", "-q", "--allow-empty", "-m", "mine")
    git(clone, "checkout", "-q", "master")
    assert run(clone, "amended").exit_code == 0
    git(clone, "checkout", "-q", "amended")
    git(clone, "commit", "-q", "--amend", "-m", "Ours, in my words")
    git(clone, "checkout", "-q", "master")
    before = git(clone, "for-each-ref")
    result = run(clone, name)
    assert result.exit_code == errors.DirectoryError.exit_code, result.output
    assert told in result.stderr
    assert git(clone, "for-each-ref") == before


def test_what_is_no_checkout_or_has_the_series_is_refused(clone: Path, tmp_path: Path) -> None:
    (clone / PATH).write_text((clone / PATH).read_text() + "# of mine\n")
    result = run(clone)
    assert result.exit_code == errors.DirectoryError.exit_code
    assert "differs from the commit's" in result.stderr
    git(clone, "checkout", "-q", PATH)
    assert run(clone).exit_code == 0
    git(clone, "checkout", "-q", "nova-xloud")
    result = run(clone, "again")
    assert result.exit_code == errors.DirectoryError.exit_code
    assert "the series is applied" in result.stderr
    (tmp_path / "plain/nova").mkdir(parents=True)
    result = run(tmp_path / "plain", "--version", "34.9.0")
    assert result.exit_code == errors.DirectoryError.exit_code
    assert "is no git checkout" in result.stderr


def test_git_that_fails_or_is_killed_leaves_the_branch(
    clone: Path, ours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(clone).exit_code == 0
    before = git(clone, "for-each-ref")
    (ours / "changes" / PATH).write_text(CHANGE_FILE.replace("Servers are", "Each server is"))
    real = subprocess.run(["which", "git"], capture_output=True, text=True).stdout.strip()
    programs = tmp_path / "bin"
    programs.mkdir()
    for ends in ("echo fatal: no >&2; exit 128", "kill -KILL $$"):
        (programs / "git").write_text(
            '#!/bin/sh\ncase "$*" in *fast-import*)'
            f' head -c 200 | {real} "$@" >/dev/null 2>&1; {ends};; esac\nexec {real} "$@"\n'
        )
        (programs / "git").chmod(0o755)
        with monkeypatch.context() as patched:
            patched.setenv("PATH", f"{programs}:/usr/bin:/bin")
            result = run(clone)
        assert result.exit_code == errors.DirectoryError.exit_code, result.output
        assert "git fast-import failed" in result.stderr
        assert git(clone, "for-each-ref") == before
    assert run(clone).exit_code == 0


def test_two_at_once_write_the_same_branch(clone: Path) -> None:
    start = """
import sys
from pathlib import Path
from nova_xloud.cli import main
from nova_xloud.trees import tree

ours = Path(sys.argv.pop(1))
tree.sources = lambda: ours
tree.REQUIRED = ()
main.main()
"""
    ours = tree.sources()
    command = [sys.executable, "-c", start, str(ours), "branch", str(clone)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [each.communicate()[0] for each in both]
    assert [each.returncode for each in both] == [0, 0]
    ids = {each.splitlines()[1].strip() for each in said}
    assert ids == {git(clone, "rev-parse", "nova-xloud")}
