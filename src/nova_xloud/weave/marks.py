"""How our lines in a Nova file are told from Nova's: the mark, and the rule for blank lines.

A blank line cannot carry a mark.  Ours are those directly before a definition that is ours,
and those directly before our lines at the end of a file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

NAME = "xloud"
MARK = f"# {NAME}"
_SUFFIX = "  " + MARK
_DEFINITION = re.compile(r"(async\s+def|def|class)\b")


def mark(line: str) -> str:
    """Return the line, marked as ours; a blank line stays as it is."""
    return line + _SUFFIX if line.strip() else ""


def is_marked(line: str) -> bool:
    """Say whether a line is ours."""
    return line.endswith(_SUFFIX)


def indent_of(line: str) -> int:
    """Return how many blanks a line starts with."""
    return len(line) - len(line.lstrip(" "))


def marked(lines: Sequence[str]) -> list[tuple[int, str]]:
    """Return the lines with the mark, each after its number, counted from 1."""
    return [(number, line) for number, line in enumerate(lines, 1) if is_marked(line)]


def without_marked(lines: Sequence[str]) -> list[str]:
    """Return the lines without ours, and without the blank lines that came with them."""
    kept: list[str] = []
    start = 0
    while start < len(lines):
        if not is_marked(lines[start]):
            kept.append(lines[start])
            start += 1
            continue
        end = start
        while end < len(lines) and is_marked(lines[end]):
            end += 1
        at_end_of_file = all(not line.strip() or is_marked(line) for line in lines[end:])
        if at_end_of_file or _is_definition(lines[start:end]):
            while kept and not kept[-1].strip():
                kept.pop()
        start = end
    return kept


def _is_definition(run: Sequence[str]) -> bool:
    """Say whether marked lines begin with a whole function or class.

    A decorator alone is not one: it may stand on a function of Nova's.
    """
    code = [line for line in run if not line.lstrip().startswith("#")]
    if not code:
        return False
    indent = indent_of(code[0])
    if code[0][indent] == "@":
        return any(
            indent_of(line) == indent and _DEFINITION.match(line[indent:]) for line in code[1:]
        )
    return _DEFINITION.match(code[0][indent:]) is not None
