"""The releases that a change is for: ``since`` and ``until``, down to point releases.

A limit names a series (``27``) or a point release (``"27.2"``).  It includes all that begins with
it: ``until`` 27 includes 27.5.1, and ``until`` 27.1 includes 27.1.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

NAMES = frozenset({"since", "until"})
_VERSION = re.compile(r"\d+(\.\d+)*")
#: What follows a series of which no point release is told: the last one is meant.
_LAST = 1 << 30


def include(limits: Mapping[str, Any], version: Sequence[int]) -> bool:
    """Say whether a release lies within limits.

    :param limits: the values of ``since`` and ``until``, as a change file has them
    :param version: the parts of the release's version; parts that are missing are the last ones
    :raises ValueError: if there are other limits, or a value is neither a series nor a version
    """
    if not NAMES.issuperset(limits):
        raise ValueError("the limits are since and until")
    parts = {name: _parts(value) for name, value in limits.items()}
    longest = max((len(each) for each in parts.values()), default=0)
    whole = (*version, *[_LAST] * (longest - len(version)))
    since, until = parts.get("since", ()), parts.get("until", whole)
    return since <= whole[: len(since)] and whole[: len(until)] <= until


def _parts(value: Any) -> tuple[int, ...]:
    """Return the numbers of a limit.

    >>> _parts(27), _parts("27.2")
    ((27,), (27, 2))
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return (value,)
    if isinstance(value, str) and _VERSION.fullmatch(value):
        return tuple(int(each) for each in value.split("."))
    raise ValueError(f"{value!r} is neither a series such as 27 nor a version such as '27.2'")
