"""The verdicts of the run with floors on every flavor, without running Nova's tests."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from nova_xloud.trees import tree as trees
from tests.nova import environment, floors, run, runs
from tests.nova.floors import Notes


def a_tree(place: Path) -> Path:
    """Make a tree with the one file that is changed."""
    functional = place / floors.CALLED_BY
    functional.parent.mkdir(parents=True)
    functional.write_text("from nova import monkey_patch\n")
    return place


def note(tree: Path, process: int, flavors: list[str], **calls: int) -> None:
    told = json.dumps({"floors": flavors, "calls": calls})
    (tree / floors.NOTES / f"{process}.json").write_text(told)


def test_the_functional_tests_of_a_tree_call_the_module_once(tmp_path: Path) -> None:
    tree = a_tree(tmp_path)
    floors.put_into(tree)
    note(tree, 1, ["old"])
    floors.put_into(tree)
    text = (tree / floors.CALLED_BY).read_text()
    assert text == "from nova import monkey_patch\n" + floors.CALL
    assert (tree / floors.MODULE).exists()
    assert floors.notes(tree) == Notes(set(), Counter())


def test_the_notes_of_all_processes_count(tmp_path: Path) -> None:
    tree = a_tree(tmp_path)
    floors.put_into(tree)
    note(tree, 1, ["1 minimum_cpu 1", "2 minimum_cpu 2"], follow=2, idle=0)
    note(tree, 2, ["2 minimum_cpu 2"], follow=3)
    found = floors.notes(tree)
    assert found.floors == {"1 minimum_cpu 1", "2 minimum_cpu 2"}
    assert found.calls == {"follow": 5, "idle": 0}


def test_a_run_without_floors_or_without_our_code_has_proved_nothing() -> None:
    assert floors.lacking(Notes({"1"}, Counter(follow=1)), ("follow",)) == []
    assert floors.lacking(Notes(set(), Counter(follow=1)), ()) == ["no flavor has got a floor"]
    noted = Notes({"1"}, Counter(follow=0))
    assert floors.lacking(noted, ("follow", "gone")) == [
        "never called: follow",
        "never called: gone",
    ]


@pytest.mark.parametrize("name", floors.REQUIRED)
def test_each_function_that_must_run_is_there(name: str) -> None:
    module, _, function = name.rpartition(".")
    if module.rpartition(".")[2][:1].isupper():
        module = module.rpartition(".")[0]
    file = trees.sources() / "additions" / f"{module.replace('.', '/')}.py"
    assert re.search(rf"^ *def {function}\(", file.read_text(), re.MULTILINE)


def test_the_suite_runs_novas_tests_and_none_of_ours() -> None:
    known = runs.suites()
    chosen = re.compile(runs.expression(known[floors.SUITE], known["ours"]))
    top = "nova.tests.functional"
    for novas in (
        "test_servers.ServersTest.test_create",
        "libvirt.test_numa_servers.NUMAServersTest.test_x",
        "test_flavor_extraspecs.FlavorExtraSpecsTest.test_x",
        "regressions.test_bug_1.Case.test_x",
    ):
        assert chosen.search(f"{top}.{novas}"), novas
    for other in (
        "test_servers.XloudServersTest.test_create",
        "test_xloud_adjust.AdjustTest.test_x",
        "libvirt.test_vcpu_current_moves.MovesTest.test_x",
        "libvirt.test_xloud_pristine.GuestTest.test_x",
        "test_flavor_extraspecs.XloudFloorTest.test_x",
        "db.test_quota.Case.test_x",
    ):
        assert not chosen.search(f"{top}.{other}"), other
    assert runs.expression(["a", "b"]) == "^(a|b)"


@pytest.mark.parametrize(
    ("flavors", "state", "wrong"),
    [(["1"], "success", 0), (["1"], "fail", 1), ([], "success", 1), ([], "fail", 2)],
)
def test_a_run_counts_the_tests_that_differ_and_what_it_has_not_proved(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    flavors: list[str],
    state: str,
    wrong: int,
) -> None:
    test = "nova.tests.functional.test_servers.ServersTest.test_create"
    asked: dict[str, object] = {}

    class Environment:
        def __init__(self, release: str) -> None:
            self.release = release

        def prepare(self) -> None:
            pass

    def suite(*args: object, without: list[str]) -> runs.Outcome:
        asked["without"] = without
        note(tmp_path / "tree-34.0.0", 1, flavors, follow=2, idle=0)
        return runs.Outcome(tests={test: state})

    def judge(*args: object) -> set[str]:
        return {test}

    monkeypatch.setattr(floors, "NovaEnvironment", Environment)
    monkeypatch.setattr(floors, "weave_tree", lambda release, tree: a_tree(tree))
    monkeypatch.setattr(floors, "run_suite", suite)
    monkeypatch.setattr(run, "judge", judge)
    assert floors.failures("34.0.0", tmp_path, 1, (test,)) == wrong
    assert asked["without"] == runs.suites()["ours"]
    said = capsys.readouterr().out
    assert f"{len(flavors)} floors on flavors; 2 calls of 1 of our 2 functions" in said
    assert "  not called: idle\n" in said
    assert (f"FAILED fail: {test}" in said) is (state == "fail")
    assert ("FAILED no flavor has got a floor" in said) is (not flavors)


def test_a_run_that_did_not_start_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(environment.NovaEnvironment, "prepare", lambda self: None)
    monkeypatch.setattr(floors, "weave_tree", lambda release, tree: a_tree(tree))
    monkeypatch.setattr(floors, "run_suite", lambda *a, **k: runs.Outcome(broken="no test ran"))
    with pytest.raises(runs.BrokenTreeError, match="no test ran"):
        floors.failures("34.0.0", tmp_path, 1, ())
