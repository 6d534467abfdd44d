"""A seeded fuzz of the weaver on real files of Nova: no mutation of them is woven wrong."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest

from nova_xloud import bases
from nova_xloud.trees import tree
from tests.fuzz import textual
from tests.fuzz.fuzz import Base, Outcome, fuzz, fuzz_texts
from tests.fuzz.mutation import KINDS
from tests.nova.releases import of

#: The ends of the range, and the release that most tests run on.
RELEASES = of("oldest", "main", "newest")
SEEDS = os.environ.get("NOVA_XLOUD_FUZZ_SEEDS", "1")
COUNT = int(os.environ.get("NOVA_XLOUD_FUZZ_COUNT", "400"))


def seeds(told: str) -> list[int]:
    """Return the seeds of a text such as ``7``, ``1-50`` or ``1,5``."""
    found: list[int] = []
    for part in told.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> list[Base]:
    """The files that we change, of some releases."""
    changes = tree.sources() / "changes"
    found = []
    for release in RELEASES:
        directory = tmp_path_factory.mktemp("fuzz") / release
        base = bases.unpack(release, directory, only=tree.paths())
        found.append(Base(release, base.series, directory, changes))
    return found


@pytest.fixture(scope="module", params=seeds(SEEDS), ids=lambda seed: f"seed-{seed}")
def outcomes(
    request: pytest.FixtureRequest, unpacked: list[Base], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Outcome]]:
    return fuzz(unpacked, request.param, range(COUNT), tmp_path_factory.mktemp("woven"))


def test_no_mutation_is_woven_wrong(outcomes: list[Outcome]) -> None:
    assert len(outcomes) == COUNT
    assert "\n".join(str(each) for each in outcomes if each.wrong) == ""


def test_nothing_is_refused_that_only_looks_different(outcomes: list[Outcome]) -> None:
    assert "\n".join(str(each) for each in outcomes if each.needless) == ""


def test_each_kind_of_mutation_is_tried(outcomes: list[Outcome]) -> None:
    tried = Counter(each.kind for each in outcomes)
    assert {kind.name for kind in KINDS} == set(tried)
    assert sum(each.woven for each in outcomes) > COUNT / 4
    assert sum(not each.woven for each in outcomes) > COUNT / 4


@pytest.mark.parametrize("seed", seeds(SEEDS))
def test_no_mutation_of_another_file_is_woven_wrong(unpacked: list[Base], seed: int) -> None:
    found = fuzz_texts(unpacked, seed, range(COUNT // 4))
    assert {each.kind for each in found} == {kind.name for kind in textual.KINDS}
    assert "\n".join(str(each) for each in found if each.wrong or each.needless) == ""
