"""A woven Nova file, and the places in it that have lines of ours.

Imports nothing of the weaver: the change is read anew here, so that a fault of the weaver is not
shared. A line of ours is one that ends in the mark.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

MARK = "  # xloud"
Function = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = (*FUNCTIONS, ast.ClassDef)
SUITES = ("body", "handlers", "cases", "orelse", "finalbody")
#: Lines that replace others: first line, last line (counted from 1), the new lines.
#: The last line is the one before the first where lines are only added.
Edit = tuple[int, int, Sequence[str]]


class File(NamedTuple):
    """A file of Nova's that a change is woven into.

    :ivar series: the major version of the release
    """

    release: str
    series: int
    path: str
    change: str


class Site(NamedTuple):
    """A place with lines of ours.

    :ivar kind: import, decorator, statements, definition, attribute, elements
    :ivar name: the name of Nova's that the lines are for, as messages write it
    :ivar directive: the word of the change that put them there, or ""
    :ivar anchor: the dotted name that the word was given, or ""
    :ivar nodes: our statements or names
    :ivar holder: Nova's node around it: a function, class, module, or statement with brackets
    :ivar owner: the class around the holder; the module without one
    :ivar suite: the statements beside ours, ours among them
    :ivar index: the index of the first of ours in it
    :ivar stated: the parameters that the change states
    """

    kind: str
    name: str
    directive: str
    anchor: str
    nodes: list[ast.AST]
    holder: ast.AST
    owner: ast.ClassDef | ast.Module
    suite: list[ast.stmt]
    index: int
    stated: tuple[str, ...]

    @property
    def landmark(self) -> ast.stmt | None:
        """The statement of Nova's that ours belong to; None for an end or a beginning."""
        if self.directive in {"before", "before_return"}:
            return self.suite[self.index + len(self.nodes)]
        return self.suite[self.index - 1] if self.directive == "after" else None

    @property
    def used(self) -> set[str]:
        """The names that our lines look up."""
        parts = (part for node in self.nodes for part in ast.walk(node))
        return {part.id for part in parts if isinstance(part, ast.Name)}


class Woven:
    """A woven file, as lines and tree.

    :param file: the file of Nova's
    :param text: the woven text, maybe mutated already
    """

    def __init__(self, file: File, text: str) -> None:
        self.file = file
        self.text = text
        self.lines = text.split("\n")
        self.tree = ast.parse(text)
        self.ours = {number for number, line in enumerate(self.lines, 1) if line.endswith(MARK)}

    @property
    def base(self) -> str:
        """The text without the lines of ours."""
        return "\n".join(line for line in self.lines if not line.endswith(MARK))

    def extended(self, more: str) -> str:
        """Return the text with more lines at its end."""
        return self.text + "\n" * (not self.text.endswith("\n")) + f"{more}\n"

    @cached_property
    def sites(self) -> list[Site]:
        """All places with lines of ours, in their order."""
        return list(_Finder(self).find())

    def line(self, number: int) -> str:
        return self.lines[number - 1]

    def edited(self, *edits: Edit) -> str:
        """Return the text with some lines replaced."""
        lines = list(self.lines)
        for first, last, new in sorted(edits, key=lambda each: each[:2], reverse=True):
            lines[first - 1 : last] = new
        return "\n".join(lines)

    def has_ours(self, node: ast.AST) -> bool:
        first, last = span(node)
        return any(number in self.ours for number in range(first, last + 1))

    def alone(self, node: ast.stmt) -> bool:
        """Say whether a statement has its lines for itself."""
        first, last = span(node)
        above = first > 1 and self.line(first - 1).endswith("\\")
        ahead = self.line(first)[: len(self.line(first)) - len(self.line(first).lstrip())]
        rest = self.line(last).encode()[node.end_col_offset :].decode().strip()
        starts = self.line(first).lstrip().startswith("@") or len(ahead) == node.col_offset
        return starts and not above and (not rest or rest.startswith("#"))

    def indent(self, node: ast.stmt) -> str:
        line = self.line(span(node)[0])
        return line[: len(line) - len(line.lstrip())]

    def tokens(self, node: ast.AST) -> list[tokenize.TokenInfo]:
        """Return the tokens of a definition or statement, with their lines in the file."""
        first, last = span(node)
        text = "\n".join(self.lines[first - 1 : last]) + "\n"
        found = tokenize.generate_tokens(io.StringIO(text).readline)
        return [
            each._replace(
                start=(each.start[0] + first - 1, each.start[1]),
                end=(each.end[0] + first - 1, each.end[1]),
                line="",
            )
            for each in found
        ]

    def region(self, site: Site) -> ast.stmt | None:
        """Return the function or class of Nova's that a site is in, or is about."""
        if isinstance(site.holder, DEFINITIONS):
            return site.holder
        return site.owner if isinstance(site.owner, ast.ClassDef) else None


def excerpt(text: str, change: str, *, longest: int = 1200) -> str:
    """Return a long file of Nova's without most of the definitions that a change does not name.

    Weaving and judging take time by the line, and the files of Nova have up to 13,000.

    :param longest: files of no more lines stay whole
    """
    lines = text.split("\n")
    if len(lines) <= longest:
        return text
    gone: list[tuple[int, int]] = []
    todo: list[list[ast.stmt]] = [ast.parse(text).body]
    while todo:
        members = [node for node in todo.pop() if isinstance(node, DEFINITIONS)]
        for index, node in enumerate(members):
            if isinstance(node, ast.ClassDef) and node.name in change:
                todo.append(node.body)
            elif node.name not in change and index % 12:
                gone.append(span(node))
    for first, last in sorted(gone, reverse=True):
        del lines[first - 1 : last]
    return "\n".join(lines)


def span(node: ast.AST) -> tuple[int, int]:
    """Return the first and the last line of a node, its decorators included."""
    assert isinstance(node, (ast.stmt, ast.expr, ast.keyword)), node
    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
    return first, node.end_lineno or first


def suites(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """Yield the suites of a compound statement."""
    for field in SUITES:
        part = getattr(node, field, None)
        if field in {"handlers", "cases"}:
            for each in part or ():
                yield each.body
        elif isinstance(part, list) and part:
            yield part


def statements(
    node: ast.AST, *, nested: bool = True
) -> Iterator[tuple[list[ast.stmt], int, ast.stmt]]:
    """Yield each statement in a node: its suite, its index there, itself.

    :param nested: also those of nested definitions
    """
    for suite in suites(node):
        for index, each in enumerate(suite):
            yield suite, index, each
            if nested or not isinstance(each, DEFINITIONS):
                yield from statements(each, nested=nested)


def stored(*nodes: ast.AST) -> set[str]:
    """Return the names that are assigned, imported or defined somewhere in nodes."""
    names: set[str] = set()
    for node in nodes:
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                names.add(part.id)
            elif isinstance(part, DEFINITIONS):
                names.add(part.name)
            elif isinstance(part, ast.alias):
                names.add((part.asname or part.name).partition(".")[0])
            elif isinstance(part, ast.ExceptHandler) and part.name:
                names.add(part.name)
    return names


def parameters(function: Function) -> list[str]:
    """Return the names of all parameters, the positional ones first."""
    given = function.args
    rest = [each for each in (given.vararg, given.kwarg) if each]
    return [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs, *rest)]


def is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


class Word(NamedTuple):
    """A directive of a change file, as written.

    :ivar despite: the risk that it accepts, or ""
    """

    name: str
    anchor: str
    despite: str
    node: Function


class Change:
    """The contents of a change file."""

    def __init__(self, text: str) -> None:
        self.tree = ast.parse(text)
        self.imported = {
            (alias.asname or alias.name).partition(".")[0]
            for node in self.tree.body
            if isinstance(node, (ast.Import, ast.ImportFrom))
            and getattr(node, "module", "") != "nova_xloud.weave"
            for alias in node.names
        }
        self.words: dict[str, list[Word]] = {}
        self.names: set[str] = set()
        for prefix, node in self._members():
            name = prefix + getattr(node, "name", "")
            if isinstance(node, (ast.Assign, ast.AnnAssign)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                self.names |= {prefix + ast.unparse(target) for target in targets}
            self.names.add(name)
            if isinstance(node, FUNCTIONS):
                for decorator in node.decorator_list:
                    called = decorator.func if isinstance(decorator, ast.Call) else decorator
                    given = decorator.args if isinstance(decorator, ast.Call) else []
                    if isinstance(called, ast.Name):
                        anchor = ast.literal_eval(given[0]) if given else ""
                        despite = "".join(
                            ast.literal_eval(each.value)
                            for each in getattr(decorator, "keywords", ())
                            if each.arg == "despite"
                        )
                        word = Word(called.id, anchor, despite, node)
                        self.words.setdefault(name, []).append(word)
        self.names |= {
            ast.unparse(node)
            for node in self.tree.body
            if isinstance(node, (ast.Import, ast.ImportFrom))
        }

    def _members(self) -> Iterator[tuple[str, ast.stmt]]:
        for node in self.tree.body:
            yield "", node
            if isinstance(node, ast.ClassDef):
                for each in node.body:
                    yield f"{node.name}.", each

    def word(self, name: str, nodes: Sequence[ast.AST]) -> Word:
        """Return the directive that has put statements, decorators or arguments somewhere."""
        told = [ast.unparse(each) for each in nodes]
        for word in self.words.get(name, ()):
            given: Sequence[ast.AST] = word.node.body
            if word.name == "decorate":
                given = word.node.decorator_list[1:]
            elif word.name == "arguments":
                call = getattr(word.node.body[0], "value", None)
                assert isinstance(call, ast.Call)
                given = [*call.args, *call.keywords]
            if [ast.unparse(each) for each in given] == told:
                return word
        raise AssertionError(f"no directive of {name} puts {told} there")


class _Finder:
    """The search for sites in one woven file."""

    def __init__(self, woven: Woven) -> None:
        self.woven = woven
        self.change = Change(woven.file.change)

    def find(self) -> Iterator[Site]:
        tree = self.woven.tree
        yield from self.in_suite(tree.body, tree, tree, "")

    def mine(self, node: ast.AST) -> bool:
        return getattr(node, "lineno", 0) in self.woven.ours

    def in_suite(
        self,
        suite: list[ast.stmt],
        holder: ast.AST,
        owner: ast.ClassDef | ast.Module,
        name: str,
    ) -> Iterator[Site]:
        """Yield the sites in a suite.

        :param name: of the class or function that the suite is in
        """
        index = 0
        while index < len(suite):
            node = suite[index]
            if not self.mine(node):
                if self.woven.has_ours(node):
                    yield from self.within(node, suite, index, holder, owner, name)
                index += 1
                continue
            end = index + 1
            while end < len(suite) and self.mine(suite[end]):
                end += 1
            yield from self.of_ours(suite, index, end, holder, owner, name)
            index = end

    def of_ours(
        self,
        suite: list[ast.stmt],
        index: int,
        end: int,
        holder: ast.AST,
        owner: ast.ClassDef | ast.Module,
        name: str,
    ) -> Iterator[Site]:
        """Yield the sites of a run of statements that are ours."""
        run: list[ast.AST] = list(suite[index:end])
        if isinstance(holder, FUNCTIONS):
            word = self.change.word(name, run)
            stated = tuple(parameters(word.node))
            yield Site(
                "statements", name, word.name, word.anchor, run, holder, owner, suite, index, stated
            )
            return
        for offset, node in enumerate(run):
            kind = "attribute"
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                kind = "import"
            elif isinstance(node, DEFINITIONS):
                kind = "definition"
            yield Site(kind, name, "", "", [node], holder, owner, suite, index + offset, ())

    def within(
        self,
        node: ast.stmt,
        suite: list[ast.stmt],
        index: int,
        holder: ast.AST,
        owner: ast.ClassDef | ast.Module,
        name: str,
    ) -> Iterator[Site]:
        """Yield the sites in a statement of Nova's."""
        if isinstance(node, DEFINITIONS):
            inner = (
                f"{name}.{node.name}"
                if name and not isinstance(holder, FUNCTIONS)
                else (name if isinstance(holder, FUNCTIONS) else node.name)
            )
            added: list[ast.AST] = [each for each in node.decorator_list if self.mine(each)]
            if added:
                stated: tuple[str, ...] = ()
                if isinstance(node, FUNCTIONS):
                    stated = tuple(parameters(self.change.word(inner, added).node))
                yield Site(
                    "decorator", inner, "decorate", "", added, node, owner, suite, index, stated
                )
            if isinstance(node, ast.ClassDef):
                yield from self.in_suite(node.body, node, node, inner)
            else:
                around = holder if isinstance(holder, FUNCTIONS) else node
                yield from self.in_suite(node.body, around, owner, inner)
            return
        if any(True for _ in suites(node)):
            for each in suites(node):
                yield from self.in_suite(each, holder, owner, name)
            return
        for part in ast.walk(node):
            added = [each for each in elements(part) if self.mine(each)]
            if added and not self.mine(part):
                directive = "arguments" if isinstance(part, ast.Call) else "entries"
                where = name
                if directive == "entries":
                    target = getattr(node, "target", None) or node.targets[0]  # type: ignore[attr-defined]
                    where = ".".join(filter(None, [name, ast.unparse(target)]))
                anchor = ast.unparse(part.func) if isinstance(part, ast.Call) else ""
                yield Site(
                    "elements", where, directive, anchor, added, node, owner, suite, index, ()
                )
                return


def elements(node: ast.AST) -> list[ast.AST]:
    """Return the elements of a display or the arguments of a call; a dict's are its keys."""
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        return list(node.elts)
    if isinstance(node, ast.Dict):
        return [each for each in node.keys if each]
    return [*node.args, *node.keywords] if isinstance(node, ast.Call) else []
