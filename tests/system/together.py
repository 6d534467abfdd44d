"""Scenarios that run at once: each mostly waits, for guests of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.system.cloud import Cloud, Flavor
from tests.system.server import NO_BALLOON, ROOMY, Server, create

Servers = Callable[..., Server]
Scenario = Callable[..., None]
#: More would only wait for a CPU.
_AT_ONCE = 6


@contextmanager
def made_servers(cloud: Cloud) -> Iterator[Servers]:
    """Make servers that are gone at the end, at their floors: ``servers(flavor, image)``."""
    made: list[Server] = []

    def make(flavor: Flavor = ROOMY, image: str = "guest", **more: object) -> Server:
        server = create(cloud, flavor, image, **more)
        made.append(server)
        server.booted()
        if image != NO_BALLOON:
            server.assert_agreed(*flavor.floor)
        return server

    try:
        yield make
    finally:
        if made:
            cloud.delete_servers(*(server.id for server in made))


@contextmanager
def begun(
    cloud: Cloud, scenarios: Sequence[Scenario], *more: object
) -> Iterator[dict[Scenario, Future[None]]]:
    """Begin scenarios, some at a time; those that have not begun at the end never do.

    :param more: what they get besides servers
    """

    def run(scenario: Scenario) -> None:
        with made_servers(cloud) as servers:
            scenario(servers, *more)

    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        yield {each: pool.submit(run, each) for each in scenarios}
    finally:
        pool.shutdown(cancel_futures=True)


def together(*scenarios: Scenario) -> Callable[..., None]:
    """Return a test of each of a module's scenarios; they are begun when the first is due."""

    @pytest.mark.parametrize("scenario", scenarios, ids=lambda each: each.__name__)
    def test(outcomes: dict[Scenario, Future[None]], scenario: Scenario) -> None:
        outcomes[scenario].result()

    return test
