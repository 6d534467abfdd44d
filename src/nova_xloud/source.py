"""A Python file as lines plus LibCST tree: where its statements, elements and comments stand.

LibCST's own position metadata costs more than parsing does; here only what is asked for is
recorded while the code is generated.  What goes in goes in between lines, so that a file is
never written anew from a tree.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, NamedTuple

import libcst as cst
from libcst._nodes.internal import CodegenState

from nova_xloud.marks import indent_of

Definition = cst.FunctionDef | cst.ClassDef
Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement | cst.SimpleStatementSuite
Display = cst.Tuple | cst.List | cst.Set | cst.Dict


def _concrete(*kinds: type) -> frozenset[type[cst.CSTNode]]:
    """Return the classes of some kinds: looking one up is much faster than isinstance."""
    classes = [each for each in vars(cst).values() if isinstance(each, type)]
    return frozenset(
        each for each in classes if issubclass(each, cst.CSTNode) and issubclass(each, kinds)
    )


_STATEMENTS = _concrete(
    cst.BaseCompoundStatement,
    cst.BaseSmallStatement,
    cst.Decorator,
    cst.SimpleStatementLine,
    cst.SimpleStatementSuite,
)
_STRINGS = _concrete(cst.SimpleString, cst.FormattedString)
_ELEMENTS = _concrete(
    cst.Arg,
    cst.Comma,
    cst.DictElement,
    cst.Element,
    cst.StarredDictElement,
    cst.StarredElement,
)


class Span(NamedTuple):
    """Where a node stands: (line from 1, column from 0) of its start and behind its end."""

    start: tuple[int, int]
    end: tuple[int, int]


class Element(NamedTuple):
    """One element between brackets.

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
    :raises libcst.ParserSyntaxError: if it is not Python
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.lines = text.split("\n")
        self.module = cst.parse_module(text)
        self._ahead = iter((*self.module.header, *self.module.body))
        self._recorder = _Recorder(self.module, _STATEMENTS)

    def _span(self, node: cst.CSTNode) -> Span:
        """Return where a statement stands; of the file, no more is generated than is needed."""
        while node not in self._recorder.spans:
            self._recorder.generate(next(self._ahead))
        return self._recorder.spans[node]

    def line(self, number: int) -> str:
        """Return a line by its number, counted from 1."""
        return self.lines[number - 1]

    def start(self, node: cst.CSTNode) -> tuple[int, int]:
        """Return the position of a statement, small statement or decorator."""
        return self._span(node).start

    def first_line(self, node: cst.CSTNode) -> int:
        """Return the line a statement begins on, its decorators included."""
        decorators: Sequence[cst.Decorator] = getattr(node, "decorators", ())
        return self.start(decorators[0] if decorators else node)[0]

    def last_line(self, node: cst.CSTNode) -> int:
        """Return the line a statement or decorator ends on."""
        while suites := list(suites_of(node)):
            body = suites[-1].body
            node = body[-1]
        small: Sequence[cst.BaseSmallStatement] = getattr(node, "body", ())
        return self._span(small[-1] if small else node).end[0]

    def end_of(self, node: cst.CSTNode) -> int:
        """Return the last line of a statement, with the comments at the end of its body."""
        end = number = self.last_line(node)
        if not isinstance(node, cst.BaseCompoundStatement):
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

    def stands_alone(self, node: cst.CSTNode) -> bool:
        """Say whether no other statement shares a line with this one."""
        if isinstance(node, cst.SimpleStatementLine):
            return len(node.body) == 1
        return isinstance(node, cst.BaseCompoundStatement)

    def comments_above(self, number: int) -> int:
        """Return the first line of the comments directly above a line, else that line."""
        indent = indent_of(self.line(number))
        while number > 1 and self.line(number - 1).startswith(" " * indent + "#"):
            number -= 1
        return number

    def elements(self, statement: cst.CSTNode, node: Display | cst.Call) -> list[Element]:
        """Return what stands between the brackets of an expression.

        :param statement: the statement that the expression is in
        """
        line, column = self.start(statement)
        recorder = _Recorder(self.module, _ELEMENTS | _STATEMENTS)
        recorder.increase_indent(" " * column)
        spans = recorder.generate(statement)
        down = line - spans[statement].start[0]
        parts = node.args if isinstance(node, cst.Call) else node.elements
        found = []
        for part in parts:
            start, end = spans[part]
            comma = spans[part.comma].end if isinstance(part.comma, cst.Comma) else None
            found.append(
                Element(
                    (start[0] + down, start[1]),
                    (end[0] + down, end[1]),
                    comma and (comma[0] + down, comma[1]),
                )
            )
        return found

    @functools.cached_property
    def multi_line_strings(self) -> frozenset[int]:
        """The lines on which a string begins that ends on another line."""
        spans = _Recorder(self.module, _STRINGS).generate(self.module)
        return frozenset(start[0] for start, end in spans.values() if start[0] != end[0])


class _Recorder(CodegenState):
    """Generates code and takes down at which of its tokens some kinds of nodes start and end."""

    def __init__(self, module: cst.Module, kinds: frozenset[type[cst.CSTNode]]) -> None:
        super().__init__(module.default_indent, module.default_newline)
        self.kinds = kinds
        self.spans: dict[cst.CSTNode, Span] = {}
        self._recorded: list[_Recording] = []
        self._here = (1, 0)

    def generate(self, node: cst.CSTNode) -> dict[cst.CSTNode, Span]:
        """Generate a node behind what was generated before; return all spans so far."""
        node._codegen(self)
        line, column = self._here
        positions = []
        for token in self.tokens:
            positions.append((line, column))
            if "\n" in token:
                line += token.count("\n")
                column = len(token) - token.rindex("\n") - 1
            else:
                column += len(token)
        self._here = (line, column)
        positions.append(self._here)
        for each in self._recorded:
            self.spans[each.node] = Span(positions[each.first], positions[each.end])
        self._recorded.clear()
        self.tokens.clear()
        return self.spans

    def pop_trailing_newline(self) -> None:
        """Keep the last token, which a recording may end behind."""

    def record_syntactic_position(  # type: ignore[override]
        self,
        node: cst.CSTNode,
        *,
        start_node: cst.CSTNode | None = None,
        end_node: cst.CSTNode | None = None,
    ) -> contextlib.AbstractContextManager[None]:
        """Take down a node of the wanted kinds."""
        if type(node) not in self.kinds:
            return _NOTHING
        recording = _Recording(node, self.tokens)
        self._recorded.append(recording)
        return recording


class _Recording(contextlib.AbstractContextManager[None]):
    """The tokens generated for a node: from ``first``, and before ``end``."""

    __slots__ = ("end", "first", "node", "tokens")

    def __init__(self, node: cst.CSTNode, tokens: list[str]) -> None:
        self.node = node
        self.tokens = tokens
        self.first = self.end = len(tokens)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end = len(self.tokens)


_NOTHING: contextlib.AbstractContextManager[None] = contextlib.nullcontext()


def suites_of(node: cst.CSTNode) -> Iterator[cst.BaseSuite]:
    """Yield the bodies of a compound statement, in their order."""
    if not isinstance(node, cst.BaseCompoundStatement):
        return
    if isinstance(node, cst.Match):
        for case in node.cases:
            yield case.body
        return
    yield node.body
    for handler in getattr(node, "handlers", ()):
        yield handler.body
    for field in ("orelse", "finalbody"):
        part = getattr(node, field, None)
        if isinstance(part, cst.If):
            yield from suites_of(part)
        elif part is not None:
            yield part.body


def statements_in(suite: cst.BaseSuite | cst.Module) -> Sequence[Any]:
    """Return the statements of a body; one that shares its line comes as its whole suite."""
    if isinstance(suite, cst.SimpleStatementSuite):
        return (suite,)
    return suite.body


def small(node: cst.CSTNode) -> cst.BaseSmallStatement | None:
    """Return the simple statement that a line consists of."""
    if isinstance(node, cst.SimpleStatementLine | cst.SimpleStatementSuite) and len(node.body) == 1:
        return node.body[0]
    return None


def dotted_name(node: cst.CSTNode | None) -> str | None:
    """Return ``a.b.c`` for such an expression, else None."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute) and (prefix := dotted_name(node.value)):
        return f"{prefix}.{node.attr.value}"
    return None


def is_docstring(node: cst.CSTNode) -> bool:
    """Say whether a statement is a string and nothing else."""
    expression = small(node)
    return isinstance(expression, cst.Expr) and isinstance(
        expression.value, cst.SimpleString | cst.ConcatenatedString
    )


def literal(node: cst.CSTNode) -> Any:
    """Return the value of a string, a number, or a dict of them.

    :raises ValueError: if it is something else
    """
    if isinstance(node, cst.SimpleString | cst.Integer):
        return node.evaluated_value
    if isinstance(node, cst.Dict):
        pairs = [each for each in node.elements if isinstance(each, cst.DictElement)]
        if len(pairs) == len(node.elements):
            return {literal(each.key): literal(each.value) for each in pairs}
    raise ValueError("not a literal")


def walk(
    node: cst.CSTNode, into: Callable[[cst.CSTNode], bool] = lambda child: True
) -> Iterator[cst.CSTNode]:
    """Yield a node and what is in it.

    :param into: says of a node in it whether it is wanted, with what is in that
    """
    yield node
    for child in node.children:
        if into(child):
            yield from walk(child, into)
