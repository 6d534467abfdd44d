"""Mutations that a formatter makes, or a person with taste: the meaning of the code stays."""

from __future__ import annotations

import ast
import random
import subprocess
import sys
import textwrap
import tokenize

from tests.fuzz.mutation import Mutation, Verdict, mutation
from tests.fuzz.woven import FUNCTIONS, Edit, Site, Woven, is_docstring, span, statements

COMMENTS = (
    *("# why", "# def __init__(self):", "# return", "# fmt: off", '# """', "# \\", "#", "#!"),
    *(
        "# xloud begin",
        "#  xloud",
        "# xloud: why",
        "# ünïcödé \U0001d11e",
        "# instance.vm_state = 1",
    ),
)


def simple(woven: Woven, site: Site) -> list[ast.stmt]:
    """Return simple statements of Nova's around a site that have their lines for themselves."""
    region = woven.region(site) or woven.tree
    return [
        node
        for _, _, node in statements(region)
        if not hasattr(node, "body")
        and not hasattr(node, "cases")
        and not is_docstring(node)
        and not woven.has_ours(node)
        and woven.alone(node)
    ]


def is_border(site: Site, node: ast.stmt) -> bool:
    """Say whether ours may stand beside a statement: it begins or ends a suite, or is a member."""
    body = getattr(site.holder, "body", None) or site.suite
    edges = [body[0], body[-1], site.suite[0], site.suite[-1], site.landmark, *site.owner.body]
    edges += getattr(site.owner.body[-1], "body", ())[-1:]
    beside = site.suite[max(site.index - 1, 0) : site.index + len(site.nodes) + 1]
    return any(node is each for each in (*edges, *beside))


def gap(woven: Woven, site: Site, node: ast.stmt) -> Verdict:
    """Return EITHER where a mutated statement leaves no room beside it, else WOVEN."""
    return Verdict.EITHER if is_border(site, node) else Verdict.WOVEN


@mutation(stacks=True)
def comments_in_odd_places(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    region = woven.region(site) or woven.tree
    nodes = [
        node
        for _, _, node in statements(region)
        if woven.line(span(node)[0]).strip() and woven.alone(node)
    ]
    edits: list[Edit] = []
    for node in rng.sample(nodes, min(len(nodes), 6)):
        first = span(node)[0]
        indent = rng.choice(["", "    ", woven.indent(node), woven.indent(node) + "    "])
        edits.append((first, first - 1, [indent + rng.choice(COMMENTS)]))
    return Mutation(woven.edited(*edits), Verdict.WOVEN)


@mutation(stacks=True)
def comments_behind_code(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    region = woven.region(site)
    if region is None:
        return None
    tokens = woven.tokens(region)
    commented = {each.start[0] for each in tokens if each.type == tokenize.COMMENT}
    ends = {
        each.start[0]
        for each in tokens
        if each.type in (tokenize.NEWLINE, tokenize.NL)
        and woven.line(each.start[0])[: each.start[1]].strip()
    }
    free = sorted(ends - commented - woven.ours)
    edits = [
        (number, number, [f"{woven.line(number)}  {rng.choice(COMMENTS)}"])
        for number in rng.sample(free, min(len(free), 6))
    ]
    return Mutation(woven.edited(*edits), Verdict.WOVEN) if edits else None


@mutation(stacks=True)
def blank_lines(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    region = woven.region(site)
    if region is None:
        return None
    edits: list[Edit] = []
    if rng.random() < 0.5:
        blank = {
            each.start[0]
            for each in woven.tokens(region)
            if each.type == tokenize.NL and not woven.line(each.start[0]).strip()
        }
        edits = [(number, number, []) for number in blank]
    else:
        for node in simple(woven, site):
            if rng.random() < 0.3:
                first = span(node)[0]
                edits.append((first, first - 1, rng.choice([[""], ["", ""], ["    "], ["\f"]])))
    return Mutation(woven.edited(*edits), Verdict.WOVEN) if edits else None


@mutation(stacks=True)
def statements_written_anew(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    nodes = [node for node in simple(woven, site) if rng.random() < 0.5]
    edits = [(*span(node), [woven.indent(node) + ast.unparse(node)]) for node in nodes]
    # A display on one line takes no entries.
    either = site.kind == "elements" or any(is_border(site, node) for node in nodes)
    verdict = Verdict.EITHER if either else Verdict.WOVEN
    return Mutation(woven.edited(*edits), verdict) if edits else None


@mutation(stacks=True)
def compound_statements_written_anew(
    woven: Woven, site: Site, rng: random.Random
) -> Mutation | None:
    region = woven.region(site)
    if region is None:
        return None
    nodes = [
        node
        for _, _, node in statements(region)
        if isinstance(node, (ast.If, ast.For, ast.Try, ast.With, ast.While))
        and not woven.has_ours(node)
        and woven.alone(node)
        and not woven.line(node.lineno).lstrip().startswith("elif")
        and "\n"
        not in "".join(
            each.value
            for each in ast.walk(node)
            if isinstance(each, ast.Constant) and isinstance(each.value, str)
        )
    ]
    if not nodes:
        return None
    node = rng.choice(nodes)
    text = textwrap.indent(ast.unparse(node), woven.indent(node))
    return Mutation(woven.edited((*span(node), text.split("\n"))), Verdict.WOVEN)


@mutation(stacks=True)
def brackets_over_many_lines(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    region = woven.region(site)
    if region is None:
        return None
    opened = [
        each
        for each in woven.tokens(region)
        if each.type == tokenize.OP
        and each.string in {"(", "[", ","}
        and each.start[0] not in woven.ours
    ]
    depth_zero = _depth_zero(woven, region)
    places = [each.end for each in opened if each.start not in depth_zero or each.string != ","]
    edits: list[Edit] = []
    chosen = dict(rng.sample(places, min(len(places), 8)))
    for number, column in chosen.items():
        line = woven.line(number)
        if line[column:].strip() and not line[column:].lstrip().startswith("#"):
            tail = " " * rng.choice([0, 4, 40]) + line[column:].lstrip()
            edits.append((number, number, [line[:column], tail]))
    verdict = Verdict.EITHER if site.kind == "elements" else Verdict.WOVEN
    return Mutation(woven.edited(*edits), verdict) if edits else None


@mutation(stacks=True)
def backslashes(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    region = woven.region(site)
    if region is None:
        return None
    depth_zero = _depth_zero(woven, region)
    places = [
        each.start
        for each in woven.tokens(region)
        if each.type == tokenize.OP
        and each.string in {"=", "==", ".", "+", "%", "(", "["}
        and each.start in depth_zero
        and each.start[0] not in woven.ours
    ]
    chosen = dict(rng.sample(places, min(len(places), 6)))
    edits = [
        (
            number,
            number,
            [
                woven.line(number)[:column] + "\\",
                " " * rng.choice([1, 4, 30]) + woven.line(number)[column:],
            ],
        )
        for number, column in chosen.items()
        if woven.line(number)[:column].strip()
    ]
    return Mutation(woven.edited(*edits), Verdict.WOVEN) if edits else None


@mutation(stacks=True)
def semicolons(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    nodes = [node for node in simple(woven, site) if "#" not in woven.line(span(node)[1])]
    if not nodes:
        return None
    node = rng.choice(nodes)
    first, last = span(node)
    if rng.random() < 0.5:
        line = woven.line(last) + rng.choice([";", "; pass", " ; pass ;"])
        edit = (last, last, [line])
    else:
        indent = woven.indent(node)
        edit = (first, first, [f"{indent}pass; {woven.line(first)[len(indent) :]}"])
    return Mutation(woven.edited(edit), gap(woven, site, node))


@mutation(stacks=True)
def suites_on_one_line(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    region = woven.region(site) or woven.tree
    found = [
        node
        for _, _, node in statements(region)
        if isinstance(node, ast.If)
        and not node.orelse
        and len(node.body) == 1
        and not hasattr(node.body[0], "body")
        and not woven.has_ours(node)
        and woven.alone(node.body[0])
        and woven.line(span(node.body[0])[0] - 1).endswith(":")
    ]
    if not found:
        return None
    node = rng.choice(found)
    inner = node.body[0]
    first = span(inner)[0]
    line = f"{woven.line(first - 1)} {woven.line(first).lstrip()}"
    verdict = Verdict.EITHER if is_border(site, inner) else gap(woven, site, node)
    return Mutation(woven.edited((first - 1, first, [line])), verdict)


@mutation(stacks=True)
def values_in_parentheses(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    found = [
        node
        for node in simple(woven, site)
        if isinstance(node, ast.Assign)
        and span(node)[0] == span(node)[1]
        and woven.line(node.lineno).isascii()
    ]
    edits: list[Edit] = []
    for node in rng.sample(found, min(len(found), 4)):
        line, value = woven.line(node.lineno), node.value  # type: ignore[attr-defined]
        left, right = value.col_offset, value.end_col_offset
        lines = [
            f"{line[:left]}(  # why",
            f"        {line[left:right]}",
            f"  # so\n){line[right:]}",
        ]
        edits.append((node.lineno, node.lineno, lines))
    return Mutation(woven.edited(*edits), Verdict.WOVEN) if edits else None


@mutation(stacks=True)
def a_docstring_comes_or_goes(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    holder = site.holder
    if not isinstance(holder, FUNCTIONS) or not woven.alone(holder.body[0]):
        return None
    first = holder.body[0]
    if not is_docstring(first):
        told = rng.choice(['"""Told."""', "'told'", '"""Told.\n\n    Much.\n    """'])
        at = span(first)[0]
        return Mutation(woven.edited((at, at - 1, [woven.indent(first) + told])), Verdict.WOVEN)
    if len(holder.body) < 2:
        return None
    return Mutation(woven.edited((*span(first), [])), Verdict.WOVEN)


@mutation(stacks=True)
def the_end_of_the_file(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    text = woven.text.rstrip("\n")
    if woven.lines[-1].strip() or text.endswith("# xloud"):
        return None
    ends = ["", "\n\n\n", "\n\n# the end\n", "\n\f\n", "\n    # the end", "\n    \n"]
    return Mutation(text + rng.choice(ends), Verdict.WOVEN)


@mutation()
def formatted(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    """The whole file goes through a formatter; its meaning, and so the weave, stays."""
    tabs = rng.random() < 0.2
    settings = {
        "line-length": rng.choice([40, 60, 79, 100, 200]),
        "indent-width": rng.choice([2, 4, 4, 8]),
        "format.indent-style": '"tab"' if tabs else '"space"',
        "format.quote-style": rng.choice(['"single"', '"double"', '"preserve"']),
        "format.skip-magic-trailing-comma": rng.choice(["true", "false"]),
    }
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--no-cache", "-"]
    for name, value in settings.items():
        command += ["--config", f"{name}={value}"]
    done = subprocess.run(command, input=woven.base, check=True, capture_output=True, text=True)
    # Our lines may get too long at a deeper place.
    either = (
        tabs
        or settings["indent-width"] == 8
        or any(each.kind == "elements" for each in woven.sites)
    )
    verdict = Verdict.EITHER if either else Verdict.WOVEN
    return Mutation(woven.text, verdict, done.stdout.encode())


@mutation(stacks=True)
def locals_renamed(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    """A local that no line of ours uses gets another name."""
    holder = site.holder
    if not isinstance(holder, FUNCTIONS):
        return None
    beside = [each for each in woven.sites if each.holder is holder]
    taken = {
        part for each in beside for part in (*each.used, *each.stated, *each.anchor.split("."))
    }
    own = {part.name for part in ast.walk(holder) if isinstance(part, FUNCTIONS)}
    free = sorted(_locals(holder) - taken - own)
    if not free:
        return None
    old = rng.choice(free)
    new = rng.choice(["renamed", f"{old}_", "größe", "_"])
    return Mutation(renamed(woven, holder, old, new), Verdict.WOVEN)


def renamed(woven: Woven, node: ast.AST, old: str, new: str) -> str:
    """Return the text with a name replaced by another in all lines of a node but ours."""
    edits = []
    for number, columns in _token_lines(woven, node, old).items():
        if number not in woven.ours:
            line = woven.line(number)
            for column in sorted(columns, reverse=True):
                line = line[:column] + new + line[column + len(old) :]
            edits.append((number, number, [line]))
    return woven.edited(*edits)


def _token_lines(woven: Woven, node: ast.AST, name: str) -> dict[int, list[int]]:
    """Return where a name stands, attributes and keywords of that name not counted."""
    found: dict[int, list[int]] = {}
    before = ""
    tokens = woven.tokens(node)
    for index, each in enumerate(tokens):
        if each.type == tokenize.NAME and each.string == name and before != ".":
            found.setdefault(each.start[0], []).append(each.start[1])
        if each.type != tokenize.NL:
            before = tokens[index].string
    return found


def _locals(function: ast.AST) -> set[str]:
    return {
        part.id
        for part in ast.walk(function)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    }


def _depth_zero(woven: Woven, node: ast.AST) -> set[tuple[int, int]]:
    """Return the starts of the tokens that stand in no brackets, and in no f-string."""
    found = set()
    depth = 0
    for each in woven.tokens(node):
        name = tokenize.tok_name[each.type]
        closes = each.string in {")", "]", "}"} or name.endswith("STRING_END")
        opens = each.string in {"(", "[", "{"} or name.endswith("STRING_START")
        if each.type != tokenize.OP and "STRING_" not in name:
            closes = opens = False
        depth -= closes
        if not depth:
            found.add(each.start)
        depth += opens
    return found
