"""The linter of the prose: ``python -m tests.prose`` finds clauses without a noun.

A noun-less clause (``what is left``, ``what it has``) hides the thing that the sentence is about.
The linter reads pages, and the comments and docstrings of code. It prints each such clause with its
file, line and sentence, and each line of Markdown that is too long. It reads no strings of the
code, and no text in backticks.
"""

from __future__ import annotations

import ast
import io
import os
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[1]
#: The goal for the whole checkout, in clauses per 1000 words.
GOAL = 0.3
#: The columns of a Markdown line, outside of tables, links and code.
COLUMNS = 100

_VERBS = (
    "is|are|was|were|has|had|have|comes|came|goes|went|must|may|can|cannot|could|will|would|need|"
    "needs|does|did|do|stays|stands|fits|fails|binds|counts|changes|remains"
)
_SUBJECTS = (
    "it|they|he|she|one|we|you|nobody|somebody|others|another|ours|theirs|of|Nova|libvirt|"
    r"nova-\w+|the [\w-]+ (?:is|was|has|had|does|did|may|must|can|needs)"
)
CLAUSE = re.compile(
    rf"\b(?:what|whatever|that which)\s+(?:{_VERBS}|{_SUBJECTS})\b(?<!\bwhat may)", re.IGNORECASE
)

_PAGES = {".md", ".rst", ".inc", ".8"}
_COMMENTED = {".sh", ".toml", ".spec", ".in", ".yaml", ".yml", ".rules"}
_SKIPPED = {"dist", "build", "__pycache__", "pins"}
_FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(`+)[^`]+\1")
_UNBREAKABLE = re.compile(r"^\s*\||\]\(|\]:|https?://|^\s*<!--")


class Line(NamedTuple):
    """A line of prose."""

    number: int
    text: str


class Clause(NamedTuple):
    """A clause without a noun: where it is, and its sentence."""

    path: str
    line: int
    sentence: str


def of_page(text: str) -> list[Line]:
    """Return the lines of a Markdown or reStructuredText page, those of code blocks empty."""
    text = _FENCE.sub(lambda block: "\n" * block[0].count("\n"), text)
    return [Line(*each) for each in enumerate(text.split("\n"), 1)]


def of_python(text: str) -> list[Line]:
    """Return the comments and docstrings of Python.

    :raises SyntaxError: if it cannot be parsed
    """
    lines = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            lines.append(Line(token.start[0], token.string.lstrip("#: ")))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node, clean=False)
            if docstring is not None:
                first = node.body[0].lineno
                lines += [Line(*each) for each in enumerate(docstring.split("\n"), first)]
                # Nothing joins a docstring with a comment right below it.
                lines.append(Line(first + docstring.count("\n") + 1, ""))
    return sorted(lines, key=lambda line: line.number)


def of_comments(text: str) -> list[Line]:
    """Return the comments of a shell script, a Makefile, a spec file, TOML or YAML."""
    return [
        Line(number, line.strip().lstrip("#: "))
        for number, line in enumerate(text.split("\n"), 1)
        if line.lstrip().startswith("#") and not line.startswith("#!")
    ]


def prose(path: Path) -> list[Line] | None:
    """Return the prose of a file, or None if its kind has none that is read here.

    :raises SyntaxError: if it is Python that cannot be parsed
    """
    in_debian = "debian" in path.parts
    if path.suffix == ".py":
        return of_python(path.read_text())
    if path.suffix in _PAGES:
        return of_page(path.read_text())
    if path.suffix in _COMMENTED or path.name == "Makefile":
        return of_comments(path.read_text())
    if path.suffix and not in_debian:
        return None
    text = path.read_bytes().decode(errors="replace")
    program = text.partition("\n")[0]
    if program.startswith("#!") and "python" in program:
        return of_python(text)
    if program.startswith("#!") or in_debian:
        return of_comments(text)
    return None


def paragraphs(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Yield the lines that belong together: one below the other, none of them empty."""
    block: list[Line] = []
    for line in lines:
        text = line.text.strip()
        starts = re.match(r"(?:[-*|:] ?|\d+\. )", text) or not text
        if block and (starts or line.number > block[-1].number + 1):
            yield block
            block = []
        if text:
            block.append(line)
    if block:
        yield block


def clauses(path: str, lines: Iterable[Line]) -> Iterator[Clause]:
    """Yield the noun-less clauses of lines of prose, also of those that a line's end divides."""
    for block in paragraphs(lines):
        text = "\n".join(line.text.strip() for line in block)
        # A command, a name or the words of a program are no prose.
        text = _CODE.sub(lambda code: re.sub(r"\S", "`", code[0]), text)
        for match in CLAUSE.finditer(text):
            number = block[text.count("\n", 0, match.start())].number
            before = re.split(r"[.;!?]\s", text[: match.start()])[-1]
            after = re.split(r"(?<=[.;!?])\s", text[match.start() :])[0]
            yield Clause(path, number, " ".join((before + after).split()))


def long_lines(lines: Iterable[Line]) -> list[int]:
    """Return the numbers of the lines of a page that are too long and could be wrapped."""
    return [
        line.number
        for line in lines
        if len(line.text) > COLUMNS and not _UNBREAKABLE.search(line.text)
    ]


def files(top: Path) -> list[Path]:
    """Return the files of a checkout. Git is not asked: a tarball of the checkout has none."""
    found = []
    for folder, folders, names in os.walk(top):
        folders[:] = [
            each
            for each in folders
            if each not in _SKIPPED and (not each.startswith(".") or each == ".ci")
        ]
        found += [Path(folder, each) for each in names]
    return sorted(found)


def main(top: Path = REPOSITORY) -> int:
    """Print the findings, and a summary.

    :param top: the checkout
    :returns: the exit code: 0 if there is no finding
    """
    words = total = 0
    failed = False
    for path in files(top):
        lines = prose(path)
        if lines is None:
            continue
        name = path.relative_to(top).as_posix()
        words += sum(len(line.text.split()) for line in lines)
        for each in clauses(name, lines):
            failed = True
            total += 1
            print(f"{each.path}:{each.line}: a clause without its noun: {each.sentence}")
        if path.suffix == ".md":
            for number in long_lines(lines):
                failed = True
                print(f"{name}:{number}: more than {COLUMNS} columns")
    rate = 1000 * total / max(words, 1)
    print(f"{total} clauses without a noun in {words} words: {rate:.2f} per 1000, goal {GOAL}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
