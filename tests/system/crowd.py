"""Many small servers at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from tests.system.cloud import Cloud, Flavor
from tests.system.server import Server

SMALL = Flavor(vcpus=16, ram=192, minimum_cpu=1, minimum_memory=128)
#: Guests that boot at once: more only wait for each other.
_AT_ONCE = 4


@contextmanager
def crowd(
    cloud: Cloud, number: int, flavor: Flavor = SMALL, image: str = "guest"
) -> Iterator[list[Server]]:
    """Yield so many servers with booted guests; they are gone afterwards."""

    def make(_: int) -> Server:
        server = Server(cloud, cloud.new_server(flavor, image), flavor, cloud.probe)
        servers.append(server)
        server.wait("ACTIVE", 600)
        server.booted(600)
        return server

    servers: list[Server] = []
    try:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(make, range(number)))
        yield servers
    finally:
        cloud.delete_servers(*(server.id for server in servers))


def agree(servers: Sequence[Server], seconds: float) -> None:
    """Wait until all views of each server agree on what its status says.

    :raises AssertionError: one still differs
    """

    def check(server: Server) -> None:
        status = server.status
        server.assert_agreed(status["current_vcpus"], status["current_memory_mb"], seconds)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(check, servers))
