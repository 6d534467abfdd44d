"""A git checkout of Nova: which release its commit is, which files the commit has, its branches.

git is asked about the very directory, never about a repository that the directory happens to be in.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import IO

from nova_xloud.ground.commands import Ended, end_of
from nova_xloud.ground.errors import DirectoryError

#: Nova's tags of releases: 29.4.0, 30.0.0.0rc1.
_TAGS = "[0-9]*"
_CANDIDATE = re.compile(r"(\d+)\.0\.0\.0rc\d+-(\d+)-g")


def is_one(directory: Path) -> bool:
    """Say whether a directory is a git checkout, a linked worktree included."""
    return (directory / ".git").exists()


def date(directory: Path) -> int:
    """Return when the commit was made, in seconds since 1970.

    :raises DirectoryError: if git cannot tell
    """
    return int(_answer(directory, "log", "-1", "--format=%ct"))


def version(directory: Path) -> str:
    """Return the version of the commit, by the tags of its history.

    A commit of the master branch behind the release candidate of a series belongs to the next
    series.  The checkout of a stable branch names that branch in ``.gitreview``.

    :raises DirectoryError: if no tag tells
    """
    tags = _answer(directory, "tag", "--points-at", "HEAD", "--list", _TAGS).split()
    if tags:
        return max(tags, key=_rank)
    done = _git(directory, "describe", "--tags", "--match", _TAGS, "HEAD")
    if done.code:
        told = done.complained.strip().splitlines()[:1] or ["git describe failed"]
        raise DirectoryError(
            directory,
            f"git tells no version ({told[0]}): fetch the tags of Nova's repository, or give "
            "--version X.Y.Z",
        )
    described = done.said.strip()
    found = _CANDIDATE.match(described)
    if found and not _is_stable(directory):
        return f"{int(found[1]) + 1}.0.0.dev{found[2]}"
    return described


def files(directory: Path, paths: Collection[str]) -> dict[str, str]:
    """Return the ids of the blobs that the commit has at paths; other paths are left out.

    :raises DirectoryError: if git cannot tell
    """
    told = _answer(directory, "ls-tree", "-z", "--full-tree", "HEAD", "--", *sorted(paths))
    rows = (each.split("\t", 1) for each in told.split("\0") if each)
    return {path: about.split()[2] for about, path in rows}


def commit(directory: Path, name: str) -> str:
    """Return the id of the commit that a name stands for; "" if there is none of this name."""
    done = _git(directory, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    return "" if done.code else done.said.strip()


def is_name(directory: Path, branch: str) -> bool:
    """Say whether a branch can have a name."""
    return _git(directory, "check-ref-format", f"refs/heads/{branch}").code == 0


def checked_out(directory: Path) -> set[str]:
    """Return the names of the branches that are checked out, in linked worktrees too.

    :raises DirectoryError: if git cannot tell
    """
    told = _answer(directory, "worktree", "list", "--porcelain")
    return set(re.findall(r"^branch refs/heads/(.+)$", told, re.MULTILINE))


def authors(directory: Path, branch: str) -> set[str]:
    """Return the addresses of those who made the commits that a branch has beside HEAD.

    A commit that was amended keeps its author, and has another committer.

    :raises DirectoryError: if git cannot tell
    """
    told = _answer(directory, "log", "--format=%ae%n%ce", f"HEAD..refs/heads/{branch}")
    return set(told.splitlines())


def take(directory: Path, stream: Path) -> None:
    """Let git take commits into the repository; it replaces the branches that they are for.

    Killed, git leaves the branches as they were.

    :param stream: a file, as ``git fast-import`` reads it
    :raises DirectoryError: if git refuses it
    """
    with stream.open("rb") as opened:
        done = _git(directory, "fast-import", "--quiet", "--force", stdin=opened)
    if done.code:
        told = (done.complained or done.said).strip()
        raise DirectoryError(directory, f"git fast-import failed: {told}")


def clone(directory: Path, into: Path) -> str:
    """Clone a checkout, its tags too, with the commit that is checked out; return its id.

    The clone shares no file with the checkout.

    :param into: a directory that is missing
    :raises DirectoryError: if git refuses
    """
    found = _answer(directory, "rev-parse", "HEAD").strip()
    place, into = directory.absolute(), into.absolute()  # git is run in the checkout
    words = ("clone", "--quiet", "--no-hardlinks", "--no-checkout", str(place), str(into))
    _answer(directory, *words)
    _answer(into, "checkout", "--quiet", "--detach", found)
    return found


def is_blob(name: str, content: bytes) -> bool:
    """Say whether an id is the one that git gives to the content of a file.

    :param name: of SHA-1, or of SHA-256 in a repository with longer ids
    """
    made = hashlib.sha256() if len(name) == 64 else hashlib.sha1(usedforsecurity=False)
    made.update(f"blob {len(content)}\0".encode() + content)
    return made.hexdigest() == name


def _rank(tag: str) -> tuple[bool, list[int]]:
    """Order tags of one commit: a release comes behind its candidates."""
    return "rc" not in tag, [int(each) for each in re.findall(r"\d+", tag)]


def _is_stable(directory: Path) -> bool:
    """Say whether a checkout is one of a stable branch."""
    review = directory / ".gitreview"
    text = review.read_text(errors="replace") if review.exists() else ""
    return re.search(r"^defaultbranch\s*=\s*(stable|unmaintained)/", text, re.MULTILINE) is not None


def _answer(directory: Path, *words: str) -> str:
    done = _git(directory, *words)
    if done.code:
        told = (done.complained or done.said).strip()
        raise DirectoryError(directory, f"git {words[0]} failed: {told}")
    return done.said


def _git(directory: Path, *words: str, stdin: int | IO[bytes] = subprocess.DEVNULL) -> Ended:
    """Ask git about a checkout; variables of a hook that this runs in do not count."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    return end_of(
        ["git", f"--git-dir={directory.absolute() / '.git'}", "--no-pager", *words],
        f"git {words[0]}",
        stdin=stdin,
        cwd=directory,
        environment={**environment, "LC_ALL": "C.UTF-8"},
    )
