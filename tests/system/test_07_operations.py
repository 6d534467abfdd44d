"""Every operation keeps its promise about the size afterwards, seen from all sides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.system.cloud import Cloud, Flavor
from tests.system.server import BOOT, ROOMY, Server, Size
from tests.system.together import Servers, made_servers, together

GROWN = Size(3, 384)


def made(servers: Servers) -> Server:
    """Return a server above its floor."""
    server = servers()
    server.adjust(GROWN.vcpus, GROWN.memory_mb)
    server.assert_agreed(GROWN.vcpus, GROWN.memory_mb)
    return server


def stop_and_start(servers: Servers) -> None:
    server = made(servers)
    server.act("os-stop")
    server.wait("SHUTOFF")
    assert server.held == GROWN
    server.act("os-start")
    server.wait("ACTIVE")
    server.assert_agreed(GROWN.vcpus, GROWN.memory_mb, BOOT)


def adjusted_while_stopped(servers: Servers) -> None:
    server = made(servers)
    server.act("os-stop")
    server.wait("SHUTOFF")
    assert server.adjust(2, 320)["result"] == "Success"
    assert server.held == Size(2, 320)
    server.act("os-start")
    server.wait("ACTIVE")
    server.assert_agreed(2, 320, BOOT)


def soft_reboot(servers: Servers) -> None:
    rebooted(made(servers), "SOFT")


def hard_reboot(servers: Servers) -> None:
    rebooted(made(servers), "HARD")


def rebooted(server: Server, kind: str) -> None:
    server.act("reboot", {"type": kind})
    server.wait("ACTIVE", 180)
    server.assert_agreed(GROWN.vcpus, GROWN.memory_mb, BOOT)


def a_larger_size_that_does_not_persist_ends_with_a_hard_reboot(servers: Servers) -> None:
    adjusted_for_now(made(servers), Size(5, 448))


def a_smaller_size_that_does_not_persist_ends_with_a_hard_reboot(servers: Servers) -> None:
    adjusted_for_now(made(servers), Size(1, 256))


def adjusted_for_now(server: Server, live: Size) -> None:
    assert server.adjust(live.vcpus, live.memory_mb, persist=False)["result"] == "Success"
    # the larger of both is reserved, so that the restart cannot fail
    reserved = max(live, GROWN, key=lambda size: size.vcpus)
    others = {"record": GROWN, "Placement": reserved, "counted": reserved}
    server.assert_agreed(live.vcpus, live.memory_mb, but=others)
    rebooted(server, "HARD")


def rebuild(servers: Servers) -> None:
    server = made(servers)
    server.act("rebuild", {"imageRef": server.cloud.image("guest")})
    server.wait("ACTIVE", 180)
    server.assert_agreed(GROWN.vcpus, GROWN.memory_mb, BOOT)


def shelve_and_unshelve(servers: Servers) -> None:
    server = made(servers)
    server.act("shelve")
    server.wait("SHELVED_OFFLOADED", 180)
    assert server.allocation == {}
    told = server.status
    assert Size(told["current_vcpus"], told["current_memory_mb"]) == GROWN
    server.act("unshelve")
    server.wait("ACTIVE", 180)
    server.assert_agreed(GROWN.vcpus, GROWN.memory_mb, BOOT)


def resized_to(flavor: Flavor, server: Server) -> Server:
    """Resize a server, and return it with its new flavor, neither confirmed nor reverted."""
    server.act("resize", {"flavorRef": server.cloud.flavor(flavor)})
    server.wait("VERIFY_RESIZE", 240)
    return replace(server, flavor=flavor)


def resize_and_revert(servers: Servers) -> None:
    server = made(servers)
    other = Flavor(vcpus=2, ram=320, minimum_cpu=1, minimum_memory=256)
    resized_to(other, server).assert_agreed(2, 320, BOOT)
    server.act("revertResize")
    server.wait("ACTIVE", 240)
    server.assert_agreed(GROWN.vcpus, GROWN.memory_mb, BOOT)


def resize_and_confirm(servers: Servers) -> None:
    other = Flavor(vcpus=8, ram=448, minimum_cpu=4, minimum_memory=256)
    resized = resized_to(other, made(servers))
    resized.act("confirmResize")
    resized.wait("ACTIVE", 240)
    resized.assert_agreed(4, GROWN.memory_mb, BOOT)
    assert resized.adjust(5, 320)["result"] == "Success"
    resized.assert_agreed(5, 320)


def rescue_and_unrescue(servers: Servers) -> None:
    server = made(servers)
    server.act("rescue", {})
    server.wait("RESCUE", 240)
    server.assert_agreed(GROWN.vcpus, GROWN.memory_mb, BOOT)
    server.post({"current_vcpus": 2}).expect(409)
    server.act("unrescue")
    server.wait("ACTIVE", 240)
    server.assert_agreed(GROWN.vcpus, GROWN.memory_mb, BOOT)


def suspended_and_resumed(servers: Servers) -> None:
    held_and_continued(made(servers), "suspend", "SUSPENDED", "resume")


def paused_and_continued(servers: Servers) -> None:
    held_and_continued(made(servers), "pause", "PAUSED", "unpause")


def held_and_continued(server: Server, away: str, state: str, back: str) -> None:
    server.act(away)
    server.wait(state, 180)
    assert server.held == GROWN
    server.act(back)
    server.wait("ACTIVE", 180)
    server.assert_agreed(GROWN.vcpus, GROWN.memory_mb)
    assert server.adjust(*ROOMY.floor)["result"] == "Success"
    server.assert_agreed(*ROOMY.floor)


def snapshot(servers: Servers) -> None:
    server = made(servers)
    server.act("createImage", {"name": "snapshot"})
    server.wait("ACTIVE", 180)
    server.assert_agreed(GROWN.vcpus, GROWN.memory_mb)
    server.cloud.admin.request(
        "DELETE", f"/v2/images/{server.cloud.image('snapshot')}", service="image", microversion=None
    ).expect(204)


test_operation = together(
    stop_and_start,
    adjusted_while_stopped,
    soft_reboot,
    hard_reboot,
    a_larger_size_that_does_not_persist_ends_with_a_hard_reboot,
    a_smaller_size_that_does_not_persist_ends_with_a_hard_reboot,
    rebuild,
    shelve_and_unshelve,
    resize_and_revert,
    resize_and_confirm,
    rescue_and_unrescue,
    suspended_and_resumed,
    paused_and_continued,
    snapshot,
)


@pytest.fixture(scope="module")
def grown(cloud: Cloud) -> Iterator[Server]:
    """A server above its floor, while all others are gone."""
    with made_servers(cloud) as servers:
        yield made(servers)


def test_restart_of_nova_compute(cloud: Cloud, grown: Server) -> None:
    process = grown.probe.ask("process", grown.id)
    cloud.restart_compute()
    grown.assert_agreed(GROWN.vcpus, GROWN.memory_mb)
    assert grown.probe.ask("process", grown.id) == process
    assert grown.adjust(*ROOMY.floor)["result"] == "Success"
    grown.assert_agreed(*ROOMY.floor)
    grown.adjust(GROWN.vcpus, GROWN.memory_mb)
    grown.assert_agreed(GROWN.vcpus, GROWN.memory_mb)


def test_restart_of_the_whole_host(cloud: Cloud, grown: Server) -> None:
    grown.adjust(vcpus=4, persist=False)
    grown.assert_agreed(4, GROWN.memory_mb, but={"record": GROWN})
    cloud.disconnect()
    cloud.container.stop()
    cloud.container.start()
    cloud.connect()
    again = Server(cloud, grown.id, grown.flavor, cloud.probe)
    again.wait("ACTIVE", 180)
    again.assert_agreed(GROWN.vcpus, GROWN.memory_mb, 180)
    assert again.adjust(*ROOMY.floor)["result"] == "Success"
    again.assert_agreed(*ROOMY.floor)
