"""Every way the builder can fail: its class, exit code, sentence, and the things left untouched.

Raise the narrowest class. Only the command line turns one into words and an exit code.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar


class XloudError(Exception):
    """A failure that the operator can act on.

    :cvar exit_code: the exit code of the command
    :cvar sentence: the failure in general; str(error) holds the particulars
    :cvar untouched: the things that are as they were before the command
    """

    exit_code: ClassVar[int] = 1
    sentence: ClassVar[str] = "nova-xloud cannot go on"
    untouched: ClassVar[str] = "nothing was written"


class AnchorError(XloudError):
    """A place that a change names is missing from a Nova file, doubled, or unfit.

    :param file: path inside the Nova tree
    :param anchor: the name looked for, e.g. ``ComputeManager.__init__``
    :param release: the Nova release, or its series
    :param reason: the code that was found instead
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
    :param reason: the fault of that line
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
    """Woven lines are broken, or could not be taken out again.

    :param file: path inside the Nova tree
    :param release: the Nova release, or its series
    :param reason: the fault of the result
    """

    exit_code = 5
    sentence = "a change does not give a sound file"
    untouched = "no tree was written"

    def __init__(self, file: str, release: str, reason: str) -> None:
        super().__init__(f"{file}: {reason} (Nova {release})")
        self.file = file
        self.release = release


class MarkedLineError(XloudError):
    """A Nova file has a line with our mark that weaving would not put there.

    :param file: path inside the Nova tree
    :param line: the line, counted from 1
    :param release: the Nova release, or its series
    """

    exit_code = 17
    sentence = "a line is marked as one of nova-xloud's, and is not"
    untouched = "no tree was written, and the line is as it was"

    def __init__(self, file: str, line: int, release: str) -> None:
        super().__init__(
            f"{file}, line {line}: carries the mark of nova-xloud, but this version does not put "
            f"it there (Nova {release}). A patch made by hand, or another version, has put it "
            "there: start from the source without it; see docs/hand-patched.md"
        )
        self.file = file
        self.line = line


class DirectoryError(XloudError):
    """A directory or file is not of the kind that the command needs.

    :param path: the directory or file
    :param reason: the difference from that kind
    """

    exit_code = 6
    sentence = "a directory is not of the kind that the command needs"
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


class PatchError(XloudError):
    """git could not write the series of patches."""

    exit_code = 19
    sentence = "the series of patches could not be written"
    untouched = "no patch was printed"


class NotRootError(XloudError):
    """A command that makes or enters a root was not started by root."""

    exit_code = 20
    sentence = "this command must be run as root"


class UnknownTargetError(XloudError):
    """A target that is not in targets.toml.

    :param name: the name that was asked for
    :param known: the targets there are
    """

    exit_code = 21
    sentence = "there is no such target"

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"{name}: the targets are {', '.join(known)}")


class RootError(XloudError):
    """A clean root could not be made, mounted or removed."""

    exit_code = 22
    sentence = "the clean root of the distribution is not usable"
    untouched = "no package was written; earlier builds are as they were"


class PackageError(XloudError):
    """Building a package failed; the text names the log."""

    exit_code = 23
    sentence = "the package could not be built"
    untouched = "earlier builds are as they were"


class SourceRpmError(PackageError):
    """A distribution's source RPM is not there, not vouched for, or not usable as a base."""

    exit_code = 33
    sentence = "the source RPM cannot be the base"


class UnlikeError(PackageError):
    """A library that was built is not the distribution's with our lines.

    :param target: the target
    :param version: of the distribution's library
    :param wrong: a line for each file that differs
    """

    exit_code = 32
    sentence = "the library that was built is not the one that hosts have"

    def __init__(self, target: str, version: str, wrong: Sequence[str]) -> None:
        told = "\n".join(f"  {each}" for each in wrong[:40])
        more = f"\n  and {len(wrong) - 40} more" if len(wrong) > 40 else ""
        super().__init__(
            f"{target} for hosts with nova-common {version}; apart from our lines, these files of "
            f"python3-nova must be the same:\n{told}{more}"
        )


class ProvidesError(XloudError):
    """No version to stand in for is known, or the stated one does not fit."""

    exit_code = 25
    sentence = "it is not clear which version the packages stand in for"
    untouched = "nothing was built; earlier builds are as they were"


class MirrorError(XloudError):
    """A mirror could not be written or signed."""

    exit_code = 24
    sentence = "the mirror could not be made"
    untouched = "the mirror that was there is as it was"


class UnsupportedReleaseError(XloudError):
    """The changes are not made for a series of Nova.

    :param version: of the base
    :param first: the first series that is supported
    :param last: the last one
    """

    exit_code = 18
    sentence = "this Nova is not supported"

    def __init__(self, version: str, first: int, last: int) -> None:
        super().__init__(
            f"Nova {version}: nova-xloud supports Nova {first} to {last}. `tree`, `diff` and "
            "`check` try others with --unsupported; docs/changing-nova.md says how a newer one is "
            "added"
        )
        self.version = version


class UnknownBaseError(XloudError):
    """A base was asked for that is neither known nor a directory or sdist.

    :param name: the name that was asked for
    :param known: the names that are known
    """

    exit_code = 8
    sentence = "no such base"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"{name}: known are {', '.join(known)}. A directory or an sdist of Nova is a base, too"
        )


class FetchError(XloudError):
    """pip, apt or dpkg-source failed for a reason of its own, which the text repeats."""

    exit_code = 9
    sentence = "a base could not be fetched"
    untouched = "the cache is as it was"


class ArchiveError(XloudError):
    """No archive of a distribution is configured, or the configuration cannot be read."""

    exit_code = 30
    sentence = "the archive to build from is not clear"
    untouched = "the cache and earlier builds are as they were"


class UnservedError(FetchError):
    """The archive does not have all that packages for its own hosts are made of."""

    exit_code = 31
    sentence = "packages for the hosts of this archive cannot be built"
    untouched = "the cache and earlier builds are as they were"


class NetworkError(FetchError):
    """Nothing answered."""

    exit_code = 10
    sentence = "no network"
    untouched = "the cache is as it was"


class HashError(XloudError):
    """A file is not the one that is pinned, signed or recorded."""

    exit_code = 11
    sentence = "a file has the wrong hash"
    untouched = "the file was not used"


class NoSpaceError(XloudError):
    """The disk is full.

    :param place: the directory that was written to
    """

    exit_code = 12
    sentence = "no space left on the disk"
    untouched = "half-written files have been removed"

    def __init__(self, place: Path) -> None:
        super().__init__(f"writing below {place}: make room there, and start again")
        self.place = place


class MissingToolError(XloudError):
    """A program that the builder runs is not installed.

    :param tool: the program, or file
    :param package: the Debian package that has it, if the name differs
    """

    exit_code = 13
    sentence = "a program is missing"

    def __init__(self, tool: str, package: str = "") -> None:
        super().__init__(f"{tool} is not installed (Debian package {package or tool})")
        self.tool = tool


class TimeLimitError(XloudError):
    """A step does not end; the processes that it had started have been killed.

    :param doing: the step
    :param minutes: how long it was given
    :param variable: of the environment, which gives steps more time
    """

    exit_code = 14
    sentence = "a step takes too long"
    untouched = "half-written files have been removed"

    def __init__(self, doing: str, minutes: float, variable: str) -> None:
        super().__init__(f"{doing}: ended after {minutes:g} minutes; {variable}=MINUTES gives more")


class OutOfMemoryError(XloudError):
    """The kernel has ended processes while a step failed.

    :param doing: the step
    :param killed: how many processes
    """

    exit_code = 15
    sentence = "not enough memory"
    untouched = "half-written files have been removed"

    def __init__(self, doing: str, killed: int) -> None:
        super().__init__(
            f"{doing} failed, and the kernel has ended {killed} process(es) for lack of memory "
            "meanwhile: see `dmesg`"
        )


class SettingError(XloudError):
    """A variable of the environment has a value that it cannot have."""

    exit_code = 16
    sentence = "a setting has a wrong value"


class TargetsError(XloudError):
    """Some of several targets could not be built; the others are.

    :param failures: the target's name and the error, in the order of the builds
    :param wanted: how many targets were asked for
    """

    exit_code = 26
    sentence = "not all targets are built"
    untouched = "earlier builds of these targets are as they were; all others are built"

    def __init__(self, failures: Sequence[tuple[str, XloudError]], wanted: int) -> None:
        lines = [f"  {name}: {error.sentence}: {error}" for name, error in failures]
        super().__init__("\n".join([f"{len(failures)} of {wanted} failed:", *lines]))
        self.failures = failures


class OwnedError(XloudError):
    """An installed Nova belongs to a package of the distribution.

    :param place: the directory of its code
    :param package: the package
    :param command: replaces that package by ours
    """

    exit_code = 40
    sentence = "this Nova belongs to a package of the distribution"
    untouched = "nothing in it was changed"

    def __init__(self, place: Path, package: str, command: str) -> None:
        super().__init__(f"{place} is of the package {package}: use `{command}`")


class BusyTreeError(XloudError):
    """Another run works on the same installed Nova.

    :param place: the directory of its code
    """

    exit_code = 41
    sentence = "another run of nova-xloud works on this Nova"
    untouched = "this run has changed nothing"

    def __init__(self, place: Path) -> None:
        super().__init__(f"{place}: wait until it has ended, and start again")


class ForeignTreeError(XloudError):
    """Somebody else has changed files of an installed Nova since our changes were applied.

    :param place: the directory of its code
    :param paths: the files
    """

    exit_code = 42
    sentence = "this Nova has been changed since nova-xloud was applied"
    untouched = "nothing in it was changed"

    def __init__(self, place: Path, paths: Sequence[str]) -> None:
        named = "".join(f"\n  {each}" for each in paths[:20])
        more = f"\n  and {len(paths) - 20} more" if len(paths) > 20 else ""
        super().__init__(
            f"in {place} these files are neither Nova's nor ours:{named}{more}\nInstall the "
            "release anew (`pip install --force-reinstall --no-deps nova==X.Y.Z`), then apply"
        )


class HalfTreeError(XloudError):
    """An installed Nova was left between two states.

    :param place: the directory of its code
    :param reason: why
    """

    exit_code = 43
    sentence = "this Nova is half changed"
    untouched = "every file is whole, and either Nova's or ours"

    def __init__(self, place: Path, reason: str) -> None:
        super().__init__(
            f"{place}: {reason}. Restart no service now. `apply` completes the changes, `rollback` "
            "takes them out"
        )
