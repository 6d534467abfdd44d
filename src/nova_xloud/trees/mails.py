"""Ours as a series of mails, as ``git format-patch`` writes it and ``git am`` applies it.

git itself writes the series, from a scratch repository with the files that are ours.  Nothing of
the user's git settings counts, so that the same files give the same bytes.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from nova_xloud.bases import Base, checkouts
from nova_xloud.ground import cache
from nova_xloud.ground.commands import end_of
from nova_xloud.ground.errors import DirectoryError, PatchError
from nova_xloud.trees import quilt, tree

#: The author of our commits.
EMAIL = "nova-xloud@example.org"
#: A line of a mail that begins so would begin a patch, or a header.
_BREAKS = re.compile(r"^(---|diff -|Index: |From |(From|Subject|Date):)")


def series(
    base: Base, directory: Path, files: Sequence[tree.Ours], ours: Path | None = None
) -> bytes:
    """Return the series: a mail for all additions, then one for each file that is changed.

    :param directory: has the files of the base, for their modes
    :param files: the files that tree.compose returned
    :param ours: our additions and changes, unless they are the package's own
    :raises MissingToolError: if git is not installed
    :raises PatchError: if git fails
    """
    date = int(os.environ.get("SOURCE_DATE_EPOCH", base.date))
    commits = [commit("base", ["The base"], date, directory, _before(files))]
    steps = quilt.steps(files, ours)
    commits.append(b"reset refs/heads/series\nfrom refs/heads/base\n\n")
    commits += [commit("series", each.told, date, directory, _after(each.files)) for each in steps]
    with tempfile.TemporaryDirectory(prefix="nova-xloud-") as scratch:
        return _written(Path(scratch), commits)


def check_commit(directory: Path, files: Sequence[tree.Ours]) -> None:
    """Make sure that a checkout's commit has the very files that a series is made for.

    :raises DirectoryError: if it has others: ``git am`` would refuse the series, or add files twice
    """
    there = checkouts.files(directory, [each.path for each in files])
    for each in files:
        if each.base is None and each.path in there:
            reason = f"{each.path} is in the commit already: the series is applied"
            raise DirectoryError(directory, reason)
    for each in files:
        if each.base is not None and not checkouts.is_blob(there.get(each.path, ""), each.base):
            reason = f"{each.path} differs from the commit's: commit it, or restore it, first"
            raise DirectoryError(directory, reason)


def commit(
    branch: str,
    told: Sequence[str],
    date: int,
    directory: Path,
    files: list[tuple[str, bytes]],
    parent: str = "",
) -> bytes:
    """Return a commit as ``git fast-import`` reads it.

    :param told: the lines of its message, the first one a summary
    :param date: in seconds since 1970
    :param directory: has the files of the base, for their modes
    :param files: paths, and the contents in the commit
    :param parent: the id of the commit that it follows; "" for the last one of the branch
    """
    lines = [_BREAKS.sub(r" \g<0>", each.strip()) for each in told]
    message = "\n".join([lines[0], "", *lines[1:]]).rstrip() + "\n"
    signed = f"nova-xloud <{EMAIL}> {date} +0000"
    text = f"commit refs/heads/{branch}\nauthor {signed}\ncommitter {signed}\n".encode()
    text += _data(message.encode())
    if parent:
        text += f"from {parent}\n".encode()
    for path, content in files:
        file = directory / path
        executable = file.exists() and file.stat().st_mode & 0o100
        mode = "100755" if executable else "100644"
        text += f"M {mode} inline {path}\n".encode() + _data(content)
    return text + b"\n"


def _written(top: Path, commits: Sequence[bytes]) -> bytes:
    """Let git write the series.

    :param top: a scratch directory
    :param commits: as ``git fast-import`` reads them
    """
    stream, written = top / "stream", top / "series"
    with cache.space_on(top):
        stream.write_bytes(b"".join(commits))
    _git(top, "init", "--quiet", "--bare", "--template=", "repository")
    _git(top, "fast-import", "--quiet", stream=stream)
    _git(
        top,
        *("format-patch", "base..series", "--numbered", "--zero-commit", "--no-signature"),
        *("--full-index", "--no-renames", f"--output={written}"),
    )
    return written.read_bytes()


def _before(files: Sequence[tree.Ours]) -> list[tuple[str, bytes]]:
    return [(each.path, each.base) for each in files if each.base is not None]


def _after(files: Sequence[tree.Ours]) -> list[tuple[str, bytes]]:
    return [(each.path, each.content) for each in files]


def _data(content: bytes) -> bytes:
    return f"data {len(content)}\n".encode() + content + b"\n"


def _git(top: Path, *words: str, stream: Path | None = None) -> None:
    """Run git in the scratch repository.

    :param stream: a file that it reads
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    for scope in ("GLOBAL", "SYSTEM"):
        environment[f"GIT_CONFIG_{scope}"] = os.devnull
    if words[0] != "init":
        environment["GIT_DIR"] = str(top / "repository")
    with (stream or Path(os.devnull)).open("rb") as opened:
        done = end_of(
            ["git", "--no-pager", *words],
            f"git {words[0]}",
            stdin=opened,
            cwd=top,
            environment={**environment, "LC_ALL": "C.UTF-8"},
            places=[top],
        )
    if done.code:
        raise PatchError(f"git {words[0]} failed: {(done.complained or done.said).strip()}")
