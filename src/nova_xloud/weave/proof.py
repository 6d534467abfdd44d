"""Proving a woven Python file: the inserted lines find the names and attributes that they use.

Only code in the file counts.  The proof errs on the strict side: a local must be bound on every way
to the line that uses it, and nothing else in the file may have the name of an inserted import.
"""

from __future__ import annotations

import ast
import builtins
import re
from typing import Iterator, Mapping, NamedTuple, Sequence

from nova_xloud.weave.anchors import (
    IMPORTS,
    falls_through,
    flat,
    full_names,
    names_bound,
    own_parts,
    parameters,
)
from nova_xloud.weave.source import (
    DEFINITIONS,
    FUNCTIONS,
    TRIES,
    children,
    dotted_name,
    suites_of,
)

_ALWAYS = frozenset(dir(builtins)) | {"__file__", "__name__", "__path__", "__spec__"}
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Fault(NamedTuple):
    """A thing that an inserted line lacks.

    :ivar line: the inserted line, counted from 1 in the woven file
    :ivar reason: the thing that the line lacks, and why it counts as missing
    """

    line: int
    reason: str


def faults(module: ast.Module, inserted: set[int], text: str) -> Iterator[Fault]:
    """Yield the faults of the inserted lines of a woven file.

    :param inserted: the numbers of these lines
    :param text: the file
    """
    imported = {
        name: node
        for node in module.body
        if isinstance(node, IMPORTS) and node.lineno in inserted
        for name in names_bound(node)
    }
    names = _Names(text)
    yield from _taken(module, imported, names)
    if any(
        isinstance(node, ast.ImportFrom) and any(each.name == "*" for each in node.names)
        for node in module.body
    ):
        known = frozenset({"*"})
    else:
        known = frozenset(names.in_suite(module.body)) | _ALWAYS
    prover = _Prover(inserted, known, frozenset(imported), names)
    yield from prover.in_suite(module.body, set(_ALWAYS), [], frozenset())
    for node in module.body:
        if isinstance(node, ast.ClassDef) and _touched(node, inserted):
            yield from _attributes(node, module, inserted, names)


def _taken(module: ast.Module, imported: Mapping[str, ast.stmt], names: _Names) -> Iterator[Fault]:
    """Yield the inserted imports whose name something else in the module has too.

    :param imported: the inserted imports, by the name that they bind
    """
    if not imported:
        return
    for node, bound in names.by_statement(module.body):
        for name in sorted(bound.intersection(imported)):
            if node is not imported[name] and not _is_same_import(node, imported[name]):
                yield _twice(imported[name], name, node)
    for part in names.outside_statements(module.body):
        if isinstance(part, ast.Global):
            for name in sorted(set(part.names).intersection(imported)):
                yield _twice(imported[name], name, part)


def _is_same_import(node: ast.stmt, other: ast.stmt) -> bool:
    return (
        isinstance(node, IMPORTS)
        and isinstance(other, IMPORTS)
        and set(full_names(other)) <= set(full_names(node))
    )


def _twice(node: ast.stmt, name: str, other: ast.stmt) -> Fault:
    return Fault(node.lineno, f"line {other.lineno} gives the name {name} to something else")


class _Prover:
    """The search through one file, from statement to statement.

    :param inserted: the numbers of the lines that are proven
    :param known: the names that the module has once it is loaded
    :param imported: the names that the inserted imports bind
    :param names: tells the names that the file's statements bind
    """

    def __init__(
        self,
        inserted: set[int],
        known: frozenset[str],
        imported: frozenset[str],
        names: _Names,
    ) -> None:
        self.inserted = inserted
        self.known = known
        self.imported = imported
        self.names = names

    def in_suite(
        self,
        suite: Sequence[ast.stmt],
        bound: set[str],
        around: list[set[str]],
        members: frozenset[str],
    ) -> Iterator[Fault]:
        """Yield the faults of a suite.

        :param bound: the names that are bound before it, in its own scope; those of the
            statements up to our last line are added
        :param around: all names of the functions around that scope; none at module level
        :param members: all names of the class whose body it is; none elsewhere
        """
        touched = [number for number, node in enumerate(suite) if _touched(node, self.inserted)]
        # The names that are bound behind the last line of ours have no reader.
        for number, node in enumerate(suite[: touched[-1] + 1] if touched else ()):
            if number in touched:
                yield from self.in_statement(node, bound, around, members)
            bound |= self.names.surely_bound(node)
            bound -= _freed(node)

    def in_statement(
        self,
        node: ast.stmt,
        bound: set[str],
        around: list[set[str]],
        members: frozenset[str],
    ) -> Iterator[Fault]:
        """Yield the faults of a statement, and of the statements in it."""
        yield from self.in_expressions(node, bound, around, members)
        if isinstance(node, FUNCTIONS):
            inner = parameters(node) | self.names.from_outside_in(node)
            everything = inner | self.names.in_suite(node.body)
            yield from self.in_suite(node.body, inner, [*around, everything], frozenset())
        elif isinstance(node, ast.ClassDef):
            inner = set(bound) | {"__module__", "__qualname__"}
            within = frozenset(self.names.in_suite(node.body))
            yield from self.in_suite(node.body, inner, around, within)
        else:
            # The body of a loop may have run before.
            freed = _freed(node) if isinstance(node, _LOOPS) else set()
            for suite, more in self.names.by_entry(node):
                yield from self.in_suite(suite, (bound - freed) | more, around, members)

    def in_expressions(
        self,
        node: ast.stmt,
        bound: set[str],
        around: list[set[str]],
        members: frozenset[str],
    ) -> Iterator[Fault]:
        """Yield the names of a statement's own expressions that are not bound."""
        at_hand = bound | set().union(*around[:-1]) if around else bound
        if around:
            # A name of the module is visible unless the function has a local of that name.
            at_hand = at_hand | (self.known - around[-1])
        hidden = members.union(*around) & self.imported
        for name in _loads(node, frozenset(self.names.in_expressions(node))):
            if name.lineno in self.inserted and name.id in hidden:
                reason = "is the change's import, but the function or class has that name too"
                yield Fault(name.lineno, f"the name {name.id} {reason}")
            elif name.lineno in self.inserted and name.id not in at_hand and "*" not in self.known:
                is_late = name.id in self.known or any(name.id in each for each in around)
                reason = "is not bound there on every way" if is_late else "is bound nowhere"
                yield Fault(name.lineno, f"the name {name.id} {reason}")


def _touched(node: ast.stmt, inserted: set[int]) -> bool:
    """Say whether a statement or one of its decorators stands on an inserted line."""
    decorators: Sequence[ast.expr] = getattr(node, "decorator_list", ())
    first = min([node.lineno, *(each.lineno for each in decorators)])
    return not inserted.isdisjoint(range(first, (node.end_lineno or first) + 1))


def _loads(node: ast.AST, bound: frozenset[str]) -> Iterator[ast.Name]:
    """Yield the names that an expression, or a statement's own expressions, look up outside."""
    if isinstance(node, ast.Name):
        if isinstance(node.ctx, ast.Load) and node.id not in bound:
            yield node
        return
    if isinstance(node, ast.Lambda):
        inner = bound | {each.arg for each in ast.walk(node.args) if isinstance(each, ast.arg)}
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                yield from _loads(default, bound)
        yield from _loads(node.body, inner)
        return
    if isinstance(node, _COMPREHENSIONS):
        targets = (part for each in node.generators for part in ast.walk(each.target))
        bound = bound | {part.id for part in targets if isinstance(part, ast.Name)}
    for child in children(node):
        if not isinstance(child, (ast.stmt, ast.excepthandler)) and not hasattr(child, "pattern"):
            yield from _loads(child, bound)
    for handler in getattr(node, "handlers", ()):
        if handler.type:
            yield from _loads(handler.type, bound)


class _Names:
    """The names that the statements of a file bind.

    Most files have no assignment expression, and no statement that takes names from outside of a
    function. Their statements are not searched for these.

    :param text: the file
    """

    def __init__(self, text: str) -> None:
        found = re.search(r"(^|[:;])[ \t\f]*(global|nonlocal)\b", text, re.MULTILINE)
        self._has_outside = found is not None
        self._has_expressions = ":=" in text

    def in_expressions(self, node: ast.stmt) -> set[str]:
        """Return the names that a statement binds inside of its expressions."""
        if not self._has_expressions:
            return set()
        return {part.target.id for part in own_parts(node) if isinstance(part, ast.NamedExpr)}

    def of(self, node: ast.stmt) -> set[str]:
        """Return the names that a statement itself binds."""
        names = names_bound(node) | self.in_expressions(node)
        if not isinstance(node, DEFINITIONS):
            for part in (part for target in _targets(node) for part in flat(target)):
                if isinstance(part, ast.Name):
                    names.add(part.id)
        return names

    def in_suite(self, suite: Sequence[ast.stmt]) -> set[str]:
        """Return all names that a suite binds at any depth; those made global there too."""
        found: set[str] = set()
        for node, names in self.by_statement(suite):
            found |= names
            if isinstance(node, DEFINITIONS):
                found |= self.from_outside_in(node)
        return found

    def by_statement(self, suite: Sequence[ast.stmt]) -> Iterator[tuple[ast.stmt, set[str]]]:
        """Yield the statements of a suite at any depth, each with the names it binds or frees."""
        for node in suite:
            yield node, self.of(node) | _deleted(node) | set(_handled(node)) | _captured(node)
            if not isinstance(node, DEFINITIONS):
                for part in suites_of(node):
                    yield from self.by_statement(part)

    def from_outside_in(self, node: ast.stmt) -> set[str]:
        """Return the names that a definition, or one in it, takes from outside by a statement."""
        return {name for part in self.outside_statements([node]) for name in part.names}

    def outside_statements(self, suite: Sequence[ast.stmt]) -> Iterator[ast.Global | ast.Nonlocal]:
        """Yield the ``global`` and ``nonlocal`` statements of a suite, at any depth."""
        for node in suite if self._has_outside else ():
            if isinstance(node, (ast.Global, ast.Nonlocal)):
                yield node
            for part in suites_of(node):
                yield from self.outside_statements(part)

    def surely_bound(self, node: ast.stmt) -> set[str]:
        """Return the names that are bound on every way behind a statement."""
        if isinstance(node, (ast.For, ast.AsyncFor)):
            return set()
        names = self.of(node)
        if isinstance(node, DEFINITIONS):
            return names
        if isinstance(node, (ast.With, ast.AsyncWith)):
            return names | self._surely_in(node.body)
        ways: list[Sequence[ast.stmt]] = []
        if isinstance(node, ast.If):
            ways = [node.body, node.orelse]
        elif isinstance(node, TRIES):
            ways = [[*node.body, *node.orelse], *(each.body for each in node.handlers)]
            names |= self._surely_in(node.finalbody)
        open_ways = [self._surely_in(way) for way in ways if falls_through(way)]
        return names | (set.intersection(*open_ways) if open_ways else set())

    def _surely_in(self, suite: Sequence[ast.stmt]) -> set[str]:
        return set().union(*map(self.surely_bound, suite))

    def by_entry(self, node: ast.stmt) -> Iterator[tuple[Sequence[ast.stmt], set[str]]]:
        """Yield the suites of a compound statement, each with the names that entering it binds."""
        if isinstance(node, TRIES):
            yield node.body, set()
            for handler in node.handlers:
                yield handler.body, {handler.name} if handler.name else set()
            yield node.orelse, self._surely_in(node.body)
            yield node.finalbody, set()
            return
        names = self.of(node)
        for case in getattr(node, "cases", ()):
            parts = ast.walk(case.pattern)
            named = {getattr(each, field, None) for each in parts for field in ("name", "rest")}
            yield case.body, {each for each in named if each}
        yield getattr(node, "body", ()), names
        # The target of a loop may not be bound where the loop has not run.
        is_loop = isinstance(node, (ast.For, ast.AsyncFor))
        yield getattr(node, "orelse", ()), set() if is_loop else names


def _targets(node: ast.stmt) -> Iterator[ast.expr]:
    """Yield the targets of a statement that is no plain assignment."""
    if isinstance(node, (ast.AugAssign, ast.For, ast.AsyncFor)):
        yield node.target
    elif isinstance(node, (ast.With, ast.AsyncWith)):
        for item in node.items:
            if item.optional_vars:
                yield item.optional_vars
    elif isinstance(name := getattr(node, "name", None), ast.Name):  # type, since Python 3.12
        yield name


def _deleted(node: ast.stmt) -> set[str]:
    """Return the names that a statement itself deletes."""
    targets = node.targets if isinstance(node, ast.Delete) else ()
    parts = (part for target in targets for part in ast.walk(target))
    return {part.id for part in parts if isinstance(part, ast.Name)}


def _handled(node: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement's handlers give to errors."""
    for handler in getattr(node, "handlers", ()):
        if handler.name:
            yield handler.name


def _captured(node: ast.stmt) -> set[str]:
    """Return the names that the cases of a match statement bind."""
    parts = (part for case in getattr(node, "cases", ()) for part in ast.walk(case.pattern))
    names = {getattr(part, field, None) for part in parts for field in ("name", "rest")}
    return {name for name in names if name}


def _freed(node: ast.stmt) -> set[str]:
    """Return the names that may be unbound behind a statement: deleted, or given to an error."""
    if isinstance(node, DEFINITIONS):
        return set()
    names = _deleted(node)
    for handler in getattr(node, "handlers", ()):
        if handler.name and falls_through(handler.body):
            names.add(handler.name)
    for suite in suites_of(node):
        names = names.union(*map(_freed, suite))
    return names


def _attributes(
    node: ast.ClassDef, module: ast.Module, inserted: set[int], names: _Names
) -> Iterator[Fault]:
    """Yield the attributes of ``self`` that inserted lines use and that the class does not show.

    A new class is not judged.  A class of Nova's shows an attribute by a member, or by a use of it
    in a line of Nova's: most bases are in other files.
    """
    if node.lineno in inserted:
        return
    used = [part for part in _own_attributes(node, inserted) if part.lineno in inserted]
    used.sort(key=lambda part: (part.lineno, part.col_offset))
    lacking = {part.attr for part in used}
    classes = {each.name: each for each in module.body if isinstance(each, ast.ClassDef)}
    todo = [node]
    while todo and lacking:
        current = todo.pop()
        lacking -= names.in_suite(current.body)
        todo += [
            classes.pop(name)
            for name in map(dotted_name, current.bases)
            if name in classes and name != node.name
        ]
        if lacking:
            lacking -= {
                part.attr
                for part in _own_attributes(current)
                if part.lineno not in inserted or isinstance(part.ctx, ast.Store)
            }
    for part in used:
        if part.attr in lacking:
            yield Fault(part.lineno, f"the class {node.name} has no attribute {part.attr}")


def _own_attributes(node: ast.ClassDef, lines: set[int] | None = None) -> Iterator[ast.Attribute]:
    """Yield the attributes of ``self`` and ``cls`` that a class names.

    :param lines: leave out the statements that touch none of these lines
    """
    todo: list[ast.AST] = [node]
    while todo:
        current = todo.pop()
        if lines is not None and isinstance(current, ast.stmt) and not _touched(current, lines):
            continue
        if isinstance(current, ast.Attribute) and dotted_name(current.value) in {"self", "cls"}:
            yield current
        todo += children(current)
