"""Ours as a branch of the user's own repository: a commit for each change, on the commit there.

git reads the commits as a stream, which touches neither the working tree nor the index.  The same
commit of Nova gives the same commits, whoever runs this.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nova_xloud.bases import Base, checkouts
from nova_xloud.ground import cache
from nova_xloud.ground.errors import DirectoryError
from nova_xloud.trees import mails, quilt, tree


class Branch(NamedTuple):
    """A branch that was written.

    :ivar commit: the id of its last commit
    :ivar length: the number of its commits that are ours
    :ivar changed: False if the branch was there already, with these very commits
    """

    commit: str
    length: int
    changed: bool


def write(
    base: Base, directory: Path, files: Sequence[tree.Ours], name: str, ours: Path | None = None
) -> Branch:
    """Write the branch; an older one that has no commits of anyone else's is replaced.

    :param directory: a checkout; its commit is the parent of ours
    :param files: the files that tree.compose gave
    :param name: of the branch
    :param ours: our additions and changes, unless they are the package's own
    :raises DirectoryError: if the commit has other files, or the branch is not ours to replace
    :raises PatchError: if git fails
    """
    mails.check_commit(directory, files)
    before = _check_branch(directory, name)
    date = int(os.environ.get("SOURCE_DATE_EPOCH", base.date))
    steps = quilt.steps(files, ours)
    parent = checkouts.commit(directory, "HEAD")
    commits = []
    for number, each in enumerate(steps):
        after = [(file.path, file.content) for file in each.files]
        start = "" if number else parent
        commits.append(mails.commit(name, each.told, date, directory, after, start))
    with tempfile.TemporaryDirectory(prefix="nova-xloud-") as scratch:
        stream = Path(scratch, "stream")
        with cache.space_on(stream.parent):
            stream.write_bytes(b"".join(commits))
        checkouts.take(directory, stream)
    made = checkouts.commit(directory, f"refs/heads/{name}")
    return Branch(made, len(steps), made != before)


def _check_branch(directory: Path, name: str) -> str:
    """Return the last commit of a branch that may be replaced; "" if there is none.

    :raises DirectoryError: if it may not be
    """
    if not checkouts.is_name(directory, name):
        raise DirectoryError(directory, f"{name!r} is no name of a branch")
    if name in checkouts.checked_out(directory):
        reason = f"the branch {name} is checked out: check out the commit of Nova that it starts at"
        raise DirectoryError(directory, reason)
    before = checkouts.commit(directory, f"refs/heads/{name}")
    if before:
        others = checkouts.authors(directory, name) - {mails.EMAIL}
        if others:
            reason = f"the branch {name} has commits of {sorted(others)[0]}: name another branch"
            raise DirectoryError(directory, reason)
    return before
