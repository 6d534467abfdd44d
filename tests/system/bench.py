"""How fast an adjust is, and what a floor costs: ``make bench-system``.

Each figure is a ratio against a peer in the same run: libvirt itself, Nova's own resize, a server
without a floor. A missed aim fails. The report, with a random walk in it, is
dist/reports/bench-system.txt and .html.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import pytest

from tests.system import walk
from tests.system.cloud import Cloud, Flavor
from tests.system.conftest import REPORTS
from tests.system.report import Report, reported
from tests.system.server import ROOMY, Guest, Server, create
from tests.system.together import Servers
from tests.system.waiting import wait_for

TURNS = 5
FLAVOR = Flavor(vcpus=16, ram=512, minimum_cpu=1, minimum_memory=256)
#: A look at the console is cheap; a late one would be counted.
_LOOK = 0.02


def until(server: Server, seen: Callable[[Guest], bool], act: Callable[[], object]) -> float:
    """Do something and return the seconds until the guest itself shows it."""
    begun = time.monotonic()
    act()
    wait_for("the guest's word", lambda: (g := server.guest) and seen(g), 600, _LOOK)
    return time.monotonic() - begun


@pytest.fixture(scope="session")
def report() -> Iterator[Report]:
    """The report of the figures."""
    with reported(REPORTS, "bench-system") as report:
        yield report


@pytest.fixture(scope="module")
def pair(cloud: Cloud) -> Iterator[tuple[Server, Server]]:
    """Two servers alike: one for Nova, one for libvirt alone."""
    ours, theirs = (create(cloud, FLAVOR, "guest-quick") for _ in range(2))
    for server in (ours, theirs):
        server.booted()
        server.assert_agreed(*FLAVOR.floor)
    yield ours, theirs
    cloud.delete_servers(ours.id, theirs.id)


def verdict(report: Report, what: str, figures: str, met: bool) -> None:
    """Show a figure, with what came of its aim."""
    report.figure(what, f"{figures}: {'met' if met else 'missed'}")


def against_libvirt(report: Report, what: str, ours: list[float], theirs: list[float]) -> None:
    """Show and judge how long an adjust takes the guest to notice, against libvirt alone."""
    mine, peers = median(ours), median(theirs)
    met = mine <= 2 * peers + 0.5
    figures = f"{mine:.2f} s against {peers:.2f} s, {mine / peers:.1f} times"
    verdict(
        report,
        f"POST to the guest's new {what}, against libvirt alone",
        f"{figures} (aim: 2 times and 0.5 s)",
        met,
    )
    assert met


def test_a_vcpu_against_libvirt(pair: tuple[Server, Server], report: Report) -> None:
    ours, theirs = pair
    mine, peers = [], []
    for vcpus in range(2, 2 + TURNS):
        there = lambda guest, v=vcpus: guest.cpus == v  # noqa: E731 of this turn
        mine.append(until(ours, there, lambda v=vcpus: ours.post({"current_vcpus": v}).expect(202)))
        peers.append(
            until(theirs, there, lambda v=vcpus: theirs.probe.ask("set_vcpus", theirs.id, v))
        )
        ours.assert_agreed(vcpus, FLAVOR.minimum_memory)
    against_libvirt(report, "vCPU", mine, peers)


def test_memory_against_libvirt(pair: tuple[Server, Server], report: Report) -> None:
    ours, theirs = pair
    vcpus = ours.held.vcpus
    mine, peers = [], []
    for mib in range(288, 288 + 32 * TURNS, 32):
        mine.append(
            until(
                ours,
                lambda guest, m=mib: guest.kb == ours.guest_kb(m),
                lambda m=mib: ours.post({"current_memory_mb": m}).expect(202),
            )
        )
        peers.append(
            until(
                theirs,
                lambda guest, m=mib: guest.kb == theirs.guest_kb(m),
                lambda m=mib: theirs.probe.ask("set_memory", theirs.id, m),
            )
        )
        ours.assert_agreed(vcpus, mib)
    against_libvirt(report, "memory", mine, peers)


def test_against_nova_s_own_resize(cloud: Cloud, servers: Servers, report: Report) -> None:
    fixed = [Flavor(vcpus=number, ram=256) for number in (1, 2)]
    resized = servers(fixed[0], "guest-quick")
    adjusted = servers(FLAVOR, "guest-quick")
    adjusted.assert_agreed(*FLAVOR.floor)

    def resize() -> None:
        resized.act("resize", {"flavorRef": cloud.flavor(fixed[1])})
        resized.wait("VERIFY_RESIZE", 400)
        resized.act("confirmResize")
        resized.wait("ACTIVE", 400)

    theirs = until(resized, lambda guest: guest.cpus == 2, resize)
    ours = until(
        adjusted,
        lambda guest: guest.cpus == 2,
        lambda: adjusted.post({"current_vcpus": 2}).expect(202),
    )
    met = theirs / ours >= 50
    verdict(
        report,
        "POST to the guest's second vCPU, against resize and confirm",
        f"{ours:.1f} s against {theirs:.1f} s, {theirs / ours:.0f} times as fast (aim: 50)",
        met,
    )
    assert met


def test_create_with_and_without_a_floor(cloud: Cloud, report: Report) -> None:
    plain = Flavor(vcpus=1, ram=256)
    floored = Flavor(vcpus=2, ram=256, minimum_cpu=1)
    best: dict[Flavor, float] = {}
    for _ in range(TURNS):
        for flavor in (plain, floored):
            begun = time.monotonic()
            server = Server(cloud, cloud.new_server(flavor), flavor, cloud.probe)
            wait_for("ACTIVE", lambda s=server: s.about["status"] == "ACTIVE", 120, 0.1)
            taken = time.monotonic() - begun
            best[flavor] = min(taken, best.get(flavor, taken))
            cloud.delete_servers(server.id)
    ratio = best[floored] / best[plain]
    verdict(
        report,
        "create of a server with a floor, against one without",
        f"{best[floored]:.2f} s against {best[plain]:.2f} s, {ratio:.3f} (aim: 1.02)",
        ratio <= 1.02,
    )
    assert ratio <= 1.02


def test_many_servers_on_the_host(cloud: Cloud, servers: Servers, report: Report) -> None:
    """The others are paused as soon as they run: they are counted, but take no CPU."""
    adjusted = servers(FLAVOR, "guest-quick")
    adjusted.assert_agreed(*FLAVOR.floor)
    tiny = Flavor(vcpus=2, ram=128, minimum_cpu=1)
    others: list[str] = []

    def latency() -> float:
        taken = []
        for mib in (288, 320, 352, 384, 256):
            begun = time.monotonic()
            adjusted.adjust(memory_mb=mib)
            taken.append(time.monotonic() - begun)
        return median(taken)

    def another(_: int) -> None:
        server = create(cloud, tiny)
        server.act("pause")
        others.append(server.id)

    try:
        alone = latency()
        for number in (10, 25, 50):
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(another, range(number - 1 - len(others))))
            crowded = latency()
            report.figure(
                f"an adjust with {number} servers on the host, against one",
                f"{crowded:.2f} s against {alone:.2f} s, {crowded / alone:.2f} times",
            )
    finally:
        cloud.delete_servers(*others)


def test_how_many_fit(cloud: Cloud, report: Report) -> None:
    room = 12
    whole = Flavor(vcpus=4, ram=128)
    floored = Flavor(vcpus=4, ram=128, minimum_cpu=1)
    counted = {}
    with cloud.taken("VCPU", cloud.free("VCPU") - room):
        for flavor in (whole, floored):
            made: list[str] = []
            while True:
                made.append(cloud.new_server(flavor))
                server = Server(cloud, made[-1], flavor, cloud.probe)
                ended = wait_for(
                    "its end",
                    lambda s=server: (now := s.about["status"]) != "BUILD" and now,
                    120,
                )
                if ended == "ERROR":
                    break
                server.act("pause")
            counted[flavor] = len(made) - 1
            cloud.delete_servers(*made)
    report.figure(
        f"servers of up to {whole.vcpus} vCPUs on a host with {room} free, by floors of 1",
        f"{counted[floored]} against {counted[whole]} by maxima",
    )
    assert counted[whole] == room // whole.vcpus
    assert counted[floored] == room // floored.minimum_cpu


def test_a_random_walk(servers: Servers, report: Report) -> None:
    server = servers(ROOMY)
    with walk.looked_at(server, report.walk("random walk")):
        walk.taken(server, 1, ROOMY.vcpus - ROOMY.minimum_cpu)
