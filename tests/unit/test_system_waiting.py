"""Waiting for an event that comes by itself, and looking at it meanwhile."""

from __future__ import annotations

import threading

from tests.system.waiting import looking


def test_it_is_looked_at_until_the_block_ends() -> None:
    looks: list[int] = []
    enough, before = threading.Event(), threading.active_count()

    def look() -> None:
        looks.append(len(looks))
        if len(looks) == 3:
            enough.set()

    with looking(look, 0.001):
        assert enough.wait(60)
    # nobody looks any more
    assert threading.active_count() == before
