"""Ours as a quilt series: one patch with all additions, one for every file that is changed.

The patches only add lines, apply with ``patch -F0 -p1`` and give the tree's very bytes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from nova_xloud.ground.patches import Patch
from nova_xloud.trees import tree

CONTEXT = 3
_NO_NEWLINE = "\n\\ No newline at end of file\n"


class Step(NamedTuple):
    """A part of the series: files that one patch changes.

    :ivar name: of the patch
    :ivar told: the lines of its description, the first one a summary
    """

    name: str
    told: list[str]
    files: list[tree.Ours]


def series(files: Sequence[tree.Ours], ours: Path | None = None) -> list[Patch]:
    """Return the patches for files, in the order in which they apply.

    :param files: the files that tree.compose returned
    :param ours: our additions and changes, unless they are the package's own
    """
    return [Patch(each.name, patch(each.told, each.files)) for each in steps(files, ours)]


def patch(
    told: Sequence[str], files: Sequence[tree.Ours], tops: tuple[str, str] = ("a/", "b/")
) -> bytes:
    """Return a patch with a DEP-3 header.

    :param told: the lines of its description, the first one a summary
    :param tops: the directories that the patch names before the path of a file, old and new
    """
    return (_header(told) + "".join(_difference(each, tops) for each in files)).encode()


def steps(files: Sequence[tree.Ours], ours: Path | None = None) -> list[Step]:
    """Return the parts of the series: all additions, then each file that is changed.

    :param files: the files that tree.compose returned
    :param ours: our additions and changes, unless they are the package's own
    """
    ours = ours or tree.sources()
    additions = [each for each in files if each.base is None]
    told = ["Files of nova-xloud", "Whole files; Nova has none of these names."]
    found = [Step("xloud/additions.patch", told, additions)] if additions else []
    for each in files:
        if each.base is not None:
            name = f"xloud/{each.path.replace('/', '-')}.patch"
            found.append(Step(name, description(ours / "changes" / each.path), [each]))
    return found


def description(change: Path) -> list[str]:
    """Return a change file's description: its docstring or first comments."""
    text = change.read_text()
    if change.suffix == ".py":
        return (ast.get_docstring(ast.parse(text)) or "").splitlines()
    lines = []
    for line in text.splitlines():
        if not line.startswith(("#", "..")):
            break
        told = line.lstrip("#.").strip()
        if told.startswith("weave:"):
            if " section " in told:
                break  # the text for that place follows
        elif told:
            lines.append(told)
    return lines or [f"Entries of nova-xloud in {change.name}"]


def _header(told: Sequence[str]) -> str:
    """Return a DEP-3 header."""
    lines = [f"Description: {told[0].strip()}"]
    lines += [f" {line.strip() or '.'}" for line in told[1:]]
    lines += ["Author: nova-xloud", "Forwarded: not-needed", "---", ""]
    return "\n".join(lines)


def _difference(file: tree.Ours, tops: tuple[str, str]) -> str:
    """Return a unified diff of a file against its base."""
    old, new = _lines(file.base or b""), _lines(file.content)
    before = "/dev/null" if file.base is None else tops[0] + file.path
    return f"--- {before}\n+++ {tops[1]}{file.path}\n" + "".join(_hunks(old, new))


def _lines(content: bytes) -> list[str]:
    """Return the lines of a file, with their newlines: a form feed ends no line."""
    return re.findall(r"[^\n]*\n|[^\n]+", content.decode())


def _hunks(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    """Yield the hunks of a diff; ``new`` has all the lines of ``old``, in order, and others."""
    rows = []
    matched = 0
    for line in new:
        theirs = old[matched] if matched < len(old) else None
        if line == theirs:
            rows.append((" ", line))
            matched += 1
        elif theirs is not None and line == theirs + "\n":
            # The last line, which had no newline and has one since ours follow it.
            rows += [("-", theirs), ("+", line)]
            matched += 1
        else:
            rows.append(("+", line))
    changed = [index for index, (sign, _) in enumerate(rows) if sign != " "]
    while changed:
        first = last = changed.pop(0)
        while changed and changed[0] - last <= 2 * CONTEXT:
            last = changed.pop(0)
        start, end = max(0, first - CONTEXT), min(len(rows), last + 1 + CONTEXT)
        yield f"@@ -{_range(rows, start, end, '+')} +{_range(rows, start, end, '-')} @@\n"
        for sign, line in rows[start:end]:
            yield sign + (line if line.endswith("\n") else line + _NO_NEWLINE)


def _range(rows: Sequence[tuple[str, str]], start: int, end: int, without: str) -> str:
    """Return the range of a hunk on one side; an empty one names the line before it.

    :param without: the sign of the lines that this side has not
    """
    before = sum(sign != without for sign, _ in rows[:start])
    length = sum(sign != without for sign, _ in rows[start:end])
    return f"{before + 1 if length else before},{length}"
