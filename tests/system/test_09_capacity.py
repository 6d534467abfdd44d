"""A host that is full by the sizes of its servers, and never by more; a host too small for one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.system import settings
from tests.system.cloud import Cloud, Flavor
from tests.system.crowd import SMALL, agree, crowd
from tests.system.server import Server, Size, assert_left_out, create, periodic
from tests.system.waiting import wait_for

NUMBER = 20


@pytest.mark.core
@pytest.mark.parametrize(("resource", "name"), [("VCPU", "vcpus"), ("MEMORY_MB", "ram")])
def test_a_host_smaller_than_the_maximum_gets_no_server(
    cloud: Cloud, resource: str, name: str
) -> None:
    """Placement has room for the floor."""
    most = cloud.inventory(resource)["max_unit"]
    flavor = replace(SMALL, **{name: most + 1})
    assert_left_out(cloud, flavor, f"{settings.CONTROLLER.name}: {resource} {most} of {most + 1}")


@pytest.mark.core
def test_a_server_is_not_resized_beyond_its_host(cloud: Cloud) -> None:
    """The server keeps its flavor and its size."""
    server = create(cloud, SMALL)
    server.booted()
    large = replace(SMALL, vcpus=cloud.inventory("VCPU")["max_unit"] + 1)
    server.assert_no_host(server.act("resize", {"flavorRef": cloud.flavor(large)}))
    server.assert_agreed(*SMALL.floor)
    assert server.about["flavor"]["vcpus"] == SMALL.vcpus
    cloud.delete_servers(server.id)


@pytest.fixture(scope="module")
def many(cloud: Cloud) -> Iterator[list[Server]]:
    """Servers at their floors: one whose boot took long was counted with all its memory."""
    floors = [Size(*SMALL.floor)] * NUMBER
    with crowd(cloud, NUMBER) as servers:
        wait_for("all floors", lambda: [server.held for server in servers] == floors, periodic())
        yield servers


def test_servers_hold_their_floors(cloud: Cloud, many: list[Server]) -> None:
    whole = cloud.free("VCPU") + cloud.used()["VCPU"]
    assert NUMBER * SMALL.vcpus > whole, "they would fit by maxima too"
    agree(many, periodic())
    assert_counted(cloud)


def assert_counted(cloud: Cloud) -> None:
    """Check that the host's own tracker and Placement count the same, after any adjusts."""
    used = cloud.used()
    assert cloud.tracked() == {name: used[name] for name in ("VCPU", "MEMORY_MB")}


def test_growth_ends_exactly_where_placement_is_full(cloud: Cloud, many: list[Server]) -> None:
    first = many[0]
    left = 2
    with cloud.taken("VCPU", cloud.free("VCPU") - left):
        told = first.post({"current_vcpus": SMALL.minimum_cpu + left + 1}).expect(409)
        message = told["conflictingRequest"]["message"]
        assert f"{left + 1} more VCPU" in message, message
        assert f"{left} is free" in message, message
        first.assert_agreed(*SMALL.floor)
        assert first.adjust(vcpus=SMALL.minimum_cpu + left)["result"] == "Success"
        assert cloud.free("VCPU") == 0
        refused = cloud.new_server(SMALL)
        wait_for("its refusal", lambda: Server(cloud, refused, SMALL, cloud.probe).about["status"]
                 == "ERROR")  # fmt: skip
        cloud.delete_servers(refused)
    assert first.adjust(*SMALL.floor)["result"] == "Success"
    first.assert_agreed(*SMALL.floor)
    assert_counted(cloud)


def test_memory_is_refused_where_placement_is_full(cloud: Cloud, many: list[Server]) -> None:
    first = many[0]
    with cloud.taken("MEMORY_MB", cloud.free("MEMORY_MB") - 32):
        told = first.post({"current_memory_mb": SMALL.ram}).expect(409)
        message = told["conflictingRequest"]["message"]
        assert f"{SMALL.ram - SMALL.minimum_memory} more MEMORY_MB" in message
        assert "32 is free" in message
        first.assert_agreed(*SMALL.floor)
        assert first.adjust(memory_mb=SMALL.minimum_memory + 32)["result"] == "Success"
        assert cloud.free("MEMORY_MB") == 0
    assert first.adjust(*SMALL.floor)["result"] == "Success"
    first.assert_agreed(*SMALL.floor)


def test_growths_at_once_never_oversell(cloud: Cloud, many: list[Server]) -> None:
    left = 4
    with cloud.taken("VCPU", cloud.free("VCPU") - left):
        with ThreadPoolExecutor(NUMBER) as pool:
            wish = {"current_vcpus": SMALL.minimum_cpu + 1}
            answers = list(pool.map(lambda server: server.post(wish), many))
        assert sorted(answer.status for answer in answers) == [202] * left + [409] * (NUMBER - left)
        for server, answer in zip(many, answers, strict=True):
            if answer.status == 202:
                assert server.ended(answer)["result"] == "Success"
        assert cloud.free("VCPU") == 0
        agree(many, periodic())
    assert sum(server.held.vcpus for server in many) == NUMBER * SMALL.minimum_cpu + left
    assert_counted(cloud)


def test_a_server_that_leaves_makes_room(cloud: Cloud, many: list[Server]) -> None:
    assert many
    lone = Flavor(vcpus=4, ram=192, minimum_cpu=2, minimum_memory=128)
    free = cloud.free("VCPU")
    server = create(cloud, lone)
    assert cloud.free("VCPU") == free - lone.minimum_cpu
    cloud.delete_servers(server.id)
    assert cloud.free("VCPU") == free


def test_load(cloud: Cloud, many: list[Server]) -> None:
    """Ten clients, two hundred requests: none lost, none stuck, nothing crashed."""
    requests, clients = 200, 10
    cloud.forget_logs()

    def client(number: int) -> list[tuple[Server, str, Size]]:
        accepted = []
        own = many[number::clients]
        for turn in range(requests // clients):
            server = own[turn % len(own)]
            # never the size that the server has: each accepted request is an action
            memory = SMALL.minimum_memory + 8 * (1 + (turn + number) % 8)
            # one vCPU more, half way
            grows = turn // len(own) == requests // NUMBER // 2
            wish = Size(server.held.vcpus + grows, memory)
            answer = wait_for("a turn", lambda s=server, w=wish: ask(s, w), 300)
            accepted.append((server, answer, wish))
        return accepted

    def ask(server: Server, wish: Size) -> str | None:
        # each refusal would take the cloud's time too
        if server.is_adjusting:
            return None
        body = {"current_vcpus": wish.vcpus, "current_memory_mb": wish.memory_mb}
        answer = server.post(body)
        assert answer.status in (202, 409), answer
        return answer.request_id if answer.status == 202 else None

    with ThreadPoolExecutor(clients) as pool:
        accepted = [each for some in pool.map(client, range(clients)) for each in some]
    for server in many:
        wait_for(
            "the end of all its actions",
            lambda s=server: s.is_free,
            120,
        )
    agree(many, periodic())
    for server in many:
        own = [(request, wish) for owner, request, wish in accepted if owner is server]
        wanted = {request for request, _ in own}
        # the size that was asked for last
        assert server.held == server.record.kept == own[-1][1]
        assert wanted <= {action["request_id"] for action in server.actions()}
        for request in wanted:
            event = server.event(request)
            assert event is not None
            assert event["result"] == "Success", event
    crashed = cloud.tracebacks()
    assert not crashed, crashed
