"""Back to stock Nova and in again, with adjusted guests that run on and a record that stays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system import swap
from tests.system.cloud import SERVICES, Cloud
from tests.system.server import ROOMY, Server, Size, create

pytestmark = pytest.mark.core
GROWN = Size(3, 384)


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
    assert not swapped.failed, f"{swapped.failed}\n{swapped.tracebacks}"
    assert swapped.restarted == dict.fromkeys(SERVICES, 1)
    assert not swapped.tracebacks, swapped.tracebacks


def test_back_to_stock(cloud: Cloud, witness: Server) -> None:
    swapped = swap.watched(cloud, witness, "install python3-nova")
    assert "xloud" not in swapped.version
    assert_unnoticed(swapped)
    figures = witness.figures
    assert Size(figures["vcpus"], figures["memory_mb"]) == GROWN
    assert witness.record.kept == GROWN
    witness.post({"current_vcpus": 2}).expect(404)


def test_in_again(cloud: Cloud, witness: Server, version: str) -> None:
    # the other value stays what was recorded before
    swapped = swap.watched(
        cloud,
        witness,
        "install python3-nova-xloud",
        lambda: swap.adjusted_soon(witness, current_vcpus=2),
    )
    assert swapped.version == version
    assert_unnoticed(swapped)
    witness.assert_agreed(2, GROWN.memory_mb)
