"""Back to stock Nova and in again, with adjusted guests that run on and a record that stays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system import swap
from tests.system.api import Answer
from tests.system.cloud import SERVICES, Cloud
from tests.system.server import ROOMY, Server, Size, create
from tests.system.waiting import wait_for

pytestmark = pytest.mark.core
GROWN = Size(3, 384)
#: Seconds after the swap within which an adjust works.
SOON = 30


@pytest.fixture(scope="module")
def witness(cloud: Cloud) -> Iterator[Server]:
    """An adjusted server that must not notice."""
    server = create(cloud, ROOMY)
    server.booted()
    server.adjust(GROWN.vcpus, GROWN.memory_mb)
    server.assert_agreed(GROWN.vcpus, GROWN.memory_mb)
    yield server
    cloud.delete_servers(server.id)


def assert_unnoticed(swapped: swap.Swapped) -> None:
    """Check what users and guests must not notice of a swap."""
    assert swapped.guest_ran_on
    assert swapped.answers
    assert swapped.failed == []
    assert swapped.restarted == dict.fromkeys(SERVICES, 1)
    assert swapped.tracebacks == ""


def test_back_to_stock(cloud: Cloud, witness: Server) -> None:
    swapped = swap.watched(cloud, witness, "install python3-nova")
    assert "xloud" not in swapped.version
    assert_unnoticed(swapped)
    figures = witness.figures
    assert Size(figures["vcpus"], figures["memory_mb"]) == GROWN
    witness.post({"current_vcpus": 2}).expect(404)


def test_in_again(cloud: Cloud, witness: Server, version: str) -> None:
    swapped = swap.watched(cloud, witness, "install python3-nova-xloud")
    assert swapped.version == version
    assert_unnoticed(swapped)
    answer = wait_for("an adjust", lambda: accepted(witness), SOON)
    assert witness.ended(answer)["result"] == "Success"
    witness.assert_agreed(2, GROWN.memory_mb)


def accepted(server: Server) -> Answer | None:
    """Ask for an adjust; return the answer if it is taken."""
    answer = server.post({"current_vcpus": 2})
    return answer if answer.status == 202 else None
