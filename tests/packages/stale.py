"""Print which processes were started before the newest module of a library was written.

Runs inside a container. Of uwsgi the workers count: its main process stays, and loads nothing.

usage: stale.py LIBRARY MAIN_PID...
"""

import os
import sys
import time
from pathlib import Path


def children(pid: str) -> list[str]:
    """Return the direct children of a process."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def main() -> None:
    """Compare times; one tenth of a second for the clock's ticks."""
    written = max(module.stat().st_ctime for module in Path(sys.argv[1]).rglob("*.py"))
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    for pid in sys.argv[2:]:
        program = str(Path(f"/proc/{pid}/exe").readlink())
        for each in children(pid) if "uwsgi" in program else [pid]:
            ticks = int(Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()[19])
            started = booted + ticks / os.sysconf("SC_CLK_TCK")
            if started + 0.1 < written:
                print(f"{program} {each}: started {written - started:.1f} s before {sys.argv[1]}")


main()
