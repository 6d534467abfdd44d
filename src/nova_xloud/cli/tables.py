"""Tables for people that keep each cell of the first columns whole, however narrow the terminal."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence

#: The last column gets at least so much, below the others if need be.
_NARROWEST = 30
_GAP = 2


def text(headings: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None) -> str:
    """Return a table as text; the cells of its last column are wrapped, no other one is.

    :param width: of the terminal, in columns; default: of the one that there is

    >>> print(text(("name", "state"), [("debian-13", "seen working"), ("el9", "not")], 60))
    name       state
    debian-13  seen working
    el9        not
    """
    width = width or shutil.get_terminal_size().columns
    lines = [headings, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)][:-1]
    indent = sum(widths) + _GAP * len(widths)
    below = width - indent < _NARROWEST
    told = []
    for *cells, last in lines:
        start = (" " * _GAP).join(map(str.ljust, cells, widths)) + " " * _GAP
        if below:
            told += [start, *_wrapped(last, max(width, _NARROWEST), " " * 2 * _GAP)]
        else:
            wrapped = _wrapped(last, width, " " * indent) or [""]
            told += [start + wrapped[0][indent:], *wrapped[1:]]
    return "\n".join(line.rstrip() for line in told)


def _wrapped(cell: str, width: int, margin: str) -> list[str]:
    return textwrap.wrap(
        cell,
        width,
        initial_indent=margin,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )
