"""Scenarios that run at once: each mostly waits, for guests of its own.

QEMU without KVM may lose a guest that boots with several vCPUs, by an assertion of its own (seen
once in some hundred boots). Then, and only then, a scenario begins again, once, with new guests; a
warning says so in the end.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.system import debian
from tests.system.cloud import Cloud, Flavor
from tests.system.server import NO_BALLOON, ROOMY, Server, create

Servers = Callable[..., Server]
Scenario = Callable[..., None]
#: More would only wait for a CPU.
_AT_ONCE = 5


class LostByQemuError(AssertionError):
    """A scenario failed, and QEMU has lost a guest of it by a fault of its own."""


@contextmanager
def made_servers(cloud: Cloud) -> Iterator[Servers]:
    """Make servers that are gone at the end, at their floors: ``servers(flavor, image)``.

    The image is one of the hand-made guests, by its name, or one of ``debian``.

    :raises LostByQemuError: in place of an assertion's error, where QEMU has lost one
    """
    made: list[Server] = []

    def make(flavor: Flavor = ROOMY, image: str | debian.Image = "guest", **more: object) -> Server:
        name = image if isinstance(image, str) else debian.offer(cloud, image)
        server = create(cloud, flavor, name, **more)
        made.append(server)
        if isinstance(image, debian.Image):
            debian.log_in(server)
        server.booted()
        if image != NO_BALLOON:
            server.assert_agreed(*flavor.floor)
        return server

    try:
        yield make
    except AssertionError as error:
        if any(server.lost_by_qemu for server in made):
            raise LostByQemuError(*error.args) from error
        raise
    finally:
        if made:
            cloud.delete_servers(*(server.id for server in made))


@contextmanager
def begun(
    cloud: Cloud, scenarios: Sequence[Scenario], *more: object
) -> Iterator[dict[Scenario, Future[None]]]:
    """Begin scenarios, some at a time; those that have not begun at the end never do.

    :param more: the further arguments of a scenario, after its servers
    """

    def once(scenario: Scenario) -> None:
        with made_servers(cloud) as servers:
            scenario(servers, *more)

    def run(scenario: Scenario) -> None:
        try:
            once(scenario)
        except LostByQemuError as lost:
            warnings.warn(f"{scenario.__name__} begins again: {lost}", stacklevel=1)
            once(scenario)

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
