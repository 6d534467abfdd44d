"""Running programs, and telling from their words why one that fetches failed."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from nova_xloud import cache
from nova_xloud.errors import (
    FetchError,
    HashError,
    MissingToolError,
    NetworkError,
    NoSpaceError,
    XloudError,
)

_OFFLINE = re.compile(
    r"NewConnectionError|NameResolution|name resolution|failure resolving|ProxyError"
    r"|ConnectTimeout|timed out|Connection (?:refused|reset)|Could not (?:resolve|connect)"
    r"|unreachable",
    re.IGNORECASE,
)


def run(command: Sequence[str], doing: str, environment: dict[str, str] | None = None) -> str:
    """Run a command that fetches or unpacks; return what it printed.

    :param doing: what errors say was being done
    :raises XloudError: the class that says why it failed
    """
    environment = {**(environment or os.environ), "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise MissingToolError(command[0]) from error
    if done.returncode == 0:
        return done.stdout
    last = "\n".join(done.stdout.strip().splitlines()[-6:])
    if "No space left on device" in done.stdout:
        raise NoSpaceError(cache.directory())
    if "No module named pip" in done.stdout:
        raise MissingToolError("pip")
    if "DO NOT MATCH THE HASHES" in done.stdout or "Hash Sum mismatch" in done.stdout:
        raise HashError(f"{doing}: what came is not what is pinned\n{last}")
    if _OFFLINE.search(done.stdout):
        raise NetworkError(f"{doing}: no answer from the network\n{last}")
    raise FetchError(f"{doing} failed:\n{last}")


def answer(
    command: Sequence[str | Path], error: type[XloudError], *, cwd: Path | None = None
) -> str:
    """Run a command and return its standard output.

    :param error: what to raise, with what it said, if it fails
    :raises MissingToolError: if it is not installed
    """
    try:
        done = subprocess.run(
            command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
    except FileNotFoundError as missing:
        raise MissingToolError(str(command[0])) from missing
    if done.returncode:
        raise error(f"{command[0]} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout
