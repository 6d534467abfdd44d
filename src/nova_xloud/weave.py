"""Weaving changes into files and taking them out again; knows nothing of Nova.

``weave`` inserts what a change file says into the file that it mirrors and ``unweave`` gives
back the bytes that were there before.  The other functions are the words of the change
language: a change file imports them so that editors, linters and type checkers understand it;
they do nothing, for a change file is parsed and never run.
"""

from __future__ import annotations

import sys
from typing import Any, TypeVar

from nova_xloud import marks, textual
from nova_xloud.errors import AnchorError, ChangeError, WeaveError
from nova_xloud.plan import plan, splice
from nova_xloud.source import Source, parse

T = TypeVar("T")


def weave(base: bytes, change: bytes, *, path: str, series: int, release: str = "") -> bytes:
    """Insert what a change file says into the file that it mirrors.

    Weaving into what is already woven gives the same bytes.

    :param base: the file, as it is or already woven
    :param change: the change file
    :param path: the file's path in its tree: it says which kind of file, and names it in errors
    :param series: the major version of the release
    :param release: what errors call the release; the series unless given
    :raises AnchorError: if a place that the change names is missing, doubled or unfit
    :raises ChangeError: if the change is not written in the change language
    :raises WeaveError: if the result could not be taken back, or is broken
    """
    release = release or str(series)
    pristine = unweave(base, path=path)
    if textual.knows(path):
        woven = textual.weave(pristine, change, path=path, series=series, release=release)
    else:
        woven = _weave_python(pristine, change, path, series, release)
    if unweave(woven, path=path) != pristine:
        raise WeaveError(path, release, "taking the change out does not give the file back")
    return woven


def unweave(woven: bytes, *, path: str) -> bytes:
    """Return a file without what was woven into it.

    :param path: the file's path in its tree
    """
    if textual.knows(path):
        return textual.unweave(woven, path=path)
    return "\n".join(marks.without_marked(woven.decode().split("\n"))).encode()


def _weave_python(base: bytes, change: bytes, path: str, series: int, release: str) -> bytes:
    try:
        source = Source(path, base.decode())
    except SyntaxError as error:
        reason = f"is not Python {sys.version_info[0]}.{sys.version_info[1]}: {error.msg}"
        raise AnchorError(path, f"line {error.lineno or 1}", release, reason) from error
    try:
        ours = Source(path, change.decode())
    except SyntaxError as error:
        raise ChangeError(path, error.lineno or 1, error.msg) from error
    woven = "\n".join(splice(source, plan(ours, source, series, release)))
    try:
        parse(woven)
    except SyntaxError as error:
        reason = f"line {error.lineno} would not be Python"
        raise WeaveError(path, release, reason) from error
    return woven.encode()


def append(function: Any = None, /, *, since: int | None = None, until: int | None = None) -> Any:
    """Add the body at the end of the function's body; refused behind a return or raise."""
    return _itself(function)


def prepend(function: Any = None, /, *, since: int | None = None, until: int | None = None) -> Any:
    """Add the body at the start of the function's body, behind its docstring."""
    return _itself(function)


def before_return(
    function: Any = None, /, *, since: int | None = None, until: int | None = None
) -> Any:
    """Add the body before the return statement that the function ends with."""
    return _itself(function)


def after(name: str, /, *, since: int | None = None, until: int | None = None) -> Any:
    """Add the body after the one statement that assigns to, or calls, a dotted name."""
    return _itself


def before(name: str, /, *, since: int | None = None, until: int | None = None) -> Any:
    """Add the body before the one statement that assigns to, or calls, a dotted name."""
    return _itself


def decorate(function: Any = None, /, *, since: int | None = None, until: int | None = None) -> Any:
    """Add the other decorators to the function or class, as the innermost; the body is ``...``."""
    return _itself(function)


def arguments(
    function: Any = None, /, *, since: int | None = None, until: int | None = None
) -> Any:
    """Add arguments to the one call of a name in the function; the body is such a call."""
    return _itself(function)


def entries(display: T, /, *, since: int | None = None, until: int | None = None) -> T:
    """Add entries to the tuple, list, set or dict that the name is assigned."""
    return display


def _itself(function: Any) -> Any:
    """Return what is decorated, by a word with or without its own arguments."""
    return _itself if function is None else function
