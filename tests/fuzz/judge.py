"""Whether a woven file is right, judged without the weaver's code.

A mutated file is compared, as a syntax tree, with the mutated weave of the unmutated file.  CPython
says whether it compiles and which lines of ours are ever reached, ruff which names nobody defines.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import types
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.fuzz.woven import DEFINITIONS, MARK, Change, elements, is_docstring, span, suites

#: Undefined names, and locals that are used before they are assigned.
RULES = "F821,F823"


def unlike(woven: str, base: str, expected: str, change: Change, *, imports: bool) -> str:
    """Say in which way a woven text is not the expected one; "" if it is.

    :param base: the text that was woven into
    :param expected: the woven text with the same mutation
    :param imports: the mutation moves imports, so others of ours may be needed
    """
    if _bare(woven) != _bare(base):
        return "more than whole lines with the mark was added"
    try:
        dead = unreached(woven)
    except SyntaxError as error:
        return f"does not compile: {error}"
    got, wanted = _Tree(woven), _Tree(expected)
    if not imports and got.imports != wanted.imports:
        return f"imports {sorted(got.imports)}, not {sorted(wanted.imports)}"
    if not got.imports <= change.names:
        return f"imports {sorted(got.imports - change.names)}, which the change does not"
    if found := got.difference(wanted):
        return found
    return f"line {dead[0]} is never reached" if dead else ""


def unreached(woven: str) -> list[int]:
    """Return the lines of ours for whose statements CPython makes no code.

    :raises SyntaxError: if the text does not compile
    """
    reached: set[int] = set()
    tree = ast.parse(woven)
    todo = [compile(tree, "woven", "exec", dont_inherit=True)]
    while todo:
        code = todo.pop()
        reached |= {line for _, _, line in code.co_lines() if line}
        todo += [each for each in code.co_consts if isinstance(each, types.CodeType)]
    lines = woven.split("\n")
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt)
        and lines[node.lineno - 1].endswith(MARK)
        and not isinstance(node, (*DEFINITIONS, ast.Pass, ast.Global, ast.Nonlocal))
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        and node.lineno not in reached
    ]


def undefined(directory: Path) -> dict[str, list[str]]:
    """Return the undefined names in our lines, by the name of the file."""
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache"]
    command += [f"--select={RULES}", "--output-format=json", "--exit-zero", str(directory)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, list[str]] = {}
    for each in json.loads(done.stdout):
        file, row = Path(each["filename"]), each["location"]["row"]
        if file.read_text().split("\n")[row - 1].endswith(MARK):
            found.setdefault(file.name, []).append(f"line {row}: {each['message']}")
    return found


def _bare(text: str) -> list[str]:
    """Return the lines that are neither ours nor blank."""
    return [line for line in text.split("\n") if line.strip() and not line.endswith(MARK)]


class _Tree:
    """A woven text as a tree in which only that counts which has a meaning.

    Imports of ours are apart, since their place among others means nothing; of the elements of a
    display or call ours come last.

    :ivar imports: the imports that are ours
    """

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.tree = ast.parse(text)
        self.ours = {number for number, line in enumerate(self.lines, 1) if line.endswith(MARK)}
        own = [
            node
            for node in self.tree.body
            if isinstance(node, (ast.Import, ast.ImportFrom)) and node.lineno in self.ours
        ]
        self.imports = {ast.unparse(node) for node in own}
        self.tree.body = [node for node in self.tree.body if node not in own]
        self._settle(self.tree)

    def _settle(self, node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt) and not self._touched(child):
                continue
            self._settle(child)
        parts = elements(node)
        if parts and getattr(node, "lineno", 0) not in self.ours:
            self._order(node)

    def _touched(self, node: ast.stmt) -> bool:
        first, last = span(node)
        return any(number in self.ours for number in range(first, last + 1))

    def _order(self, node: ast.AST) -> None:
        """Put the elements that are ours behind the others."""

        def is_ours(each: ast.AST | None) -> bool:
            return getattr(each, "lineno", 0) in self.ours

        if isinstance(node, ast.Dict):
            pairs = sorted(
                zip(node.keys, node.values, strict=True), key=lambda each: is_ours(each[0])
            )
            node.keys, node.values = [key for key, _ in pairs], [value for _, value in pairs]
        elif isinstance(node, (ast.Tuple, ast.List, ast.Set)):
            node.elts.sort(key=is_ours)
        elif isinstance(node, ast.Call):
            node.args.sort(key=is_ours)
            node.keywords.sort(key=is_ours)

    def difference(self, other: _Tree) -> str:
        """Say where this tree differs from another; "" if nowhere."""
        return next(self._differences(self.tree, other, other.tree), "")

    def _differences(self, mine: object, other: _Tree, theirs: object) -> Iterator[str]:
        if isinstance(mine, list) and isinstance(theirs, list):
            if len(mine) != len(theirs):
                yield self._told(mine, other, theirs)
            for one, two in zip(mine, theirs, strict=False):
                yield from self._differences(one, other, two)
        elif isinstance(mine, ast.AST) and isinstance(theirs, ast.AST):
            if type(mine) is not type(theirs):
                yield self._told([mine], other, [theirs])
            elif not self._same_text(mine, other, theirs):
                if isinstance(mine, (ast.Module, *DEFINITIONS)):
                    _forget_docstring(mine)
                    _forget_docstring(theirs)
                for field in mine._fields:
                    if field == "kind":  # whether a string is written as u''
                        continue
                    one, two = getattr(mine, field, None), getattr(theirs, field, None)
                    if found := next(self._differences(one, other, two), ""):
                        yield found if " line " in found else self._told([mine], other, [theirs])
        elif mine != theirs or type(mine) is not type(theirs):
            yield f"{mine!r} is not {theirs!r}"

    def _same_text(self, mine: ast.AST, other: _Tree, theirs: ast.AST) -> bool:
        """Say whether two statements are written alike: most are, and need no comparison."""
        if not isinstance(mine, ast.stmt) or not isinstance(theirs, ast.stmt):
            return False
        (first, last), (begin, end) = span(mine), span(theirs)
        return (
            mine.col_offset == theirs.col_offset
            and mine.end_col_offset == theirs.end_col_offset
            and self.lines[first - 1 : last] == other.lines[begin - 1 : end]
        )

    def _told(self, mine: Sequence[object], other: _Tree, theirs: Sequence[object]) -> str:
        return f"{self._shown(mine)} -- expected: {other._shown(theirs)}"

    def _shown(self, nodes: Sequence[object]) -> str:
        placed = [node for node in nodes if isinstance(node, (ast.stmt, ast.expr))]
        if not placed:
            return "a line that is not there"
        first, last = span(placed[0])[0], span(placed[-1])[1]
        return f"from line {first}: " + " | ".join(self.lines[first - 1 : min(last, first + 9)])


def _forget_docstring(node: ast.AST) -> None:
    """A formatter may indent a docstring anew."""
    for suite in suites(node):
        if isinstance(node, (ast.Module, *DEFINITIONS)) and suite and is_docstring(suite[0]):
            suite[0].value.value = ""  # type: ignore[attr-defined]
