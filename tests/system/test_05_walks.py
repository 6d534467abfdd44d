"""To the bounds and at random between them: all views equal after each step."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest

from tests.system import walk
from tests.system.cloud import Flavor
from tests.system.report import Report
from tests.system.server import Server
from tests.system.together import Servers, together

pytestmark = pytest.mark.core
WALKER = Flavor(vcpus=32, ram=512, minimum_cpu=1, minimum_memory=256)
#: Servers that walk at once; with fewer than there are walks, each walks several times.
WALKERS = 10


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
            # one is enough for the report
            look = seed == 0
            with walk.looked_at(server, report.walk("random walk")) if look else nullcontext():
                walk.taken(server, seed, plugs)

    with ThreadPoolExecutor(WALKERS) as pool:
        for done in [pool.submit(walk_all, *pair) for pair in zip(walkers, turns, strict=True)]:
            done.result()
