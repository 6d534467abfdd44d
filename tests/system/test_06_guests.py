"""Guests that obey late, or never: Nova tells the truth about them."""

from __future__ import annotations

import pytest

from tests.system import debian
from tests.system.client import openstack
from tests.system.cloud import Flavor
from tests.system.server import BOOT, NO_BALLOON, OBEY, ROOMY, Server, Size
from tests.system.settings import PERIODIC
from tests.system.together import Servers, together
from tests.system.waiting import wait_for

pytestmark = pytest.mark.core


def booted_at(server: Server, size: Size) -> None:
    """Have a server boot larger than its floor."""
    server.act("os-stop")
    server.wait("SHUTOFF")
    server.adjust(size.vcpus, size.memory_mb)
    server.act("os-start")
    server.wait("ACTIVE")
    server.assert_agreed(size.vcpus, size.memory_mb, BOOT)


def a_boot_size_above_the_floor_shrinks_live_to_the_floor(servers: Servers) -> None:
    server = servers()
    booted_at(server, Size(3, 384))
    assert server.figures["hotpluggable"] == list(range(ROOMY.minimum_cpu, ROOMY.vcpus))
    assert server.adjust(*ROOMY.floor)["result"] == "Success"
    server.assert_agreed(*ROOMY.floor)


def an_unplug_said_to_have_timed_out_but_done_is_a_success(servers: Servers) -> None:
    server = servers()
    server.adjust(vcpus=4)
    server.assert_agreed(4, 256)
    # libvirt says so of each unplug here: QEMU without KVM does not tell it of the end of one
    with pytest.raises(LookupError, match="timed out"):
        server.probe.ask("set_vcpus", server.id, 3)
    wait_for("the unplug", lambda: server.figures["qemu_vcpus"] == 3)
    assert server.adjust(vcpus=1)["result"] == "Success"
    server.assert_agreed(1, 256)


def an_unplug_that_the_guest_ignores_is_a_failure(servers: Servers) -> None:
    server = servers(
        Flavor(vcpus=4, ram=512, minimum_cpu=1, minimum_memory=256), "guest-that-keeps-cpus"
    )
    booted_at(server, Size(3, 256))
    done = openstack("server", "xloud", "adjust", server.id, "--vcpus", 1, "--wait")
    assert done.code == 3, done.err
    assert done.told["result"] == "Error"
    assert "3 vCPUs" in done.told["details"], done.told
    assert "failed: " in done.err
    assert done.told["current_vcpus"] == 3
    assert server.held == server.record.kept == server.record.counted == Size(3, 256)
    server.assert_agreed(3, 256)
    assert server.about["status"] == "ACTIVE"


def part_of_a_request_that_fails_leaves_true_figures(servers: Servers) -> None:
    server = servers(
        Flavor(vcpus=4, ram=512, minimum_cpu=1, minimum_memory=256), "guest-that-keeps-cpus"
    )
    booted_at(server, Size(3, 256))
    event = server.adjust(vcpus=1, memory_mb=384)
    assert event["result"] == "Error"
    true = Size(server.figures["vcpus"], server.figures["memory_mb"])
    assert server.held == server.record.kept == true
    server.assert_agreed(true.vcpus, true.memory_mb)
    assert true.vcpus == 3


def a_guest_without_balloon_driver_keeps_its_memory(servers: Servers) -> None:
    server = servers(image=NO_BALLOON)
    assert server.status["balloon_driver_active"] is False
    # the guest never gave back memory: after five equal looks Nova counts all of it
    has, looks = ROOMY.ram, 6 * PERIODIC + OBEY
    # the size of its next start stays the floor
    kept = {"record": Size(*ROOMY.floor)}
    server.assert_agreed(ROOMY.minimum_cpu, has, looks, but=kept)
    event = server.adjust(memory_mb=ROOMY.minimum_memory)
    assert event["result"] == "Error"
    assert f"{has} MiB" in event["details"], event
    server.assert_agreed(ROOMY.minimum_cpu, has, but=kept)


def a_stock_guest_uses_a_vcpu_once_it_has_the_package(servers: Servers) -> None:
    server = servers(debian.FLAVOR, debian.STOCK)
    assert server.adjust(3, 640)["result"] == "Success"
    # charged, and not used: memory comes by the balloon, a vCPU waits for somebody in the guest
    server.assert_agreed(3, 640, but={"guest": Size(1, 640)})
    assert debian.run(server, debian.CPUS).split() == ["0-2", "0"]
    # the vCPUs that wait are used as soon as the package is there
    debian.install_package(server)
    server.assert_agreed(3, 640)
    assert server.adjust(vcpus=1)["result"] == "Success"
    server.assert_agreed(1, 640)
    assert server.adjust(vcpus=2)["result"] == "Success"
    server.assert_agreed(2, 640)


test_guest = together(
    a_stock_guest_uses_a_vcpu_once_it_has_the_package,  # which takes longest
    a_guest_without_balloon_driver_keeps_its_memory,
    a_boot_size_above_the_floor_shrinks_live_to_the_floor,
    an_unplug_said_to_have_timed_out_but_done_is_a_success,
    an_unplug_that_the_guest_ignores_is_a_failure,
    part_of_a_request_that_fails_leaves_true_figures,
)
