"""Mutations of places: code is moved, doubled, nested, left early, or decorated."""

from __future__ import annotations

import ast
import itertools
import random
import re
import tokenize

from tests.fuzz.mutation import Mutation, Verdict, mutation
from tests.fuzz.names import put, start_of
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

LEAVES = (ast.Return, ast.Raise, ast.Continue, ast.Break)


# -- order -------------------------------------------------------------------------------------


@mutation(stacks=True)
def members_change_places(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    """Two functions or classes of a class, or of the module, that follow each other."""
    owner = rng.choice([site.owner, woven.tree])
    if owner is not woven.tree and getattr(owner, "lineno", 0) in woven.ours:
        return None
    pairs = [
        (one, two)
        for one, two in zip(owner.body, owner.body[1:], strict=False)
        if isinstance(one, FUNCTIONS)
        and isinstance(two, FUNCTIONS)
        and not {one.lineno, two.lineno} & woven.ours
    ]
    if not pairs:
        return None
    beside = [pair for pair in pairs if site.holder in pair]
    one, two = rng.choice(beside or pairs)
    (first, last), (begin, end) = span(one), span(two)
    lines = woven.lines
    swapped = [*lines[begin - 1 : end], *lines[last : begin - 1], *lines[first - 1 : last]]
    return Mutation(woven.edited((first, end, swapped)), Verdict.WOVEN)


@mutation("elements")
def elements_change_places(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    parts = [
        part
        for part in ast.walk(site.holder)
        if any(each is site.nodes[0] for each in elements(part))
    ]
    theirs = [each for each in elements(parts[0]) if each.lineno not in woven.ours]  # type: ignore[attr-defined]
    lines = [woven.line(each.lineno) for each in theirs]  # type: ignore[attr-defined]
    spans = [span(each) for each in theirs]
    if isinstance(parts[0], ast.Dict) or any(
        first != last or not line.rstrip().endswith(",")
        for (first, last), line in zip(spans, lines, strict=True)
    ):
        return None
    if len({first for first, _ in spans}) < len(spans):
        return None
    rng.shuffle(lines)
    edits = [(first, first, [line]) for (first, _), line in zip(spans, lines, strict=True)]
    return Mutation(woven.edited(*edits), Verdict.WOVEN)


@mutation("statements")
def statements_change_places(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    """Two neighbours in a suite; lines of ours go with the statement that they belong to."""
    holder = site.holder
    assert isinstance(holder, FUNCTIONS)
    sites = [each for each in woven.sites if each.suite is site.suite]
    units = _units(woven, site, sites)
    pairs = [
        (one, two)
        for one, two in itertools.pairwise(units)
        if not any(isinstance(part, LEAVES) for node in (*one, *two) for part in ast.walk(node))
        and not isinstance(holder.body[-1], ast.Return) | (two[-1] is holder.body[-1])
        and all(woven.alone(node) for node in (*one, *two))
        and not any(map(is_docstring, one))
    ]
    if not pairs:
        return None
    near = [pair for pair in pairs if any(node in site.nodes for part in pair for node in part)]
    one, two = rng.choice(near or pairs)
    first, last = span(one[0])[0], span(one[-1])[1]
    begin, end = span(two[0])[0], span(two[-1])[1]
    lines = woven.lines
    swapped = [*lines[begin - 1 : end], *lines[last : begin - 1], *lines[first - 1 : last]]
    # The bound names, and the order of the sites, may be others now.
    either = stored(*one, *two) & {name for each in sites for name in each.used}
    several = sum(each.holder is holder for each in woven.sites) > 1
    verdict = Verdict.EITHER if either or several else Verdict.WOVEN
    return Mutation(woven.edited((first, end, swapped)), verdict)


def _units(woven: Woven, site: Site, sites: list[Site]) -> list[list[ast.stmt]]:
    """Return the statements of a suite, those of ours joined to their landmark."""
    units: list[list[ast.stmt]] = []
    leads = False
    fixed = {id(node) for each in sites if each.landmark is None for node in each.nodes}
    follows = {id(node) for each in sites if each.directive == "after" for node in each.nodes}
    ahead = {
        id(node)
        for each in sites
        if each.directive in {"before", "before_return"}
        for node in each.nodes
    }
    for node in site.suite:
        if id(node) in fixed:
            continue
        if leads or id(node) in follows:
            units[-1].append(node)
        else:
            units.append([node])
        leads = id(node) in ahead
    return units


# -- doubles -----------------------------------------------------------------------------------


@mutation("statements", "elements")
def a_landmark_is_doubled(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    """The statement that a place is named by stands a second time in its function."""
    if site.directive not in {"before", "after", "arguments"}:
        return None
    holder = site.holder if isinstance(site.holder, FUNCTIONS) else None
    if holder is None:
        names = [node for node in ast.walk(site.owner) if isinstance(node, FUNCTIONS)]
        names += [node for node in woven.tree.body if isinstance(node, FUNCTIONS)]
        around = [node for node in names if any(part is site.holder for part in ast.walk(node))]
        if not around:
            return None
        holder = around[-1]
    called = [f"{site.anchor}()", f"_ = [{site.anchor}() for _ in ()]"]
    ways = [*called, f"if {site.anchor}():\n    pass", f"def _f():\n    {site.anchor}()"]
    ways.append(f"class _C:\n    x = {site.anchor}()")
    ways.append(f"_ = lambda: {site.anchor}()")
    if site.directive != "arguments":
        ways += [f"{site.anchor} = None", f"for {site.anchor} in ():\n    pass"]
        ways += [f"with open('') as {site.anchor}:\n    pass", f"{site.anchor} += 1"]
        ways += [f"_, ({site.anchor}, *_) = ''"]
        if "." not in site.anchor:
            ways += [f"import os as {site.anchor}", f"if ({site.anchor} := 1):\n    pass"]
    first, indent = start_of(woven, holder)
    lines = put(indent, rng.choice(ways))
    if not woven.alone(holder.body[-1]):
        return None
    if isinstance(holder.body[-1], LEAVES) or rng.random() < 0.5:
        return Mutation(woven.edited((first, first - 1, lines)), Verdict.REFUSED)
    last = span(holder)[1]
    return Mutation(woven.edited((last + 1, last, lines)), Verdict.REFUSED)


# -- ways through a function -------------------------------------------------------------------


@mutation("statements")
def a_function_returns_early(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    holder = site.holder
    assert isinstance(holder, FUNCTIONS)
    places = [
        (suite, index, node)
        for suite, index, node in statements(holder, nested=False)
        if span(node)[0] not in woven.ours
        and woven.alone(node)
        and not is_docstring(node)
        and not woven.line(span(node)[0]).lstrip().startswith(("elif", "else"))
    ]
    if not places:
        return None
    *_, node = rng.choice(places)
    ways = ["if __name__:\n    return", "if __name__:\n    return None\nelse:\n    pass"]
    ways += ["with open('') as _:\n    if _:\n        return", "for _ in '':\n    return"]
    ways += [
        "try:\n    if __name__:\n        return\nfinally:\n    pass",
        "while __name__:\n    return",
    ]
    ways += ["try:\n    open('')\nexcept OSError:\n    return"]
    lines = put(woven.indent(node), rng.choice(ways))
    first = span(node)[0]
    # Between ours and the statement that they lead there is no place for another.
    if node is site.landmark and site.directive != "after":
        first = span(site.suite[site.index])[0]
    if site.index and node is site.suite[site.index]:
        return None
    directives = {each.directive for each in woven.sites if each.holder is holder}
    verdict = Verdict.REFUSED if "append" in directives else Verdict.WOVEN
    if len(directives) > 1 or any(
        isinstance(part, (ast.Yield, ast.YieldFrom)) for part in ast.walk(holder)
    ):
        verdict = Verdict.EITHER
    return Mutation(woven.edited((first, first - 1, lines)), verdict)


@mutation("statements")
def a_nested_function_returns(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    """A return of a nested function leaves only that one."""
    holder = site.holder
    assert isinstance(holder, FUNCTIONS)
    if not woven.alone(holder.body[0]) or site.directive == "prepend":
        return None
    first, indent = start_of(woven, holder)
    ways = ["def _f():\n    return", "class _C:\n    def _f(self):\n        return 1"]
    ways += ["async def _f():\n    for _ in '':\n        return"]
    lines = put(indent, rng.choice(ways))
    return Mutation(woven.edited((first, first - 1, lines)), Verdict.WOVEN)


@mutation("statements")
def nothing_reaches_a_place(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    if site.directive == "prepend" or not site.index:
        return None
    node = site.suite[site.index - 1] if site.directive == "after" else site.suite[site.index]
    if not woven.alone(node):
        return None
    ways = [
        "return",
        "raise ValueError()",
        "while True:\n    pass",
        "if __name__:\n    return\nelse:\n    raise",
    ]
    ways += [
        "while True:\n    for _ in '':\n        break",
        "while 1:\n    def _f():\n        while 1:\n            break",
    ]
    ways += [
        "for _ in '':\n    pass\nelse:\n    return",
        "while __name__:\n    pass\nelse:\n    raise",
    ]
    ways += ["try:\n    raise\nfinally:\n    pass", "try:\n    pass\nfinally:\n    return"]
    ways += ["try:\n    return\nexcept ValueError:\n    raise", "if True:\n    return"]
    ways += ["match __name__:\n    case 1:\n        return\n    case _:\n        raise"]
    ways += ["if __name__:\n    return\nelif 1:\n    raise\nelse:\n    return"]
    first = span(node)[0]
    lines = put(woven.indent(node), rng.choice(ways))
    return Mutation(woven.edited((first, first - 1, lines)), Verdict.REFUSED)


WRAPPERS: tuple[tuple[str, str, Verdict], ...] = (
    ("if __name__:", "", Verdict.WOVEN),
    ("if __name__:", "else:\n    pass", Verdict.WOVEN),
    ("if __name__:\n    pass\nelse:", "", Verdict.WOVEN),
    ("if __name__:\n    pass\nelif __doc__:", "", Verdict.WOVEN),
    ("with open(''):", "", Verdict.WOVEN),
    ("for _ in '':", "", Verdict.WOVEN),
    ("for _ in '':\n    pass\nelse:", "", Verdict.WOVEN),
    ("while __name__:", "", Verdict.WOVEN),
    ("try:", "finally:\n    pass", Verdict.WOVEN),
    ("try:", "except ValueError:\n    raise", Verdict.WOVEN),
    ("try:\n    pass\nfinally:", "", Verdict.WOVEN),
    ("try:\n    pass\nexcept ValueError:\n    pass\nelse:", "", Verdict.WOVEN),
    ("try:\n    pass\nexcept ValueError:", "    raise", Verdict.WOVEN),
    ("try:\n    pass\nexcept ValueError:", "", Verdict.REFUSED),
    ("try:\n    pass\nexcept (ValueError, OSError) as _:", "    pass", Verdict.REFUSED),
    ("try:\n    pass\nexcept ValueError:", "    if __name__:\n        raise", Verdict.REFUSED),
    ("try:\n    pass\nexcept:", "    return", Verdict.REFUSED),
    (
        "try:\n    pass\nexcept ValueError:\n    if __name__:\n        return",
        "    raise",
        Verdict.REFUSED,
    ),
    (
        "try:\n    pass\nexcept ValueError:\n    with excutils.save_and_reraise_exception() as _c:"
        "\n        _c.reraise = False",
        "",
        Verdict.REFUSED,
    ),
    (
        "try:\n    pass\nexcept ValueError:\n"
        "    with excutils.save_and_reraise_exception(reraise=False):\n        pass",
        "",
        Verdict.REFUSED,
    ),
    ("def _f():", "", Verdict.REFUSED),
    ("async def _f():", "", Verdict.REFUSED),
    ("class _C:", "", Verdict.REFUSED),
    ("if False:", "", Verdict.REFUSED),
    ("while 0:", "", Verdict.REFUSED),
    ("if True:\n    pass\nelse:", "", Verdict.REFUSED),
    ("match __name__:\n    case 1:", "", Verdict.WOVEN),
)


@mutation("statements")
def a_place_is_wrapped(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    """A statement, and our lines that belong to it, move into another statement."""
    node = site.landmark
    if node is None or isinstance(site.suite[0], FUNCTIONS):
        return None
    unit = [*site.suite[site.index : site.index + len(site.nodes)]]
    unit = [node, *unit] if site.directive == "after" else [*unit, node]
    first, last = span(unit[0])[0], span(unit[-1])[1]
    if not woven.alone(node) or woven.line(span(node)[0]).lstrip().startswith(("elif", "else")):
        return None
    if _strings_over_lines(node):
        return None
    head, tail, verdict = rng.choice(WRAPPERS)
    if isinstance(node, LEAVES) and tail.startswith("    "):
        return None
    indent = woven.indent(node)
    deeper = "    " if "case" not in head else "        "
    inner = [deeper + woven.line(number) for number in range(first, last + 1)]
    lines = [*put(indent, head), *inner, *(put(indent, tail) if tail else [])]
    if "reraise" in head:
        lines = [*put(indent, head.split("\n    with")[0])]
        lines += inner
        lines += put(indent, "    with" + head.split("\n    with")[1])
    text = woven.edited((first, last, lines))
    if site.directive == "before_return":
        # The function ends in another statement now.
        verdict = Verdict.REFUSED
    if (
        site.directive == "before_return"
        and head.startswith(("for", "while"))
        and "else" not in head
    ):
        return None
    if _uses_loops(node) and head.startswith(("for", "while", "def", "class", "async")):
        return None
    word = Change(woven.file.change).word(site.name, site.nodes)
    if word.despite == "nested" and head.startswith(("def", "async", "class")):
        verdict = Verdict.EITHER
    several = sum(each.holder is site.holder for each in woven.sites) > 1
    binds = stored(*unit) & {
        name for each in woven.sites if each.holder is site.holder for name in each.used
    }
    if verdict is Verdict.WOVEN and (several or binds):
        verdict = Verdict.EITHER
    try:
        compile(text, "wrapped", "exec", dont_inherit=True)
    except SyntaxError:
        return None
    return Mutation(text, verdict)


def _uses_loops(node: ast.AST) -> bool:
    return any(isinstance(part, (ast.Break, ast.Continue)) for part in ast.walk(node))


def _strings_over_lines(node: ast.AST) -> bool:
    return any(
        isinstance(part, (ast.Constant, ast.JoinedStr)) and part.lineno != part.end_lineno
        for part in ast.walk(node)
    )


@mutation("statements")
def a_call_becomes_a_lambda(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    """The call that a place is named by runs later, or never."""
    node = site.landmark
    if node is None or not site.anchor or not isinstance(node, (ast.Assign, ast.Expr)):
        return None
    calls = [
        part
        for part in ast.walk(node)
        if isinstance(part, ast.Call) and ast.unparse(part.func) == site.anchor
    ]
    if len(calls) != 1 or not woven.alone(node):
        return None
    whole = ast.unparse(node)
    call = ast.unparse(calls[0])
    if whole.count(call) != 1:
        return None
    line = woven.indent(node) + whole.replace(call, f"(lambda: {call})")
    return Mutation(woven.edited((*span(node), [line])), Verdict.REFUSED)


# -- decorated functions -----------------------------------------------------------------------


def decorated(woven: Woven, node: Function | ast.ClassDef, lines: list[str]) -> str:
    """Return the text with decorators above those of a definition."""
    first = span(node)[0]
    return woven.edited((first, first - 1, put(woven.indent(node), "\n".join(lines))))


@mutation("statements", "decorator", stacks=True)
def a_plain_decorator_is_added(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    holder = site.holder
    assert isinstance(holder, DEFINITIONS)
    ways = [
        ["@wraps"],
        ["@a.b.c(1)  # why"],
        ["@trace(", "    'a',", ")"],
        ["@first", "# why", "@second"],
    ]
    ways += [
        ["@(lambda f: f)"],
        ["@trace(  # why", "# why", "        )", "", "# why"],
        ["@ spaced"],
    ]
    return Mutation(decorated(woven, holder, rng.choice(ways)), Verdict.WOVEN)


@mutation("decorator", "statements")
def a_function_is_of_another_kind(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    holder = site.holder
    if not isinstance(holder, FUNCTIONS):
        return None
    now = {ast.unparse(each) for each in holder.decorator_list}
    ways = ["staticmethod", "classmethod", "property", "functools.cached_property", "x.setter"]
    ways += ["async", "yield", "builtins.staticmethod", "abc.abstractclassmethod"]
    way = rng.choice([each for each in ways if each not in now])
    verdict = Verdict.REFUSED if site.kind == "decorator" else Verdict.EITHER
    if way == "async":
        line = woven.line(holder.lineno)
        new = re.sub(r"\bdef\b", "async def", line, count=1)
        if isinstance(holder, ast.AsyncFunctionDef):
            return None
        return Mutation(woven.edited((holder.lineno, holder.lineno, [new])), verdict)
    if way == "yield":
        if not woven.alone(holder.body[0]):
            return None
        first, indent = start_of(woven, holder)
        lines = put(indent, rng.choice(["yield", "if __name__:\n    _ = yield", "yield from ()"]))
        if any(isinstance(part, (ast.Yield, ast.YieldFrom)) for part in ast.walk(holder)):
            return None
        if site.directive == "prepend":
            first = span(site.suite[site.index + len(site.nodes) - 1])[1] + 1
        return Mutation(woven.edited((first, first - 1, lines)), verdict)
    return Mutation(decorated(woven, holder, [f"@{way}"]), verdict)


@mutation("decorator")
def a_function_has_other_parameters(
    woven: Woven, site: Site, rng: random.Random
) -> Mutation | None:
    """Stated parameters are moved, renamed or gone, or others stand before them."""
    holder = site.holder
    if not isinstance(holder, FUNCTIONS):
        return None
    given = [each.arg for each in holder.args.args]
    stated = [each for each in site.stated if each in given]
    span_ = _signature(woven, holder)
    if span_ is None or not stated:
        return None
    first, last, args = span_
    at = rng.randrange(len(stated))
    index = given.index(stated[at])
    way = rng.choice(["gone", "renamed", "moved", "more", "keyword", "late", "starred"])
    verdict = Verdict.REFUSED
    if holder.args.posonlyargs or (holder.args.defaults and way in {"moved", "more"}):
        return None
    if way == "gone":
        del args[index]
    elif way == "renamed":
        args[index] = args[index].replace(given[index], given[index] + "_other", 1)
    elif way == "moved" and index + 1 < len(given):
        args[index], args[index + 1] = args[index + 1], args[index]
    elif way == "more":
        args.insert(index, "more")
    elif way == "keyword":
        if "*" in " ".join(args):
            return None
        args.insert(index, "*")
    elif way == "starred":
        if "*" in " ".join(args):
            return None
        args[index:] = ["*" + given[index]]
    elif way == "late":
        # Parameters behind the stated ones do not matter.
        if holder.args.vararg or holder.args.kwonlyargs or holder.args.kwarg:
            return None
        args.append("more=None")
        verdict = Verdict.WOVEN
    else:
        return None
    head = re.match(r"\s*(async\s+)?def\s+\w+", woven.line(first))
    assert head
    line = f"{head[0]}({', '.join(args)}):"
    text = woven.edited((first, last, [line]))
    return Mutation(text, verdict)


def _signature(woven: Woven, node: Function) -> tuple[int, int, list[str]] | None:
    """Return the lines of a function's head, and its parameters as written."""
    tokens = [
        each
        for each in woven.tokens(node)
        if each.start[0] >= node.lineno and each.type not in {tokenize.COMMENT, tokenize.NL}
    ]
    depth = 0
    ends = []
    for index, each in enumerate(tokens):
        depth += (each.string in "([{") - (each.string in ")]}") if each.type == tokenize.OP else 0
        if each.string == ":" and not depth and each.type == tokenize.OP:
            ends = tokens[: index + 1]
            break
    if not ends or woven.line(ends[-1].start[0])[ends[-1].end[1] :].strip() or node.returns:
        return None
    args = ast.unparse(node.args)
    return node.lineno, ends[-1].start[0], args.split(", ") if args else []


@mutation(stacks=True)
def a_member_is_added(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    """Nova has one function more, with the code of all kinds that Python has."""
    text = (
        "def _more(self, *, a: int = 1, **kwargs) -> None:\n"
        "    '''Told.\n\n    Much.  # xloud?\n    '''\n"
        "    x = f'{a!r:>{a}} {{}} {kwargs}'; y = '''\n'''\n"
        "    async def z(): return [_ async for _ in x if await y]\n"
        "    return lambda *a: (yield)\n"
    )
    first: tuple[int, str] | None = None
    if isinstance(site.owner, ast.ClassDef) and site.owner.lineno not in woven.ours:
        functions = [each for each in site.owner.body if isinstance(each, FUNCTIONS)]
        functions = [each for each in functions if each.lineno not in woven.ours]
        if functions:
            first = span(functions[0])[0], woven.indent(functions[0])
    if first is None:
        return None
    at, indent = first
    lines = [
        line if line in {"", "'''", "    '''"} and index in {2, 6} else indent + line
        for index, line in enumerate(text.split("\n")[:-1])
    ]
    edit: Edit = (at, at - 1, [*lines, ""])
    return Mutation(woven.edited(edit), Verdict.WOVEN)


@mutation("statements", stacks=True)
def parameters_are_told_types(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    """The head of a function is written on many lines, with types."""
    holder = site.holder
    assert isinstance(holder, FUNCTIONS)
    found = _signature(woven, holder)
    if found is None or holder.args.posonlyargs or not parameters(holder):
        return None
    first, last, args = found
    head = re.match(r"\s*(async\s+)?def\s+\w+", woven.line(first))
    assert head
    told = [re.sub(r"^([a-z_]\w*)$", r"\1: 'object'", each) for each in args]
    lines = [
        f"{head[0]}(",
        *(f"  {each},  # why" for each in told),
        ") -> (",
        "    None",
        "):  # so",
    ]
    if any(each.startswith("**") for each in args[:-1]):
        return None
    return Mutation(woven.edited((first, last, lines)), Verdict.WOVEN)
