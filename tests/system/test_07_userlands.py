"""Guests with Debian's own userland: each way to enable one makes it use the vCPUs it is given."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.system import debian
from tests.system.cloud import Cloud, Flavor
from tests.system.server import Server, Size
from tests.system.together import Scenario, Servers, begun, together

pytestmark = pytest.mark.slow

WITH_PACKAGE = debian.Image("debian-with-package", debian.STOCK.recipe)
ALL_USED = "The guest says that it uses all of its vCPUs."
NOT_ASKED = "The guest was not asked whether it uses its vCPUs: no guest agent answers."
#: Seconds that an adjust of a guest takes at most whose agent hangs.
_HANGS = 60
#: docs/guests.md
_VENDOR_DATA = """\
vendordata_providers = StaticJSON
vendordata_jsonfile_path = /usr/share/xloud-guest/vendordata.json
"""
#: A user's own, with the key that a vendor's cloud-config would have had.
_USER_DATA = "#cloud-config\nruncmd: [touch /root/of-the-user]\n"


@pytest.fixture(scope="module")
def enabled(cloud: Cloud, scratch: Path) -> Cloud:
    """The cloud, with vendor data for all servers, and with an image that has our package."""
    place = debian.files_with(debian.STOCK, debian.package(cloud), scratch / "with-package")
    debian.offer(cloud, WITH_PACKAGE, place)
    cloud.sh("apt-get -y -o Dpkg::Use-Pty=0 install xloud-guest-operator")
    file = cloud.container.root / "etc/nova/nova.conf"
    file.write_text(file.read_text().replace("[api]\n", f"[api]\n{_VENDOR_DATA}"))
    cloud.restart_compute()
    return cloud


@pytest.fixture(scope="module")
def outcomes(enabled: Cloud) -> Iterator[dict[Scenario, Future[None]]]:
    """The outcomes of this module's scenarios."""
    with begun(enabled, (*ENABLED, *ASKED, *HIDDEN)) as outcomes:
        yield outcomes


def used_and_given_back(server: Server) -> None:
    """Check that a guest uses all it is given, and gives it back."""
    memory_mb = server.flavor.minimum_memory
    for vcpus in (3, 1, 4):
        assert server.adjust(vcpus=vcpus)["result"] == "Success"
        server.assert_agreed(vcpus, memory_mb)


def an_image_with_the_package(servers: Servers) -> None:
    server = servers(debian.FLAVOR, WITH_PACKAGE)
    used_and_given_back(server)
    debian.run(server, "apt-get -y purge xloud-guest; test -z \"$(find / -xdev -name '*xloud*')\"")


def cloud_init_applies_the_vendor_data(servers: Servers) -> None:
    server = servers(
        debian.FLAVOR,
        debian.CLOUD_INIT,
        config_drive=True,
        user_data=base64.b64encode(_USER_DATA.encode()).decode(),
    )
    # its status is an error: the image has no locales
    finished = "until [ -e /var/lib/cloud/instance/boot-finished ]; do sleep 2; done"
    debian.run(server, f"{finished}; test -e /root/of-the-user", debian.BOOT)
    used_and_given_back(server)


def an_agent_brings_vcpus_online(servers: Servers) -> None:
    server = answering(servers)
    for vcpus in (3, 1, 4):
        event = server.adjust(vcpus=vcpus)
        assert event["result"] == "Success", event
        server.assert_agreed(vcpus, debian.FLAVOR.minimum_memory)
        assert server.status["guest_online_vcpus"] == vcpus
    assert ALL_USED in event["details"], event


def an_agent_that_is_gone_is_not_asked(servers: Servers) -> None:
    server = answering(servers)
    debian.run(server, "systemctl stop qemu-guest-agent")
    not_asked(server, 3)


def an_agent_that_hangs_costs_a_bounded_time(servers: Servers) -> None:
    server = answering(servers)
    debian.run(server, "systemctl kill -s STOP qemu-guest-agent")
    begun = time.monotonic()
    not_asked(server, 3)
    assert time.monotonic() - begun < _HANGS


def an_agent_that_brings_nothing_online_is_a_failure(servers: Servers) -> None:
    server = answering(servers)
    debian.run(
        server,
        "systemctl stop qemu-guest-agent\n"
        "systemd-run --quiet qemu-ga --blacklist=guest-set-vcpus\n",
    )
    debian.wait_for_agent(server)
    event = server.adjust(vcpus=3)
    assert event["result"] == "Error", event
    assert "uses only 1 of the 3 vCPUs" in event["details"], event
    server.assert_agreed(*debian.FLAVOR.floor)


def answering(servers: Servers) -> Server:
    """Return a server whose guest has an agent that answers."""
    server = servers(debian.FLAVOR, debian.AGENT)
    debian.wait_for_agent(server)
    return server


def not_asked(server: Server, vcpus: int) -> None:
    """Check that a growth succeeds, and says that nobody knows whether the guest uses it."""
    event = server.adjust(vcpus=vcpus)
    assert event["result"] == "Success", event
    assert NOT_ASKED in event["details"], event
    memory_mb = debian.FLAVOR.minimum_memory
    server.assert_agreed(vcpus, memory_mb, but={"guest": Size(1, memory_mb)})
    assert server.status["guest_online_vcpus"] is None


def a_cpu_floor_hides_virtualization(servers: Servers) -> None:
    """QEMU's own model shows svm, which a guest with a floor would load KVM for."""
    shows = "grep -qw -e svm -e vmx /proc/cpuinfo"
    debian.run(servers(Flavor(vcpus=1, ram=512), debian.STOCK), shows)
    debian.run(servers(debian.FLAVOR, debian.STOCK), f"! {shows}")


ENABLED = (cloud_init_applies_the_vendor_data, an_image_with_the_package)
ASKED = (
    an_agent_brings_vcpus_online,
    an_agent_that_is_gone_is_not_asked,
    an_agent_that_hangs_costs_a_bounded_time,
    an_agent_that_brings_nothing_online_is_a_failure,
)
HIDDEN = (a_cpu_floor_hides_virtualization,)
test_userland = together(*ENABLED, *ASKED, *HIDDEN)
