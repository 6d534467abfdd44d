"""An adjusted server on its way between two hosts."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.system import debian, settings
from tests.system.cloud import Cloud, Flavor
from tests.system.second import SecondHost, second_host
from tests.system.server import BOOT, ROOMY, Server, Size, assert_left_out
from tests.system.together import Scenario, Servers, begun, made_servers, together
from tests.system.waiting import wait_for

#: The second host can hold the maximum of this flavor, but not the maximum of ROOMY.
MOVER = Flavor(vcpus=settings.SECOND.cpus, ram=512, minimum_cpu=1, minimum_memory=256)
GROWN = Size(3, 384)
FIRST, OTHER = settings.CONTROLLER.name, settings.SECOND.name


@pytest.fixture(scope="module")
def second(cloud: Cloud, layers: tuple[Path, ...], scratch: Path) -> Iterator[SecondHost]:
    """A second host that computes, beside the first; a server's owner may choose between them."""
    with (
        cloud.policy("os_compute_api:servers:create:forced_host", "role:member"),
        second_host(cloud, layers, scratch / "second") as host,
    ):
        yield host


@pytest.fixture(scope="module")
def evacuee(cloud: Cloud, second: SecondHost) -> Iterator[Future[Server]]:
    """A server above its floor that has moved to the second host, while others do."""
    with made_servers(cloud) as servers, ThreadPoolExecutor(1) as pool:
        yield pool.submit(sent_away, servers, second)


@pytest.fixture(scope="module")
def outcomes(
    cloud: Cloud, second: SecondHost, evacuee: Future[Server]
) -> Iterator[dict[Scenario, Future[None]]]:
    """The outcomes of the moves between two hosts that live."""
    assert evacuee
    with begun(cloud, MOVES, second) as outcomes:
        yield outcomes


def made(servers: Servers, flavor: Flavor = MOVER) -> Server:
    """Return a server above its floor, on the first host."""
    server = servers(flavor, availability_zone=f"nova:{FIRST}")
    server.adjust(GROWN.vcpus, GROWN.memory_mb)
    server.assert_agreed(GROWN.vcpus, GROWN.memory_mb)
    return server


def on(server: Server, host: str) -> bool:
    """Say whether a server is on a host, Placement holds it only there, and its move has ended.

    A host that ends in the last moment of a move takes the server with it. What Placement holds on
    a host that died stays until that host is back.
    """
    about = server.about
    assert about["status"] != "ERROR", about.get("fault")
    there = {server.cloud.provider(name) for name in (host, server.died_on) if name}
    moves = server.cloud.admin.get(f"/os-migrations?instance_uuid={server.id}")["migrations"]
    return (
        about["OS-EXT-SRV-ATTR:host"] == host
        and about["status"] == "ACTIVE"
        and about["OS-EXT-STS:task_state"] is None
        and set(server.allocation) == there
        and {move["status"] for move in moves} <= {"completed", "confirmed", "done"}
    )


def moved(server: Server, second: SecondHost, host: str) -> Server:
    """Wait until a server is on a host, and return it as it is seen from there."""
    wait_for(f"the server on {host}", lambda: on(server, host), 240)
    probe = second.probe if host == OTHER else server.cloud.probe
    return replace(server, probe=probe)


def live_migrated(server: Server, second: SecondHost, host: str) -> Server:
    """Have a server migrate live to a host, and return it as it is seen from there."""
    server.act("os-migrateLive", {"host": host, "block_migration": "auto"})
    return moved(server, second, host)


def sent_away(servers: Servers, second: SecondHost) -> Server:
    """Return a server above its floor, on the second host."""
    return live_migrated(made(servers), second, OTHER)


def live_migration_and_back(servers: Servers, second: SecondHost) -> None:
    grown = made(servers)
    before = grown.booted()
    there = live_migrated(grown, second, OTHER)
    there.assert_agreed(GROWN.vcpus, GROWN.memory_mb)
    # the guest went on: it never booted again
    wait_for("a later word of the guest", lambda: there.booted().up > before.up)
    adjusted_both_ways(there)
    back = live_migrated(there, second, FIRST)
    back.assert_agreed(*MOVER.floor)
    adjusted_both_ways(back)
    assert back.booted().boot == before.boot


def adjusted_both_ways(server: Server) -> None:
    """Have a guest grow, and then shrink to its floor."""
    for vcpus, memory_mb in ((4, 448), server.flavor.floor):
        assert server.adjust(vcpus, memory_mb)["result"] == "Success"
        server.assert_agreed(vcpus, memory_mb)


def live_migration_of_a_guest_with_the_package(servers: Servers, second: SecondHost) -> None:
    """A distribution's own udev brings a vCPU online after one and after two live migrations."""
    server = servers(debian.FLAVOR, debian.STOCK, availability_zone=f"nova:{FIRST}")
    debian.install_package(server)
    for host in (OTHER, FIRST):
        server = live_migrated(server, second, host)
        for vcpus in (3, 1):
            assert server.adjust(vcpus=vcpus)["result"] == "Success"
            server.assert_agreed(vcpus, debian.FLAVOR.minimum_memory)


def cold_migration(servers: Servers, second: SecondHost) -> None:
    grown = made(servers)
    grown.act("migrate", {"host": OTHER})
    grown.wait("VERIFY_RESIZE", 240)
    grown.act("confirmResize")
    there = moved(grown, second, OTHER)
    there.assert_agreed(GROWN.vcpus, GROWN.memory_mb, BOOT)
    assert there.adjust(*MOVER.floor)["result"] == "Success"
    there.assert_agreed(*MOVER.floor)


def no_way_to_a_host_smaller_than_the_maximum(servers: Servers, second: SecondHost) -> None:
    """Placement has room there for the floor, and for the size that the server has."""
    lack = f"VCPU {settings.SECOND.cpus} of {ROOMY.vcpus}"
    grown = made(servers, ROOMY)
    live = {"host": OTHER, "block_migration": "auto"}
    grown.assert_no_host(grown.act("migrate", {"host": OTHER}))
    grown.assert_no_host(grown.act("os-migrateLive", live))
    # the scheduler is not asked; later microversions know no such wish
    forced = grown.act("os-migrateLive", {**live, "force": True}, microversion="2.67")
    assert lack in grown.assert_no_host(forced)
    grown.assert_agreed(GROWN.vcpus, GROWN.memory_mb)
    assert set(grown.allocation) == {grown.cloud.provider(FIRST)}
    assert_left_out(grown.cloud, ROOMY, f"{OTHER}: {lack}", availability_zone=f"nova:{OTHER}")


MOVES = (
    live_migration_of_a_guest_with_the_package,  # which takes longest
    live_migration_and_back,
    cold_migration,
    no_way_to_a_host_smaller_than_the_maximum,
)
test_migration = together(*MOVES)


def test_evacuation_of_a_host_that_died(second: SecondHost, evacuee: Future[Server]) -> None:
    there = evacuee.result()
    there.assert_agreed(GROWN.vcpus, GROWN.memory_mb)
    second.dies()
    there.act("evacuate", {"host": FIRST})
    back = moved(replace(there, died_on=OTHER), second, FIRST)
    back.assert_agreed(GROWN.vcpus, GROWN.memory_mb, BOOT)
    assert back.adjust(*MOVER.floor)["result"] == "Success"
    back.assert_agreed(*MOVER.floor)
    # the dead host's share was left alone: Nova gives it back when the host is there again
    assert back.allocation[back.cloud.provider(OTHER)]["VCPU"] == GROWN.vcpus
    second.returns()
    moved(replace(back, died_on=""), second, FIRST).assert_agreed(*MOVER.floor)
