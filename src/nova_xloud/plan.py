"""Comparing a change file with the Nova file it mirrors: which lines go where.

A change says what to do by standing where it stands: what Nova has not is new, and what Nova
has must carry a directive (nova_xloud.weave) that says how it changes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import libcst as cst

from nova_xloud import anchors, snippets
from nova_xloud.anchors import Body, Import, Place, UnfitError
from nova_xloud.errors import AnchorError, ChangeError
from nova_xloud.source import (
    Definition,
    Display,
    Source,
    dotted_name,
    is_docstring,
    literal,
    small,
    statements_in,
    walk,
)

DIRECTIVES = frozenset(
    {"after", "append", "arguments", "before", "before_return", "decorate", "entries", "prepend"}
)
_LANGUAGE = "nova_xloud.weave"


class Insertion(NamedTuple):
    """Lines for one place."""

    place: Place
    lines: list[str]


class Directive(NamedTuple):
    """A directive as written.

    :ivar name: one of DIRECTIVES
    :ivar anchor: the dotted name it was given, or ""
    :ivar applies: it is meant for this release
    """

    name: str
    anchor: str
    applies: bool


def plan(change: Source, source: Source, series: int, release: str) -> list[Insertion]:
    """Return what a change inserts into a Nova file of some release.

    :param series: Nova's major version, as ``since=`` and ``until=`` count it
    :param release: what messages call the release
    :raises AnchorError: if a place is missing, doubled or unfit
    :raises ChangeError: if the change is not written in the change language
    """
    return _Planner(change, source, series, release).plan()


def splice(source: Source, insertions: Sequence[Insertion]) -> list[str]:
    """Return the file's lines with the insertions in them.

    At one place, what follows the line above comes before what leads the line below, and
    what is deeper comes before what is shallower.
    """
    lines: list[str] = []
    taken = 0
    for place, new in sorted(
        insertions, key=lambda each: (each.place.after, each.place.leads, -each.place.indent)
    ):
        lines += source.lines[taken : place.after]
        lines += new
        taken = place.after
    return lines + source.lines[taken:]


class _Planner:
    """The comparison of one change file with one Nova file."""

    def __init__(self, change: Source, source: Source, series: int, release: str) -> None:
        self.change = change
        self.source = source
        self.series = series
        self.release = release
        self.insertions: list[Insertion] = []
        self.names_used: set[str] = set()
        self.added: set[tuple[cst.ClassDef | None, str]] = set()

    def plan(self) -> list[Insertion]:
        body = self.change.module.body
        if not body or not is_docstring(body[0]):
            raise ChangeError(self.change.path, 1, "has no docstring that says what and why")
        if self.applies_at_all():
            imported = anchors.imports(self.change)
            lines = [line for line, _ in imported]
            others = [node for node in body[1:] if node not in lines]
            self.compare(others, self.source.module, within=None, prefix="")
            statements, self.insertions = self.insertions, []
            for line, node in imported:
                self.add_import(line, node)
            self.insertions += statements
        return self.insertions

    def applies_at_all(self) -> bool:
        """Say whether the file's RELEASES, if any, include the release."""
        for node in self.change.module.body:
            assignment = small(node)
            if _assigned_name(node) == "RELEASES" and isinstance(assignment, cst.Assign):
                try:
                    return self.in_range(literal(assignment.value))
                except (AttributeError, TypeError, ValueError):
                    raise self.wrong(node, 'RELEASES is not like {"since": 31}') from None
        return True

    def in_range(self, limits: dict[str, int]) -> bool:
        """Say whether the release lies within ``since`` and ``until``.

        :raises ValueError: if there are other limits than those
        """
        if not set(limits) <= {"since", "until"}:
            raise ValueError
        return limits.get("since", self.series) <= self.series <= limits.get("until", self.series)

    def compare(
        self,
        ours: Sequence[cst.CSTNode],
        theirs: Body,
        within: cst.ClassDef | None,
        prefix: str,
    ) -> None:
        """Compare the body of a class, or of the module, with Nova's.

        :param within: Nova's class, or None for the module
        :param prefix: what the names in it are prefixed by, with the dot
        """
        for node in ours:
            if isinstance(node, Definition):
                with self.at(prefix + node.name.value):
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
        self, node: Definition, theirs: Body, within: cst.ClassDef | None, prefix: str
    ) -> None:
        """Compare a function or class with Nova's of the same name."""
        directive = self.directive(node)
        if directive and not directive.applies:
            return
        found = anchors.definition(self.source, theirs, node.name.value)
        if directive is None:
            if found is None:
                self.add_definition(node, within)
            elif isinstance(node, cst.ClassDef) and isinstance(found, cst.ClassDef):
                name = f"{prefix}{node.name.value}."
                self.compare(statements_in(node.body), found.body, found, name)
            else:
                raise UnfitError("Nova has it: a directive must say how it changes")
        elif found is None:
            raise UnfitError("not found")
        elif directive.name == "decorate":
            self.decorate(node, found)
        elif isinstance(node, cst.FunctionDef) and isinstance(found, cst.FunctionDef):
            self.change_function(directive, node, found)
        else:
            raise UnfitError(f"{directive.name} is for functions")

    def compare_entries(self, node: cst.CSTNode, theirs: Body, name: str) -> bool:
        """Add entries to a display of Nova's; say whether the assignment is for that."""
        call = getattr(small(node), "value", None)
        if not isinstance(call, cst.Call) or dotted_name(call.func) != "entries":
            return False
        displays = [each.value for each in call.args if each.keyword is None]
        if len(displays) != 1 or not isinstance(displays[0], Display):
            raise self.wrong(node, "entries takes one tuple, list, set or dict")
        if self.applies(node, call):
            statement, display = anchors.display(self.source, theirs, name)
            if isinstance(display, cst.Dict) != isinstance(displays[0], cst.Dict):
                raise self.wrong(node, "entries and what Nova has are not of the same kind")
            place = anchors.among_elements(self.source, statement, display)
            lines = snippets.elements(self.change, node, displays[0], place.indent)
            self.insert(place, lines, displays[0])
        return True

    def change_function(
        self, directive: Directive, node: cst.FunctionDef, found: cst.FunctionDef
    ) -> None:
        """Add to a function of Nova's."""
        if directive.name == "arguments":
            self.add_arguments(node, found)
            return
        missing = anchors.parameters(node) - anchors.names_in(found)
        if missing:
            raise UnfitError(f"has no parameter or local {', '.join(sorted(missing))}")
        match directive.name:
            case "prepend":
                place = anchors.before_body(self.source, found)
            case "append":
                place = anchors.end_of_body(self.source, found)
            case "before_return":
                place = anchors.before_return(self.source, found)
            case _:
                target = anchors.statement(self.source, found, directive.anchor)
                place = anchors.beside(self.source, target, follow=directive.name == "after")
        self.insert(place, snippets.body(self.change, node, place.indent), node.body)

    def decorate(self, node: Definition, found: Definition) -> None:
        """Add decorators to a definition of Nova's."""
        if not all(_is_placeholder(each) for each in statements_in(node.body)):
            raise self.wrong(node, "the body of a decorated definition is `...`")
        ours = [each for each in node.decorators if _directive_name(each) is None]
        place = anchors.above_definition(self.source, found)
        self.insert(place, snippets.decorators(self.change, ours, place.indent), *ours)

    def add_arguments(self, node: cst.FunctionDef, found: cst.FunctionDef) -> None:
        """Add arguments to a call in a function of Nova's."""
        body = statements_in(node.body)
        call = getattr(small(body[0]), "value", None)
        name = dotted_name(call.func) if isinstance(call, cst.Call) else None
        if len(body) != 1 or not isinstance(call, cst.Call) or name is None:
            raise self.wrong(node, "the body is one call of a dotted name, with what to add")
        statement, theirs = anchors.call(found, name)
        place = anchors.among_elements(self.source, statement, theirs)
        lines = snippets.elements(self.change, body[0], call, place.indent)
        self.insert(place, lines, *call.args)

    def add_definition(self, node: Definition, within: cst.ClassDef | None) -> None:
        """Add a function or class at the end of a module or class.

        :raises UnfitError: if it was meant to be found in Nova
        """
        if isinstance(node, cst.ClassDef) and not isinstance(node.lpar, cst.LeftParen):
            raise UnfitError("not found (a new class names its bases, if only object)")
        for part in walk(node):
            if isinstance(part, cst.Decorator) and _directive_name(part):
                raise UnfitError(f"not found, but in it is a directive, {_directive_name(part)}")
        if within is None:
            place = anchors.end_of_module(self.source)
        else:
            place = anchors.end_of_class(self.source, within)
        self.add_name(node, within, node.name.value)
        lines = snippets.member(self.change, node, place.indent)
        self.insert(place, [*[""] * (1 if within else 2), *lines], node)

    def add_statement(self, node: cst.CSTNode, within: cst.ClassDef | None) -> None:
        """Add a statement to a module, or an attribute to a class."""
        if within is not None:
            place = anchors.end_of_attributes(self.source, within)
            self.insert(place, snippets.member(self.change, node, place.indent), node)
            return
        place = anchors.end_of_module(self.source)
        ours = [each for each in self.insertions if each.place == place]
        if ours:
            follows_definition = not ours[-1].lines[0]
        else:
            body = self.source.module.body
            follows_definition = bool(body) and isinstance(body[-1], Definition)
        lines = snippets.member(self.change, node, 0)
        self.insert(place, [*[""] * (2 if follows_definition else 0), *lines], node)

    def add_name(self, node: cst.CSTNode, within: cst.ClassDef | None, name: str) -> None:
        """Make sure that what is new is added once."""
        if (within, name) in self.added:
            raise self.wrong(node, f"{name} stands here a second time")
        self.added.add((within, name))

    def add_import(self, line: cst.CSTNode, node: Import) -> None:
        """Add an import that the inserted code uses and Nova's file has not."""
        if isinstance(node, cst.ImportFrom) and dotted_name(node.module) == _LANGUAGE:
            return
        names = anchors.full_names(node)
        if len(names) != 1:
            raise self.wrong(line, "import one name a line")
        ((bound, path),) = names
        present = [
            pair for _, each in anchors.imports(self.source) for pair in anchors.full_names(each)
        ]
        if bound not in self.names_used or (bound, path) in present:
            return
        text = " ".join(self.change.module.code_for_node(node).split())
        with self.at(text):
            for name, other in present:
                is_package = name == other.partition(".")[0] == path.partition(".")[0]
                if name == bound and not is_package:
                    raise UnfitError(f"Nova's file has that name for {other}")
            place = anchors.among_imports(self.source, node)
            self.insert(place, snippets.import_line(self.change, line, text))

    def insert(self, place: Place, lines: list[str], *nodes: cst.CSTNode) -> None:
        """Take down lines for a place, and the names that they use."""
        self.insertions.append(Insertion(place, lines))
        for node in nodes:
            self.names_used |= _names_used(node)

    def directive(self, node: Definition) -> Directive | None:
        """Return the directive that a definition carries."""
        found = [(each, name) for each in node.decorators if (name := _directive_name(each))]
        if not found:
            return None
        (decorator, name) = found[0]
        if len(found) > 1 or (len(node.decorators) > 1) != (name == "decorate"):
            raise self.wrong(node, "one directive, and other decorators only with decorate")
        anchor, applies = "", True
        if isinstance(decorator.decorator, cst.Call):
            call = decorator.decorator
            applies = self.applies(node, call)
            given = [each.value for each in call.args if each.keyword is None]
            if given and isinstance(given[0], cst.SimpleString):
                anchor = str(given[0].evaluated_value)
            if len(given) != bool(anchor):
                raise self.wrong(node, "a directive takes a name, since= and until=")
        if (name in {"after", "before"}) != bool(anchor):
            raise self.wrong(node, "after and before take a dotted name, the others none")
        return Directive(name, anchor, applies)

    def applies(self, node: cst.CSTNode, call: cst.Call) -> bool:
        """Say whether the limits that a directive is given include the release."""
        try:
            return self.in_range(
                {each.keyword.value: literal(each.value) for each in call.args if each.keyword}
            )
        except (TypeError, ValueError):
            raise self.wrong(node, "since= and until= take the number of a series") from None

    @contextlib.contextmanager
    def at(self, anchor: str) -> Iterator[None]:
        """Turn an UnfitError into an AnchorError that names file, anchor and release."""
        try:
            yield
        except UnfitError as error:
            raise AnchorError(self.source.path, anchor, self.release, str(error)) from None

    def wrong(self, node: cst.CSTNode, reason: str) -> ChangeError:
        """Return the error for a place in the change file."""
        return ChangeError(self.change.path, self.change.start(node)[0], reason)


def _directive_name(node: cst.Decorator) -> str | None:
    """Return which word of the change language a decorator is."""
    word = node.decorator
    name = dotted_name(word.func if isinstance(word, cst.Call) else word)
    return name if name in DIRECTIVES else None


def _is_placeholder(node: cst.CSTNode) -> bool:
    """Say whether a statement is ``...``, ``pass`` or a docstring."""
    simple = small(node)
    return (
        isinstance(simple, cst.Pass)
        or (isinstance(simple, cst.Expr) and isinstance(simple.value, cst.Ellipsis))
        or is_docstring(node)
    )


def _assigned_name(node: cst.CSTNode) -> str | None:
    """Return the name that a statement assigns to, if it is one name."""
    simple = small(node)
    target: cst.CSTNode | None = None
    if isinstance(simple, cst.Assign) and len(simple.targets) == 1:
        target = simple.targets[0].target
    elif isinstance(simple, cst.AnnAssign):
        target = simple.target
    return target.value if isinstance(target, cst.Name) else None


def _names_used(node: cst.CSTNode) -> set[str]:
    """Return the names that code looks up or binds; attributes and keywords are none."""
    if isinstance(node, cst.Name):
        return {node.value}
    inner: Sequence[cst.CSTNode] = node.children
    if isinstance(node, cst.Attribute | cst.Arg):
        inner = [node.value]
    return set().union(*map(_names_used, inner))
