"""Growing and shrinking a running guest: all views equal after each step."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest

from tests.system import walk
from tests.system.cloud import Flavor
from tests.system.report import Report
from tests.system.server import ROOMY, Server, Size
from tests.system.together import Servers, together

pytestmark = pytest.mark.core
WALKER = Flavor(vcpus=32, ram=512, minimum_cpu=1, minimum_memory=256)
#: Servers that walk at once; each walks several times.
WALKERS = 10


def test_a_server_boots_at_its_floor(shared: Server) -> None:
    shared.assert_agreed(*ROOMY.floor)
    assert shared.status == {
        "current_vcpus": ROOMY.minimum_cpu,
        "current_memory_mb": ROOMY.minimum_memory,
        "min_vcpus": ROOMY.minimum_cpu,
        "min_memory_mb": ROOMY.minimum_memory,
        "max_vcpus": ROOMY.vcpus,
        "max_memory_mb": ROOMY.ram,
        "balloon_driver_active": True,
        "attached_dimms_mb": 0,
        "has_virtiomem": False,
    }


def test_every_vcpu_above_the_floor_can_be_unplugged(shared: Server) -> None:
    assert shared.figures["hotpluggable"] == list(range(ROOMY.minimum_cpu, ROOMY.vcpus))


@pytest.mark.parametrize("size", [Size(3, 256), Size(3, 448), Size(2, 320), Size(2, 256)], ids=str)
def test_both_values_and_either(shared: Server, size: Size) -> None:
    assert shared.adjust(size.vcpus, size.memory_mb)["result"] == "Success"
    shared.assert_agreed(size.vcpus, size.memory_mb)


def test_one_value_leaves_the_other_alone(shared: Server) -> None:
    before = shared.held
    shared.adjust(vcpus=before.vcpus + 1)
    shared.assert_agreed(before.vcpus + 1, before.memory_mb)
    shared.adjust(memory_mb=before.memory_mb + 64)
    shared.assert_agreed(before.vcpus + 1, before.memory_mb + 64)


def test_the_event_list_tells_of_each(shared: Server) -> None:
    before = shared.actions()
    event = shared.adjust(memory_mb=400)
    (action, *older) = shared.actions()
    assert older == before
    assert event["start_time"] <= event["finish_time"] <= action["updated_at"]
    assert action["message"] is None
    assert event["result"] == "Success"


def test_equal_to_current_does_nothing(shared: Server) -> None:
    before, held = shared.actions(), shared.held
    body = {"current_vcpus": held.vcpus, "current_memory_mb": held.memory_mb}
    assert shared.post(body).expect(202) == {}
    assert shared.actions() == before
    shared.assert_agreed(held.vcpus, held.memory_mb)


def to_the_maximum_and_back_to_the_floor(servers: Servers) -> None:
    flavor = Flavor(vcpus=4, ram=384, minimum_cpu=1, minimum_memory=256)
    server = servers(flavor)
    for size in ((4, 384), flavor.floor):
        assert server.adjust(*size)["result"] == "Success"
        server.assert_agreed(*size)


test_extremes = together(to_the_maximum_and_back_to_the_floor)


@pytest.mark.usefixtures("background")
def test_random_walks(servers: Servers, report: Report, pytestconfig: pytest.Config) -> None:
    walks = pytestconfig.getoption("--walks")
    with ThreadPoolExecutor(WALKERS) as pool:
        walkers = list(pool.map(servers, [WALKER] * min(WALKERS, walks)))
    turns = [range(number, walks, len(walkers)) for number in range(len(walkers))]
    plugs = (WALKER.vcpus - 1) // max(len(turn) for turn in turns)

    def walk_all(server: Server, seeds: range) -> None:
        for seed in seeds:
            if seed != seeds.start:
                server.adjust(*WALKER.floor)
                server.assert_agreed(*WALKER.floor)
            # one is enough for the report: to look holds up the API, during an unplug for seconds
            look = seed == 0
            with walk.looked_at(server, report.walk("random walk")) if look else nullcontext():
                walk.taken(server, seed, plugs)

    with ThreadPoolExecutor(WALKERS) as pool:
        for done in [pool.submit(walk_all, *pair) for pair in zip(walkers, turns, strict=True)]:
            done.result()
