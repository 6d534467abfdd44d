"""Random walks of a server between its floor and its maximum."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.system.cloud import Flavor
from tests.system.report import Sample
from tests.system.server import Server, Size
from tests.system.waiting import looking

STEPS = 10
_LOOK = 0.5


def steps(flavor: Flavor, seed: int, plugs: int) -> list[Size]:
    """Return the sizes of a walk, each other than the one before it.

    :param plugs: how many vCPUs the walk may plug in altogether: QEMU without KVM ends when a
        guest has plugged more in its life than its maximum
    """
    dice = random.Random(seed)  # noqa: S311 a walk that can be walked again
    at = Size(*flavor.floor)
    walk: list[Size] = []
    while len(walk) < STEPS:
        room = min(flavor.vcpus, at.vcpus + max(plugs, 0))
        to = Size(
            dice.randint(max(flavor.floor[0], at.vcpus - 3), min(room, at.vcpus + 3)),
            dice.randint(*sorted((flavor.floor[1], flavor.ram))),
        )
        if to == at:
            continue
        plugs -= max(to.vcpus - at.vcpus, 0)
        walk.append(to)
        at = to
    return walk


@contextmanager
def looked_at(server: Server, samples: list[Sample]) -> Iterator[None]:
    """Note a server's record and its guest's own vCPUs for as long as the block runs."""
    begun = time.monotonic()

    def look() -> None:
        record, guest = server.record, server.guest
        if guest:
            now = time.monotonic() - begun
            samples.append(Sample(now, record.kept.vcpus, guest.cpus))

    with looking(look, _LOOK):
        yield


def taken(server: Server, seed: int, plugs: int) -> None:
    """Have a server take a walk, all views agreeing after each step.

    :param plugs: see ``steps``
    """
    for size in steps(server.flavor, seed, plugs):
        assert server.adjust(size.vcpus, size.memory_mb)["result"] == "Success"
        server.assert_agreed(size.vcpus, size.memory_mb)
