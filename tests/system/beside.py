"""Hosts beside the cloud, each with a root of its own: the cloud's layers know nothing of them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nova_xloud.ground import root
from tests.packages.container import Container, watched
from tests.system import settings
from tests.system.cloud import Cloud


@contextmanager
def host_beside(
    cloud: Cloud, lower: Path, address: str, name: str, scratch: Path
) -> Iterator[Container]:
    """Boot a host and lay a wire to the cloud; the host is gone at the end.

    :param lower: the host's root, as the fixture ``beside`` has it
    :param address: of the host, as the cloud knows it
    :param name: of the wire; a few letters
    """
    with root.overlay([lower], scratch) as merged:
        container = Container(merged, scratch / "console.log")
        try:
            with watched(container):
                container.start()
                _connect(cloud.container, container, address, name)
                yield container
        finally:
            # nothing of it is wanted any more
            container.kill()


def _connect(cloud: Container, beside: Container, address: str, name: str) -> None:
    """Lay a wire between the cloud and a host, and tell each where the other is."""
    subprocess.run(
        [
            *("ip", "link", "add", f"{name}1", "netns", str(cloud.leader)),
            *("type", "veth", "peer", "name", f"{name}2", "netns", str(beside.leader)),
        ],
        check=True,
    )
    beside.sh(f"ip address add {address}/32 dev lo")
    for container, wire, far in ((cloud, f"{name}1", address), (beside, f"{name}2", settings.AT)):
        container.sh(f"ip link set {wire} up; ip route add {far} dev {wire}")
