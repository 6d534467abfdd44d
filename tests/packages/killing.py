"""Package managers that are killed in the middle of their work."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

from tests.packages.cloud import Cloud


def kill_at(cloud: Cloud, arguments: str, seen: Callable[[], bool], names: tuple[str, ...]) -> str:
    """Start the package manager and kill it, and what works for it, at a moment.

    :param arguments: what it is told
    :param seen: says that the moment has come, from the files of the container
    :param names: of the processes to kill, the one that starts the others first
    :returns: what it said until then
    """
    manager = subprocess.Popen(
        cloud.container.inside("sh", "-c", f"exec {cloud.manager} {arguments}"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
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
