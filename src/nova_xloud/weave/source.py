"""A Python file as lines and syntax tree: where its statements, elements and comments stand.

The standard library's ``ast`` tells where code stands, its ``tokenize`` where commas and brackets
stand.  New lines go between lines, so no file is ever written anew from a tree.  The whole weaving
engine runs on Python 3.8 and later, and needs nothing but the standard library.
"""

from __future__ import annotations

import ast
import functools
import itertools
import tokenize
import warnings
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Union

from nova_xloud.weave.marks import indent_of

Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]
Definition = Union[ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef]
Display = Union[ast.Tuple, ast.List, ast.Set, ast.Dict]
Placed = Union[ast.stmt, ast.expr]

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
#: Statements with handlers; ``try`` with ``except*`` since Python 3.11.
TRIES: tuple[type[ast.Try], ...] = (ast.Try, getattr(ast, "TryStar", ast.Try))
#: The fields of a compound statement that hold statements, and those that hold handlers or cases.
_BODIES = frozenset({"body", "orelse", "finalbody"})
_SUITES = _BODIES | {"cases", "handlers"}
DISPLAYS = (ast.Tuple, ast.List, ast.Set, ast.Dict)
_SPACE = frozenset(
    {tokenize.COMMENT, tokenize.DEDENT, tokenize.INDENT, tokenize.NEWLINE, tokenize.NL}
)
#: What begins and ends a string that tokenize takes apart (f-strings since Python 3.12).
_STARTS = {getattr(tokenize, f"{kind}STRING_START", None) for kind in "FT"} - {None}
_ENDS = {getattr(tokenize, f"{kind}STRING_END", None) for kind in "FT"} - {None}


class Element(NamedTuple):
    """One element between brackets; a position is (line from 1, column from 0).

    :ivar start: of its first character
    :ivar end: behind its last, the comma not counted
    :ivar comma: behind its comma, or None without one
    """

    start: tuple[int, int]
    end: tuple[int, int]
    comma: tuple[int, int] | None


class Source:
    """A parsed Python file.

    :param path: its path in the Nova tree, for messages
    :param text: its whole text
    :raises SyntaxError: if it is not Python
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.lines = text.split("\n")
        self.module = parse(text)

    def line(self, number: int) -> str:
        """Return a line by its number, counted from 1."""
        return self.lines[number - 1]

    def start(self, node: Placed) -> tuple[int, int]:
        """Return the position of a node; a definition begins behind its decorators."""
        return node.lineno, self._column(node.lineno, node.col_offset)

    def end(self, node: Placed) -> tuple[int, int]:
        """Return the position behind a node."""
        line, column = node.end_lineno or node.lineno, node.end_col_offset or 0
        return line, self._column(line, column)

    def _column(self, number: int, offset: int) -> int:
        """Return the column of an offset, which ``ast`` counts in bytes of UTF-8."""
        line = self.line(number)
        return offset if line.isascii() else len(line.encode()[:offset].decode())

    def first_line(self, node: ast.stmt) -> int:
        """Return the line a statement begins on, its decorators included."""
        decorators: Sequence[ast.expr] = getattr(node, "decorator_list", ())
        return self.decorator_lines(decorators[0])[0] if decorators else node.lineno

    def decorator_lines(self, node: ast.expr) -> tuple[int, int]:
        """Return the first and the last line of a decorator, its ``@`` and brackets included."""
        first = node.lineno
        while not self.line(first).lstrip().startswith("@"):
            first -= 1
        tokens = self._tokens(first)
        return first, next(each.start[0] for each in tokens if each.type == tokenize.NEWLINE)

    def last_line(self, node: ast.stmt) -> int:
        """Return the line a statement ends on."""
        return self.end(node)[0]

    def end_of(self, node: ast.stmt) -> int:
        """Return the last line of a statement, with the comments at the end of its body."""
        end = number = self.last_line(node)
        if not suites_of(node):
            return end
        column = self.start(node)[1]
        while number < len(self.lines):
            line = self.line(number + 1)
            if line.strip():
                if not line.lstrip().startswith("#") or indent_of(line) <= column:
                    break
                end = number + 1
            number += 1
        return end

    def begins_line(self, node: Placed) -> bool:
        """Say whether nothing but blanks stands before a node in its line."""
        line, column = self.start(node)
        return not self.line(line)[:column].strip()

    def stands_alone(self, node: ast.stmt) -> bool:
        """Say whether no other statement shares a line with this one."""
        line, column = self.end(node)
        rest = self.line(line)[column:].strip()
        if rest.startswith(";"):
            rest = rest[1:].lstrip()
        return self.begins_line(node) and (not rest or rest.startswith("#"))

    def comments_above(self, number: int) -> int:
        """Return the first line of the comments directly above a line, else that line."""
        indent = indent_of(self.line(number))
        while number > 1 and self.line(number - 1).startswith(" " * indent + "#"):
            number -= 1
        return number

    def text(self, node: ast.stmt) -> str:
        """Return the code of a statement on one line."""
        (start, left), (end, right) = self.start(node), self.end(node)
        lines = self.lines[start - 1 : end]
        lines[-1] = lines[-1][:right]
        lines[0] = lines[0][left:]
        return " ".join(" ".join(lines).split())

    def elements(self, statement: ast.stmt, node: Display | ast.Call) -> list[Element]:
        """Return the elements between the brackets of an expression; none without brackets.

        :param statement: the statement that the expression is in
        """
        tokens, commas = self._between_brackets(statement, node)
        found = []
        index = 0
        for end in sorted(map(self.end, _parts(node))):
            behind = index
            while behind < len(tokens) and not (behind in commas and tokens[behind].start >= end):
                behind += 1
            if behind == index:
                break
            comma = tokens[behind].end if behind < len(tokens) else None
            found.append(Element(tokens[index].start, tokens[behind - 1].end, comma))
            index = behind + 1
        return found

    def _between_brackets(
        self, statement: ast.stmt, node: Display | ast.Call
    ) -> tuple[list[tokenize.TokenInfo], set[int]]:
        """Return the tokens between the brackets of an expression, and which are its commas."""
        is_call = isinstance(node, ast.Call)
        start = self.end(node.func) if isinstance(node, ast.Call) else self.start(node)
        inside: list[tokenize.TokenInfo] = []
        commas: set[int] = set()
        depth = 0
        for token in self._tokens(statement.lineno):
            if token.start < start or token.type in _SPACE or (not depth and token.string == ")"):
                continue
            is_operator = token.type == tokenize.OP
            if is_operator and token.string in "([{":
                depth += 1
                if depth == 1:
                    continue
            elif is_operator and token.string in ")]}":
                depth -= 1
            if not depth:
                # A tuple without brackets may begin with a bracket of its first element.
                whole = is_call or token.end == self.end(node)
                return (inside, commas) if whole else ([], set())
            if depth == 1 and is_operator and token.string == ",":
                commas.add(len(inside))
            inside.append(token)
        return [], set()

    @functools.cached_property
    def multi_line_strings(self) -> frozenset[int]:
        """The lines on which a string begins that ends on another line."""
        found = set()
        begun: list[int] = []
        for token in self._tokens(1):
            if token.type in _STARTS:
                begun.append(token.start[0])
            elif token.type in _ENDS or token.type == tokenize.STRING:
                first = token.start[0] if token.type == tokenize.STRING else begun.pop()
                if first != token.end[0]:
                    found.add(first)
        return frozenset(found)

    def _tokens(self, first: int) -> Iterator[tokenize.TokenInfo]:
        """Yield the tokens from a line on which a statement or decorator begins."""
        lines = (f"{line}\n" for line in itertools.islice(self.lines, first - 1, None))
        for token in tokenize.generate_tokens(lambda: next(lines, "")):
            (start, left), (end, right) = token.start, token.end
            yield token._replace(
                start=(start + first - 1, left), end=(end + first - 1, right), line=""
            )


def parse(text: str) -> ast.Module:
    """Parse Python, without the warnings that it may give.

    :raises SyntaxError: if it is none
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except ValueError as error:  # a null byte
            raise SyntaxError(str(error)) from error


def children(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes in a node, as ``ast.iter_child_nodes`` does in twice the time."""
    for field in node._fields:
        value = getattr(node, field, None)
        if isinstance(value, ast.AST):
            yield value
        elif isinstance(value, list):
            for each in value:
                if isinstance(each, ast.AST):
                    yield each


def suites_of(node: ast.AST) -> list[list[ast.stmt]]:
    """Return the bodies of a compound statement, in their order; none of another statement."""
    suites = []
    for field in node._fields:
        if field in _SUITES:
            part = getattr(node, field, None)
            if isinstance(part, list) and part:
                suites += [part] if field in _BODIES else [each.body for each in part]
    return suites


def dotted_name(node: ast.AST | None) -> str | None:
    """Return ``a.b.c`` for such an expression, else None."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        prefix = dotted_name(node.value)
        return f"{prefix}.{node.attr}" if prefix else None
    return None


def is_docstring(node: ast.stmt) -> bool:
    """Say whether a statement is a string and nothing else."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _parts(node: Display | ast.Call) -> list[ast.expr]:
    """Return the expressions that the elements of a display or call end with."""
    if isinstance(node, ast.Call):
        return [*node.args, *(each.value for each in node.keywords)]
    return node.values if isinstance(node, ast.Dict) else node.elts
