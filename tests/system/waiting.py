"""Waiting for events that come by themselves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Wanted = TypeVar("Wanted")


def wait_for(
    what: str,
    look: Callable[[], Wanted | None],
    seconds: float = 60,
    every: float = 0,
    seen: Callable[[], object] | None = None,
) -> Wanted:
    """Look until there is something, and return it.

    :param what: the event that is waited for, in the words of the failure
    :param look: returns None, False or nothing in it as long as it is not there
    :param every: seconds between two looks; 0: more, the longer it takes
    :param seen: returns the present state, for the text of the failure
    :raises AssertionError: it did not come in time
    """
    begun = time.monotonic()
    while True:
        found = look()
        if found:
            return found
        waited = time.monotonic() - begun
        if waited >= seconds:
            instead = f": {seen()}" if seen else ""
            raise AssertionError(f"not within {seconds:.0f} s: {what}{instead}")
        # who looks costs those who work: the cloud has two CPUs
        time.sleep(every or min(max(waited / 4, 0.2), 1))


@contextmanager
def looking(look: Callable[[], None], every: float) -> Iterator[None]:
    """Look again and again for as long as the block runs.

    :param every: seconds before each look
    """
    ended = threading.Event()

    def look_on() -> None:
        while not ended.wait(every):
            look()

    thread = threading.Thread(target=look_on)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
