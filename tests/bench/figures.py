"""What is measured: seconds, processor seconds and bytes; and how it is compared and shown."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from rich.console import Console
from rich.table import Table


class Cost(NamedTuple):
    """What one piece of work took.

    :ivar seconds: by the clock
    :ivar cpu_seconds: of all processors, of the processes that were started for it
    :ivar bytes: of the package with the library, if there is one
    """

    seconds: float
    cpu_seconds: float
    bytes: int = 0

    def plus(self, other: Cost) -> Cost:
        """Return what both took together."""
        return Cost(*(one + another for one, another in zip(self, other, strict=True)))


class Row(NamedTuple):
    """One comparison.

    :ivar name: what is compared
    :ivar kind: ``seconds``, ``cpu_seconds`` or ``bytes``
    :ivar ours: our figure
    :ivar theirs: the other's
    :ivar aim: the ratio is at most this
    """

    name: str
    kind: str
    ours: float
    theirs: float
    aim: float

    @property
    def ratio(self) -> float:
        """Ours by theirs."""
        return round(self.ours / self.theirs, 4)


def measured(work: Callable[[], int]) -> Cost:
    """Do some work and return what it took.

    :param work: returns the bytes of what it has made
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    size = work()
    seconds = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(round(seconds, 2), round(cpu, 2), size)


def best(costs: Iterable[Cost]) -> Cost:
    """Return the least of each figure."""
    return Cost(*(min(figures) for figures in zip(*costs, strict=True)))


def compared(name: str, ours: Cost, theirs: Cost, aims: dict[str, float]) -> list[Row]:
    """Return a row for each figure that has an aim."""
    return [
        Row(name, kind, getattr(ours, kind), getattr(theirs, kind), aims[kind]) for kind in aims
    ]


def show(rows: Iterable[Row]) -> None:
    """Print the rows as a table."""
    table = Table("what", "", "ours", "theirs", "ratio", "aim", box=None)
    for row in rows:
        verdict = "met" if row.ratio <= row.aim else "missed"
        figures = (f"{row.ours:,.10g}", f"{row.theirs:,.10g}", f"{row.ratio:.3f}")
        table.add_row(row.name, row.kind.replace("_", " "), *figures, f"<= {row.aim} {verdict}")
    Console(markup=False, highlight=False, width=120).print(table)
