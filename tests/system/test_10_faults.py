"""Things break in the middle of adjusts; soon afterwards all views agree again.

Each fault comes at another moment of each of several adjusts, which have begun one after another.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from keystoneauth1.exceptions import ClientException

from tests.system import settings
from tests.system.api import Answer
from tests.system.cloud import Cloud, Flavor
from tests.system.crowd import crowd
from tests.system.install import wait_for_compute
from tests.system.report import Report
from tests.system.server import Server, Size, create, periodic
from tests.system.waiting import wait_for

#: Room for many plugs, which QEMU without KVM counts.
FLAVOR = Flavor(vcpus=32, ram=512, minimum_cpu=1, minimum_memory=256)
NUMBER = 12
#: Within so many seconds of its beginning an adjust is hit.
_LONG = 3.0
#: Nova counts whole GiB.
_SMALL_DISK = "1100m"
_DICE = random.Random(5)  # noqa: S311 the same faults each time


@pytest.fixture(scope="module")
def some(cloud: Cloud) -> Iterator[list[Server]]:
    """Servers that are adjusted while things break."""
    with crowd(cloud, NUMBER, FLAVOR) as servers:
        yield servers


def wish(server: Server) -> dict[str, int]:
    """Return a size other than the present one: a vCPU up or down, some memory."""
    now = server.held
    vcpus = 1 if now.vcpus > 3 else now.vcpus + _DICE.choice((1, -1) if now.vcpus > 1 else (1,))
    memory = _DICE.randrange(FLAVOR.minimum_memory, FLAVOR.ram, 16)
    return {"current_vcpus": vcpus, "current_memory_mb": memory}


def ask(server: Server, body: dict[str, int]) -> Answer | None:
    """Ask for an adjust; None if the connection ends without an answer."""
    try:
        return server.post(body)
    except ClientException:
        return None


@dataclass(frozen=True)
class Asked:
    """An adjust that was asked of a server while something broke.

    :ivar answer: None if the connection ended without one
    """

    before: Size
    wished: Size
    answer: Answer | None


def settled(server: Server) -> Size:
    """Check that in time nobody works and all views agree; return the size.

    The time, for all of it, is that of a periodic task and of the guest.
    """
    deadline = time.monotonic() + periodic()

    def left() -> float:
        return max(deadline - time.monotonic(), 1)

    wait_for("the end of the task", lambda: server.is_free, left())
    assert server.about["status"] == "ACTIVE"
    status = server.status
    size = Size(status["current_vcpus"], status["current_memory_mb"])
    server.assert_agreed(size.vcpus, size.memory_mb, left())
    requests = [action["request_id"] for action in server.actions()]
    wait_for(
        "the end of all actions",
        lambda: all(server.event(each) for each in requests),
        left(),
        seen=lambda: [server.told(each) for each in requests if not server.event(each)],
    )
    return size


def assert_told(server: Server, size: Size, asked: Asked, answers: Collection[int]) -> None:
    """Check that the answer to a user's adjust agrees with its outcome."""
    assert size.vcpus in (asked.before.vcpus, asked.wished.vcpus), (size, asked)
    assert size.memory_mb in (asked.before.memory_mb, asked.wished.memory_mb), (size, asked)
    if asked.answer is None:
        return
    assert asked.answer.status in answers, asked
    if asked.answer.status == 202:
        event = server.event(asked.answer.request_id)
        assert event
        assert (event["result"] == "Success") == (size == asked.wished), (size, asked, event)
        if event["result"] != "Success":
            told = f"{size.vcpus} vCPUs and {size.memory_mb} MiB now"
            assert told in event["details"], event


def works(server: Server) -> None:
    """Check that the server can still be adjusted."""
    vcpus = 2 if server.held.vcpus == 1 else server.held.vcpus - 1
    assert server.adjust(vcpus=vcpus)["result"] == "Success"
    server.assert_agreed(vcpus, server.held.memory_mb)


def settle(
    servers: Sequence[Server],
    asked: Mapping[str, Asked] | None = None,
    *,
    answers: Collection[int] = (202, 409, 503),
    work: bool = True,
) -> None:
    """Check that servers settle, and that they can be adjusted.

    :param asked: the adjust that was asked of each server, by the server's id
    :param answers: the status codes that the requests may have got
    """

    def check(server: Server) -> None:
        size = settled(server)
        if asked and server.id in asked:
            assert_told(server, size, asked[server.id], answers)
        if work:
            works(server)

    with ThreadPoolExecutor(len(servers)) as pool:
        list(pool.map(check, servers))


def hit(servers: Sequence[Server], fault: Callable[[], object]) -> tuple[int, dict[str, Asked]]:
    """Adjust servers, each beginning at another moment, and break something meanwhile.

    :returns: how many adjusts were being worked on just before that, and all adjusts
    """
    asked: dict[str, Asked] = {}

    def begin(server: Server, body: dict[str, int], later: float) -> None:
        before = server.held
        wished = Size(body["current_vcpus"], body["current_memory_mb"])
        time.sleep(later)
        asked[server.id] = Asked(before, wished, ask(server, body))

    with ThreadPoolExecutor(2 * NUMBER) as pool:
        begun = [
            pool.submit(begin, server, wish(server), _DICE.uniform(0, _LONG)) for server in servers
        ]
        time.sleep(_LONG)
        working = sum(pool.map(lambda server: not server.is_free, servers))
        fault()
        for each in begun:
            each.result()
    assert working, "the adjusts had ended before"
    return working, asked


@pytest.mark.core
def test_nova_compute_killed(
    cloud: Cloud, some: list[Server], report: Report, pytestconfig: pytest.Config
) -> None:
    """It is started again at once, as an operator's systemd would, while users wait for it."""
    kill = "systemctl kill -s KILL nova-compute; systemctl restart nova-compute"
    cut = kills = 0
    while cut < pytestconfig.getoption("--cut"):
        now, asked = hit(some, lambda: cloud.sh(kill))
        cut += now
        kills += 1
        wait_for_compute(cloud.container, settings.CONTROLLER)
        settle(some, asked, work=False)
    settle(some)
    report.figure(
        "adjusts, each at another moment, cut by kill -9 of nova-compute, all views agreeing "
        "afterwards",
        f"{cut} by {kills} kills",
    )


def test_libvirtd_restarted(cloud: Cloud, some: list[Server]) -> None:
    _, asked = hit(some, lambda: cloud.sh("systemctl restart libvirtd"))
    settle(some, asked)


def test_the_queue_away_for_a_while(cloud: Cloud, some: list[Server]) -> None:
    _, asked = hit(
        some,
        lambda: cloud.sh(
            "systemctl stop rabbitmq-server; sleep 20; systemctl start rabbitmq-server"
        ),
    )
    wait_for_compute(cloud.container, settings.CONTROLLER)
    settle(some, asked)


def test_placement_away(cloud: Cloud, some: list[Server]) -> None:
    before = some[0].views()
    _, asked = hit(some[1:], lambda: cloud.sh("systemctl stop placement-api"))
    try:
        refused = some[0].post({"current_vcpus": before["libvirt"].vcpus + 1})
        assert refused.status == 503, refused
        assert some[0].figures["vcpus"] == before["libvirt"].vcpus
    finally:
        cloud.sh("systemctl start placement-api")
    settle(some, asked)


def test_the_database_restarted(cloud: Cloud, some: list[Server]) -> None:
    _, asked = hit(some, lambda: cloud.sh("systemctl restart mariadb"))
    # 500 is how Nova, and keystone, answer whom they lose the database under
    settle(some, asked, answers=(202, 409, 500, 503))


def test_nova_api_reloaded_with_requests_in_flight(cloud: Cloud, some: list[Server]) -> None:
    on_their_way = threading.Barrier(NUMBER + 1)
    times: dict[str, tuple[float, float]] = {}

    def post(server: Server, body: dict[str, int]) -> Answer:
        on_their_way.wait()
        begun = time.monotonic()
        answer = server.post(body)
        times[server.id] = begun, time.monotonic()
        return answer

    with ThreadPoolExecutor(NUMBER) as pool:
        posted = [pool.submit(post, server, wish(server)) for server in some]
        on_their_way.wait()
        time.sleep(0.3)
        before = time.monotonic()
        cloud.sh("systemctl kill -s HUP --kill-whom=main nova-api")
        reloaded = time.monotonic()
        answers = [each.result() for each in posted]
    spanned = [begun < before and reloaded < ended for begun, ended in times.values()]
    assert any(spanned), (before, reloaded, times)
    assert [answer.status for answer in answers] == [202] * NUMBER
    for server, answer in zip(some, answers, strict=True):
        assert server.ended(answer)["result"] == "Success"
    settle(some, work=False)


def test_a_full_disk_under_nova(cloud: Cloud) -> None:
    """It gets a small file system of its own, which can be full."""
    cloud.sh(
        "systemctl stop nova-compute; mkdir -p /run/nova-small; "
        f"mount -t tmpfs -o size={_SMALL_DISK},mode=755 small /run/nova-small; "
        "cp -a /var/lib/nova/compute_id /var/lib/nova/lock /run/nova-small; "
        "chown nova:nova /run/nova-small; install -d -o nova -g nova /run/nova-small/instances; "
        "mount --bind /run/nova-small /var/lib/nova; systemctl start nova-compute"
    )
    wait_for_compute(cloud.container, settings.CONTROLLER)
    server = None
    try:
        server = create(cloud, FLAVOR)
        server.booted()
        cloud.sh("cat /dev/zero >/var/lib/nova/full 2>/dev/null || true")
        assert int(cloud.sh("df --output=avail /var/lib/nova | tail -n 1")) == 0
        # which needs nothing of it
        assert server.adjust(2, 384)["result"] == "Success"
        # the console's log is full too: the guest is asked through libvirt alone
        agreed = wait_for("agreement", lambda: agreed_but_guest(server), periodic())
        assert agreed == Size(2, 384)
        cloud.sh("rm /var/lib/nova/full")
        # which has looked at its disk meanwhile
        wait_for_compute(cloud.container, settings.CONTROLLER)
        assert agreed_but_guest(server) == agreed
        works(server)
    finally:
        if server:
            cloud.delete_servers(server.id)
        cloud.sh(
            "systemctl stop nova-compute; umount /var/lib/nova /run/nova-small; "
            "systemctl start nova-compute"
        )
        wait_for_compute(cloud.container, settings.CONTROLLER)


def agreed_but_guest(server: Server) -> object:
    """Return the size on which all but the guest agree, if they do."""
    views = server.views()
    views.pop("guest", None)
    (size, *others) = set(views.values())
    return None if others else size
