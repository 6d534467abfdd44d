"""The speed of an adjust, and the cost of a floor: ``make bench-system``.

Each figure is a ratio against a peer in the same run: libvirt itself, Nova's own operations, a
server without a floor. A missed aim fails. The report, with a random walk in it, is
dist/reports/bench-system.txt and .html.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import IO

import pytest

from tests.system import debian, settings, walk
from tests.system.api import Answer
from tests.system.client import openstack
from tests.system.cloud import Cloud, Flavor
from tests.system.conftest import REPORTS
from tests.system.crowd import SMALL, crowd
from tests.system.report import Report, reported
from tests.system.second import SecondHost, second_host
from tests.system.server import ROOMY, Server, create
from tests.system.stopwatch import LOOK, Taken, measured, medians, until, wait_for_end
from tests.system.together import Servers
from tests.system.waiting import wait_for

TURNS = 5
FLAVOR = Flavor(vcpus=16, ram=512, minimum_cpu=1, minimum_memory=256)
#: Adjusts of as many servers at once.
MANY = 20
#: Dashboards that ask at once, and the processes of nova-api that answer them.
READERS, PROCESSES = 12, 2
#: Seconds that nova-compute waits for a guest which keeps its vCPUs: longer than a build and a
#: migration together, so that all the adjusts still wait when both have ended.
PATIENCE = 120


@pytest.fixture(scope="session")
def report() -> Iterator[Report]:
    """The report of the figures."""
    with reported(REPORTS, "bench-system") as report:
        load = "/".join(f"{each:.1f}" for each in os.getloadavg())
        report.figure("load of the machine before (1, 5, 15 minutes)", load)
        yield report


def verdict(report: Report, what: str, figures: str, met: bool) -> None:
    """Show a figure, and whether it meets its aim."""
    report.figure(what, f"{figures}: {'met' if met else 'missed'}")


def against(
    report: Report, what: str, ours: float, peers: float, aim: float, extra: str = ""
) -> bool:
    """Show how many times as long as a peer something takes, and return whether the aim is met."""
    ratio = ours / peers
    figures = f"{ours:.2f} s against {peers:.2f} s, {ratio:.2f} times (aim: {aim}){extra}"
    verdict(report, what, figures, ratio <= aim)
    return ratio <= aim


# one adjust ---------------------------------------------------------------------------------


def has_vcpus(server: Server, vcpus: int) -> bool:
    """Say whether the guest uses so many vCPUs."""
    return (guest := server.guest) is not None and guest.cpus == vcpus


def has_mib(server: Server, mib: int) -> bool:
    """Say whether the guest's kernel can do its work with so many MiB."""
    return (guest := server.guest) is not None and guest.kb == server.guest_kb(mib)


def adjusted(server: Server, key: str, value: int, shown: Callable[[], object]) -> Taken:
    """Have a server adjusted, and return how long it took."""
    return measured(server, lambda: server.post({key: value}), shown)


def post_memory(server: Server, mib: int) -> Answer:
    """Ask for an adjust of a server's memory."""
    return server.post({"current_memory_mb": mib})


def post_action(server: Server, action: str) -> Answer:
    """Ask for one of Nova's own actions."""
    path = f"/servers/{server.id}/action"
    return server.cloud.admin.request("POST", path, {action: None})


def paused(server: Server) -> Taken:
    """Have a server paused by Nova, and return how long that took; it runs again afterwards."""
    taken = measured(
        server,
        lambda: post_action(server, "pause"),
        lambda: server.probe.ask("is_paused", server.id),
    )
    wait_for_end(server, post_action(server, "unpause"))
    return taken


def test_an_adjust_against_pause(cloud: Cloud, report: Report) -> None:
    """Three servers alike: one for adjusts, one for libvirt alone, one for Nova's own pause.

    The time that libvirt and the guest need is subtracted: an adjust cannot be faster.
    """
    ours, theirs, third = (create(cloud, FLAVOR, "guest-quick") for _ in range(3))
    for server in (ours, theirs, third):
        server.booted()
        server.assert_agreed(*FLAVOR.floor)
    taken: dict[str, list[Taken]] = {"vCPU": [], "memory": [], "pause": []}
    libvirt: dict[str, list[float]] = {"vCPU": [], "memory": []}
    for turn in range(1, 1 + TURNS):
        vcpus, mib = 1 + turn, FLAVOR.minimum_memory + 32 * turn
        for name, key, value, shows, method in (
            ("vCPU", "current_vcpus", vcpus, has_vcpus, "set_vcpus"),
            ("memory", "current_memory_mb", mib, has_mib, "set_memory"),
        ):
            taken[name].append(adjusted(ours, key, value, partial(shows, ours, value)))
            libvirt[name].append(
                until(
                    partial(shows, theirs, value),
                    partial(theirs.probe.ask, method, theirs.id, value),
                )
            )
            taken["pause"].append(paused(third))
        ours.assert_agreed(vcpus, mib)
    peer = medians(taken["pause"])
    met = []
    for name in ("vCPU", "memory"):
        mine, alone = medians(taken[name]), median(libvirt[name])
        met.append(
            against(
                report,
                f"POST to the guest's new {name} without libvirt's own time, against pause",
                mine.effect - alone,
                peer.effect,
                1.2,
                f", {mine.effect:.2f} s with the {alone:.2f} s of libvirt alone",
            )
        )
        met.append(
            against(
                report,
                f"POST to the end of the action, {name}, against pause",
                mine.end,
                peer.end,
                1.5,
            )
        )
    cloud.delete_servers(ours.id, theirs.id, third.id)
    assert all(met)


@pytest.mark.parametrize(
    ("words", "image", "prepare"),
    [
        ("with the udev rules", debian.STOCK, debian.install_package),
        ("with a guest agent", debian.AGENT, debian.wait_for_agent),
    ],
    ids=["udev", "agent"],
)
def test_a_distributions_guest_uses_a_vcpu(
    servers: Servers,
    report: Report,
    words: str,
    image: debian.Image,
    prepare: Callable[[Server], object],
) -> None:
    """A figure without an aim: the guest tells its figures once a second, and boots on TCG."""
    server = servers(debian.FLAVOR, image)
    prepare(server)
    taken = [
        adjusted(server, "current_vcpus", vcpus, partial(has_vcpus, server, vcpus))
        for vcpus in range(2, 2 + TURNS)
    ]
    report.figure(
        f"POST to the vCPU that Debian 12 {words} uses",
        f"{medians(taken).effect:.2f} s (the guest tells it once a second)",
    )


@contextmanager
def notified(cloud: Cloud) -> Iterator[None]:
    """Have Nova send notifications for a while."""
    conf = "/etc/nova/nova.conf"
    change = f"printf '[oslo_messaging_notifications]\\ndriver = messagingv2\\n' >>{conf}"
    with changed(cloud, conf, change, cloud.restart_compute):
        yield


def test_the_event_reaches_the_bus(cloud: Cloud, servers: Servers, report: Report) -> None:
    """The notification of the end is on the bus soon after the server is free again."""
    server = servers(FLAVOR, "guest-quick")
    late = []
    with notified(cloud):
        # the first one makes the queue
        assert server.adjust(vcpus=2)["result"] == "Success"
        with listened(cloud, "compute.instance.xloud_adjust.end") as heard:
            for turn in range(TURNS):
                with ThreadPoolExecutor(1) as pool:
                    ended = pool.submit(time_of_the_end, server)
                    server.post({"current_vcpus": 3 + turn}).expect(202)
                wait_for("the notification", lambda turn=turn: len(heard) > turn, 30, LOOK)
                late.append(heard[turn] - ended.result())
    # sent after the save by which the server is free: else it is that of an earlier adjust
    assert min(late) > -0.5, late
    met = median(late) <= 1
    verdict(
        report,
        "the notification of the end is on the bus after the adjust",
        f"{median(late):.2f} s, at most {max(late):.2f} s (aim: 1 s)",
        met,
    )
    assert met


@contextmanager
def listened(cloud: Cloud, event: str) -> Iterator[list[float]]:
    """Hear notifications; yield the list that gets the time of each, in seconds since 1970."""
    heard: list[float] = []
    shutil.copy(Path(__file__).with_name("bus.py"), cloud.container.root / "root")
    command = cloud.container.inside("python3", "/root/bus.py", settings.QUEUE, event)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"

        def hear(lines: IO[str]) -> None:
            heard.extend(map(float, lines))

        hearing = threading.Thread(target=hear, args=(process.stdout,))
        hearing.start()
        try:
            yield heard
        finally:
            # this pattern does not fit the command line of its own shell
            cloud.sh("pkill -f '[/]root/bus.py'")
            hearing.join()


def time_of_the_end(server: Server) -> float:
    """Wait until an adjust has begun and ended; return when, in seconds since 1970."""
    wait_for("the begin of the adjust", lambda: server.is_adjusting, 60, LOOK)
    wait_for("the end of the adjust", lambda: not server.is_adjusting, 600, LOOK)
    return time.time()


def test_the_command_waits_no_longer_than_the_adjust(
    cloud: Cloud, servers: Servers, report: Report
) -> None:
    """``--wait`` of the client ends soon after the server is free again."""
    server = servers(FLAVOR, "guest-quick")
    late = []
    for turn in range(TURNS):
        ended: list[float] = []

        def watch(ended: list[float] = ended) -> None:
            ended.append(time_of_the_end(server))

        watching = threading.Thread(target=watch)
        watching.start()
        wish = ("--vcpus", 2 + turn, "--memory", FLAVOR.minimum_memory + 32 * (1 + turn))
        done = openstack("server", "xloud", "adjust", server.id, *wish, "--wait")
        watching.join()
        assert done.code == 0, done.err
        late.append(done.ended - ended[0])
    met = median(late) <= 1
    verdict(
        report,
        "the client's --wait ends after the adjust",
        f"{median(late):.2f} s, at most {max(late):.2f} s (aim: 1 s)",
        met,
    )
    assert met


# many at once -------------------------------------------------------------------------------


def seconds_to_the_last_end(servers: list[Server], send: Callable[[Server], Answer]) -> float:
    """Send a request to each server at once; return the seconds until the last action has ended."""
    begun = time.monotonic()
    with ThreadPoolExecutor(len(servers)) as pool:
        answers = list(pool.map(send, servers))
    for server, answer in zip(servers, answers, strict=True):
        answer.expect(202)
        wait_for_end(server, answer)
    return time.monotonic() - begun


def medians_alone_and_together(
    servers: list[Server], sends: Iterable[Callable[[Server], Answer]]
) -> tuple[float, float]:
    """Send each request to the first server, then to all others at once.

    :return: the median of the seconds that one alone takes, and of those that all others take
    """
    taken = [
        [seconds_to_the_last_end(some, send) for some in (servers[:1], servers[1:])]
        for send in sends
    ]
    alone, together = (median(each) for each in zip(*taken, strict=True))
    return alone, together


def test_many_adjusts_at_once(cloud: Cloud, report: Report) -> None:
    """As many pauses at once are shown beside. They show how much the lab itself adds.

    They come last: for each of them nova-compute handles an event of libvirt afterwards.
    """
    with crowd(cloud, MANY + 1, image="guest-still") as servers:
        for server in servers:
            server.assert_agreed(*SMALL.floor)
        sizes = range(SMALL.minimum_memory + 4, SMALL.ram, 4)[:TURNS]
        adjusts = medians_alone_and_together(
            servers, (partial(post_memory, mib=mib) for mib in sizes)
        )
        pauses = medians_alone_and_together(servers, [partial(post_action, action="pause")])
        report.figure(
            f"{MANY} pauses at once on a host, against one alone",
            f"{pauses[1]:.2f} s against {pauses[0]:.2f} s, {pauses[1] / pauses[0]:.2f} times",
        )
        what = f"{MANY} adjusts at once on a host, against one alone"
        assert against(report, what, adjusts[1], adjusts[0], 3)


# dashboards ---------------------------------------------------------------------------------


@contextmanager
def changed(cloud: Cloud, file: str, change: str, restart: Callable[[], object]) -> Iterator[None]:
    """Have a service run with another text of its configuration file for a while.

    :param change: a shell command that changes the file
    :param restart: starts the service anew, and waits for it
    """
    cloud.sh(f"cp -p {file} {file}.kept && {change}")
    restart()
    try:
        yield
    finally:
        cloud.sh(f"mv {file}.kept {file}")
        restart()


@contextmanager
def api_processes(cloud: Cloud, number: int) -> Iterator[None]:
    """Have nova-api work with so many processes for a while."""
    ini = "/etc/lab/nova-api.ini"

    def restart() -> None:
        cloud.sh("systemctl restart nova-api")
        wait_for(
            "an answer of nova-api",
            lambda: cloud.sh(f"curl -s -o /dev/null {settings.url('nova')}/ && echo yes || true"),
            60,
        )

    change = f"sed -i 's/^processes = .*/processes = {number}/' {ini}"
    with changed(cloud, ini, change, restart):
        yield


def test_status_against_server_show(cloud: Cloud, servers: Servers, report: Report) -> None:
    """A dashboard shows both, again and again."""
    server = servers(FLAVOR)
    assert server.adjust(vcpus=2, memory_mb=320)["result"] == "Success"
    show = f"/servers/{server.id}"
    taken: dict[str, list[float]] = {show: [], f"{show}/xloud-status": []}

    def ask(path: str) -> float:
        begun = time.monotonic()
        cloud.reader.get(path)
        return time.monotonic() - begun

    with api_processes(cloud, PROCESSES), ThreadPoolExecutor(READERS) as pool:
        for turn in range(1 + TURNS):
            for path, seconds in taken.items():
                asked = list(pool.map(ask, [path] * READERS))
                if turn:  # the first one loads modules into the processes
                    seconds += asked
    shown, status = (median(each) for each in taken.values())
    what = f"xloud-status against server show, {READERS} at once on {PROCESSES} processes"
    assert against(report, what, status, shown, 2)


# a floor ------------------------------------------------------------------------------------


def test_against_nova_s_own_resize(cloud: Cloud, servers: Servers, report: Report) -> None:
    fixed = [Flavor(vcpus=number, ram=256) for number in (1, 2)]
    resized = servers(fixed[0], "guest-quick")
    grown = servers(FLAVOR, "guest-quick")

    def resize() -> None:
        resized.act("resize", {"flavorRef": cloud.flavor(fixed[1])})
        resized.wait("VERIFY_RESIZE", 400)
        resized.act("confirmResize")
        resized.wait("ACTIVE", 400)

    theirs = until(partial(has_vcpus, resized, 2), resize)
    ours = until(partial(has_vcpus, grown, 2), lambda: grown.post({"current_vcpus": 2}).expect(202))
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
    alike = servers(FLAVOR, "guest-quick")
    tiny = Flavor(vcpus=2, ram=128, minimum_cpu=1)
    others: list[str] = []

    def latency() -> float:
        taken = []
        for mib in (288, 320, 352, 384, 256):
            begun = time.monotonic()
            alike.adjust(memory_mb=mib)
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


# two hosts: the last, since servers of others would go to the second host too ----------------


@contextmanager
def patient(cloud: Cloud, seconds: int) -> Iterator[None]:
    """Have nova-compute wait so long for a guest that keeps its vCPUs."""
    conf = "/etc/nova/nova.conf"
    change = f"printf '[xloud]\\nunplug_timeout = {seconds}\\n' >>{conf}"
    with changed(cloud, conf, change, cloud.restart_compute):
        yield


@pytest.fixture(scope="module")
def second(cloud: Cloud, layers: tuple[Path, ...], scratch: Path) -> Iterator[SecondHost]:
    """A second host; who creates a server may choose between both."""
    with (
        cloud.policy("os_compute_api:servers:create:forced_host", "role:member"),
        second_host(cloud, layers, scratch / "second") as host,
    ):
        yield host


def test_others_beside_waiting_adjusts(
    cloud: Cloud, second: SecondHost, servers: Servers, report: Report
) -> None:
    """The adjusts wait for guests that keep their vCPUs; others are built, and migrate."""
    here = {"availability_zone": f"nova:{settings.CONTROLLER.name}"}
    moving = servers(FLAVOR, **here)
    waiting = [
        create(cloud, SMALL, "guest-that-keeps-cpus", **here)
        for _ in range(MANY)
    ]  # fmt: skip
    for server in waiting:
        server.booted(600)
        assert server.adjust(vcpus=2)["result"] == "Success"

    def state(server: Server) -> list[str]:
        return list(cloud.database.ask("state", server.id))

    def is_active(server: str) -> bool:
        # it is in no cell yet before its host is known
        known = cloud.database.ask("state", server)
        return known is not None and known[:2] == ["active", None]

    def built() -> float:
        begun = time.monotonic()
        server = cloud.new_server(Flavor(vcpus=1, ram=192), **here)
        wait_for(
            "the build",
            lambda: is_active(server),
            120,
            LOOK,
        )
        taken = time.monotonic() - begun
        cloud.delete_servers(server)
        return taken

    def migrated(host: str) -> float:
        begun = time.monotonic()
        moving.act("os-migrateLive", {"host": host, "block_migration": "auto"})
        wait_for(
            f"the migration to {host}",
            lambda: state(moving) == ["active", None, host],
            240,
            LOOK,
        )
        return time.monotonic() - begun

    taken: dict[str, list[float]] = {}

    def note(name: str, seconds: float) -> None:
        taken.setdefault(name, []).append(seconds)

    away, back = settings.SECOND.name, settings.CONTROLLER.name
    with patient(cloud, PATIENCE):
        for _ in range(3):
            note("build alone", built())
            note("migration alone", migrated(away))
            migrated(back)
            with ThreadPoolExecutor(MANY) as pool:
                answers = list(pool.map(lambda server: server.post({"current_vcpus": 1}), waiting))
            for answer in answers:
                answer.expect(202)
            note("build beside", built())
            note("migration beside", migrated(away))
            still = sum(server.is_adjusting for server in waiting)
            assert still == MANY, f"only {still} adjusts waited all the time"
            for server, answer in zip(waiting, answers, strict=True):
                assert server.ended(answer)["result"] == "Error"
            migrated(back)
    cloud.delete_servers(*(server.id for server in waiting))
    met = [
        against(
            report,
            f"{name} beside {MANY} waiting adjusts, against alone",
            median(taken[f"{key} beside"]),
            median(taken[f"{key} alone"]),
            1.2,
        )
        for name, key in (("a build", "build"), ("a live migration", "migration"))
    ]
    assert all(met)
