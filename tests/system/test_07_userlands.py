"""Guests with Debian's own userland: each way to enable one makes it use the vCPUs it is given."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.system import debian
from tests.system.cloud import Cloud
from tests.system.server import Server
from tests.system.together import Scenario, Servers, begun, together

pytestmark = pytest.mark.slow

WITH_PACKAGE = debian.Image("debian-with-package", debian.STOCK.recipe)
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
    """What comes of this module's scenarios."""
    with begun(enabled, ENABLED) as outcomes:
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


ENABLED = (cloud_init_applies_the_vendor_data, an_image_with_the_package)
test_userland = together(*ENABLED)
