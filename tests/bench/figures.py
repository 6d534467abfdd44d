"""The measured figures: seconds, processor seconds, bytes; their comparison, and their table."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import NamedTuple

from rich.console import Console
from rich.table import Table


class Cost(NamedTuple):
    """The cost of one piece of work.

    :ivar seconds: by the clock
    :ivar cpu_seconds: of all processors, of the processes that were started for it
    :ivar bytes: of the package with the library, if there is one
    """

    seconds: float
    cpu_seconds: float
    bytes: int = 0


class Row(NamedTuple):
    """One comparison.

    :ivar name: of the work that is compared
    :ivar kind: ``seconds``, ``cpu_seconds`` or ``bytes``
    :ivar ours: our figure in each turn
    :ivar theirs: the other's figure in the same turns
    :ivar aim: the ratio is at most this
    """

    name: str
    kind: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    aim: float

    @property
    def ratios(self) -> list[float]:
        """Ours by theirs, turn by turn: a slow machine slows both sides of a turn."""
        return [
            round(one / another, 4) for one, another in zip(self.ours, self.theirs, strict=True)
        ]

    @property
    def ratio(self) -> float:
        """The median of the ratios."""
        return round(median(self.ratios), 4)

    @property
    def is_met(self) -> bool:
        """Whether the ratio is within the aim."""
        return self.ratio <= self.aim


def measured(work: Callable[[], int]) -> Cost:
    """Do some work and return its cost.

    :param work: returns the bytes of the file that it has made
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    size = work()
    seconds = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(round(seconds, 2), round(cpu, 2), size)


def total(turns: Sequence[Sequence[Cost]]) -> list[Cost]:
    """Return the cost of several pieces of work together, turn by turn."""
    return [
        Cost(*(sum(figures) for figures in zip(*costs, strict=True)))
        for costs in zip(*turns, strict=True)
    ]


def compared(
    name: str, ours: Sequence[Cost], theirs: Sequence[Cost], aims: dict[str, float]
) -> list[Row]:
    """Return a row for each figure that has an aim.

    :param ours: the cost of our work in each turn
    :param theirs: the cost of the other's in the same turns
    """
    return [
        Row(
            name,
            kind,
            tuple(getattr(cost, kind) for cost in ours),
            tuple(getattr(cost, kind) for cost in theirs),
            aim,
        )
        for kind, aim in aims.items()
    ]


def show(rows: Iterable[Row]) -> None:
    """Print the rows as a table: medians, the median ratio, and the least and the largest."""
    table = Table("what", "", "ours", "theirs", "ratio", "least..largest", "aim", box=None)
    for row in rows:
        table.add_row(
            row.name,
            row.kind.replace("_", " "),
            f"{median(row.ours):,.10g}",
            f"{median(row.theirs):,.10g}",
            f"{row.ratio:.3f}",
            f"{min(row.ratios):.3f}..{max(row.ratios):.3f}",
            f"<= {row.aim} {'met' if row.is_met else 'missed'}",
        )
    Console(markup=False, highlight=False, width=132).print(table)


def show_stages(turns: Sequence[dict[str, float]]) -> None:
    """Print where the time of our build goes: the median seconds of each stage."""
    table = Table("stage of our build", "seconds", "share", box=None)
    medians = {name: median(turn.get(name, 0.0) for turn in turns) for name in turns[0]}
    whole = sum(medians.values())
    for name, seconds in medians.items():
        table.add_row(name, f"{seconds:.1f}", f"{seconds / whole:.0%}")
    Console(markup=False, highlight=False, width=132).print(table)
