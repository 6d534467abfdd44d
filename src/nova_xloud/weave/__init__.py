"""Weaving: changes go into files and come out again. This wing knows nothing of Nova.

``weave`` inserts the lines of a change file into the file that it mirrors, and ``unweave`` takes
them out again. The other functions are the words of the change language: a change file imports
them so that editors, linters and type checkers understand it. They do nothing, for a change file
is parsed and never run. The wing imports the standard library and ``ground.errors``, nothing else.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeVar

from nova_xloud.ground.errors import AnchorError, ChangeError, MarkedLineError, WeaveError
from nova_xloud.weave import marks, textual
from nova_xloud.weave.plan import plan, splice
from nova_xloud.weave.proof import faults
from nova_xloud.weave.source import Source, parse

T = TypeVar("T")


def weave(
    base: bytes,
    change: bytes,
    *,
    path: str,
    series: int,
    point: Sequence[int] = (),
    release: str = "",
) -> bytes:
    """Insert the lines of a change file into the file that it mirrors.

    Weaving into a file that is woven already gives the same bytes.

    :param base: the file, pristine or woven
    :param change: the change file
    :param path: the file's path in its tree: it says which kind of file, and names it in errors
    :param series: the major version of the release
    :param point: the rest of its version; the last point release of the series unless given
    :param release: the name of the release in errors; the series unless given
    :raises AnchorError: if a place that the change names is missing, doubled or unfit
    :raises ChangeError: if the change is not written in the change language
    :raises MarkedLineError: if the file has marked lines of another origin
    :raises WeaveError: if the lines could not be taken out again, or break the file
    """
    release = release or str(series)
    _check_change(change, path)
    _check_text(base, path, release)
    pristine = unweave(base, change, path=path, series=series, point=point, release=release)
    if pristine != base:
        return base
    return _insert(pristine, change, path, (series, *point), release)


def unweave(
    woven: bytes,
    change: bytes,
    *,
    path: str,
    series: int,
    point: Sequence[int] = (),
    release: str = "",
) -> bytes:
    """Return a file without the lines that weaving a change puts in.

    :param woven: the file, pristine or woven
    :param change: the change file
    :param path: the file's path in its tree
    :param series: the major version of the release
    :param point: the rest of its version; the last point release of the series unless given
    :param release: the name of the release in errors; the series unless given
    :raises MarkedLineError: if the file has marked lines that weaving would not put in, or lacks
        some of those that it would
    """
    pristine = without_marked(woven, path=path)
    if pristine == woven:
        return woven
    release = release or str(series)
    try:
        expected = _insert(pristine, change, path, (series, *point), release)
    except (AnchorError, WeaveError):
        # The file is none of Nova's without these lines.
        expected = pristine
    if expected == woven:
        return pristine
    wanted = Counter(text for _, text in _marked(expected, path))
    found = _marked(woven, path)
    for line, text in found:
        wanted[text] -= 1
        if wanted[text] < 0:
            raise MarkedLineError(path, line, release)
    raise MarkedLineError(path, found[0][0], release)


def without_marked(content: bytes, *, path: str) -> bytes:
    """Return a file without all lines that carry the mark, whoever has put them there.

    :param path: the file's path in its tree
    """
    if marks.NAME.encode() not in content:
        return content
    if textual.knows(path):
        return textual.without_marked(content, path=path)
    return "\n".join(marks.without_marked(content.decode().split("\n"))).encode()


def _marked(content: bytes, path: str) -> list[tuple[int, str]]:
    """Return the parts that carry the mark, each after the number of its first line."""
    if textual.knows(path):
        return textual.marked(content, path=path)
    return marks.marked(content.decode().split("\n"))


def _check_text(content: bytes, path: str, release: str) -> None:
    """Refuse a file whose lines cannot be told apart, or not be given back as they were."""
    if found := _unreadable(content):
        line, reason = found
        raise AnchorError(path, f"line {line}", release, reason)


def _check_change(change: bytes, path: str) -> None:
    """Refuse a change file that is not UTF-8 with the line ends of Unix."""
    if found := _unreadable(change):
        raise ChangeError(path, *found)


def _unreadable(content: bytes) -> tuple[int, str] | None:
    """Return the first line that cannot be read, and why; None if all can be."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return line, "is not UTF-8: convert the file, for example by iconv"
    if text.startswith("\ufeff"):
        return 1, "begins with a byte order mark: remove it"
    if "\r" in text:
        line = text.count("\n", 0, text.index("\r")) + 1
        reason = "has a carriage return: lines must end as on Unix (in git: core.autocrlf false)"
        return line, reason
    return None


def _insert(
    pristine: bytes, change: bytes, path: str, version: tuple[int, ...], release: str
) -> bytes:
    """Weave into a file without marked lines, and make sure that it can be had back."""
    if textual.knows(path):
        woven = textual.weave(pristine, change, path=path, version=version, release=release)
    else:
        woven = _weave_python(pristine, change, path, version, release)
    if without_marked(woven, path=path) != pristine:
        raise WeaveError(path, release, "taking the change out does not give the file back")
    return woven


def _weave_python(
    base: bytes, change: bytes, path: str, version: tuple[int, ...], release: str
) -> bytes:
    try:
        source = Source(path, base.decode())
    except SyntaxError as error:
        reason = f"is not Python {sys.version_info[0]}.{sys.version_info[1]}: {error.msg}"
        raise AnchorError(path, f"line {error.lineno or 1}", release, reason) from error
    try:
        ours = Source(path, change.decode())
    except SyntaxError as error:
        raise ChangeError(path, error.lineno or 1, error.msg) from error
    lines, anchors = splice(source, plan(ours, source, version, release))
    woven = "\n".join(lines)
    try:
        module = parse(woven)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(module, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        line = error.lineno or 1
        nearest = min(anchors, key=lambda number: abs(number - line), default=0)
        name = anchors.get(nearest, f"line {line}")
        raise WeaveError(path, release, f"{name}: line {line} would not be Python") from error
    for fault in faults(module, set(anchors), woven):
        raise AnchorError(path, anchors[fault.line], release, fault.reason)
    return woven.encode()


def append(
    function: Any = None,
    /,
    *,
    since: int | str | None = None,
    until: int | str | None = None,
    despite: str | tuple[str, ...] = (),
) -> Any:
    """Add the body at the end of the function's body; refused unless each way gets there.

    :param despite: ``return`` lets some ways leave the function before
    """
    return _itself(function)


def prepend(
    function: Any = None, /, *, since: int | str | None = None, until: int | str | None = None
) -> Any:
    """Add the body at the start of the function's body, behind its docstring."""
    return _itself(function)


def before_return(
    function: Any = None, /, *, since: int | str | None = None, until: int | str | None = None
) -> Any:
    """Add the body before the return statement that the function ends with."""
    return _itself(function)


def after(
    name: str,
    /,
    *,
    since: int | str | None = None,
    until: int | str | None = None,
    despite: str | tuple[str, ...] = (),
) -> Any:
    """Add the body after the one statement that assigns to, or calls, a dotted name.

    :param despite: ``nested`` lets the statement stand in a nested definition, ``except`` in a
        handler that swallows the error
    """
    return _itself


def before(
    name: str,
    /,
    *,
    since: int | str | None = None,
    until: int | str | None = None,
    despite: str | tuple[str, ...] = (),
) -> Any:
    """Add the body before the one statement that assigns to, or calls, a dotted name.

    :param despite: as for ``after``
    """
    return _itself


def decorate(
    function: Any = None,
    /,
    *,
    since: int | str | None = None,
    until: int | str | None = None,
    kind: str = "function",
) -> Any:
    """Add the other decorators to the function or class, as the innermost; the body is ``...``.

    The parameters are those that the decorators rely on: the first ones of Nova's function.

    :param kind: another kind than a plain function or method, for example ``property``
    """
    return _itself(function)


def arguments(
    function: Any = None,
    /,
    *,
    since: int | str | None = None,
    until: int | str | None = None,
    despite: str | tuple[str, ...] = (),
) -> Any:
    """Add arguments to the one call of a name in the function; the body is such a call.

    :param despite: as for ``after``
    """
    return _itself(function)


def entries(display: T, /, *, since: int | str | None = None, until: int | str | None = None) -> T:
    """Add entries to the tuple, list, set or dict that the name is assigned."""
    return display


def _itself(function: Any) -> Any:
    """Return the function that is decorated, by a word with or without arguments of its own."""
    return _itself if function is None else function
