"""Finding the places in a Python file that a change names.

Every function returns a place or says why there is none; nothing here writes.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from nova_xloud.source import Definition, Function, Source, dotted_name, first_line, is_docstring


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


def members(body: Sequence[ast.stmt], name: str) -> list[ast.stmt]:
    """Return what defines a name in a module or class body, ``if`` and ``try`` included."""
    return [node for node in _level(body) if name in _names_bound(node)]


def definition(body: Sequence[ast.stmt], name: str) -> Definition | None:
    """Return the one function or class of that name, or None.

    :raises UnfitError: if the name is bound twice, or to something else
    """
    found = members(body, name)
    if len(found) > 1:
        raise UnfitError(f"ambiguous: defined on lines {_line_list(found)}")
    if not found:
        return None
    if isinstance(found[0], Definition):
        return found[0]
    raise UnfitError(f"is neither a function nor a class (line {found[0].lineno})")


def display(body: Sequence[ast.stmt], name: str) -> ast.expr:
    """Return the tuple, list, set or dict that is assigned to a name.

    :raises UnfitError: without exactly one
    """
    found = members(body, name)
    if not found:
        raise UnfitError("not found")
    if len(found) > 1:
        raise UnfitError(f"ambiguous: assigned on lines {_line_list(found)}")
    value = found[0].value if isinstance(found[0], ast.Assign | ast.AnnAssign) else None
    if isinstance(value, ast.Tuple | ast.List | ast.Set | ast.Dict):
        return value
    raise UnfitError(f"is no tuple, list, set or dict display (line {found[0].lineno})")


def statement(function: Function, name: str) -> ast.stmt:
    """Return the one statement of a function that assigns to, or calls, a dotted name.

    :raises UnfitError: without exactly one
    """
    found = [node for node in _statements(function.body) if _mentions(node, name)]
    if not found:
        raise UnfitError(f"nothing assigns to or calls {name}")
    if len(found) > 1:
        raise UnfitError(f"ambiguous: {name} on lines {_line_list(found)}")
    return found[0]


def call(function: Function, name: str) -> ast.Call:
    """Return the one call of a dotted name in a function.

    :raises UnfitError: without exactly one
    """
    found = [
        part
        for node in _statements(function.body)
        for part in _own_expressions(node)
        if isinstance(part, ast.Call) and dotted_name(part.func) == name
    ]
    if len(found) != 1:
        raise UnfitError(f"calls {name} {len(found)} times, not once")
    return found[0]


def names_in(function: Function) -> set[str]:
    """Return the parameters and the assigned locals of a function."""
    arguments = function.args
    names = {
        each.arg
        for each in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        + [each for each in (arguments.vararg, arguments.kwarg) if each]
    }
    for node in _statements(function.body):
        names |= _names_bound(node)
        for part in _own_expressions(node):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                names.add(part.id)
        names |= {
            handler.name for handler in getattr(node, "handlers", []) if handler.name is not None
        }
    return names


def before_body(source: Source, function: Function) -> Place:
    """Return the place behind a function's docstring, or before its first statement."""
    first = function.body[0]
    indent = _indent_alone(source, first)
    if is_docstring(first):
        return Place(first.end_lineno or 0, indent)
    return Place(source.comments_above(first_line(first)) - 1, indent, leads=True)


def end_of_body(source: Source, function: Function) -> Place:
    """Return the place behind a function's last statement.

    :raises UnfitError: if that one leaves the function
    """
    last = function.body[-1]
    if isinstance(last, ast.Return | ast.Raise):
        raise UnfitError("ends in return or raise: nothing can follow it (see before_return)")
    return Place(source.end_of(last), _indent_alone(source, last))


def before_return(source: Source, function: Function) -> Place:
    """Return the place before a function's final return.

    :raises UnfitError: if it does not end in one
    """
    last = function.body[-1]
    if not isinstance(last, ast.Return):
        raise UnfitError("does not end in a return statement")
    return beside(source, last, follow=False)


def beside(source: Source, node: ast.stmt, *, follow: bool) -> Place:
    """Return the place directly before or after a statement.

    :raises UnfitError: if it shares a line, is an ``elif``, or lets nothing follow
    """
    indent = _indent_alone(source, node)
    if source.line(node.lineno)[indent:].startswith("elif"):
        raise UnfitError(f"line {node.lineno} is an elif: no statement can stand beside it")
    if not follow:
        return Place(first_line(node) - 1, indent, leads=True)
    if isinstance(node, ast.Return | ast.Raise | ast.Continue | ast.Break):
        raise UnfitError(f"nothing can follow line {node.lineno}")
    return Place(source.end_of(node), indent)


def above_definition(source: Source, node: Definition) -> Place:
    """Return the place between a definition's decorators and its ``def`` or ``class``."""
    return Place(node.lineno - 1, _indent_alone(source, node), leads=True)


def among_elements(source: Source, node: ast.expr) -> Place:
    """Return the place for more elements: at the end, else before the last that begins a line.

    :raises UnfitError: if the brackets leave no line to stand on
    """
    brackets = source.brackets(node)
    if brackets is None:
        raise UnfitError(f"line {node.lineno}: has no brackets of its own")
    own_line = [
        each
        for each in brackets.elements
        if not source.line(each.start[0])[: each.start[1]].strip()
    ]
    if own_line:
        last = brackets.elements[-1]
        if last.comma and last.comma[0] < brackets.closing[0]:
            return Place(last.comma[0], own_line[-1].start[1])
        return Place(own_line[-1].start[0] - 1, own_line[-1].start[1], leads=True)
    raise UnfitError(f"line {node.lineno}: is written on one line, which cannot be added to")


def end_of_class(source: Source, node: ast.ClassDef) -> Place:
    """Return the place behind the last member of a class."""
    last = node.body[-1]
    return Place(source.end_of(last), _indent_alone(source, last))


def end_of_attributes(source: Source, node: ast.ClassDef) -> Place:
    """Return the place behind the docstring and plain attributes that a class begins with."""
    place = None
    for member in node.body:
        if isinstance(member, Definition) or hasattr(member, "body"):
            break
        place = Place(source.end_of(member), _indent_alone(source, member))
    return place or end_of_class(source, node)


def end_of_module(source: Source) -> Place:
    """Return the place behind the last statement of a module."""
    if source.tree.body:
        return Place(source.end_of(source.tree.body[-1]), 0)
    return Place(len("\n".join(source.lines).rstrip("\n").split("\n")), 0)


Import = ast.Import | ast.ImportFrom


def full_names(node: Import) -> list[tuple[str, str]]:
    """Return (the name that is bound, the full path it is bound to) of an import."""
    if isinstance(node, ast.Import):
        return [
            (each.asname or each.name.partition(".")[0], each.name if each.asname else "")
            for each in node.names
        ]
    module = "." * node.level + (node.module or "")
    return [(each.asname or each.name, f"{module}.{each.name}") for each in node.names]


def sort_key(node: Import) -> str:
    """Return what OpenStack's hacking (H306) sorts an import by."""
    if isinstance(node, ast.Import):
        return node.names[0].name.lower()
    return f"{node.module or ''}.{node.names[0].name}".lower()


def among_imports(source: Source, wanted: Import) -> Place:
    """Return the alphabetical place of an import beside its kind: library, others, own.

    :raises UnfitError: if the file imports nothing
    """
    imports = [node for node in source.tree.body if isinstance(node, Import)]
    if not imports:
        raise UnfitError("imports nothing: there is no place for an import")
    own = source.path.partition("/")[0]
    kin = [node for node in imports if _kind(node, own) == _kind(wanted, own)]
    for node in kin:
        if sort_key(node) > sort_key(wanted):
            return Place(source.comments_above(node.lineno) - 1, 0, leads=True)
    if kin:
        return Place(kin[-1].end_lineno or 0, 0)
    earlier = [node for node in imports if _kind(node, own) < _kind(wanted, own)]
    if earlier:
        return Place(earlier[-1].end_lineno or 0, 0)
    return Place(source.comments_above(imports[0].lineno) - 1, 0, leads=True)


def _kind(node: Import, own: str) -> int:
    """Return 0 for __future__, 1 the standard library, 2 others, 3 the tree's own package."""
    top = sort_key(node).partition(".")[0]
    if top == "__future__":
        return 0
    if top in sys.stdlib_module_names:
        return 1
    return 3 if top == own else 2


def _level(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a body, and those under its ``if``, ``try`` and ``with``."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With):
            for block in _blocks(node):
                yield from _level(block)


def _blocks(node: ast.stmt) -> Iterator[Sequence[ast.stmt]]:
    """Yield the bodies of a compound statement."""
    for field in ("body", "orelse", "finalbody"):
        yield getattr(node, field, [])
    for part in [*getattr(node, "handlers", []), *getattr(node, "cases", [])]:
        yield part.body


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield every statement at any depth."""
    for node in body:
        yield node
        for block in _blocks(node):
            yield from _statements(block)


def _own_expressions(node: ast.stmt) -> Iterator[ast.AST]:
    """Yield the expressions of a statement, but not of the statements in it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield from ast.walk(child)


def _mentions(node: ast.stmt, name: str) -> bool:
    """Say whether a statement itself assigns to, or calls, a dotted name."""
    for part in _own_expressions(node):
        if isinstance(part, ast.Call) and dotted_name(part.func) == name:
            return True
        if (
            isinstance(part, ast.Name | ast.Attribute)
            and isinstance(part.ctx, ast.Store)
            and dotted_name(part) == name
        ):
            return True
    return False


def _names_bound(node: ast.stmt) -> set[str]:
    """Return the names that a statement itself binds."""
    if isinstance(node, Definition):
        return {node.name}
    if isinstance(node, Import):
        return {bound for bound, _ in full_names(node)}
    targets = list(getattr(node, "targets", []))
    if isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return {
        part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)
    }


def _indent_alone(source: Source, node: ast.stmt) -> int:
    """Return a statement's indentation.

    :raises UnfitError: if it shares its line with another
    """
    if not source.stands_alone(node):
        raise UnfitError(f"line {node.lineno} holds more than one statement")
    return node.col_offset


def _line_list(nodes: Sequence[ast.AST]) -> str:
    return ", ".join(str(getattr(node, "lineno", "?")) for node in nodes)
