"""Every operation keeps its promise about the size afterwards, seen from all sides."""

from __future__ import annotations

import pytest

from tests.system.cloud import Cloud, Flavor
from tests.system.conftest import ROOMY, Servers
from tests.system.server import BOOT, Server, Size

GROWN = Size(3, 384)


@pytest.fixture
def grown(servers: Servers) -> Server:
    """A server above its floor."""
    server = servers()
    server.adjust(GROWN.vcpus, GROWN.memory_mb)
    server.assert_agreed(GROWN.vcpus, GROWN.memory_mb)
    return server


def test_stop_and_start(grown: Server) -> None:
    grown.act("os-stop")
    grown.wait("SHUTOFF")
    assert grown.held == GROWN
    grown.act("os-start")
    grown.wait("ACTIVE")
    grown.assert_agreed(GROWN.vcpus, GROWN.memory_mb, BOOT)


def test_adjusted_while_stopped(grown: Server) -> None:
    grown.act("os-stop")
    grown.wait("SHUTOFF")
    assert grown.adjust(2, 320)["result"] == "Success"
    assert grown.held == Size(2, 320)
    grown.act("os-start")
    grown.wait("ACTIVE")
    grown.assert_agreed(2, 320, BOOT)


@pytest.mark.parametrize("kind", ["SOFT", "HARD"])
def test_reboot(grown: Server, kind: str) -> None:
    grown.act("reboot", {"type": kind})
    grown.wait("ACTIVE", 180)
    grown.assert_agreed(GROWN.vcpus, GROWN.memory_mb, BOOT)


@pytest.mark.parametrize("live", [Size(5, 448), Size(1, 256)], ids=["larger", "smaller"])
def test_a_size_that_does_not_persist_ends_with_a_hard_reboot(grown: Server, live: Size) -> None:
    assert grown.adjust(live.vcpus, live.memory_mb, persist=False)["result"] == "Success"
    # the larger of both is reserved, so that the restart cannot fail
    reserved = max(live, GROWN, key=lambda size: size.vcpus)
    grown.assert_agreed(live.vcpus, live.memory_mb, but={"Placement": reserved})
    grown.act("reboot", {"type": "HARD"})
    grown.wait("ACTIVE", 180)
    grown.assert_agreed(GROWN.vcpus, GROWN.memory_mb, BOOT)


def test_rebuild(cloud: Cloud, grown: Server) -> None:
    grown.act("rebuild", {"imageRef": cloud.image("guest")})
    grown.wait("ACTIVE", 180)
    grown.assert_agreed(GROWN.vcpus, GROWN.memory_mb, BOOT)


def test_shelve_and_unshelve(grown: Server) -> None:
    grown.act("shelve")
    grown.wait("SHELVED_OFFLOADED", 180)
    assert grown.allocation == {}
    told = grown.status
    assert Size(told["current_vcpus"], told["current_memory_mb"]) == GROWN
    grown.act("unshelve")
    grown.wait("ACTIVE", 180)
    grown.assert_agreed(GROWN.vcpus, GROWN.memory_mb, BOOT)


def test_resize_and_revert(cloud: Cloud, grown: Server) -> None:
    other = Flavor(vcpus=2, ram=320, minimum_cpu=1, minimum_memory=256)
    grown.act("resize", {"flavorRef": cloud.flavor(other)})
    grown.wait("VERIFY_RESIZE", 240)
    told = grown.status
    assert Size(told["current_vcpus"], told["current_memory_mb"]) == Size(2, 320)
    grown.act("revertResize")
    grown.wait("ACTIVE", 240)
    grown.assert_agreed(GROWN.vcpus, GROWN.memory_mb, BOOT)


def test_resize_and_confirm(cloud: Cloud, grown: Server) -> None:
    other = Flavor(vcpus=8, ram=448, minimum_cpu=4, minimum_memory=256)
    grown.act("resize", {"flavorRef": cloud.flavor(other)})
    grown.wait("VERIFY_RESIZE", 240)
    grown.act("confirmResize")
    grown.wait("ACTIVE", 240)
    resized = Server(cloud, grown.id, other, grown.probe)
    resized.assert_agreed(4, GROWN.memory_mb, BOOT)
    assert resized.adjust(5, 320)["result"] == "Success"
    resized.assert_agreed(5, 320)


def test_rescue_and_unrescue(grown: Server) -> None:
    grown.act("rescue", {})
    grown.wait("RESCUE", 240)
    assert grown.held == GROWN
    grown.post({"current_vcpus": 2}).expect(409)
    grown.act("unrescue")
    grown.wait("ACTIVE", 240)
    grown.assert_agreed(GROWN.vcpus, GROWN.memory_mb, BOOT)


@pytest.mark.parametrize(
    ("away", "state", "back"),
    [("suspend", "SUSPENDED", "resume"), ("pause", "PAUSED", "unpause")],
)
def test_held_and_continued(grown: Server, away: str, state: str, back: str) -> None:
    grown.act(away)
    grown.wait(state, 180)
    assert grown.held == GROWN
    grown.act(back)
    grown.wait("ACTIVE", 180)
    grown.assert_agreed(GROWN.vcpus, GROWN.memory_mb)
    assert grown.adjust(*ROOMY.floor)["result"] == "Success"
    grown.assert_agreed(*ROOMY.floor)


def test_snapshot(cloud: Cloud, grown: Server) -> None:
    grown.act("createImage", {"name": "snapshot"})
    grown.wait("ACTIVE", 180)
    grown.assert_agreed(GROWN.vcpus, GROWN.memory_mb)
    cloud.admin.request(
        "DELETE", f"/v2/images/{cloud.image('snapshot')}", service="image", microversion=None
    ).expect(204)


def test_restart_of_nova_compute(cloud: Cloud, grown: Server) -> None:
    process = grown.probe.ask("process", grown.id)
    cloud.restart_compute()
    grown.assert_agreed(GROWN.vcpus, GROWN.memory_mb)
    assert grown.probe.ask("process", grown.id) == process
    assert grown.adjust(*ROOMY.floor)["result"] == "Success"
    grown.assert_agreed(*ROOMY.floor)


def test_restart_of_the_whole_host(cloud: Cloud, grown: Server) -> None:
    grown.adjust(vcpus=4, persist=False)
    grown.assert_agreed(4, GROWN.memory_mb)
    cloud.disconnect()
    cloud.container.stop()
    cloud.container.start()
    cloud.connect()
    again = Server(cloud, grown.id, grown.flavor, cloud.probe)
    again.wait("ACTIVE", 180)
    again.assert_agreed(GROWN.vcpus, GROWN.memory_mb, 180)
    assert again.adjust(*ROOMY.floor)["result"] == "Success"
    again.assert_agreed(*ROOMY.floor)
