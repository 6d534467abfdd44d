"""Running programs to their end, and finding out why one failed.

A program gets a process group of its own, which is ended with whoever waits for it, when it takes
longer than a step may, and when the disk that it writes to stays full: some wait then for ever.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from nova_xloud.ground import cache, disk
from nova_xloud.ground.errors import (
    FetchError,
    HashError,
    MissingToolError,
    NetworkError,
    NoSpaceError,
    OutOfMemoryError,
    SettingError,
    TimeLimitError,
    XloudError,
)

#: How many minutes one step may take; the variable of the environment that says otherwise.
TIME_LIMIT = 60.0
TIME_LIMIT_VARIABLE = "NOVA_XLOUD_TIME_LIMIT"
#: Seconds: between two looks; for which a disk may be full; for which nothing may happen while a
#: disk is nearly full, as apt then waits with megabytes left; that a program gets to end by itself.
_LOOK = 2
_PATIENCE = 60
_STALLED = 300
_GRACE = 10
#: Lines of a program's output that an error repeats.
_LAST_WORDS = 8

_OFFLINE = re.compile(
    r"NewConnectionError|NameResolution|name resolution|failure resolving|ProxyError"
    r"|ConnectTimeout|timed out|Connection (?:refused|reset)|Could not (?:resolve|connect)"
    r"|unreachable",
    re.IGNORECASE,
)
#: The words of shells, dpkg, make and perl for a process that SIGKILL has ended.
_KILLED = re.compile(r"\bKilled\b|signal \(?(?:9\b|Killed|KILL)|SIGKILL|Error 137\b")
_PACKAGES = {
    "apt-ftparchive": "apt-utils",
    "dpkg-source": "dpkg-dev",
    "gpg": "gnupg",
    "rpmsign": "rpm",
    "systemd-nspawn": "systemd-container",
}


class Ended(NamedTuple):
    """A program that has ended.

    :ivar code: its exit code; negative: the signal that ended it
    :ivar said: its standard output, and its standard error if both were asked for together
    :ivar complained: its standard error
    """

    code: int
    said: str
    complained: str


def run(
    command: Sequence[str],
    doing: str,
    environment: dict[str, str] | None = None,
    *,
    places: Sequence[Path] = (),
) -> str:
    """Run a command that fetches or unpacks; return its output.

    :param doing: the step, for the text of errors
    :param places: directories that it writes to, besides the cache and that of temporary files
    :raises XloudError: the class that says why it failed
    """
    done = end_of(
        command,
        doing,
        stderr=subprocess.STDOUT,
        environment={**(environment or os.environ), "LC_ALL": "C.UTF-8"},
        places=places,
    )
    if done.code == 0:
        return done.said
    last = last_words(done.said)
    if "No module named pip" in done.said:
        raise MissingToolError("pip")
    if "DO NOT MATCH THE HASHES" in done.said or "Hash Sum mismatch" in done.said:
        raise HashError(f"{doing}: a fetched file is not the pinned one\n{last}")
    if _OFFLINE.search(done.said):
        raise NetworkError(f"{doing}: no answer from the network\n{last}")
    raise FetchError(f"{doing} failed:\n{last}")


def answer(
    command: Sequence[str | Path],
    error: type[XloudError],
    *,
    cwd: Path | None = None,
    places: Sequence[Path] = (),
    minutes: float | None = None,
) -> str:
    """Run a command and return its standard output.

    :param error: the class to raise, with the output of the command, if it fails
    :param places: directories that it writes to, besides its own, the cache and that of temporary
        files
    :param minutes: how long it may take; default: as any step
    :raises MissingToolError: if it is not installed
    :raises NoSpaceError: if it fails for want of space
    :raises TimeLimitError: if it does not end
    """
    done = end_of(command, str(command[0]), cwd=cwd, places=places, minutes=minutes)
    if done.code:
        raise error(f"{command[0]} failed: {(done.complained or done.said).strip()}")
    return done.said


def end_of(
    command: Sequence[str | Path],
    doing: str,
    *,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[str] = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    places: Sequence[Path] = (),
    minutes: float | None = None,
) -> Ended:
    """Run a command to its end, whether it succeeds or not.

    :param doing: the step, for the text of errors
    :param stdin: a file that it reads
    :param stdout: a file that gets its output, which can be read too
    :param places: directories that it writes to, besides the cache and that of temporary files
    :param minutes: how long it may take; default: ``time_limit()``
    :raises MissingToolError: if it is not installed
    :raises NoSpaceError: if it fails, or does not end, and a disk is full
    :raises OutOfMemoryError: if it fails, and the kernel has ended processes for lack of memory
    :raises TimeLimitError: if it does not end; it has been killed then
    """
    minutes = minutes or time_limit()
    written = [*places, *([cwd] if cwd else []), cache.directory(), Path(tempfile.gettempdir())]
    kills = _kills_for_memory()
    begun = 0 if isinstance(stdout, int) else stdout.tell()
    try:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            text=True,
            errors="replace",
            process_group=0,
        )
    except FileNotFoundError as error:
        tool = str(command[0])
        raise MissingToolError(tool, _PACKAGES.get(tool, "")) from error
    try:
        log = None if isinstance(stdout, int) else stdout
        said, complained = _wait(process, doing, written, minutes, log)
    except BaseException:
        _end(process)
        raise
    if not isinstance(stdout, int):
        said = _written(Path(stdout.name), begun)
    if process.returncode:
        if disk.says_full(f"{said}{complained}"):
            raise NoSpaceError(disk.fullest(written))
        if place := disk.full(written):
            raise NoSpaceError(place)
        killed = _kills_for_memory() - kills
        if killed and _says_killed(process.returncode, f"{said}{complained}"):
            raise OutOfMemoryError(doing, killed)
    return Ended(process.returncode, said or "", complained or "")


def last_words(text: str) -> str:
    """Return the lines in which a program says why it failed: the last ones."""
    return "\n".join(text.strip().splitlines()[-_LAST_WORDS:])


def time_limit() -> float:
    """Return how many minutes a step may take.

    :raises SettingError: if the environment says something else than a number above 0
    """
    told = os.environ.get(TIME_LIMIT_VARIABLE, "")
    if not told:
        return TIME_LIMIT
    with contextlib.suppress(ValueError):
        if (minutes := float(told)) > 0:
            return minutes
    raise SettingError(f"{TIME_LIMIT_VARIABLE}={told}: it wants minutes, a number above 0")


def _wait(
    process: subprocess.Popen[str],
    doing: str,
    places: Sequence[Path],
    minutes: float,
    log: IO[str] | None,
) -> tuple[str, str]:
    """Wait for a process and return its output."""
    end = time.monotonic() + 60 * minutes
    not_full = moved = time.monotonic()
    seen: list[int] = []
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=_LOOK)
        now = time.monotonic()
        full = disk.full(places)
        not_full = not_full if full else now
        if full and now - not_full > _PATIENCE:
            raise NoSpaceError(full)
        # in steps: other programs write a little now and then
        state = [disk.free(each) // disk.ENOUGH for each in places]
        state.append(os.fstat(log.fileno()).st_size if log else 0)
        if state != seen:
            seen, moved = state, now
        if now - moved > _STALLED and (low := disk.low(places)):
            raise NoSpaceError(low)
        if now > end:
            if blamed := full or disk.low(places):
                raise NoSpaceError(blamed)
            raise TimeLimitError(doing, minutes, TIME_LIMIT_VARIABLE)


def _end(process: subprocess.Popen[str]) -> None:
    """End a process and all of its group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)


def _written(file: Path, begun: int) -> str:
    """Return the text of a file from a position on."""
    with file.open("rb") as stream:
        stream.seek(begun)
        return stream.read().decode(errors="replace")


def _says_killed(code: int, output: str) -> bool:
    """Say whether a program, or one that it ran, was killed, by its exit code and its output.

    The kernel's count of kills is that of the whole host: another program may be meant by it.
    """
    killed = (-signal.SIGKILL, 128 + signal.SIGKILL)
    return code in killed or _KILLED.search(output) is not None


def _kills_for_memory() -> int:
    """Return how many processes of the host the kernel has ended for lack of memory."""
    found = re.search(r"^oom_kill (\d+)$", Path("/proc/vmstat").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0
