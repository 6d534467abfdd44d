"""A Python file as lines plus syntax tree: where statements, brackets and comments stand.

Positions come from the standard library's ast and tokenize, so that a file is never written
anew from a tree: what is not inserted cannot change.
"""

from __future__ import annotations

import ast
import functools
import io
import tokenize
import warnings
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from nova_xloud.marks import indent_of

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

_LAYOUT = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


class Element(NamedTuple):
    """One element between brackets; positions are (line from 1, column from 0).

    :ivar start: of its first token
    :ivar end: behind its last token, the comma not counted
    :ivar comma: behind its comma, or None without one
    """

    start: tuple[int, int]
    end: tuple[int, int]
    comma: tuple[int, int] | None


class Brackets(NamedTuple):
    """What stands between a pair of brackets.

    :ivar opening: position of the opening bracket
    :ivar closing: position of the closing bracket
    :ivar elements: the comma-separated elements
    """

    opening: tuple[int, int]
    closing: tuple[int, int]
    elements: tuple[Element, ...]


class Source:
    """A parsed Python file.

    :param path: its path in the Nova tree, for messages
    :param text: its whole text
    :raises SyntaxError: if it is not Python
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.lines = text.split("\n")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.tree = ast.parse(text)

    def line(self, number: int) -> str:
        """Return a line by its number, counted from 1."""
        return self.lines[number - 1]

    def stands_alone(self, node: ast.stmt) -> bool:
        """Say whether no other statement shares a line with this one."""
        before = self.line(node.lineno).encode()[: node.col_offset]
        after = self.line(node.end_lineno or 0).encode()[node.end_col_offset :].strip()
        return not before.strip() and (not after or after.startswith(b"#"))

    def comments_above(self, number: int) -> int:
        """Return the first line of the comments directly above a line, else that line."""
        indent = indent_of(self.line(number))
        while number > 1 and self.line(number - 1).startswith(" " * indent + "#"):
            number -= 1
        return number

    def end_of(self, node: ast.stmt) -> int:
        """Return the last line of a statement, with the comments at the end of its body."""
        end = number = node.end_lineno or 0
        if not hasattr(node, "body"):
            return end
        while number < len(self.lines):
            line = self.line(number + 1)
            if line.strip():
                if not line.lstrip().startswith("#") or indent_of(line) <= node.col_offset:
                    break
                end = number + 1
            number += 1
        return end

    def brackets(self, node: ast.expr) -> Brackets | None:
        """Return what stands between the brackets that an expression ends with."""
        end_line = node.end_lineno or 0
        column = len(self.line(end_line).encode()[: node.end_col_offset].decode())
        closing = (end_line, column - 1)
        stack: list[tuple[tokenize.TokenInfo, list[Element]]] = []
        starts: list[tuple[int, int] | None] = []
        last = (0, 0)
        for token in _tokens(self.lines[node.lineno - 1 : end_line]):
            line, column = token.start
            start = (line + node.lineno - 1, column)
            end = (token.end[0] + node.lineno - 1, token.end[1])
            if token.type in _LAYOUT or token.type == tokenize.COMMENT:
                continue
            if token.type == tokenize.OP and token.string in ")]}" and stack:
                opening, elements = stack.pop()
                first = starts.pop()
                if first is not None:
                    elements.append(Element(first, last, None))
                if start == closing:
                    opened = (opening.start[0] + node.lineno - 1, opening.start[1])
                    return Brackets(opened, start, tuple(elements))
            elif token.type == tokenize.OP and token.string == "," and stack:
                if first := starts[-1]:
                    stack[-1][1].append(Element(first, last, end))
                starts[-1] = None
                last = end
                continue
            if starts and starts[-1] is None and token.string not in ")]}":
                starts[-1] = start
            if token.type == tokenize.OP and token.string in "([{":
                stack.append((token, []))
                starts.append(None)
            last = end
        return None

    @functools.cached_property
    def multi_line_strings(self) -> frozenset[int]:
        """The lines on which a string begins that ends on another line."""
        found = set()
        begun = []
        for token in _tokens(self.lines):
            name = tokenize.tok_name[token.type]
            if name == "FSTRING_START":
                begun.append(token.start[0])
            elif name == "FSTRING_END":
                if begun.pop() != token.end[0]:
                    found.add(token.start[0])
            elif name == "STRING" and token.start[0] != token.end[0]:
                found.add(token.start[0])
        return frozenset(found)


def _tokens(lines: Sequence[str]) -> Iterator[tokenize.TokenInfo]:
    """Yield the tokens of some lines, which may break off in the middle of a statement."""
    try:
        yield from tokenize.generate_tokens(io.StringIO("\n".join(lines)).readline)
    except (tokenize.TokenError, IndentationError, SyntaxError):
        return


def first_line(node: ast.stmt) -> int:
    """Return the line a statement begins on, its decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)])


def dotted_name(node: ast.expr) -> str | None:
    """Return ``a.b.c`` for such an expression, else None."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (prefix := dotted_name(node.value)):
        return f"{prefix}.{node.attr}"
    return None


def is_docstring(node: ast.stmt) -> bool:
    """Say whether a statement is a string and nothing else."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
