"""Comparing a change file with the Nova file it mirrors: which lines go where.

A change file mirrors a file of Nova's: the place of a statement in it says where the statement
goes. A statement that Nova lacks is new. A statement that Nova has must carry a directive
(nova_xloud.weave), which says how it changes.
"""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from nova_xloud.ground.errors import AnchorError, ChangeError
from nova_xloud.weave import anchors, limits, snippets
from nova_xloud.weave.anchors import IMPORTS, Body, Import, Place, UnfitError
from nova_xloud.weave.source import (
    DEFINITIONS,
    DISPLAYS,
    FUNCTIONS,
    Definition,
    Function,
    Source,
    dotted_name,
    is_docstring,
)

DIRECTIVES = frozenset(
    {"after", "append", "arguments", "before", "before_return", "decorate", "entries", "prepend"}
)
#: Why a place may be refused unless the change says that it knows.
REASONS = frozenset({"except", "nested", "return"})
_LANGUAGE = "nova_xloud.weave"


class Insertion(NamedTuple):
    """Lines for one place.

    :ivar anchor: the name of Nova's that they are for, in messages
    """

    place: Place
    lines: list[str]
    anchor: str


class Directive(NamedTuple):
    """A directive as written.

    :ivar name: one of DIRECTIVES
    :ivar anchor: the dotted name it was given, or ""
    :ivar applies: it is meant for this release
    :ivar despite: what the change takes into account, see REASONS
    :ivar kind: how the decorated function is called
    """

    name: str
    anchor: str
    applies: bool
    despite: frozenset[str]
    kind: str


def plan(change: Source, source: Source, version: tuple[int, ...], release: str) -> list[Insertion]:
    """Return the lines that a change inserts into a Nova file of some release.

    :param version: the release, as ``since=`` and ``until=`` count it
    :param release: the name of the release in messages
    :raises AnchorError: if a place is missing, doubled or unfit
    :raises ChangeError: if the change is not written in the change language
    """
    return _Planner(change, source, version, release).plan()


def splice(source: Source, insertions: Sequence[Insertion]) -> tuple[list[str], dict[int, str]]:
    """Return the file's lines with the insertions in them, and the anchor of each new line.

    At one place, lines that follow the line above come before lines that lead the line below,
    and deeper lines come before shallower ones.
    """
    lines: list[str] = []
    anchors_of: dict[int, str] = {}
    taken = 0
    for place, new, anchor in sorted(
        insertions, key=lambda each: (each.place.after, each.place.leads, -each.place.indent)
    ):
        lines += source.lines[taken : place.after]
        anchors_of.update({len(lines) + number: anchor for number in range(1, len(new) + 1)})
        lines += new
        taken = place.after
    return lines + source.lines[taken:], anchors_of


class _Planner:
    """The comparison of one change file with one Nova file."""

    def __init__(
        self, change: Source, source: Source, version: tuple[int, ...], release: str
    ) -> None:
        self.change = change
        self.source = source
        self.version = version
        self.release = release
        self.insertions: list[Insertion] = []
        self.names_used: set[str] = set()
        self.anchor = ""
        self.places: dict[ast.AST, Place] = {}
        self.added: set[tuple[ast.ClassDef | None, str]] = set()

    def plan(self) -> list[Insertion]:
        body = self.change.module.body
        if not body or not is_docstring(body[0]):
            raise ChangeError(self.change.path, 1, "has no docstring that says what and why")
        if self.applies_at_all():
            others = [node for node in body[1:] if not isinstance(node, IMPORTS)]
            self.compare(others, self.source.module.body, within=None, prefix="")
            statements, self.insertions = self.insertions, []
            for node in anchors.imports(self.change):
                self.add_import(node)
            self.insertions += statements
        return self.insertions

    def applies_at_all(self) -> bool:
        """Say whether the file's RELEASES, if any, include the release."""
        for node in self.change.module.body:
            if _assigned_name(node) == "RELEASES" and isinstance(node, ast.Assign):
                try:
                    return limits.include(ast.literal_eval(node.value), self.version)
                except (AttributeError, TypeError, ValueError):
                    raise self.wrong(node, 'RELEASES is not like {"since": "31.2"}') from None
        return True

    def compare(
        self,
        ours: Sequence[ast.stmt],
        theirs: Body,
        within: ast.ClassDef | None,
        prefix: str,
    ) -> None:
        """Compare the body of a class, or of the module, with Nova's.

        :param within: Nova's class, or None for the module
        :param prefix: the prefix of the names in it, with the dot
        """
        for node in ours:
            if isinstance(node, DEFINITIONS):
                with self.at(prefix + node.name):
                    self.compare_definition(node, theirs, within, prefix)
                continue
            name = _assigned_name(node)
            with self.at(prefix + (name or f"line {self.change.start(node)[0]} of the change")):
                if (name == "RELEASES" and within is None) or _is_placeholder(node):
                    continue
                if name is None and within is not None:
                    raise self.wrong(node, "only definitions and attributes stand in a class")
                if not self.change.stands_alone(node):
                    raise self.wrong(node, "one statement a line")
                if name and self.compare_entries(node, theirs, name):
                    continue
                if name and anchors.members(theirs, name):
                    raise UnfitError("Nova has it: a directive must say how it changes")
                if name:
                    self.add_name(node, within, name)
                self.add_statement(node, within)

    def compare_definition(
        self, node: Definition, theirs: Body, within: ast.ClassDef | None, prefix: str
    ) -> None:
        """Compare a function or class with Nova's of the same name."""
        directive = self.directive(node)
        if directive and not directive.applies:
            return
        found = anchors.definition(self.source, theirs, node.name)
        if directive is None:
            if found is None:
                self.add_definition(node, within)
            elif isinstance(node, ast.ClassDef) and isinstance(found, ast.ClassDef):
                name = f"{prefix}{node.name}."
                self.compare(node.body, found.body, found, name)
            else:
                raise UnfitError("Nova has it: a directive must say how it changes")
        elif found is None:
            raise UnfitError("not found")
        elif directive.name == "decorate":
            self.decorate(directive, node, found)
        elif isinstance(node, FUNCTIONS) and isinstance(found, FUNCTIONS):
            self.change_function(directive, node, found)
        else:
            raise UnfitError(f"{directive.name} is for functions")

    def compare_entries(self, node: ast.stmt, theirs: Body, name: str) -> bool:
        """Add entries to a display of Nova's; say whether the assignment is for that."""
        call = getattr(node, "value", None)
        if not isinstance(call, ast.Call) or dotted_name(call.func) != "entries":
            return False
        display = call.args[0] if len(call.args) == 1 else None
        if not isinstance(display, DISPLAYS):
            raise self.wrong(node, "entries takes one tuple, list, set or dict")
        if self.applies(node, self.options(node, call)):
            statement, found = anchors.display(self.source, theirs, name)
            if isinstance(found, ast.Dict) != isinstance(display, ast.Dict):
                raise self.wrong(node, "the entries and Nova's display are not of the same kind")
            anchors.check_new(display, found)
            place = anchors.among_elements(self.source, statement, found)
            lines = snippets.elements(self.change, node, display, place.indent)
            self.insert(place, lines, [display])
        return True

    def change_function(self, directive: Directive, node: Function, found: Function) -> None:
        """Add to a function of Nova's."""
        if directive.name == "arguments":
            self.add_arguments(directive, node, found)
            return
        missing = anchors.parameters(node) - anchors.names_in(found)
        if missing:
            raise UnfitError(f"has no parameter or local {', '.join(sorted(missing))}")
        if directive.name == "prepend":
            place = anchors.before_body(self.source, found)
        elif directive.name == "append":
            place = anchors.end_of_body(self.source, found)
            anchors.check_end(found, directive.despite)
        elif directive.name == "before_return":
            place = anchors.before_return(self.source, found)
            anchors.check_way(found, found.body[-1], directive.despite)
        else:
            target = anchors.statement(self.source, found, directive.anchor)
            anchors.check_way(found, target, directive.despite, directive.anchor)
            follows = directive.name == "after"
            place = anchors.beside(self.source, target, follow=follows)
            if follows and not anchors.falls_through([target]):
                raise UnfitError(f"nothing can follow line {target.lineno}: each way leaves")
        earlier = self.places.setdefault(found, place)
        if place.after < earlier.after:
            raise UnfitError(
                f"line {place.after + 1} comes before line {earlier.after + 1}, which the "
                "change names first"
            )
        self.places[found] = place
        self.insert(place, snippets.body(self.change, node, place.indent), node.body)

    def decorate(self, directive: Directive, node: Definition, found: Definition) -> None:
        """Add decorators to a definition of Nova's."""
        if not all(_is_placeholder(each) for each in node.body):
            raise self.wrong(node, "the body of a decorated definition is `...`")
        if isinstance(node, FUNCTIONS) and isinstance(found, FUNCTIONS):
            self.check_signature(directive, node, found)
        ours = [each for each in node.decorator_list if _directive_name(each) is None]
        place = anchors.above_definition(self.source, found)
        self.insert(place, snippets.decorators(self.change, ours, place.indent), ours)

    def check_signature(self, directive: Directive, node: Function, found: Function) -> None:
        """Make sure that a function of Nova's has the parameters and the kind that are stated."""
        stated, has = anchors.positional(node), anchors.positional(found)
        if stated != has[: len(stated)] or (has and not stated):
            raise UnfitError(
                f"has the parameters ({', '.join(has)}), the change states ({', '.join(stated)})"
            )
        missing = anchors.parameters(node) - anchors.parameters(found)
        if missing:
            raise UnfitError(f"has no parameter {', '.join(sorted(missing))}")
        is_coroutine = isinstance(node, ast.AsyncFunctionDef)
        kind = "coroutine " * is_coroutine + directive.kind
        if kind != anchors.kind(found):
            raise UnfitError(f"is a {anchors.kind(found)}, the change states a {kind}")

    def add_arguments(self, directive: Directive, node: Function, found: Function) -> None:
        """Add arguments to a call in a function of Nova's."""
        body = node.body
        call = getattr(body[0], "value", None)
        name = dotted_name(call.func) if isinstance(call, ast.Call) else None
        if len(body) != 1 or not isinstance(call, ast.Call) or name is None:
            raise self.wrong(node, "the body is one call of a dotted name, with what to add")
        statement, theirs = anchors.call(self.source, found, name)
        anchors.check_way(found, statement, directive.despite, name)
        place = anchors.among_elements(self.source, statement, theirs)
        lines = snippets.elements(self.change, body[0], call, place.indent)
        self.insert(place, lines, [*call.args, *call.keywords])

    def add_definition(self, node: Definition, within: ast.ClassDef | None) -> None:
        """Add a function or class at the end of a module or class.

        :raises UnfitError: if it was meant to be found in Nova
        """
        header = self.change.line(node.lineno)
        if isinstance(node, ast.ClassDef) and not re.match(r"\s*class\s+\w+\s*[(\[]", header):
            raise UnfitError("not found (a new class names its bases, if only object)")
        for part in ast.walk(node):
            for decorator in getattr(part, "decorator_list", ()):
                if name := _directive_name(decorator):
                    raise UnfitError(f"not found, but in it is a directive, {name}")
        if within is None:
            place = anchors.end_of_module(self.source)
        else:
            place = anchors.end_of_class(self.source, within)
        self.add_name(node, within, node.name)
        lines = snippets.member(self.change, node, place.indent)
        self.insert(place, [*[""] * (1 if within else 2), *lines], [node])

    def add_statement(self, node: ast.stmt, within: ast.ClassDef | None) -> None:
        """Add a statement to a module, or an attribute to a class."""
        if within is not None:
            place = anchors.end_of_attributes(self.source, within)
            self.insert(place, snippets.member(self.change, node, place.indent), [node])
            return
        place = anchors.end_of_module(self.source)
        ours = [each for each in self.insertions if each.place == place]
        if ours:
            follows_definition = not ours[-1].lines[0]
        else:
            body = self.source.module.body
            follows_definition = bool(body) and isinstance(body[-1], DEFINITIONS)
        lines = snippets.member(self.change, node, 0)
        self.insert(place, [*[""] * (2 if follows_definition else 0), *lines], [node])

    def add_name(self, node: ast.stmt, within: ast.ClassDef | None, name: str) -> None:
        """Make sure that a new name is added once."""
        if (within, name) in self.added:
            raise self.wrong(node, f"{name} stands here a second time")
        self.added.add((within, name))

    def add_import(self, node: Import) -> None:
        """Add an import that the inserted code uses and Nova's file has not."""
        if isinstance(node, ast.ImportFrom) and node.module == _LANGUAGE:
            return
        names = anchors.full_names(node)
        if len(names) != 1:
            raise self.wrong(node, "import one name a line")
        ((bound, path),) = names
        present = [
            pair for each in anchors.imports(self.source) for pair in anchors.full_names(each)
        ]
        if bound not in self.names_used or (bound, path) in present:
            return
        text = self.change.text(node)
        with self.at(text):
            for name, other in present:
                is_package = name == other.partition(".")[0] == path.partition(".")[0]
                if name == bound and not is_package:
                    raise UnfitError(f"Nova's file has that name for {other}")
            place = anchors.among_imports(self.source, node)
            self.insert(place, snippets.import_line(self.change, node, text), ())

    def insert(self, place: Place, lines: list[str], nodes: Iterable[ast.AST]) -> None:
        """Take down lines for a place, and the names that they use."""
        self.insertions.append(Insertion(place, lines, self.anchor))
        self.names_used |= {
            part.id for node in nodes for part in ast.walk(node) if isinstance(part, ast.Name)
        }

    def directive(self, node: Definition) -> Directive | None:
        """Return the directive that a definition carries."""
        decorators = node.decorator_list
        found = [(each, name) for each in decorators if (name := _directive_name(each))]
        if not found:
            return None
        (decorator, name) = found[0]
        if len(found) > 1 or (len(decorators) > 1) != (name == "decorate"):
            raise self.wrong(node, "one directive, and other decorators only with decorate")
        anchor, applies = "", True
        options: dict[str, Any] = {}
        if isinstance(decorator, ast.Call):
            options = self.options(node, decorator)
            applies = self.applies(node, options)
            given = decorator.args
            if given and isinstance(given[0], ast.Constant) and isinstance(given[0].value, str):
                anchor = given[0].value
            if len(given) != bool(anchor):
                raise self.wrong(node, "a directive takes a name, since= and until=")
        if (name in {"after", "before"}) != bool(anchor):
            raise self.wrong(node, "after and before take a dotted name, the others none")
        despite = options.get("despite", ())
        if isinstance(despite, str):
            despite = (despite,)
        if not isinstance(despite, tuple) or not REASONS.issuperset(despite):
            raise self.wrong(node, f"despite= takes of {', '.join(sorted(REASONS))}")
        kind = options.get("kind", "function")
        if ("kind" in options) > (name == "decorate") or not isinstance(kind, str):
            raise self.wrong(node, "kind= is for decorate, and takes a word such as property")
        return Directive(name, anchor, applies, frozenset(despite), kind)

    def options(self, node: ast.stmt, call: ast.Call) -> dict[str, Any]:
        """Return what a directive is given by name."""
        try:
            return {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}
        except ValueError:
            raise self.wrong(node, "a directive takes plain values only") from None

    def applies(self, node: ast.stmt, options: Mapping[str, Any]) -> bool:
        """Say whether the limits that a directive is given include the release."""
        given = {key: value for key, value in options.items() if key not in {"despite", "kind"}}
        try:
            return limits.include(given, self.version)
        except ValueError:
            reason = 'since= and until= take a series, 27, or a point release, "27.2"'
            raise self.wrong(node, reason) from None

    @contextlib.contextmanager
    def at(self, anchor: str) -> Iterator[None]:
        """Turn an UnfitError into an AnchorError that names file, anchor and release."""
        self.anchor = anchor
        try:
            yield
        except UnfitError as error:
            raise AnchorError(self.source.path, anchor, self.release, str(error)) from None

    def wrong(self, node: ast.stmt, reason: str) -> ChangeError:
        """Return the error for a place in the change file."""
        return ChangeError(self.change.path, self.change.start(node)[0], reason)


def _directive_name(decorator: ast.expr) -> str | None:
    """Return which word of the change language a decorator is."""
    name = dotted_name(decorator.func if isinstance(decorator, ast.Call) else decorator)
    return name if name in DIRECTIVES else None


def _is_placeholder(node: ast.stmt) -> bool:
    """Say whether a statement is ``...``, ``pass`` or a docstring."""
    return (
        isinstance(node, ast.Pass)
        or is_docstring(node)
        or (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and node.value.value is ...
        )
    )


def _assigned_name(node: ast.stmt) -> str | None:
    """Return the name that a statement assigns to, if it is one name."""
    target: ast.expr | None = None
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
    elif isinstance(node, ast.AnnAssign):
        target = node.target
    return target.id if isinstance(target, ast.Name) else None
