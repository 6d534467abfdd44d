"""Waiting for what comes about by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Wanted = TypeVar("Wanted")


def wait_for(
    what: str, look: Callable[[], Wanted | None], seconds: float = 60, every: float = 0.3
) -> Wanted:
    """Look until there is something, and return it.

    :param what: what is waited for, for the failure's text
    :param look: returns None, False or nothing in it as long as it is not there
    :raises AssertionError: it did not come in time
    """
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(every)
