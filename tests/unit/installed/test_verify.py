"""The table: each thing that can be wrong shows in its row."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nova_xloud.installed import journal, verify, work
from nova_xloud.installed.places import Place
from tests.unit.installed import small


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = small.install(tmp_path / "site")
    work.apply(made, small.ours(), "", lambda _: None)
    return made


def states(place: Place, version: str = "1.0.0") -> dict[str, tuple[str, str]]:
    return {each.what: (each.state, each.found) for each in verify.look(place, small.ours(version))}


def test_an_applied_tree_is_good(place: Place) -> None:
    found = states(place)
    assert {each for each, _ in found.values()} == {verify.GOOD, verify.UNKNOWN}
    assert "1 marked lines" in found["files"][1]
    assert found["imports"][0] == verify.UNKNOWN  # the Python of the test imports another Nova


def edit(path: str) -> Callable[[Place], object]:
    return lambda place: (place.code / path).write_text("other\n")


@pytest.mark.parametrize(
    ("damage", "row", "says"),
    [
        (edit("nova/compute/manager.py"), "files", "1 of 5 are not as applied"),
        (lambda place: (place.code / small.ADDED).unlink(), "files", "nova/xloud/size.py"),
        (
            lambda place: (place.metadata / "entry_points.txt").write_text(""),
            "entry point",
            "lacks",
        ),
        (lambda place: (place.metadata / "RECORD").write_text(""), "RECORD", "lacks 2"),
    ],
)
def test_what_is_wrong_is_named(place: Place, damage: object, row: str, says: str) -> None:
    damage(place)  # type: ignore[operator]
    state, found = states(place)[row]
    assert state == verify.WRONG
    assert says in found


def test_a_run_that_has_not_ended(place: Place) -> None:
    store = journal.Store(place)
    known = store.journal()
    assert known
    store.write(known._replace(state=journal.APPLYING))
    state, found = states(place)["changes"]
    assert state == verify.WRONG
    assert "`apply` or `rollback` finishes" in found


def test_another_program(place: Place) -> None:
    assert "this program has other changes" in states(place, "2.0.0")["changes"][1]


def test_a_nova_of_pips(place: Place) -> None:
    shutil.rmtree(place.code / "nova/xloud")
    (place.code / "nova/compute/manager.py").write_text(small.MANAGER)
    for name in ("RECORD", "entry_points.txt"):
        (place.metadata / name).write_text("")
    assert states(place) == {
        "changes": (
            verify.WRONG,
            "pip has replaced this Nova since nova-xloud was applied: run `apply` again",
        )
    }


def test_nothing_was_applied(tmp_path: Path) -> None:
    assert states(small.install(tmp_path / "other"))["changes"][0] == verify.WRONG
