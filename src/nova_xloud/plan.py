"""Comparing a change file with the Nova file it mirrors: which lines go where.

A change says what to do by standing where it stands: what Nova has not is new, and what Nova
has must carry a directive (nova_xloud.weave) that says how it changes.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import NamedTuple

from nova_xloud import anchors, snippets
from nova_xloud.anchors import Import, Place, UnfitError
from nova_xloud.errors import AnchorError, ChangeError
from nova_xloud.source import Definition, Function, Source, dotted_name, is_docstring

DIRECTIVES = frozenset(
    {"after", "append", "arguments", "before", "before_return", "decorate", "entries", "prepend"}
)
_LANGUAGE = "nova_xloud.weave"


class Insertion(NamedTuple):
    """Lines for one place."""

    place: Place
    lines: list[str]


class Directive(NamedTuple):
    """A directive as written on a definition.

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


class _Planner:
    """The comparison of one change file with one Nova file."""

    def __init__(self, change: Source, source: Source, series: int, release: str) -> None:
        self.change = change
        self.source = source
        self.series = series
        self.release = release
        self.insertions: list[Insertion] = []
        self.names_used: set[str] = set()

    def plan(self) -> list[Insertion]:
        body = self.change.tree.body
        if not body or not is_docstring(body[0]):
            raise ChangeError(
                self.change.path, 1, "the docstring that says what and why is missing"
            )
        if not self.applies_at_all(body):
            return []
        imports = [node for node in body if isinstance(node, Import)]
        self.compare(
            [node for node in body[1:] if not isinstance(node, Import)],
            self.source.tree.body,
            within=None,
            prefix="",
        )
        for node in imports:
            self.add_import(node)
        return self.insertions

    def applies_at_all(self, body: Sequence[ast.stmt]) -> bool:
        """Say whether the file's RELEASES, if any, include the release."""
        for node in body:
            if _assigned_name(node) == "RELEASES" and isinstance(node, ast.Assign):
                try:
                    return self.in_range(ast.literal_eval(node.value))
                except (TypeError, ValueError):
                    reason = 'RELEASES is not like {"since": 31}'
                    raise self.wrong(node, reason) from None
        return True

    def in_range(self, limits: dict[str, int]) -> bool:
        """Say whether the release lies within ``since`` and ``until``.

        :raises ValueError: if there are other limits than those
        """
        if not set(limits) <= {"since", "until"}:
            raise ValueError
        since, until = limits.get("since", self.series), limits.get("until", self.series)
        return int(since) <= self.series <= int(until)

    def compare(
        self,
        ours: Sequence[ast.stmt],
        theirs: Sequence[ast.stmt],
        within: ast.ClassDef | None,
        prefix: str,
    ) -> None:
        """Compare the body of a class, or of the module, with Nova's.

        :param within: Nova's class, or None for the module
        :param prefix: what the names in it are prefixed by, with the dot
        """
        for node in ours:
            name = getattr(node, "name", None) or _assigned_name(node) or ""
            with _Anchored(self, prefix + name if name else f"line {node.lineno}"):
                if isinstance(node, Definition):
                    self.compare_definition(node, theirs, within, prefix)
                elif name == "RELEASES" and within is None:
                    continue
                elif name and (found := self.entries(node)):
                    if found.applies:
                        self.add_entries(node, anchors.display(theirs, name))
                elif name:
                    if anchors.members(theirs, name):
                        raise UnfitError("Nova has it: a directive must say how it changes")
                    self.add_statement(node, within)
                elif within is None:
                    self.add_statement(node, within)
                elif not _is_placeholder(node):
                    raise self.wrong(node, "only definitions and attributes stand in a class")

    def compare_definition(
        self,
        node: Definition,
        theirs: Sequence[ast.stmt],
        within: ast.ClassDef | None,
        prefix: str,
    ) -> None:
        """Compare a function or class with Nova's of the same name."""
        directive = self.directive(node)
        if directive and not directive.applies:
            return
        found = anchors.definition(theirs, node.name)
        if directive is None:
            if found is None:
                if isinstance(node, ast.ClassDef) and not _has_parentheses(self.change, node):
                    raise UnfitError("not found (a new class names its bases, if only object)")
                self.add_definition(node, within)
            elif isinstance(node, ast.ClassDef) and isinstance(found, ast.ClassDef):
                self.compare(node.body, found.body, found, f"{prefix}{node.name}.")
            else:
                raise UnfitError("Nova has it: a directive must say how it changes")
            return
        if found is None:
            raise UnfitError("not found")
        if directive.name == "decorate":
            self.decorate(node, found)
        elif isinstance(node, Function) and isinstance(found, Function):
            self.change_function(directive, node, found)
        else:
            raise UnfitError(f"{directive.name} is for functions")

    def change_function(self, directive: Directive, node: Function, found: Function) -> None:
        """Add to the body of a function of Nova's."""
        if directive.name == "arguments":
            self.add_arguments(node, found)
            return
        missing = anchors.names_in(_signature(node)) - anchors.names_in(found)
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
                target = anchors.statement(found, directive.anchor)
                place = anchors.beside(self.source, target, follow=directive.name == "after")
        self.insert(place, snippets.body(self.change, node, place.indent), *node.body)

    def decorate(self, node: Definition, found: Definition) -> None:
        """Add decorators to a definition of Nova's."""
        if not all(_is_placeholder(each) for each in node.body):
            raise self.wrong(node, "the body of a decorated definition is `...`")
        ours = [each for each in node.decorator_list if not self.is_directive(each)]
        place = anchors.above_definition(self.source, found)
        self.insert(place, snippets.decorators(self.change, ours, place.indent), *ours)

    def add_arguments(self, node: Function, found: Function) -> None:
        """Add arguments to a call in a function of Nova's."""
        statement = node.body[0]
        value = statement.value if isinstance(statement, ast.Expr) else None
        if len(node.body) != 1 or not isinstance(value, ast.Call):
            raise self.wrong(node, "the body is one call, with the arguments to add")
        name = dotted_name(value.func)
        if name is None:
            raise self.wrong(node, "what is called is not a dotted name")
        place = anchors.among_elements(self.source, anchors.call(found, name))
        lines = snippets.elements(self.change, value, place.indent)
        self.insert(place, lines, *value.args, *(each.value for each in value.keywords))

    def add_entries(self, node: ast.stmt, display: ast.expr) -> None:
        """Add entries to a display of Nova's."""
        call = getattr(node, "value", None)
        if not isinstance(call, ast.Call) or len(call.args) != 1:
            raise self.wrong(node, "entries takes one tuple, list, set or dict")
        if isinstance(display, ast.Dict) != isinstance(call.args[0], ast.Dict):
            raise self.wrong(node, "entries and what Nova has are not of the same kind")
        place = anchors.among_elements(self.source, display)
        self.insert(place, snippets.elements(self.change, call.args[0], place.indent), call.args[0])

    def add_definition(self, node: Definition, within: ast.ClassDef | None) -> None:
        """Add a function or class at the end of a module or class."""
        for part in ast.walk(node):
            if isinstance(part, Definition) and any(map(self.is_directive, part.decorator_list)):
                raise UnfitError(f"not found, but {part.name} in it has a directive")
        if within is None:
            place = anchors.end_of_module(self.source)
        else:
            place = anchors.end_of_class(self.source, within)
        lines = snippets.member(self.change, node, place.indent)
        self.insert(place, [*[""] * (1 if within else 2), *lines], node)

    def add_statement(self, node: ast.stmt, within: ast.ClassDef | None) -> None:
        """Add a statement to a module, or an attribute to a class."""
        if within is not None:
            place = anchors.end_of_attributes(self.source, within)
            self.insert(place, snippets.member(self.change, node, place.indent), node)
            return
        place = anchors.end_of_module(self.source)
        lines = snippets.member(self.change, node, 0)
        ours = [each for each in self.insertions if each.place == place]
        if ours:
            follows_definition = not ours[-1].lines[0]
        else:
            body = self.source.tree.body
            follows_definition = bool(body) and isinstance(body[-1], Definition)
        self.insert(place, [*[""] * (2 if follows_definition else 0), *lines], node)

    def add_import(self, node: Import) -> None:
        """Add an import that the inserted code uses and Nova's file has not."""
        if isinstance(node, ast.ImportFrom) and node.module == _LANGUAGE:
            return
        if len(node.names) != 1:
            raise self.wrong(node, "import one name a line")
        (wanted,) = anchors.full_names(node)
        present = {
            name: path
            for each in self.source.tree.body
            if isinstance(each, Import)
            for name, path in anchors.full_names(each)
        }
        bound, path = wanted
        with _Anchored(self, ast.unparse(node)):
            if bound not in self.names_used or self.already_imported(node):
                return
            if bound in present and present[bound] != path:
                raise UnfitError(f"Nova's file uses the name {bound} for {present[bound] or bound}")
            place = anchors.among_imports(self.source, node)
            self.insert(place, snippets.import_line(self.change, node))

    def already_imported(self, wanted: Import) -> bool:
        """Say whether Nova's file has the import."""
        text = set(anchors.full_names(wanted))
        for node in self.source.tree.body:
            if isinstance(node, Import) and text <= set(anchors.full_names(node)):
                if isinstance(wanted, ast.Import):
                    return isinstance(node, ast.Import) and wanted.names[0].name in {
                        each.name for each in node.names
                    }
                return True
        return False

    def insert(self, place: Place, lines: list[str], *nodes: ast.AST) -> None:
        """Take down lines for a place, and the names that they use."""
        self.insertions.append(Insertion(place, lines))
        self.names_used |= {
            part.id for node in nodes for part in ast.walk(node) if isinstance(part, ast.Name)
        }

    def is_directive(self, node: ast.expr) -> bool:
        """Say whether a decorator is a word of the change language."""
        name = dotted_name(node.func if isinstance(node, ast.Call) else node)
        return name in DIRECTIVES

    def directive(self, node: Definition) -> Directive | None:
        """Return the directive that a definition carries."""
        found = [each for each in node.decorator_list if self.is_directive(each)]
        if not found:
            return None
        if len(found) > 1 or (len(node.decorator_list) > 1) != _is_decorate(found[0]):
            raise self.wrong(node, "one directive, and other decorators only with decorate")
        if isinstance(found[0], ast.Call):
            name = dotted_name(found[0].func) or ""
            anchor, applies = self.directive_arguments(found[0])
        else:
            name, anchor, applies = dotted_name(found[0]) or "", "", True
        if (name in {"after", "before"}) != bool(anchor):
            raise self.wrong(node, "after and before take a dotted name, the others none")
        return Directive(name, anchor, applies)

    def directive_arguments(self, node: ast.Call) -> tuple[str, bool]:
        """Return the dotted name a directive is given, and whether it is for the release."""
        try:
            limits = {each.arg or "**": ast.literal_eval(each.value) for each in node.keywords}
            anchor = "".join(str(ast.literal_eval(each)) for each in node.args)
            return anchor, self.in_range(limits)
        except (TypeError, ValueError):
            raise self.wrong(node, "a directive takes a name, since= and until=") from None

    def entries(self, node: ast.stmt) -> Directive | None:
        """Return the entries directive of an assignment."""
        value = getattr(node, "value", None)
        if isinstance(value, ast.Call) and dotted_name(value.func) == "entries":
            try:
                limits = {each.arg or "**": ast.literal_eval(each.value) for each in value.keywords}
                return Directive("entries", "", self.in_range(limits))
            except (TypeError, ValueError):
                raise self.wrong(node, "entries takes a display, since= and until=") from None
        return None

    def wrong(self, node: ast.AST, reason: str) -> ChangeError:
        """Return the error for a place in the change file."""
        return ChangeError(self.change.path, getattr(node, "lineno", 1), reason)


class _Anchored:
    """Turns UnfitError into an AnchorError that names file, anchor and release."""

    def __init__(self, planner: _Planner, anchor: str) -> None:
        self.planner = planner
        self.anchor = anchor

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, UnfitError):
            source = self.planner.source
            raise AnchorError(source.path, self.anchor, self.planner.release, str(error)) from None


def _signature(node: Function) -> Function:
    """Return a function of the same parameters and no body."""
    return ast.FunctionDef(name=node.name, args=node.args, body=[], decorator_list=[])


def _is_decorate(node: ast.expr) -> bool:
    return dotted_name(node.func if isinstance(node, ast.Call) else node) == "decorate"


def _is_placeholder(node: ast.stmt) -> bool:
    """Say whether a statement is ``...``, ``pass`` or a docstring."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return node.value.value is ... or is_docstring(node)
    return isinstance(node, ast.Pass)


def _has_parentheses(change: Source, node: ast.ClassDef) -> bool:
    """Say whether a class statement has parentheses behind the name."""
    return bool(node.bases or node.keywords) or f"{node.name}(" in change.line(node.lineno)


def _assigned_name(node: ast.stmt) -> str | None:
    """Return the name that a statement assigns to, if it is one name."""
    target: ast.expr | None = None
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
    elif isinstance(node, ast.AnnAssign):
        target = node.target
    return target.id if isinstance(target, ast.Name) else None


def splice(source: Source, insertions: Sequence[Insertion]) -> list[str]:
    """Return the file's lines with the insertions in them.

    At one place, what follows the line above comes before what leads the line below, and
    what is deeper comes before what is shallower.
    """
    ordered = sorted(
        insertions, key=lambda each: (each.place.after, each.place.leads, -each.place.indent)
    )
    lines: list[str] = []
    taken = 0
    for place, new in ordered:
        lines += source.lines[taken : place.after]
        lines += new
        taken = place.after
    return lines + source.lines[taken:]
