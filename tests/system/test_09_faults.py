"""Things break in the middle of an adjust; soon afterwards all views agree again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from keystoneauth1.exceptions import ClientException

from tests.system import settings
from tests.system.api import Answer
from tests.system.cloud import Cloud, Flavor
from tests.system.crowd import crowd
from tests.system.install import wait_for_compute
from tests.system.report import Report
from tests.system.server import Server, create, periodic
from tests.system.waiting import wait_for

#: Room for many plugs, which QEMU without KVM counts.
FLAVOR = Flavor(vcpus=32, ram=512, minimum_cpu=1, minimum_memory=256)
NUMBER = 10
#: Within so many seconds of its beginning an adjust is hit.
_LONG = 4.0
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


def settled(server: Server) -> None:
    """Check that within one periodic interval nobody works and all views agree on a size."""

    wait_for("the end of the task", lambda: server.is_free, periodic())
    assert server.about["status"] == "ACTIVE"
    status = server.status
    server.assert_agreed(status["current_vcpus"], status["current_memory_mb"], periodic())
    newest = server.actions()[:1]
    wait_for(
        "the end of the action",
        lambda: all(server.event(action["request_id"]) for action in newest),
        periodic(),
    )


def works(server: Server) -> None:
    """Check that the server can still be adjusted."""
    vcpus = 2 if server.held.vcpus == 1 else server.held.vcpus - 1
    assert server.adjust(vcpus=vcpus)["result"] == "Success"
    server.assert_agreed(vcpus, server.held.memory_mb)


def settle(servers: list[Server], *, work: bool = True) -> None:
    """Check that servers settle, and that they can be adjusted."""

    def check(server: Server) -> None:
        settled(server)
        if work:
            works(server)

    with ThreadPoolExecutor(len(servers)) as pool:
        list(pool.map(check, servers))


def hit(servers: list[Server], fault: Callable[[], object]) -> int:
    """Adjust servers, each beginning at another moment, and break something meanwhile.

    :returns: how many adjusts were being worked on then
    """

    def begin(server: Server, body: dict[str, int], later: float) -> None:
        time.sleep(later)
        ask(server, body)

    with ThreadPoolExecutor(NUMBER + 1) as pool:
        begun = [
            pool.submit(begin, server, wish(server), _DICE.uniform(0, _LONG)) for server in servers
        ]
        time.sleep(_LONG)
        fault()
        number = sum(not server.is_free for server in servers)
        for each in begun:
            each.result()
    return number


@pytest.mark.core
def test_nova_compute_killed(
    cloud: Cloud, some: list[Server], report: Report, pytestconfig: pytest.Config
) -> None:
    cut = 0
    while cut < pytestconfig.getoption("--cut"):
        now = hit(some, lambda: cloud.sh("systemctl kill -s KILL nova-compute"))
        assert now, "the adjusts had ended before"
        cut += now
        cloud.sh("systemctl start nova-compute")
        wait_for_compute(cloud.container, settings.CONTROLLER)
        settle(some, work=False)
    settle(some)
    report.figure("adjusts cut by kill -9 of nova-compute, all views agreeing afterwards", str(cut))


def test_libvirtd_restarted(cloud: Cloud, some: list[Server]) -> None:
    hit(some, lambda: cloud.sh("systemctl restart libvirtd"))
    settle(some)


def test_the_queue_away_for_a_while(cloud: Cloud, some: list[Server]) -> None:
    hit(
        some,
        lambda: cloud.sh(
            "systemctl stop rabbitmq-server; sleep 20; systemctl start rabbitmq-server"
        ),
    )
    wait_for_compute(cloud.container, settings.CONTROLLER)
    settle(some)


def test_placement_away(cloud: Cloud, some: list[Server]) -> None:
    before = some[0].views()
    hit(some[1:], lambda: cloud.sh("systemctl stop placement-api"))
    try:
        refused = some[0].post({"current_vcpus": before["libvirt"].vcpus + 1})
        assert refused.status == 503, refused
        assert some[0].figures["vcpus"] == before["libvirt"].vcpus
    finally:
        cloud.sh("systemctl start placement-api")
    settle(some)


def test_the_database_restarted(cloud: Cloud, some: list[Server]) -> None:
    hit(some, lambda: cloud.sh("systemctl restart mariadb"))
    settle(some)


def test_nova_api_reloaded_with_requests_in_flight(cloud: Cloud, some: list[Server]) -> None:
    with ThreadPoolExecutor(NUMBER + 1) as pool:
        reloaded = pool.submit(cloud.sh, "systemctl reload nova-api || systemctl kill -s HUP "
                               "--kill-whom=main nova-api")  # fmt: skip
        answers = list(pool.map(lambda server: server.post(wish(server)), some))
        reloaded.result()
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
        # which needs nothing of it
        assert server.adjust(2, 384)["result"] == "Success"
        # the console's log is full too: the guest is asked through libvirt alone
        views = wait_for("agreement", lambda: agreed_but_guest(server), periodic())
        cloud.sh("rm /var/lib/nova/full")
        wait_for("the periodic task", lambda: server.views()["libvirt"] == views, periodic())
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
