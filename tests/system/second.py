"""A second host: nova-compute with a libvirt of its own, in a container beside the first.

Both share the directory of the instances, as hosts on a file server would.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nova_xloud.ground import root
from tests.packages.container import Container, watched
from tests.system import install, settings
from tests.system.cloud import SERVICES, Cloud, Probe
from tests.system.install import wait_for_compute
from tests.system.waiting import wait_for

_INSTANCES = "var/lib/nova/instances"
#: The services that the first host alone runs.
_ALONE = (
    *(service for service in SERVICES if service != "nova-compute"),
    *("keystone", "glance-api", "placement-api", "neutron-api"),
    *("mariadb", "rabbitmq-server", "memcached"),
)


class SecondHost:
    """The host, and the questions to it.

    :ivar probe: asks its libvirt
    """

    def __init__(self, cloud: Cloud, container: Container) -> None:
        self.cloud = cloud
        self.container = container
        self.probe = Probe(container)

    @property
    def service(self) -> dict[str, Any]:
        """Its nova-compute, as the API shows it."""
        query = f"/os-services?host={settings.SECOND.name}&binary=nova-compute"
        return dict(self.cloud.admin.get(query)["services"][0])

    def computes(self) -> None:
        """Start its nova-compute and wait until that works."""
        self.container.sh("systemctl start nova-compute")
        wait_for_compute(self.container, settings.SECOND)

    def leaves(self) -> None:
        """Have the cloud give it no more servers, and let go of it."""
        self.probe.close()
        path = f"/os-services/{self.service['id']}"
        self.cloud.admin.request("PUT", path, {"status": "disabled"}).expect(200)

    def dies(self) -> None:
        """End the host, its guests with it, and wait until the cloud believes it."""
        self.probe.close()
        self.container.kill()
        wait_for("the second host to be down", lambda: self.service["state"] == "down", 120)

    def returns(self) -> None:
        """Boot it again after it died."""
        self.container.start()
        connect(self.cloud.container, self.container)
        self.computes()


@contextmanager
def second_host(cloud: Cloud, layers: Sequence[Path], scratch: Path) -> Iterator[SecondHost]:
    """Boot a second host with our packages; its service and its guests are gone at the end.

    :param layers: those that the first was booted on
    """
    with root.overlay(layers, scratch) as merged:
        wants = merged / "etc/systemd/system/multi-user.target.wants"
        for unit in _ALONE:
            (wants / f"{unit}.service").unlink(missing_ok=True)
        (wants / "nova-compute.service").unlink()
        # by which nova-compute knows that it is still the same host
        (merged / "var/lib/nova/compute_id").unlink()
        install.write_files(merged, settings.SECOND)
        shared = cloud.container.root / _INSTANCES
        container = Container(merged, scratch / "console.log", {shared: f"/{_INSTANCES}"})
        try:
            with watched(container):
                container.start()
                connect(cloud.container, container)
                trust(cloud.container, container)
                take_packages(cloud, container)
                host = SecondHost(cloud, container)
                host.computes()
                cloud.sh(
                    "setpriv --reuid nova --regid nova --init-groups "
                    "nova-manage cell_v2 discover_hosts"
                )
                try:
                    yield host
                finally:
                    host.leaves()
        finally:
            # nothing of it is wanted any more
            container.kill()


def connect(first: Container, second: Container) -> None:
    """Lay a wire between two hosts, and tell each where the other is."""
    subprocess.run(
        [
            *("ip", "link", "add", "wire1", "netns", str(first.leader)),
            *("type", "veth", "peer", "name", "wire2", "netns", str(second.leader)),
        ],
        check=True,
    )
    for container, wire, far in (
        (first, "wire1", settings.SECOND),
        (second, "wire2", settings.CONTROLLER),
    ):
        container.sh(f"ip link set {wire} up; ip route add {far.address} dev {wire}")


def trust(first: Container, second: Container) -> None:
    """Let Nova of each host into the other by ssh, as cold migration wants it."""
    for container in (first, second):
        container.sh("usermod -s /bin/sh nova; install -d -m 700 -o nova -g nova ~nova/.ssh")
    first.sh("ssh-keygen -q -t ed25519 -N '' -f ~nova/.ssh/id_ed25519")
    keys = first.root / "var/lib/nova/.ssh"
    (keys / "authorized_keys").write_text((keys / "id_ed25519.pub").read_text())
    (keys / "config").write_text("Host *\n StrictHostKeyChecking no\n LogLevel ERROR\n")
    shutil.copytree(keys, second.root / "var/lib/nova/.ssh", dirs_exist_ok=True)
    for container in (first, second):
        container.sh("chown -R nova:nova ~nova/.ssh; systemctl start ssh")


def take_packages(cloud: Cloud, second: Container) -> None:
    """Install on a host the packages of ours that the first one has, from the same mirror."""
    theirs, here = cloud.container.root, second.root
    shutil.copytree(theirs / "srv/mirror", here / "srv/mirror")
    for file in ("usr/share/keyrings/nova-xloud.gpg", "etc/apt/sources.list.d/nova-xloud.sources"):
        shutil.copy(theirs / file, here / file)
    second.sh("apt-get update && apt-get -y -o Dpkg::Use-Pty=0 install python3-nova-xloud")
