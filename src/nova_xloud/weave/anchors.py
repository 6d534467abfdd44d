"""Finding the places in a Python file that a change names.

Every function returns a place or says why there is none; nothing here writes.
"""

from __future__ import annotations

import ast
import functools
import pkgutil
import sys
import sysconfig
from collections.abc import Iterator
from typing import Any, NamedTuple, Sequence, TypeVar, Union

from nova_xloud.weave.source import (
    DEFINITIONS,
    DISPLAYS,
    TRIES,
    Definition,
    Display,
    Function,
    Source,
    children,
    dotted_name,
    is_docstring,
    suites_of,
)

Import = Union[ast.Import, ast.ImportFrom]
IMPORTS = (ast.Import, ast.ImportFrom)
Body = Sequence[ast.stmt]
_ASSIGNING = (ast.AnnAssign, ast.AugAssign, ast.NamedExpr, ast.For, ast.AsyncFor)
_STRINGS = tuple(getattr(ast, name) for name in ("JoinedStr", "TemplateStr") if hasattr(ast, name))
#: Parts of a statement besides its expressions.
_HEADS = (ast.alias, ast.arg, ast.arguments, ast.withitem)
_OWN = (ast.expr, ast.keyword, ast.comprehension, *_HEADS)
_Node = TypeVar("_Node", bound=ast.stmt)


class UnfitError(Exception):
    """A place is missing, doubled or unfit; the text says why."""


class Place(NamedTuple):
    """Where lines go.

    :ivar after: the line they follow, counted from 1; 0 is the top of the file
    :ivar indent: how far they are indented
    :ivar leads: they belong to the code that follows them, not to the code that they follow
    """

    after: int
    indent: int
    leads: bool = False


def members(body: Body, name: str) -> list[ast.stmt]:
    """Return the statements of a module or class body that bind a name, or delete it.

    Those in compound statements are among them, in definitions they are not.
    """
    return [node for node in _statements(body, nested=False) if _binds(node, name)]


def definition(source: Source, body: Body, name: str) -> Definition | None:
    """Return the one function or class of that name, or None.

    :raises UnfitError: if the name is bound twice, or to something else
    """
    found = members(body, name)
    if not found:
        return None
    only = _one(source, found, "defined")
    if isinstance(only, DEFINITIONS):
        return only
    raise UnfitError(f"is neither a function nor a class (line {source.start(only)[0]})")


def display(source: Source, body: Body, name: str) -> tuple[ast.stmt, Display]:
    """Return the tuple, list, set or dict that is assigned to a name, after its statement.

    :raises UnfitError: without exactly one
    """
    found = members(body, name)
    if not found:
        raise UnfitError("not found")
    only = _one(source, found, "assigned")
    value = getattr(only, "value", None)
    if isinstance(value, DISPLAYS):
        return only, value
    line = source.start(only)[0]
    raise UnfitError(f"is no tuple, list, set or dict display (line {line})")


def check_new(ours: Display, theirs: Display) -> None:
    """Make sure that a dict of Nova's has none of the keys that are added to it.

    :raises UnfitError: if it has one
    """
    if isinstance(ours, ast.Dict) and isinstance(theirs, ast.Dict):
        has = {ast.dump(key): key for key in theirs.keys if key}
        for key in filter(None, ours.keys):
            if ast.dump(key) in has:
                raise UnfitError(f"has the key of line {has[ast.dump(key)].lineno} already")


def statement(source: Source, function: Function, name: str) -> ast.stmt:
    """Return the one statement of a function that assigns to, or calls, a dotted name.

    :raises UnfitError: without exactly one
    """
    found = [node for node in _statements(function.body) if _mentions(node, name)]
    if not found:
        raise UnfitError(f"nothing assigns to or calls {name}")
    return _one(source, found, name)


def call(source: Source, function: Function, name: str) -> tuple[ast.stmt, ast.Call]:
    """Return the one call of a dotted name in a function, after the statement that it is in.

    :raises UnfitError: without exactly one
    """
    found = [
        (node, part)
        for node in _statements(function.body)
        for part in own_parts(node)
        if isinstance(part, ast.Call) and dotted_name(part.func) == name
    ]
    if len(found) != 1:
        raise UnfitError(f"calls {name} {len(found)} times, not once")
    ((node, only),) = found
    strings = (part for part in own_parts(node) if isinstance(part, _STRINGS))
    if any(part is only for string in strings for part in ast.walk(string)):
        raise UnfitError(f"calls {name} inside a string (line {source.start(node)[0]})")
    return node, only


def parameters(function: Function) -> set[str]:
    """Return the names of a function's parameters."""
    given = function.args
    positional = [*getattr(given, "posonlyargs", ()), *given.args, *given.kwonlyargs]
    return {each.arg for each in (*positional, given.vararg, given.kwarg) if each}


def positional(function: Function) -> list[str]:
    """Return the names of a function's positional parameters, in their order."""
    given = function.args
    return [each.arg for each in (*getattr(given, "posonlyargs", ()), *given.args)]


def kind(function: Function) -> str:
    """Return how a function is called: ``function``, ``property`` and so on, in words."""
    special = sorted(filter(None, map(_special, function.decorator_list)))
    words = ["coroutine"] * isinstance(function, ast.AsyncFunctionDef)
    words += ["generator"] * any(map(_yields, _statements(function.body, nested=False)))
    return " ".join(words + (special or ["function"]))


def _special(decorator: ast.expr) -> str:
    """Return the name of a decorator that says how a function is called, else nothing."""
    name = dotted_name(decorator) or ""
    last = name.rpartition(".")[2]
    if last in {"classmethod", "property", "staticmethod"}:
        return last
    is_special = last in {"cached_property", "deleter", "getter", "setter"} or last.startswith(
        ("abstractclass", "abstractproperty", "abstractstatic")
    )
    return name if is_special else ""


def _yields(node: ast.stmt) -> bool:
    """Say whether a statement itself makes its function a generator."""
    return not isinstance(node, DEFINITIONS) and any(
        isinstance(part, (ast.Yield, ast.YieldFrom)) for part in _run_parts(node)
    )


def check_way(function: Function, node: ast.stmt, despite: frozenset[str], name: str = "") -> None:
    """Make sure that a statement of a function runs where the function runs.

    :param despite: the risks that the change accepts: ``except``, ``nested``
    :param name: a dotted name that the statement is found by
    :raises UnfitError: if it stands in a nested definition or in a handler that swallows the
        error, or if nothing reaches it
    """
    for part in _way_to(function, node):
        if isinstance(part, list):
            before = part[: next(i for i, each in enumerate(part) if _holds(each, node))]
            if not falls_through(before):
                raise UnfitError(f"nothing reaches line {node.lineno}")
        elif isinstance(part, (ast.If, ast.While)) and part is not node and _skips(part, node):
            raise UnfitError(f"nothing reaches line {node.lineno}")
        elif isinstance(part, DEFINITIONS) and part is not node and "nested" not in despite:
            raise UnfitError(
                f'line {node.lineno} is in {part.name}, which is nested (see despite="nested")'
            )
        elif (
            isinstance(part, ast.ExceptHandler)
            and not _raises(part.body)
            and "except" not in despite
        ):
            raise UnfitError(
                f'line {node.lineno} is in an except that swallows the error (see despite="except")'
            )
    if name and "nested" not in despite and name not in _targets(node) and not _calls(node, name):
        raise UnfitError(
            f'line {node.lineno} calls {name} in a lambda, which is nested (see despite="nested")'
        )


def _skips(node: ast.If | ast.While, inner: ast.stmt) -> bool:
    """Say whether a condition that never changes keeps a statement in it from running."""
    holds = _constant(node.test)
    in_body = any(_holds(each, inner) for each in node.body)
    return holds is not None and holds is not in_body


def _calls(node: ast.stmt, name: str) -> bool:
    """Say whether a statement calls a dotted name, and not only in a lambda."""
    return any(
        isinstance(part, ast.Call) and dotted_name(part.func) == name for part in _run_parts(node)
    )


def check_end(function: Function, despite: frozenset[str]) -> None:
    """Make sure that each way through a function comes to its end.

    :param despite: what the change takes into account: ``return``
    :raises UnfitError: if the end is not reached, or not always
    """
    if not falls_through(function.body):
        raise UnfitError("ends in return or raise on every way: nothing can follow")
    for each in _statements(function.body, nested=False):
        if isinstance(each, ast.Return) and "return" not in despite:
            raise UnfitError(
                f"returns early on line {each.lineno}: the end is not always reached "
                '(see despite="return")'
            )


def falls_through(suite: Sequence[ast.stmt]) -> bool:
    """Say whether code behind a suite can be reached from its end."""
    return all(map(_can_end, suite))


def _can_end(node: ast.stmt) -> bool:
    if isinstance(node, (ast.Return, ast.Raise, ast.Continue, ast.Break)):
        return False
    if isinstance(node, ast.If):
        holds = _constant(node.test)
        ways = [node.body] * (holds is not False) + [node.orelse] * (holds is not True)
        return any(map(falls_through, ways))
    if isinstance(node, (ast.With, ast.AsyncWith)):
        return falls_through(node.body)
    if isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
        is_endless = isinstance(node, ast.While) and _constant(node.test) is True
        return any(map(_breaks, node.body)) or (not is_endless and falls_through(node.orelse))
    if isinstance(node, TRIES):
        ways = [[*node.body, *node.orelse], *(each.body for each in node.handlers)]
        return falls_through(node.finalbody) and any(map(falls_through, ways))
    cases = getattr(node, "cases", ())
    if cases:
        return not _is_exhaustive(cases[-1]) or any(falls_through(each.body) for each in cases)
    return True


def _constant(test: ast.expr) -> bool | None:
    """Return whether a condition that never changes holds; None for another condition."""
    if isinstance(test, ast.Constant):
        return bool(test.value)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        holds = _constant(test.operand)
        return None if holds is None else not holds
    return None


def _breaks(node: ast.stmt) -> bool:
    """Say whether a statement in a loop ends that loop."""
    if isinstance(node, ast.Break):
        return True
    if isinstance(node, DEFINITIONS):
        return False
    is_loop = isinstance(node, (ast.For, ast.AsyncFor, ast.While))
    inner = [getattr(node, "orelse", [])] if is_loop else suites_of(node)
    return any(_breaks(each) for suite in inner for each in suite)


def _is_exhaustive(case: Any) -> bool:
    """Say whether a case of a match statement takes each value (Python 3.10 and later)."""
    pattern = case.pattern
    return case.guard is None and hasattr(pattern, "pattern") and pattern.pattern is None


def _raises(suite: Sequence[ast.stmt]) -> bool:
    """Say whether a handler's body gives the error on, on each way."""
    if any(
        isinstance(each, (ast.Return, ast.Continue, ast.Break))
        for each in _statements(suite, nested=False)
    ):
        return False
    last = suite[-1]
    if isinstance(last, ast.With):
        return any(
            str(dotted_name(getattr(each.context_expr, "func", None))).endswith(
                "save_and_reraise_exception"
            )
            for each in last.items
        ) and not _may_swallow(last)
    return isinstance(last, ast.Raise)


def _may_swallow(node: ast.With) -> bool:
    """Say whether oslo's save_and_reraise_exception is told not to give the error on."""
    return any(
        (isinstance(part, ast.keyword) and part.arg == "reraise")
        or (isinstance(part, ast.Attribute) and part.attr == "reraise")
        for part in ast.walk(node)
    )


def _holds(part: ast.AST, node: ast.stmt) -> bool:
    return any(each is node for each in ast.walk(part))


def _way_to(function: Function, node: ast.stmt) -> Iterator[list[ast.stmt] | ast.AST]:
    """Yield the suites, statements and handlers that lead from a function to a statement."""
    suites = [function.body]
    while suites:
        for suite in suites:
            within = [each for each in suite if _holds(each, node)]
            if within:
                break
        else:
            return
        yield suite
        (step,) = within
        yield step
        if step is node:
            return
        for handler in getattr(step, "handlers", ()):
            if _holds(handler, node):
                yield handler
        suites = suites_of(step)


def names_in(function: Function) -> set[str]:
    """Return the parameters and the assigned locals of a function."""
    names = parameters(function)
    for node in _statements(function.body):
        names |= names_bound(node)
        names |= {each for each in _targets(node) if "." not in each}
    return names


def before_body(source: Source, function: Function) -> Place:
    """Return the place behind a function's docstring, or before its first statement."""
    first = function.body[0]
    indent = _indent_alone(source, first)
    if is_docstring(first):
        return Place(source.last_line(first), indent)
    return Place(source.comments_above(source.first_line(first)) - 1, indent, leads=True)


def end_of_body(source: Source, function: Function) -> Place:
    """Return the place behind a function's last statement.

    :raises UnfitError: if that one leaves the function
    """
    last = function.body[-1]
    if isinstance(last, (ast.Return, ast.Raise)):
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
    line = source.start(node)[0]
    if source.line(line)[indent:].startswith("elif"):
        raise UnfitError(f"line {line} is an elif: no statement can stand beside it")
    if not follow:
        return Place(source.first_line(node) - 1, indent, leads=True)
    if isinstance(node, (ast.Return, ast.Raise, ast.Continue, ast.Break)):
        raise UnfitError(f"nothing can follow line {line}")
    return Place(source.end_of(node), indent)


def above_definition(source: Source, node: Definition) -> Place:
    """Return the place between a definition's decorators and its ``def`` or ``class``."""
    return Place(source.start(node)[0] - 1, source.start(node)[1], leads=True)


def among_elements(source: Source, statement: ast.stmt, node: Display | ast.Call) -> Place:
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


def end_of_class(source: Source, node: ast.ClassDef) -> Place:
    """Return the place behind the last member of a class."""
    last = node.body[-1]
    return Place(source.end_of(last), _indent_alone(source, last))


def end_of_attributes(source: Source, node: ast.ClassDef) -> Place:
    """Return the place behind the docstring and plain attributes that a class begins with."""
    place = None
    for member in node.body:
        if suites_of(member):
            break
        place = Place(source.last_line(member), _indent_alone(source, member))
    return place or end_of_class(source, node)


def end_of_module(source: Source) -> Place:
    """Return the place behind everything in a module."""
    end = len(source.lines)
    while end > 1 and not source.line(end).strip():
        end -= 1
    return Place(end, 0)


def imports(source: Source) -> list[Import]:
    """Return the module's own imports."""
    return [node for node in source.module.body if isinstance(node, IMPORTS)]


def full_names(node: Import) -> list[tuple[str, str]]:
    """Return (the name that is bound, the full path it is bound to) of an import."""
    if isinstance(node, ast.Import):
        return [(each.asname or each.name.partition(".")[0], each.name) for each in node.names]
    module = "." * node.level + (node.module or "")
    return [
        (each.asname or each.name, f"{module}.{each.name}")
        for each in node.names
        if each.name != "*"
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
    kin = [node for node in present if _kind(node, own) == _kind(wanted, own)]
    for node in kin:
        if _sort_key(node) > _sort_key(wanted):
            return Place(source.comments_above(node.lineno) - 1, 0, leads=True)
    if kin:
        return Place(source.last_line(kin[-1]), 0)
    earlier = [node for node in present if _kind(node, own) < _kind(wanted, own)]
    if earlier:
        return Place(source.last_line(earlier[-1]), 0)
    return Place(source.comments_above(present[0].lineno) - 1, 0, leads=True)


def _sort_key(node: Import) -> str:
    """Return the full path of the imported name, in lower case."""
    names = full_names(node)
    return names[0][1].lower() if names else f"{getattr(node, 'module', None)}.*"


def _kind(node: Import, own: str) -> int:
    """Return 0 for __future__, 1 the standard library, 2 others, 3 the tree's own package."""
    top = _sort_key(node).partition(".")[0]
    if top == "__future__":
        return 0
    if top in _standard_library():
        return 1
    return 3 if top == own else 2


@functools.lru_cache(maxsize=None)
def _standard_library() -> frozenset[str]:
    """Return the names of the modules of the standard library."""
    if sys.version_info >= (3, 10):
        return sys.stdlib_module_names
    library = sysconfig.get_path("stdlib")
    modules = pkgutil.iter_modules([library, f"{library}/lib-dynload"])
    return frozenset(sys.builtin_module_names).union(each.name for each in modules)


def _one(source: Source, found: Sequence[_Node], what: str) -> _Node:
    """Return the only one.

    :raises UnfitError: if there are more
    """
    if len(found) > 1:
        lines = ", ".join(str(source.start(node)[0]) for node in found)
        raise UnfitError(f"ambiguous: {what} on lines {lines}")
    return found[0]


def _statements(body: Body, *, nested: bool = True) -> Iterator[ast.stmt]:
    """Yield every statement at any depth; an ``elif`` is one of its own.

    :param nested: also those of nested definitions
    """
    for node in body:
        yield node
        if nested or not isinstance(node, DEFINITIONS):
            for suite in suites_of(node):
                yield from _statements(suite, nested=nested)


def own_parts(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a statement and its parts, but not the statements in it, their handlers and cases."""
    todo = [node]
    while todo:
        current = todo.pop()
        yield current
        todo += [child for child in children(current) if isinstance(child, _OWN)][::-1]


def _run_parts(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a statement's own parts that run when it runs: not those in a lambda."""
    yield node
    for child in children(node):
        if isinstance(child, _OWN) and not isinstance(child, ast.Lambda):
            yield from _run_parts(child)


def _targets(node: ast.stmt) -> Iterator[str]:
    """Yield the dotted names that a statement itself assigns to."""
    targets: list[ast.expr] = []
    for part in own_parts(node):
        if isinstance(part, ast.Assign):
            targets += part.targets
        elif isinstance(part, _ASSIGNING):
            targets.append(part.target)
        elif isinstance(part, ast.withitem) and part.optional_vars:
            targets.append(part.optional_vars)
        elif isinstance(part, ast.alias) and part.asname:
            yield part.asname
    for target in targets:
        yield from filter(None, map(dotted_name, flat(target)))
    for handler in getattr(node, "handlers", ()):
        if handler.name:
            yield handler.name


def flat(target: ast.expr) -> Iterator[ast.expr]:
    """Yield the single targets of a target such as ``a, (b, *c)``."""
    if isinstance(target, (ast.Tuple, ast.List)):
        for each in target.elts:
            yield from flat(each)
    elif isinstance(target, ast.Starred):
        yield from flat(target.value)
    else:
        yield target


def _mentions(node: ast.stmt, name: str) -> bool:
    """Say whether a statement itself assigns to, or calls, a dotted name."""
    return name in _targets(node) or any(
        isinstance(part, ast.Call) and dotted_name(part.func) == name for part in own_parts(node)
    )


def names_bound(node: ast.stmt) -> set[str]:
    """Return the names that a statement itself binds, by definition, import or assignment."""
    if isinstance(node, DEFINITIONS):
        return {node.name}
    if isinstance(node, IMPORTS):
        return {bound for bound, _ in full_names(node)}
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return {part.id for target in targets for part in flat(target) if isinstance(part, ast.Name)}


def _binds(node: ast.stmt, name: str) -> bool:
    """Say whether a statement itself binds a name or deletes it; adding to a value does neither."""
    if name in names_bound(node):
        return True
    if isinstance(node, (*DEFINITIONS, ast.AugAssign)):
        return False
    return any(each.name == name for each in getattr(node, "handlers", ())) or any(
        isinstance(part, ast.Name) and part.id == name and not isinstance(part.ctx, ast.Load)
        for part in own_parts(node)
    )


def _indent_alone(source: Source, node: ast.stmt) -> int:
    """Return a statement's indentation.

    :raises UnfitError: if it shares its line with another
    """
    line, column = source.start(node)
    if not source.stands_alone(node):
        raise UnfitError(f"line {line} holds more than one statement")
    return column
