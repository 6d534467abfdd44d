"""The bench of packages: ratios turn by turn, and the stages of a build."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.figures import Cost, compared, total
from tests.bench.stages import Stages


def test_a_ratio_is_of_two_builds_of_the_same_turn() -> None:
    ours = [Cost(10, 1), Cost(30, 1), Cost(12, 1)]
    theirs = [Cost(20, 1), Cost(60, 1), Cost(20, 1)]
    (row,) = compared("what", ours, theirs, {"seconds": 0.5})
    assert row.ratios == [0.5, 0.5, 0.6]
    assert row.ratio == 0.5
    assert row.is_met
    (row,) = compared("what", ours, theirs, {"seconds": 0.4})
    assert not row.is_met


def test_several_targets_are_added_up_turn_by_turn() -> None:
    assert total([[Cost(1, 2, 3), Cost(4, 5, 6)], [Cost(10, 20, 30), Cost(40, 50, 60)]]) == [
        Cost(11, 22, 33),
        Cost(44, 55, 66),
    ]


def shown(stages: Stages, number: int) -> None:
    """Wait until so many stages have ended."""
    end = time.monotonic() + 30
    while len(stages.seconds) < number:
        assert time.monotonic() < end, stages.seconds
        time.sleep(0.01)


def stages_of(log: Path, write: Callable[[str], object]) -> list[str]:
    """Return the stages that a build shows when it writes a line for each of two."""
    with Stages((("first", ""), ("second", "weaving"), ("third", "built")), log) as stages:
        write("weaving\n")
        shown(stages, 1)
        write("built\n")
        shown(stages, 2)
    assert all(seconds >= 0 for seconds in stages.seconds.values())
    return list(stages.seconds)


def test_stages_begin_with_new_lines_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("weaving\nbuilt\n")  # of the build before
    assert stages_of(log, log.open("a", buffering=1).write) == ["first", "second", "third"]


def test_a_log_that_is_written_anew_counts_from_its_begin(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("something else\n")
    new: list[str] = []

    def write(line: str) -> None:
        new.append(line)
        log.write_text("".join(new))

    assert stages_of(log, write) == ["first", "second", "third"]
