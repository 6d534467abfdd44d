"""Mutations of names: anchors, and names in our lines, are renamed, shadowed, doubled, gone."""

from __future__ import annotations

import ast
import random
import re

from tests.fuzz.layout import renamed
from tests.fuzz.mutation import Mutation, Verdict, mutation
from tests.fuzz.woven import (
    DEFINITIONS,
    FUNCTIONS,
    Change,
    Edit,
    Function,
    Site,
    Woven,
    elements,
    is_docstring,
    parameters,
    span,
    statements,
    stored,
)

IMPORTS = (ast.Import, ast.ImportFrom)
#: Ways to bind a name at the end of a module or class.
BINDINGS = (
    *("{0} = None", "{0}: object = None", "import os as {0}", "from os import path as {0}"),
    *("for {0} in ():\n    pass", "if True:\n    {0} = None", "({0} := None)", "[{0}, *_] = ''"),
    *("with open('') as {0}:\n    pass", "try:\n    pass\nexcept OSError as {0}:\n    pass"),
    *("def {0}():\n    pass", "class {0}:\n    pass", "while {0}:\n    {0} = None"),
    *("for _ in ():\n    def {0}():\n        pass", "with open(''):\n    import os as {0}"),
    *("try:\n    pass\nfinally:\n    {0} = None", "del {0}"),
)


def put(indent: str, text: str) -> list[str]:
    return [indent + line for line in text.split("\n")]


def module_wide(woven: Woven) -> set[str]:
    """Return the names that Nova's file has once it is loaded."""
    return stored(*(node for node in woven.tree.body if not woven.has_ours(node)))


def start_of(woven: Woven, node: Function | ast.ClassDef) -> tuple[int, str]:
    """Return the line of a body's first statement, its docstring not counted, and the indent."""
    body = node.body
    first = body[1] if is_docstring(body[0]) and len(body) > 1 else body[0]
    return span(first)[0], woven.indent(body[0])


def end_of(woven: Woven, node: ast.ClassDef) -> tuple[int, str]:
    return span(node)[1] + 1, woven.indent(node.body[0])


def renamed_definition(woven: Woven, node: ast.AST) -> str:
    """Return the text in which a definition has another name."""
    assert isinstance(node, DEFINITIONS)
    line = woven.line(node.lineno)
    new = re.sub(rf"\b(def|class)(\s+){node.name}\b", rf"\1\2{node.name}_other", line)
    assert new != line
    return woven.edited((node.lineno, node.lineno, [new]))


@mutation()
def an_anchor_is_renamed(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    choices: list[str] = []
    nodes: list[ast.AST] = [site.owner]
    if site.kind in {"statements", "decorator"} or site.directive == "arguments":
        nodes.append(site.holder)
    choices = [renamed_definition(woven, each) for each in nodes if isinstance(each, DEFINITIONS)]
    if isinstance(site.owner, ast.ClassDef) and site.owner.lineno in woven.ours:
        return None
    if site.anchor and isinstance(site.holder, FUNCTIONS):
        first, last = span(site.holder)
        pattern = re.compile(rf"(?<![\w.]){re.escape(site.anchor)}\b")
        edits = [
            (number, number, [pattern.sub(f"{site.anchor}_other", woven.line(number))])
            for number in range(first, last + 1)
            if number not in woven.ours
        ]
        choices.append(woven.edited(*edits))
    if site.directive == "entries":
        name = site.name.rpartition(".")[2]
        line = woven.line(span(site.holder)[0])
        new = re.sub(rf"\b{name}\b", f"{name}_OTHER", line, count=1)
        choices.append(woven.edited((span(site.holder)[0],) * 2 + ([new],)))
    if not choices:
        return None
    text = rng.choice(choices)
    return Mutation(text, Verdict.REFUSED) if text != woven.text else None


@mutation("statements")
def a_used_local_is_renamed(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    holder = site.holder
    assert isinstance(holder, FUNCTIONS)
    own = stored(*site.nodes)
    known = set(parameters(holder)) | stored(*(each for each in holder.body))
    found = sorted(
        (site.used & known) - own - module_wide(woven) - Change(woven.file.change).imported
    )
    if not found:
        return None
    old = rng.choice(found)
    return Mutation(renamed(woven, holder, old, f"{old}_other"), Verdict.REFUSED)


@mutation("statements")
def a_used_local_is_deleted(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    """A name of ours is unbound where our lines use it."""
    holder = site.holder
    assert isinstance(holder, FUNCTIONS)
    node = site.landmark if site.directive != "after" else site.suite[site.index]
    if node is None and site.directive == "append":
        node = site.suite[site.index]
    if node is None or isinstance(site.suite[0], FUNCTIONS):
        return None
    known = set(parameters(holder)) | stored(*holder.body)
    names = sorted((site.used & known) - stored(*site.nodes) - module_wide(woven))
    if not names:
        return None
    name = rng.choice(names)
    first = min(span(node)[0], span(site.suite[site.index])[0])
    if site.directive == "after":
        first = span(site.suite[site.index - 1])[0]
        if name in stored(site.suite[site.index - 1]):
            return None
    ways = [
        f"del {name}",
        f"try:\n    pass\nexcept Exception as {name}:\n    pass",
        f"if __name__:\n    del {name}",
        f"for {name} in ():\n    del {name}",
        f"with open('') as _:\n    del {name}, _",
    ]
    lines = put(woven.indent(site.suite[site.index]), rng.choice(ways))
    return Mutation(woven.edited((first, first - 1, lines)), Verdict.REFUSED)


@mutation("statements")
def a_used_local_is_bound_at_times(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    """The one statement that binds a name of ours moves under a condition."""
    holder = site.holder
    assert isinstance(holder, FUNCTIONS)
    given = set(parameters(holder))
    names = (site.used & stored(*holder.body)) - given - stored(*site.nodes) - module_wide(woven)
    found = []
    for name in sorted(names):
        binding = [node for _, _, node in statements(holder) if name in _stored_here(node)]
        if len(binding) == 1 and woven.alone(binding[0]) and not woven.has_ours(binding[0]):
            found.append(binding[0])
    if not found:
        return None
    node = rng.choice(found)
    if node is site.landmark:
        return None
    first, last = span(node)
    indent = woven.indent(node)
    inner = ["    " + woven.line(number) for number in range(first, last + 1)]
    heads = ["if __name__:", "for _ in __name__:", "while __name__:", "with suppress(ValueError):"]
    heads += ["try:"]
    head = rng.choice(heads[:3] + heads[4:])
    tail = [f"{indent}except ValueError:", f"{indent}    pass"] if head == "try:" else []
    text = woven.edited((first, last, [indent + head, *inner, *tail]))
    return Mutation(text, Verdict.REFUSED)


def _stored_here(node: ast.stmt) -> set[str]:
    if hasattr(node, "body"):
        heads = [getattr(node, "target", None), *getattr(node, "items", ())]
        return stored(*(each for each in heads if each)) | (
            {node.name} if isinstance(node, DEFINITIONS) else set()
        )
    return stored(node)


@mutation("definition", "statements")
def a_used_attribute_is_renamed(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    if not isinstance(site.owner, ast.ClassDef) or site.owner.lineno in woven.ours:
        return None
    parts = [part for node in site.nodes for part in ast.walk(node)]
    used = {
        part.attr
        for part in parts
        if isinstance(part, ast.Attribute)
        and isinstance(part.value, ast.Name)
        and part.value.id == "self"
        and isinstance(part.ctx, ast.Load)
    }
    written = {
        part.attr
        for node in ast.walk(site.owner)
        if getattr(node, "lineno", 0) in woven.ours
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store)
    }
    added = {
        name
        for each in woven.sites
        if each.kind in {"attribute", "definition"}
        for name in stored(*each.nodes)
    }
    found = sorted(used - written - added)
    if not found:
        return None
    name = rng.choice(found)
    pattern = re.compile(rf"\b{name}\b")
    edits = [
        (number, number, [pattern.sub(f"{name}_other", line)])
        for number, line in enumerate(woven.lines, 1)
        if number not in woven.ours and name in line
    ]
    return Mutation(woven.edited(*edits), Verdict.REFUSED)


def _imports_used(woven: Woven, site: Site) -> list[str]:
    """Return the names that a site uses and that its change imports."""
    return sorted(site.used & Change(woven.file.change).imported)


@mutation("statements", "decorator", "elements", "attribute")
def an_import_of_ours_is_shadowed_in_the_module(
    woven: Woven, site: Site, rng: random.Random
) -> Mutation | None:
    names = _imports_used(woven, site)
    if not names or rng.choice(names) in module_wide(woven):
        return None
    name = rng.choice(names)
    if name in module_wide(woven):
        return None
    ways = [*BINDINGS, "def _f():\n    global {0}\n    {0} = None"]
    lines = put("", rng.choice(ways).format(name))
    if rng.random() < 0.5:
        return Mutation(woven.extended("\n".join(lines)), Verdict.REFUSED)
    imports = [node for node in woven.tree.body if isinstance(node, IMPORTS)]
    at = span(imports[-1])[1] + 1
    return Mutation(woven.edited((at, at - 1, lines)), Verdict.REFUSED)


@mutation("statements", "decorator")
def an_import_of_ours_is_shadowed_inside(
    woven: Woven, site: Site, rng: random.Random
) -> Mutation | None:
    """In the function for statements, in the class for decorators."""
    names = _imports_used(woven, site)
    holder = site.holder if site.kind == "statements" else site.owner
    if not names or not isinstance(holder, DEFINITIONS) or not woven.alone(holder.body[-1]):
        return None
    name = rng.choice(names)
    if isinstance(holder, FUNCTIONS) and rng.random() < 0.3:
        given = [each for each in parameters(holder) if each not in {"self", "cls", *site.stated}]
        if given:
            return Mutation(renamed(woven, holder, rng.choice(given), name), Verdict.REFUSED)
    first, indent = start_of(woven, holder)
    lines = put(indent, rng.choice(BINDINGS).format(name))
    return Mutation(woven.edited((first, first - 1, lines)), Verdict.REFUSED)


@mutation("decorator", "statements")
def a_class_has_an_attribute_of_that_name(
    woven: Woven, site: Site, rng: random.Random
) -> Mutation | None:
    """A member of a class with the name of our import is not seen inside of its functions."""
    names = _imports_used(woven, site)
    owner = site.owner
    if not names or not isinstance(owner, ast.ClassDef) or owner.lineno in woven.ours:
        return None
    in_class = any(
        each.owner is owner and each.kind in {"decorator", "attribute"} for each in woven.sites
    )
    first, indent = start_of(woven, owner)
    text = woven.edited((first, first - 1, [f"{indent}{rng.choice(names)} = None"]))
    return Mutation(text, Verdict.REFUSED if in_class else Verdict.WOVEN)


@mutation("definition", "attribute", "elements")
def nova_has_it_already(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    """Nova binds a name that we add, or has a key that we add."""
    if site.directive == "arguments":
        return None
    if site.kind == "elements":
        keys = [each for each in site.nodes if isinstance(each, ast.Constant)]
        parts = [part for part in ast.walk(site.holder) if isinstance(part, ast.Dict)]
        if not keys or not parts:
            return None
        theirs = [each for each in elements(parts[0]) if each.lineno not in woven.ours]  # type: ignore[attr-defined]
        node = rng.choice(theirs)
        indent = " " * node.col_offset  # type: ignore[attr-defined]
        line = f"{indent}{ast.unparse(keys[0])}: None,"
        at = node.lineno  # type: ignore[attr-defined]
        if woven.line(at)[: len(indent)].strip():
            return None
        return Mutation(woven.edited((at, at - 1, [line])), Verdict.REFUSED)
    node = site.nodes[0]
    names = [node.name] if isinstance(node, DEFINITIONS) else sorted(stored(node))
    if not names:
        return None
    binding = rng.choice([each for each in BINDINGS if "del" not in each])
    lines = binding.format(names[0])
    if isinstance(site.owner, ast.ClassDef):
        if site.owner.lineno in woven.ours:
            return None
        at, indent = start_of(woven, site.owner)
        return Mutation(woven.edited((at, at - 1, put(indent, lines))), Verdict.REFUSED)
    return Mutation(woven.extended(lines), Verdict.REFUSED)


@mutation()
def a_definition_is_doubled(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    """The function or the class of a site is bound a second time, or goes."""
    nodes = [each for each in (site.holder, site.owner) if isinstance(each, DEFINITIONS)]
    nodes = [each for each in nodes if each.lineno not in woven.ours]
    if site.kind == "import" or not nodes:
        return None
    node = rng.choice(nodes)
    lines = rng.choice(BINDINGS).format(node.name)
    if node is site.holder and isinstance(site.owner, ast.ClassDef) and node is not site.owner:
        at, indent = rng.choice([start_of(woven, site.owner), end_of(woven, site.owner)])
        return Mutation(woven.edited((at, at - 1, put(indent, lines))), Verdict.REFUSED)
    return Mutation(woven.extended(lines), Verdict.REFUSED)


@mutation("elements")
def a_display_is_doubled(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    if site.directive != "entries":
        return None
    name = site.name.rpartition(".")[2]
    lines = rng.choice(BINDINGS).format(name)
    last = span(site.holder)[1]
    indent = woven.indent(site.suite[site.index])
    return Mutation(woven.edited((last + 1, last, put(indent, lines))), Verdict.REFUSED)


@mutation("elements")
def a_display_is_another_expression(
    woven: Woven, site: Site, rng: random.Random
) -> Mutation | None:
    """The value is no display any more, or is one that more is added to."""
    if site.directive != "entries":
        return None
    last = span(site.holder)[1]
    tail, verdict = rng.choice(
        [(" + X", Verdict.REFUSED), ("[:]", Verdict.REFUSED), (".copy()", Verdict.REFUSED)]
    )
    line = woven.line(last)
    if line.rstrip()[-1:] not in {")", "]", "}"}:
        return None
    return Mutation(woven.edited((last, last, [line.rstrip() + tail])), verdict)


@mutation()
def an_import_is_aliased(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    """A module that lines of ours use has another name in Nova's file."""
    used = {name for each in woven.sites for name in each.used}
    found = [
        node
        for node in woven.tree.body
        if isinstance(node, IMPORTS)
        and node.lineno not in woven.ours
        and len(node.names) == 1
        and not node.names[0].asname
        and node.names[0].name in used
        and woven.alone(node)
        and span(node)[0] == span(node)[1]
    ]
    if not found:
        return None
    node = rng.choice(found)
    name = node.names[0].name
    pattern = re.compile(rf"(?<![\w.]){name}\b(?!\s*=[^=])")
    edits: list[Edit] = []
    for number, line in enumerate(woven.lines, 1):
        if number == node.lineno:
            edits.append((number, number, [f"{line} as {name}_other"]))
        elif number not in woven.ours and name in line:
            edits.append((number, number, [pattern.sub(f"{name}_other", line)]))
    text = woven.edited(*edits)
    try:
        ast.parse(text)
    except SyntaxError:
        return None
    return Mutation(text, Verdict.EITHER, imports=True)


@mutation()
def an_import_comes_late(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    """Imports of Nova's move to the end of the file, into a try, or under a condition."""
    found = [
        node
        for node in woven.tree.body
        if isinstance(node, IMPORTS)
        and not woven.has_ours(node)
        and woven.alone(node)
        and getattr(node, "module", "") != "__future__"
    ]
    used = {name for each in woven.sites for name in each.used}
    wanted = [node for node in found if stored(node) & used]
    chosen = rng.sample(found, min(len(found), rng.choice([1, 3, len(found)])))
    chosen += [node for node in wanted if node not in chosen and rng.random() < 0.7]
    edits: list[Edit] = []
    late: list[str] = []
    for node in chosen:
        first, last = span(node)
        lines = [woven.line(number) for number in range(first, last + 1)]
        way = rng.choice(["end", "try", "if", "late"])
        if way == "end":
            edits.append((first, last, []))
            late += lines
        elif way == "try":
            inner = ["    " + line for line in lines]
            edits.append((first, last, ["try:", *inner, "except ImportError:", "    raise"]))
        elif way == "if":
            edits.append((first, last, ["if True:", *("    " + line for line in lines)]))
    if late:
        # Behind Nova's code: our lines at the end of a module come after it.
        theirs = [node for node in woven.tree.body if node.lineno not in woven.ours]
        last = span(theirs[-1])[1]
        edits.append((last + 1, last, late))
    return Mutation(woven.edited(*edits), Verdict.EITHER, imports=True) if edits else None


@mutation()
def an_import_is_gone(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    """A name that lines of ours use, and that the change does not import, is bound nowhere."""
    imported = Change(woven.file.change).imported
    used = {name for each in woven.sites for name in each.used} - imported
    found = [
        node
        for node in woven.tree.body
        if isinstance(node, IMPORTS)
        and not woven.has_ours(node)
        and woven.alone(node)
        and stored(node) & used
        and len(node.names) == 1
    ]
    if not found:
        return None
    node = rng.choice(found)
    others = stored(
        *(
            each
            for each in ast.walk(woven.tree)
            if each is not node and isinstance(each, ast.stmt) and not hasattr(each, "body")
        )
    )
    if stored(node) & others:
        return None
    return Mutation(woven.edited((*span(node), [])), Verdict.REFUSED)


@mutation(stacks=True)
def imports_written_anew(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    """Imports change places, or stand in brackets, or share a line."""
    found = [
        node
        for node in woven.tree.body
        if isinstance(node, IMPORTS)
        and not woven.has_ours(node)
        and woven.alone(node)
        and getattr(node, "module", "") != "__future__"
    ]
    if len(found) < 2:
        return None
    shuffled = rng.sample(found, len(found))
    edits: list[Edit] = []
    for place, node in zip(found, shuffled, strict=True):
        first, last = span(node)
        lines = [woven.line(number) for number in range(first, last + 1)]
        if first == last and isinstance(node, ast.ImportFrom) and rng.random() < 0.2:
            names = ", ".join(map(ast.unparse, node.names))
            module = "." * node.level + (node.module or "")
            if names != "*":
                lines = [f"from {module} import (  # why", f"    {names},", ")"]
        edits.append((*span(place), lines))
    return Mutation(woven.edited(*edits), Verdict.WOVEN)
