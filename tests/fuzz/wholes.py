"""Mutations of whole files: a file that is not like Nova's is refused."""

from __future__ import annotations

import random

from tests.fuzz.mutation import Mutation, Verdict, mutation
from tests.fuzz.woven import Site, Woven, span, statements


def refused(woven: Woven, base: bytes) -> Mutation:
    return Mutation(woven.text, Verdict.REFUSED, base)


@mutation()
def the_bytes_are_others(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    base = woven.base.encode()
    ways = [
        b"\xef\xbb\xbf" + base,
        base.replace(b"\n", b"\r\n"),
        base.replace(b"\n", b"\r", 1),
        base + b"# \xe4\n",
        base + b"\0",
        base[: rng.randrange(len(base) // 2, len(base))].rpartition(b"\n")[0] + b"\n(",
        base + b"<<<<<<< HEAD\n",
        b"",
        b"\n" + base.replace(b"\n", b"\n "),
        base.decode().encode("utf-16"),
    ]
    return refused(woven, rng.choice(ways))


@mutation()
def a_line_carries_the_mark(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    """A line of Nova's, or of a patch made by hand, is marked as ours."""
    region = woven.region(site) or woven.tree
    nodes = [
        node
        for _, _, node in statements(region)
        if span(node)[0] not in woven.ours and woven.alone(node) and span(node)[0] == span(node)[1]
    ]
    if not nodes:
        return None
    number = rng.choice(nodes).lineno
    line = woven.line(number)
    indent = line[: len(line) - len(line.lstrip())]
    ways = [
        [f"{line}  # xloud"],
        [line, f"{indent}pass  # xloud"],
        [f"{indent}# why  # xloud", line],
    ]
    lines = [("", each) for each in woven.lines]
    lines[number - 1 : number] = [("kept", each) for each in rng.choice(ways)]
    kept = [text for told, text in lines if told or not text.endswith("  # xloud")]
    return refused(woven, "\n".join(kept).encode())


@mutation(alone=True)
def lines_of_ours_are_lost(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    """A woven file has lost some lines of ours, or they have moved."""
    if len(woven.ours) < 2:
        return None
    number = rng.choice(sorted(woven.ours))
    lines = list(woven.lines)
    line = lines.pop(number - 1)
    if rng.random() < 0.5:
        lines.insert(max(number - rng.randrange(3, 9), 1), line)
    return refused(woven, "\n".join(lines).encode())


@mutation(alone=True)
def nothing_changes(woven: Woven, site: Site, rng: random.Random) -> Mutation | None:
    """A woven file is woven again."""
    return Mutation(woven.text, Verdict.WOVEN, woven.text.encode())
