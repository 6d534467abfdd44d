"""Finding the places in a Python file that a change names.

Every function returns a place or says why there is none; nothing here writes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import libcst as cst

from nova_xloud.source import (
    Definition,
    Display,
    Source,
    dotted_name,
    is_docstring,
    small,
    statements_in,
    suites_of,
    walk,
)

Import = cst.Import | cst.ImportFrom
_ASSIGNING = cst.AssignTarget | cst.AnnAssign | cst.AugAssign | cst.NamedExpr | cst.For
Body = cst.BaseSuite | cst.Module


class UnfitError(Exception):
    """A place is missing, doubled or unfit; the text says why."""


class Place(NamedTuple):
    """Where lines go.

    :ivar after: the line they follow, counted from 1; 0 is the top of the file
    :ivar indent: how far they are indented
    :ivar leads: they belong to what follows them rather than to what they follow
    """

    after: int
    indent: int
    leads: bool = False


def members(body: Body, name: str) -> list[cst.CSTNode]:
    """Return what defines a name in a module or class body, ``if`` and ``try`` included."""
    return [node for node in _level(body) if name in _names_bound(node)]


def definition(source: Source, body: Body, name: str) -> Definition | None:
    """Return the one function or class of that name, or None.

    :raises UnfitError: if the name is bound twice, or to something else
    """
    found = members(body, name)
    if not found:
        return None
    only = _one(source, found, "defined")
    if isinstance(only, Definition):
        return only
    raise UnfitError(f"is neither a function nor a class (line {source.start(only)[0]})")


def display(source: Source, body: Body, name: str) -> tuple[cst.CSTNode, Display]:
    """Return the tuple, list, set or dict that is assigned to a name, after its statement.

    :raises UnfitError: without exactly one
    """
    found = members(body, name)
    if not found:
        raise UnfitError("not found")
    only = _one(source, found, "assigned")
    value = getattr(small(only), "value", None)
    if isinstance(value, Display):
        return only, value
    line = source.start(only)[0]
    raise UnfitError(f"is no tuple, list, set or dict display (line {line})")


def statement(source: Source, function: cst.FunctionDef, name: str) -> cst.CSTNode:
    """Return the one statement of a function that assigns to, or calls, a dotted name.

    :raises UnfitError: without exactly one
    """
    found = [node for node in _statements(function.body) if _mentions(node, name)]
    if not found:
        raise UnfitError(f"nothing assigns to or calls {name}")
    return _one(source, found, name)


def call(function: cst.FunctionDef, name: str) -> tuple[cst.CSTNode, cst.Call]:
    """Return the one call of a dotted name in a function, after the statement that it is in.

    :raises UnfitError: without exactly one
    """
    found = [
        (node, part)
        for node in _statements(function.body)
        for part in _own_parts(node)
        if isinstance(part, cst.Call) and dotted_name(part.func) == name
    ]
    if len(found) != 1:
        raise UnfitError(f"calls {name} {len(found)} times, not once")
    return found[0]


def parameters(function: cst.FunctionDef) -> set[str]:
    """Return the names of a function's parameters."""
    return {node.name.value for node in walk(function.params) if isinstance(node, cst.Param)}


def names_in(function: cst.FunctionDef) -> set[str]:
    """Return the parameters and the assigned locals of a function."""
    names = parameters(function)
    for node in _statements(function.body):
        names |= _names_bound(node)
        names |= {each.value for each in _targets(node) if isinstance(each, cst.Name)}
    return names


def before_body(source: Source, function: cst.FunctionDef) -> Place:
    """Return the place behind a function's docstring, or before its first statement."""
    first = statements_in(function.body)[0]
    indent = _indent_alone(source, first)
    if is_docstring(first):
        return Place(source.last_line(first), indent)
    return Place(source.comments_above(source.first_line(first)) - 1, indent, leads=True)


def end_of_body(source: Source, function: cst.FunctionDef) -> Place:
    """Return the place behind a function's last statement.

    :raises UnfitError: if that one leaves the function
    """
    last = statements_in(function.body)[-1]
    if isinstance(small(last), cst.Return | cst.Raise):
        raise UnfitError("ends in return or raise: nothing can follow it (see before_return)")
    return Place(source.end_of(last), _indent_alone(source, last))


def before_return(source: Source, function: cst.FunctionDef) -> Place:
    """Return the place before a function's final return.

    :raises UnfitError: if it does not end in one
    """
    last = statements_in(function.body)[-1]
    if not isinstance(small(last), cst.Return):
        raise UnfitError("does not end in a return statement")
    return beside(source, last, follow=False)


def beside(source: Source, node: cst.CSTNode, *, follow: bool) -> Place:
    """Return the place directly before or after a statement.

    :raises UnfitError: if it shares a line, is an ``elif``, or lets nothing follow
    """
    indent = _indent_alone(source, node)
    line = source.start(node)[0]
    if source.line(line)[indent:].startswith("elif"):
        raise UnfitError(f"line {line} is an elif: no statement can stand beside it")
    if not follow:
        return Place(source.first_line(node) - 1, indent, leads=True)
    if isinstance(small(node), cst.Return | cst.Raise | cst.Continue | cst.Break):
        raise UnfitError(f"nothing can follow line {line}")
    return Place(source.end_of(node), indent)


def above_definition(source: Source, node: Definition) -> Place:
    """Return the place between a definition's decorators and its ``def`` or ``class``."""
    return Place(source.start(node)[0] - 1, source.start(node)[1], leads=True)


def among_elements(source: Source, statement: cst.CSTNode, node: Display | cst.Call) -> Place:
    """Return the place for more elements: at the end, else before the last that begins a line.

    :param statement: the statement that the brackets are in
    :raises UnfitError: if the brackets leave no line to stand on
    """
    elements = source.elements(statement, node)
    on_own_line = [
        each for each in elements if not source.line(each.start[0])[: each.start[1]].strip()
    ]
    if not on_own_line:
        line = source.start(statement)[0]
        raise UnfitError(f"line {line}: is written on one line, which cannot be added to")
    reference = on_own_line[-1].start
    comma = elements[-1].comma
    if comma:
        rest = source.line(comma[0])[comma[1] :].strip()
        if not rest or rest.startswith("#"):
            return Place(comma[0], reference[1])
    return Place(reference[0] - 1, reference[1], leads=True)


def end_of_class(source: Source, node: cst.ClassDef) -> Place:
    """Return the place behind the last member of a class."""
    last = statements_in(node.body)[-1]
    return Place(source.end_of(last), _indent_alone(source, last))


def end_of_attributes(source: Source, node: cst.ClassDef) -> Place:
    """Return the place behind the docstring and plain attributes that a class begins with."""
    place = None
    for member in statements_in(node.body):
        if not isinstance(member, cst.SimpleStatementLine):
            break
        place = Place(source.last_line(member), _indent_alone(source, member))
    return place or end_of_class(source, node)


def end_of_module(source: Source) -> Place:
    """Return the place behind everything in a module."""
    end = len(source.lines)
    while end > 1 and not source.line(end).strip():
        end -= 1
    return Place(end, 0)


def imports(source: Source) -> list[tuple[cst.CSTNode, Import]]:
    """Return the module's own imports, each after the line that it is."""
    pairs = [(node, small(node)) for node in source.module.body]
    return [(node, each) for node, each in pairs if isinstance(each, Import)]


def full_names(node: Import) -> list[tuple[str, str]]:
    """Return (the name that is bound, the full path it is bound to) of an import."""
    if isinstance(node.names, cst.ImportStar):
        return []
    if isinstance(node, cst.Import):
        return [
            (each.evaluated_alias or each.evaluated_name.partition(".")[0], each.evaluated_name)
            for each in node.names
        ]
    module = "." * len(node.relative) + (dotted_name(node.module) or "")
    return [
        (each.evaluated_alias or each.evaluated_name, f"{module}.{each.evaluated_name}")
        for each in node.names
    ]


def among_imports(source: Source, wanted: Import) -> Place:
    """Return the alphabetical place of an import beside its kind: library, others, own.

    The order is that of OpenStack's hacking (H306): the full path, without regard to case.

    :raises UnfitError: if the file imports nothing
    """
    present = imports(source)
    if not present:
        raise UnfitError("imports nothing: there is no place for an import")
    own = source.path.partition("/")[0]
    kin = [node for node in present if _kind(node[1], own) == _kind(wanted, own)]
    for line, node in kin:
        if _sort_key(node) > _sort_key(wanted):
            return Place(source.comments_above(source.start(line)[0]) - 1, 0, leads=True)
    if kin:
        return Place(source.last_line(kin[-1][0]), 0)
    earlier = [line for line, node in present if _kind(node, own) < _kind(wanted, own)]
    if earlier:
        return Place(source.last_line(earlier[-1]), 0)
    return Place(source.comments_above(source.start(present[0][0])[0]) - 1, 0, leads=True)


def _sort_key(node: Import) -> str:
    """Return the full path of what is imported, in lower case."""
    names = full_names(node)
    return names[0][1].lower() if names else f"{dotted_name(getattr(node, 'module', None))}.*"


def _kind(node: Import, own: str) -> int:
    """Return 0 for __future__, 1 the standard library, 2 others, 3 the tree's own package."""
    top = _sort_key(node).partition(".")[0]
    if top == "__future__":
        return 0
    if top in sys.stdlib_module_names:
        return 1
    return 3 if top == own else 2


def _one(source: Source, found: Sequence[cst.CSTNode], what: str) -> cst.CSTNode:
    """Return the only one.

    :raises UnfitError: if there are more
    """
    if len(found) > 1:
        lines = ", ".join(str(source.start(node)[0]) for node in found)
        raise UnfitError(f"ambiguous: {what} on lines {lines}")
    return found[0]


def _level(body: Body) -> Iterator[cst.CSTNode]:
    """Yield the statements of a body, and those under its ``if``, ``try`` and ``with``."""
    for node in statements_in(body):
        yield node
        if isinstance(node, cst.If | cst.Try | cst.TryStar | cst.With):
            for suite in suites_of(node):
                yield from _level(suite)


def _statements(body: Body) -> Iterator[cst.CSTNode]:
    """Yield every statement at any depth; an ``elif`` is one of its own."""
    for node in statements_in(body):
        yield from _with_inner(node)


def _with_inner(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    yield node
    if isinstance(node, cst.If):
        yield from _statements(node.body)
        if isinstance(node.orelse, cst.If):
            yield from _with_inner(node.orelse)
        elif node.orelse:
            yield from _statements(node.orelse.body)
        return
    for suite in suites_of(node):
        yield from _statements(suite)


def _is_own(node: cst.CSTNode) -> bool:
    """Say whether a part of a statement is not a statement itself."""
    return not isinstance(
        node,
        cst.BaseSuite
        | cst.If
        | cst.Else
        | cst.Finally
        | cst.ExceptHandler
        | cst.ExceptStarHandler
        | cst.MatchCase,
    )


def _own_parts(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Yield the parts of a statement, but not of the statements in it."""
    return walk(node, _is_own)


def _targets(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Yield the names and attributes that a statement itself assigns to."""
    for part in _own_parts(node):
        if isinstance(part, _ASSIGNING):
            yield from _flat(part.target)
        elif isinstance(part, cst.AsName):
            yield from _flat(part.name)
    for handler in getattr(node, "handlers", ()):
        if handler.name:
            yield handler.name.name


def _flat(target: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Yield the single targets of a target such as ``a, (b, *c)``."""
    if isinstance(target, cst.Tuple | cst.List):
        for each in target.elements:
            yield from _flat(each.value)
    else:
        yield target


def _mentions(node: cst.CSTNode, name: str) -> bool:
    """Say whether a statement itself assigns to, or calls, a dotted name."""
    return any(dotted_name(each) == name for each in _targets(node)) or any(
        isinstance(part, cst.Call) and dotted_name(part.func) == name for part in _own_parts(node)
    )


def _names_bound(node: cst.CSTNode) -> set[str]:
    """Return the names that a statement itself binds, by definition, import or assignment."""
    if isinstance(node, Definition):
        return {node.name.value}
    names: set[str] = set()
    if isinstance(node, cst.SimpleStatementLine):
        for each in node.body:
            if isinstance(each, Import):
                names |= {bound for bound, _ in full_names(each)}
            elif isinstance(each, cst.Assign):
                flat = [part for target in each.targets for part in _flat(target.target)]
                names |= {part.value for part in flat if isinstance(part, cst.Name)}
            elif isinstance(each, cst.AnnAssign) and isinstance(each.target, cst.Name):
                names.add(each.target.value)
    return names


def _indent_alone(source: Source, node: cst.CSTNode) -> int:
    """Return a statement's indentation.

    :raises UnfitError: if it shares its line with another
    """
    line, column = source.start(node)
    if not source.stands_alone(node):
        raise UnfitError(f"line {line} holds more than one statement")
    return column
