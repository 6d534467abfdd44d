"""Takes a change file apart into pieces that can be left out one at a time."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from nova_xloud.weave import weave, without_marked


class Piece(NamedTuple):
    """A piece of a change: one entry, one method, or one statement of it.

    :ivar path: the file of Nova's that is changed
    :ivar name: e.g. ``ComputeManager.__init__``; empty for a whole file that is not Python
    :ivar rest: the change without the piece; None if nothing stays
    """

    path: str
    name: str
    rest: bytes | None

    @property
    def label(self) -> str:
        """How the piece is called in tables and output: ``path`` or ``path:name``."""
        return f"{self.path}:{self.name}" if self.name else self.path


def pieces(path: str, change: bytes) -> list[Piece]:
    """Return the pieces of a change file."""
    if not path.endswith(".py"):
        return [Piece(path, "", None)]
    text = change.decode()
    lines = text.split("\n")
    found = []
    for name, first, last in _spans(ast.parse(text).body, len(lines)):
        rest = "\n".join(lines[: first - 1] + lines[last:]).rstrip() + "\n"
        found.append(Piece(path, name, rest.encode()))
    return found


def without(piece: Piece, woven: bytes, series: int) -> bytes:
    """Return a file of the tree as it is when a piece is left out.

    :param woven: the file, with all of its change
    """
    base = without_marked(woven, path=piece.path)
    if piece.rest is None:
        return base
    return weave(base, piece.rest, path=piece.path, series=series)


def _spans(body: list[ast.stmt], end: int) -> Iterator[tuple[str, int, int]]:
    """Yield name, first and last line of each piece; imports follow from the others.

    :param end: the last line of the body; comments that end a statement are not part of it
    """
    ends = [*(_first(each) - 1 for each in body[1:]), end]
    for node, last in zip(body, ends, strict=True):
        if isinstance(node, ast.Import | ast.ImportFrom) or _is_text(node):
            continue
        if isinstance(node, ast.ClassDef) and not node.bases:
            inner = [
                (f"{node.name}.{name}", start, stop)
                for name, start, stop in _spans(node.body, last)
            ]
            if len(inner) == 1:  # an empty class is none
                inner = [(inner[0][0], _first(node), last)]
            yield from inner
        elif _name(node) != "RELEASES":
            yield _name(node), _first(node), last


def _first(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)])


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _name(node: ast.stmt) -> str:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return node.name
    target = node.targets[0] if isinstance(node, ast.Assign) else node
    return ast.unparse(target)
