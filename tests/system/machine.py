"""The time and the memory that a run takes of the machine."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system.report import Report
from tests.system.waiting import looking

_LOOK = 2.0
_KIB_PER_GIB = 1024 * 1024


def available() -> int:
    """Return the KiB of memory that a process could still get."""
    found = re.search(r"^MemAvailable: +(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
    assert found
    return int(found[1])


@contextmanager
def watched(report: Report) -> Iterator[None]:
    """Report how long the block takes, and how much memory at most."""
    begun, before = time.monotonic(), available()
    least = [before]

    def look() -> None:
        least[0] = min(least[0], available())

    try:
        with looking(look, _LOOK):
            yield
    finally:
        report.figure("the whole run", f"{(time.monotonic() - begun) / 60:.1f} min")
        report.figure(
            "memory that it took at most", f"{(before - least[0]) / _KIB_PER_GIB:.1f} GiB"
        )
