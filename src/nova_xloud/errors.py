"""Every way the builder can fail: its class, exit code, sentence, and what it left untouched.

Raise the narrowest class; only cli.py turns one into words on a terminal and an exit code.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar


class XloudError(Exception):
    """A failure that the operator can act on.

    :cvar exit_code: what the command exits with
    :cvar sentence: what went wrong, in general; str(error) holds the particulars
    :cvar untouched: what is as it was before the command
    """

    exit_code: ClassVar[int] = 1
    sentence: ClassVar[str] = "nova-xloud cannot go on"
    untouched: ClassVar[str] = "nothing was written"


class AnchorError(XloudError):
    """A place that a change names is missing from a Nova file, doubled, or unfit.

    :param file: path inside the Nova tree
    :param anchor: the name looked for, e.g. ``ComputeManager.__init__``
    :param release: the Nova release, or its series
    :param reason: what was found instead
    """

    exit_code = 3
    sentence = "a change does not fit this Nova release"
    untouched = "no tree was written"

    def __init__(self, file: str, anchor: str, release: str, reason: str) -> None:
        super().__init__(f"{file}: {anchor}: {reason} (Nova {release})")
        self.file = file
        self.anchor = anchor
        self.release = release
        self.reason = reason


class ChangeError(XloudError):
    """A change file says something that the change language does not have.

    :param file: path inside the Nova tree
    :param line: line of the change file, counted from 1
    :param reason: what is wrong there
    """

    exit_code = 4
    sentence = "a change file is not written in the change language"
    untouched = "no tree was written"

    def __init__(self, file: str, line: int, reason: str) -> None:
        super().__init__(f"change of {file}, line {line}: {reason}")
        self.file = file
        self.line = line
        self.reason = reason


class WeaveError(XloudError):
    """What was woven is broken, or could not be taken out again.

    :param file: path inside the Nova tree
    :param release: the Nova release, or its series
    :param reason: what is wrong with the result
    """

    exit_code = 5
    sentence = "a change does not give a sound file"
    untouched = "no tree was written"

    def __init__(self, file: str, release: str, reason: str) -> None:
        super().__init__(f"{file}: {reason} (Nova {release})")
        self.file = file
        self.release = release


class DirectoryError(XloudError):
    """A directory or file is not what it is taken for.

    :param path: the directory or file
    :param reason: what is the matter with it
    """

    exit_code = 6
    sentence = "a directory is not what it should be"
    untouched = "nothing in it was changed"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path


class IncompleteError(XloudError):
    """A file that every tree must have is missing.

    :param path: the file's path in the tree
    :param release: the Nova release
    """

    exit_code = 7
    sentence = "the tree would lack a file that belongs to it"
    untouched = "no tree was written"

    def __init__(self, path: str, release: str) -> None:
        super().__init__(f"{path}: neither added nor changed (Nova {release})")
        self.path = path
