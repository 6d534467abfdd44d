"""Back to stock Nova: for a while, with guests that run on and a record that stays; then for good.

Each test goes on from where the one before has left the cloud.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest

from tests.system import settings, swap
from tests.system.client import openstack
from tests.system.cloud import SERVICES, Cloud, Flavor
from tests.system.install import wait_for_compute
from tests.system.server import ROOMY, Server, Size, create, periodic
from tests.system.settling import settle
from tests.system.waiting import wait_for

pytestmark = pytest.mark.core
GROWN = Size(3, 384)
SMALL = Flavor(vcpus=3, ram=256, minimum_cpu=1, minimum_memory=128)
LATE = Flavor(vcpus=2, ram=256, minimum_cpu=1, minimum_memory=192)
MAXIMUM = Size(SMALL.vcpus, SMALL.ram)
#: vCPUs that the host has left: enough for all that are to have their maximum but the witness.
LEFT = 8


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
    done = openstack("server", "xloud", "adjust", witness.id, "--vcpus", 2)
    assert done.code == 1
    assert "does not offer live vertical resize" in done.err
    assert not cloud.can_adjust, "the trait has stayed on a host that cannot adjust"


def test_in_again(cloud: Cloud, witness: Server, version: str) -> None:
    # the other value stays as it was recorded before
    swapped = swap.watched(
        cloud,
        witness,
        "install python3-nova-xloud",
        lambda: swap.adjusted_soon(witness, current_vcpus=2),
    )
    assert swapped.version == version
    assert_unnoticed(swapped)
    witness.assert_agreed(2, GROWN.memory_mb)
    wait_for("the trait of hosts that adjust", lambda: cloud.can_adjust, 60)


@pytest.fixture(scope="module")
def running(cloud: Cloud) -> Server:
    """A server that runs below its maximum."""
    server = create(cloud, SMALL)
    server.booted()
    server.adjust(2, 192)
    server.assert_agreed(2, 192)
    return server


@pytest.fixture(scope="module")
def stopped(cloud: Cloud) -> Server:
    """A server that is off, at its floor."""
    server = create(cloud, SMALL)
    server.booted()
    server.act("os-stop")
    server.wait("SHUTOFF")
    return server


@pytest.fixture(scope="module")
def full(
    cloud: Cloud, witness: Server, running: Server, stopped: Server
) -> Iterator[contextlib.ExitStack]:
    """Others have so much of the host that there is no room for the witness's maximum.

    They go when the yielded stack is closed.
    """
    assert running.held.vcpus + stopped.held.vcpus == 3
    with contextlib.ExitStack() as others:
        others.enter_context(cloud.taken("VCPU", cloud.free("VCPU") - LEFT))
        yield others


def assert_books(server: Server, size: Size) -> None:
    """Check the size that Placement, the quota and the next start have for a server."""
    record = server.record
    assert {
        "Placement": server.held,
        "quota": record.counted,
        "start": record.kept,
    } == dict.fromkeys(("Placement", "quota", "start"), size)


@pytest.mark.usefixtures("full")
def test_settled_before_the_swap(
    cloud: Cloud, witness: Server, running: Server, stopped: Server
) -> None:
    found = settle(cloud, "list")
    assert found.code == 1
    assert found.hindrance(running) is None
    assert found.hindrance(stopped) is None
    assert f"{ROOMY.vcpus - 2} more VCPU needed" in str(found.hindrance(witness))
    assert settings.CONTROLLER.name in str(found.hindrance(witness))
    running.assert_agreed(2, 192)
    left = settle(cloud, "apply")
    assert left.code == 1, left
    assert list(left.servers) == [witness.id], left
    assert not left.left["flavors"]
    assert running.id in left.said
    # longer than a nova-compute of ours takes to look at them again
    time.sleep(periodic())
    for server in (running, stopped):
        assert_books(server, MAXIMUM)
    libvirt = running.figures
    assert (libvirt["vcpus"], libvirt["memory_mb"]) == (2, 192)
    witness.assert_agreed(2, GROWN.memory_mb)


def give_floors_back(cloud: Cloud, flavor: Flavor) -> None:
    """Do what the command says that brings a flavor's floors back."""
    path = f"/flavors/{cloud.flavor(flavor)}/os-extra_specs"
    cloud.admin.request("POST", path, {"extra_specs": flavor.extra_specs}).expect(200)


@pytest.fixture(scope="module")
def late(cloud: Cloud, running: Server) -> Server:
    """A server whose host dies when it is told to adjust it."""
    assert running
    give_floors_back(cloud, LATE)
    server = create(cloud, LATE)
    server.booted()
    server.assert_agreed(*LATE.floor)
    cloud.sh("systemctl kill -s STOP nova-compute")
    server.post({"current_vcpus": 2}).expect(409)
    cloud.sh("systemctl kill -s KILL nova-compute; systemctl stop nova-compute")
    return server


@pytest.mark.usefixtures("full")
def test_settled_after_the_swap(cloud: Cloud, witness: Server, late: Server) -> None:
    assert late.about["OS-EXT-STS:task_state"] == "xloud_adjusting"
    cloud.sh("apt-get -y -o Dpkg::Use-Pty=0 install python3-nova")
    assert "xloud" not in swap.installed(cloud)
    cloud.sh("systemctl start nova-compute")
    wait_for_compute(cloud.container, settings.CONTROLLER)
    # of a nova-compute that was killed
    assert cloud.can_adjust
    found = settle(cloud, "list")
    assert found.code == 1
    assert set(found.servers) == {witness.id, late.id}
    assert [host["nova_compute"] for host in found.left["hosts"]] == ["stock"]
    left = settle(cloud, "apply")
    assert list(left.servers) == [witness.id], left
    assert not left.left["hosts"]
    assert not cloud.can_adjust
    assert late.is_free
    assert_books(late, Size(LATE.vcpus, LATE.ram))
    (action,) = late.actions()
    told = late.told(action["request_id"])
    assert told is not None
    assert [event["result"] for event in told["events"]] == ["Error"], told
    assert witness.held == Size(2, GROWN.memory_mb)


def test_nothing_is_left(
    cloud: Cloud, witness: Server, late: Server, full: contextlib.ExitStack
) -> None:
    assert late
    full.close()
    assert settle(cloud, "apply").code == 0
    assert settle(cloud, "list").code == 0
    assert_books(witness, Size(ROOMY.vcpus, ROOMY.ram))
    # the guest goes on with its present size
    libvirt = witness.figures
    assert (libvirt["vcpus"], libvirt["memory_mb"]) == (2, GROWN.memory_mb)


def assert_at_maximum(server: Server) -> None:
    """Check that all who can tell see a server at its flavor's size, on stock Nova."""
    size = Size(server.flavor.vcpus, server.flavor.ram)
    last: dict[str, Size] = {}

    def agreed() -> bool:
        last.clear()
        last.update(server._own_views(), Placement=server.held)
        return "guest" in last and set(last.values()) == {size}

    wait_for(f"all views at {size}", agreed, 150, seen=lambda: last)
    assert "current=" not in server.probe.ask("xml", server.id).partition("</vcpu>")[0]


def test_stock_nova_starts_them_at_what_is_held(
    cloud: Cloud, running: Server, stopped: Server, late: Server
) -> None:
    assert late
    running.act("os-stop")
    running.wait("SHUTOFF")
    for server in (running, stopped):
        server.act("os-start")
    for server in (running, stopped):
        server.wait("ACTIVE")
        assert_at_maximum(server)
    wait_for("the tracker", lambda: cloud.tracked() == tracked(cloud), 2 * settings.PERIODIC)


def tracked(cloud: Cloud) -> dict[str, int]:
    """Return what Placement has given away, of what the tracker counts."""
    used = cloud.used()
    return {name: used[name] for name in ("VCPU", "MEMORY_MB")}


def test_a_floor_means_nothing_to_stock_nova(cloud: Cloud, running: Server) -> None:
    assert running
    give_floors_back(cloud, SMALL)
    server = create(cloud, SMALL)
    server.booted()
    assert_at_maximum(server)
    assert_books(server, MAXIMUM)
    cloud.delete_servers(server.id)
