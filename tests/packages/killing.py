"""Package managers that are killed in the middle of their work."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.packages.cloud import Cloud


def kill_at(cloud: Cloud, arguments: str, seen: Callable[[], bool], names: tuple[str, ...]) -> str:
    """Start the package manager and kill it, and what works for it, at a moment.

    :param arguments: what it is told
    :param seen: says that the moment has come, from the files of the container
    :param names: of the processes to kill, the one that starts the others first
    :returns: what it said until then
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

    dpkg unpacks all files of a package under other names, and then renames one after the other,
    in a second or less: no command inside of the container would be in time.

    :param arguments: what apt is told
    :param moment: the path of the file, which is not there before
    :raises AssertionError: if apt ends before
    """
    place = cloud.container.root / moment[1:]
    manager = _started(cloud, arguments)
    unpacked = place.with_name(place.name + ".dpkg-new")
    deadline = time.monotonic() + 300
    while not unpacked.exists():
        assert manager.poll() is None, f"it ended before the moment: {manager.communicate()[0]}"
        assert time.monotonic() < deadline, f"{unpacked.name} did not come"
        time.sleep(0.001)
    victims = _processes(cloud, "apt-get") + _processes(cloud, "dpkg")
    while not place.exists():
        assert time.monotonic() < deadline
    # The first starts the others, and would start another one.
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
