"""Taking code out of a change file: lines to insert, indented for their place and marked."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from nova_xloud.ground.errors import ChangeError
from nova_xloud.weave.anchors import UnfitError
from nova_xloud.weave.marks import indent_of, mark
from nova_xloud.weave.source import DEFINITIONS, Display, Function, Source, is_docstring

LONGEST_LINE = 79


def member(change: Source, node: ast.stmt, indent: int) -> list[str]:
    """Return a statement of a module or class body, with the comments above it.

    Between the members of a class stand only the blank lines that pycodestyle asks for.

    :param change: the change file
    :param node: a statement of it
    :param indent: columns to indent it by
    :raises ChangeError: if a line cannot go into Nova
    """
    start = change.comments_above(change.first_line(node))
    if not isinstance(node, ast.ClassDef) or not change.begins_line(node.body[0]):
        return _lines(change, start, change.end_of(node), indent)
    body = node.body
    header_end = change.comments_above(change.first_line(body[0])) - 1
    while not change.line(header_end).strip():
        header_end -= 1
    lines = _lines(change, start, header_end, indent)
    inner = indent + change.start(body[0])[1] - change.start(node)[1]
    for each in body:
        if isinstance(each, DEFINITIONS) and each is not body[0]:
            lines.append("")
        lines += member(change, each, inner)
    return lines


def body(change: Source, node: Function, indent: int) -> list[str]:
    """Return the body of a function.

    :raises ChangeError: if a line cannot go into Nova, or the body is a docstring
    """
    first = node.body[0]
    line = change.start(first)[0]
    if is_docstring(first):
        raise ChangeError(change.path, line, "a docstring cannot be woven: use a comment")
    if not change.begins_line(first):
        raise ChangeError(change.path, line, "the body needs lines of its own")
    start = change.comments_above(change.first_line(first))
    return _lines(change, start, change.end_of(node), indent)


def decorators(change: Source, nodes: Iterable[ast.expr], indent: int) -> list[str]:
    """Return decorators, one after the other."""
    lines: list[str] = []
    for node in nodes:
        lines += _lines(change, *change.decorator_lines(node), indent)
    return lines


def elements(
    change: Source, statement: ast.stmt, node: Display | ast.Call, indent: int
) -> list[str]:
    """Return the elements between an expression's brackets, each on lines of its own.

    :param statement: the statement that the expression is in
    :raises ChangeError: if a line cannot go into Nova, or there is no element
    """
    found = change.elements(statement, node)
    if not found:
        raise ChangeError(change.path, change.start(statement)[0], "no elements to add")
    lines: list[str] = []
    for each in found:
        (start, left), (end, right) = each.start, each.end
        own_line = not change.line(start)[:left].strip()
        if own_line:
            above = change.comments_above(start)
            lines += _lines(change, above, start - 1, indent)
        text = [change.line(number) for number in range(start, end + 1)]
        comment = text[-1][each.comma[1] if each.comma and each.comma[0] == end else right :]
        text[-1] = text[-1][:right] + ","
        if comment.lstrip().startswith("#"):
            text[-1] += "  " + comment.strip()
        shift = indent - indent_of(text[0])
        text[0] = " " * indent_of(text[0]) + text[0][left:]
        lines += _shifted(change, text, start, shift)
    return lines


def import_line(change: Source, statement: ast.stmt, text: str) -> list[str]:
    """Return an import on one line."""
    return _shifted(change, [text], change.start(statement)[0], 0)


def _lines(change: Source, start: int, end: int, indent: int) -> list[str]:
    """Return lines of the change file by number, both included, the first at ``indent``."""
    text = [change.line(number) for number in range(start, end + 1)]
    return _shifted(change, text, start, indent - indent_of(text[0])) if text else []


def _shifted(change: Source, text: Sequence[str], start: int, shift: int) -> list[str]:
    """Return lines moved right (or left) and marked, once they are fit for Nova.

    :param start: the number of the first, for messages
    :raises ChangeError: if a line cannot go into Nova
    :raises UnfitError: if a line gets too long at this place
    """
    shifted = []
    for number, line in enumerate(text, start):
        if not line.strip():
            _check_blank(change, number)
            shifted.append("")
            continue
        if number in change.multi_line_strings:
            raise ChangeError(change.path, number, "a string spans lines: they could not be marked")
        if line.endswith("\\"):
            raise ChangeError(change.path, number, "a backslash at the end could not be marked")
        if indent_of(line) + shift < 0:
            raise ChangeError(change.path, number, "a continued line starts left of its statement")
        woven = mark(" " * (indent_of(line) + shift) + line.strip())
        if len(woven) > LONGEST_LINE:
            reason = f"woven it is {len(woven)} columns wide, {LONGEST_LINE} at most"
            if len(mark(line.rstrip())) <= LONGEST_LINE:
                raise UnfitError(
                    f"is so deep that line {number} of the change is too long: {reason}"
                )
            raise ChangeError(change.path, number, reason)
        shifted.append(woven)
    return shifted


def _check_blank(change: Source, number: int) -> None:
    """Refuse a blank line unless it belongs to the definition that follows it."""
    following = (line.strip() for line in change.lines[number:])
    code = next((line for line in following if line and not line.startswith("#")), "")
    if not code.startswith(("def ", "async def ", "class ", "@")):
        raise ChangeError(change.path, number, "a blank line inside code cannot be marked")
