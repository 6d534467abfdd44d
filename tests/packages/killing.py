"""Package managers that are killed in the middle of their work."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from tests.packages.cloud import Cloud

SEED = 18
#: Moments each way. So many of all are tried at each change, as a proof of the kind.
NUMBER, QUICK = 20, 2


def moments() -> list[ParameterSet]:
    """Return moments as a way, and how many of the modules are in place; the ways take turns."""
    ways = [(way, number) for number in range(NUMBER) for way in ("in", "back")]
    return [
        pytest.param(
            way,
            round(random.Random(f"{SEED} {way} {number}").uniform(0.02, 0.95), 3),  # noqa: S311
            marks=[pytest.mark.slow] if index >= QUICK else [],
        )
        for index, (way, number) in enumerate(ways)
    ]


def kill_at(cloud: Cloud, arguments: str, seen: Callable[[], bool], names: tuple[str, ...]) -> str:
    """Start the package manager; kill it and its helpers at a moment.

    :param arguments: its command line
    :param seen: says that the moment has come, from the files of the container
    :param names: of the processes to kill, the one that starts the others first
    :returns: its output until then
    """
    manager = _started(cloud, arguments)
    deadline = time.monotonic() + 300
    while not seen():
        assert manager.poll() is None, f"it ended before the moment: {manager.communicate()[0]}"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    # The first starts the others, and would start another one while these are looked for.
    cloud.sh("\n".join(f"pkill -9 -x {name} || true" for name in names))
    # Scripts that they ran go on, and end with this output.
    said, _ = manager.communicate()
    return said


def kill_between_files(cloud: Cloud, arguments: str, moment: str) -> None:
    """Start apt and kill it, and dpkg, as soon as dpkg has put a certain file in place.

    dpkg unpacks all files of a package under other names, and then renames one after the other.

    :param arguments: the command line of apt
    :param moment: the path of the file, which is not there before
    :raises AssertionError: if apt ends before
    """
    place = cloud.container.root / moment[1:]
    unpacked = place.with_name(place.name + ".dpkg-new")
    _kill_quickly(cloud, arguments, ("apt-get", "dpkg"), unpacked.exists, place.exists)


def kill_dnf(cloud: Cloud, arguments: str, seen: Callable[[], bool]) -> None:
    """Start dnf, whose process does rpm's work too, and kill it at a moment.

    :param arguments: the command line of dnf
    :param seen: says that the moment has come, in much less than a millisecond
    :raises AssertionError: if dnf ends before
    """
    _kill_quickly(cloud, arguments, ("dnf",), lambda: bool(_processes(cloud, "dnf")), seen)


def _kill_quickly(
    cloud: Cloud,
    arguments: str,
    names: tuple[str, ...],
    begun: Callable[[], bool],
    seen: Callable[[], bool],
) -> None:
    """Start the package manager and kill processes of names at a moment among its files.

    All files are in place in a second or less: no command inside of the container is in time.

    :param begun: says that all of those processes run
    :param seen: says that the moment has come
    """
    manager = _started(cloud, arguments)
    deadline = time.monotonic() + 300
    while not begun():
        assert manager.poll() is None, f"it ended before the moment: {manager.communicate()[0]}"
        assert time.monotonic() < deadline, "it did not begin"
        time.sleep(0.001)
    # The first starts the others, and would start another one.
    victims = [process for name in names for process in _processes(cloud, name)]
    while not seen():
        assert manager.poll() is None, f"it ended before the moment: {manager.communicate()[0]}"
        assert time.monotonic() < deadline, "the moment did not come"
    for victim in victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
    manager.communicate()


def _started(cloud: Cloud, arguments: str) -> subprocess.Popen[str]:
    """Start the package manager; its output can be read."""
    return subprocess.Popen(
        cloud.container.inside("sh", "-c", f"exec {cloud.manager} {arguments}"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def _processes(cloud: Cloud, name: str) -> list[int]:
    """Return the container's processes of a name, by the host's numbering."""
    inside = Path(f"/proc/{cloud.container.leader}/ns/pid").readlink()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            named = (process / "comm").read_text() == f"{name}\n"
            if named and (process / "ns/pid").readlink() == inside:
                found.append(int(process.name))
    return found
