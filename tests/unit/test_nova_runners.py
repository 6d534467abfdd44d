"""The verdicts of the runners of Nova's suites, without running any."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click import ClickException, UsageError

from nova_xloud import bases
from nova_xloud.weave import weave
from tests.nova import covered, environment, pristine, run, runs
from tests.nova.pieces import pieces, without
from tests.nova.runs import BrokenTreeError
from tests.nova.without import effective
from tests.nova.workplace import workplace

CHANGE = b'''"""Two methods and a statement."""
from nova_xloud.weave import append

from nova.xloud import size


class Server:
    @append
    def start(self):
        size.note(self)
        # a comment at the end belongs to it

    def stop(self):
        """Stop."""
        # as does this


size.ready()
'''
NOVA = b"""import os


class Server:
    def start(self):
        os.getpid()
"""


def test_a_change_is_taken_apart_into_what_it_does() -> None:
    found = pieces("nova/server.py", CHANGE)
    assert [each.label for each in found] == [
        "nova/server.py:Server.start",
        "nova/server.py:Server.stop",
        "nova/server.py:size.ready()",
    ]


def test_each_piece_is_left_out_alone_with_the_imports_that_only_it_needs() -> None:
    whole = without(pieces("n.py", CHANGE + b"X = 1\n")[-1], NOVA, 29)
    for name, gone in (
        ("Server.start", b"size.note"),
        ("Server.stop", b"def stop"),
        ("size.ready()", b"size.ready"),
    ):
        (piece,) = (each for each in pieces("n.py", CHANGE) if each.name == name)
        left = without(piece, whole, 29)
        assert gone in whole
        assert gone not in left
        assert (b"from nova.xloud import size" in left) is (b"size." in left)


def test_a_file_that_is_not_python_is_one_piece() -> None:
    assert [each.label for each in pieces("setup.cfg", b"[x]\ny = z\n")] == ["setup.cfg"]


def test_a_piece_whose_name_another_piece_uses_is_missed_by_the_build(tmp_path: Path) -> None:
    change = b'"""Why."""\nFIRST = 1\nSECOND = FIRST\n'
    wanted = pieces("n.py", change)
    whole = weave(b"import os\n", change, path="n.py", series=29)
    (tmp_path / "n.py").write_bytes(whole)
    found = {piece.name: content for piece, content in effective("29.4.0", tmp_path, wanted)}
    assert found == {"FIRST": None, "SECOND": b"import os\nFIRST = 1  # xloud\n"}


def test_calls_are_compared_without_their_order_but_with_their_number() -> None:
    assert pristine.differences("calls-x", ["a", "b", "a"], ["b", "a", "a"]) == []
    assert pristine.differences("calls-x", ["a", "b", "a"], ["a", "b", "c"]) == ["-a", "+c"]


def test_xml_is_compared_in_its_order() -> None:
    assert pristine.differences("xml-x", ["a", "b"], ["a", "b"]) == []
    assert pristine.differences("xml-x", ["a", "b"], ["b", "a"]) == ["-a", "+b", "-b", "+a"]
    assert pristine.differences("xml-x", ["a"], ["a", "b"]) == ["+b"]


def test_a_pins_file_may_include_another(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("# why\nb==2\na==1\n")
    (tmp_path / "two.txt").write_text("-r one.txt\nc==3\n")
    assert environment.requirements(tmp_path / "two.txt") == ["a==1", "b==2", "c==3"]


def test_a_pattern_means_a_package_modules_or_classes(tmp_path: Path) -> None:
    package = tmp_path / "nova/tests/unit/xloud"
    package.mkdir(parents=True)
    for name in ("test_size.py", "test_sizes.py", "base.py"):
        (package / name).write_text("class XloudTest(object):\n    pass\nclass Other: pass\n")
    top = "nova.tests.unit.xloud"
    modules = [f"{top}.test_size", f"{top}.test_sizes"]
    assert runs.loadable(tmp_path, top) == modules
    assert runs.loadable(tmp_path, f"{top}.test_size") == modules
    assert runs.loadable(tmp_path, f"{top}.test_size.Xloud") == [f"{top}.test_size.XloudTest"]
    assert runs.loadable(tmp_path, f"{top}.test_gone.Xloud") == []


def test_what_failed_runs_again_alone_and_on_the_base(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "nova.tests.unit.test_x.Case."
    # test -> passes alone on (tree, base)
    answers = {
        f"{name}unstable": (True, True),
        f"{name}known(scenario)": (False, False),
        f"{name}broken": (False, True),
        "nova.tests.unit.test_ours.Case.ours": (False, False),
    }

    class Environment:
        release = "29.4.0"

        def run(self, argv: list[str], tree: Path, log: Path) -> int:
            if "unittest" not in argv:
                return 0
            (test,) = (each for each in answers if each.partition("(")[0] == argv[-1])
            return 0 if answers[test][tree.name.startswith("base")] else 1

    def unpack(release: str, into: Path) -> None:
        (into / "nova/tests/unit").mkdir(parents=True)
        (into / "nova/tests/unit/test_x.py").write_text("class Case(object):\n    pass\n")

    monkeypatch.setattr(bases, "unpack", unpack)
    outcome = runs.Outcome(tests=dict.fromkeys(answers, "fail"))
    wrong = run.judge(Environment(), outcome, tmp_path / "tree", tmp_path)  # type: ignore[arg-type]
    assert wrong == {f"{name}broken", "nova.tests.unit.test_ours.Case.ours"}
    said = capsys.readouterr().out
    assert f"unstable, passes alone: {name}unstable" in said
    assert f"fails on the base too: {name}known" in said
    assert "of 4 that failed, 3 fail alone on the tree, 1 on the base" in said


OURS = "nova.tests.unit.xloud"
NOVAS = "nova.tests.unit.test_utils"


def wrong_of(
    monkeypatch: pytest.MonkeyPatch, outcome: runs.Outcome, *, against_base: bool
) -> set[str]:
    """Judge an outcome as if each test that failed passed alone."""

    def judge(*args: object) -> set[str]:
        return set()

    monkeypatch.setattr(run, "judge", judge)
    place = Path("unused")
    return run.wrong_of(
        environment.NovaEnvironment("29.4.0"),
        outcome,
        [OURS],
        place,
        place,
        against_base=against_base,
    )


@pytest.mark.parametrize("against_base", [False, True])
def test_one_of_ours_that_is_skipped_has_failed(
    monkeypatch: pytest.MonkeyPatch, *, against_base: bool
) -> None:
    ours = f"{OURS}.test_size.Case.test"
    outcome = runs.Outcome(tests={ours: "skip", f"{NOVAS}.Case.test": "skip"})
    assert wrong_of(monkeypatch, outcome, against_base=against_base) == {ours}


def test_one_of_ours_that_passes_alone_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, novas = f"{OURS}.test_size.Case.test", f"{NOVAS}.Case.test"
    outcome = runs.Outcome(tests={ours: "fail", novas: "fail"})
    assert wrong_of(monkeypatch, outcome, against_base=True) == {ours}
    assert wrong_of(monkeypatch, outcome, against_base=False) == {ours, novas}


def test_it_is_said_when_there_is_nothing_to_compare(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = runs.Outcome(tests={f"{NOVAS}.Case.test": "success"})
    said = "nothing failed on the tree: nothing to compare with the base"
    assert wrong_of(monkeypatch, outcome, against_base=False) == set()
    assert said not in capsys.readouterr().out
    assert wrong_of(monkeypatch, outcome, against_base=True) == set()
    assert said in capsys.readouterr().out


def test_a_pattern_without_a_test_is_said_and_of_ours_is_an_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    outcome = runs.Outcome(tests={f"{OURS}.test_size.Case.test": "success"})
    assert not run.say_idle(outcome, [OURS, NOVAS], [OURS])
    assert capsys.readouterr().out == f"  no test of this release matches {NOVAS}\n"
    assert run.say_idle(outcome, ["nova.tests.unit.gone"], ["nova.tests.unit.gone"])
    assert capsys.readouterr().out == "  NO TEST matched nova.tests.unit.gone\n"


def test_tests_are_run_instead_of_suites() -> None:
    known = runs.suites()
    assert run.chosen_patterns((), (NOVAS, OURS)) == [NOVAS, OURS]
    both = run.chosen_patterns((), ())
    assert set(both) == {*known["ours"], *known["touched"]}
    assert len(run.chosen_patterns(("touched", "deep"), ())) == len(
        {*known["touched"], *known["deep"]}
    )
    for names, tests in ((("ours",), (OURS,)), (("theirs",), ()), ((), ("test_size",))):
        with pytest.raises(UsageError):
            run.chosen_patterns(names, tests)


def test_each_module_is_judged_by_itself() -> None:
    told = json.dumps({"files": {"a.py": {"summary": {"percent_covered": 94.99}}}})
    assert covered.shares(told, ["a.py", "b.py"]) == {"a.py": 94.99, "b.py": 0.0}


def test_what_a_command_made_goes_away_unless_it_failed(tmp_path: Path) -> None:
    with workplace("tests") as gone:
        (gone / "log").touch()
    assert not gone.exists()
    for failure, seen in ((SystemExit(1), SystemExit), (BrokenTreeError("no"), ClickException)):
        with pytest.raises(seen), workplace("tests") as kept:
            raise failure
        kept.rmdir()


def test_what_a_command_is_told_to_keep_stays(tmp_path: Path) -> None:
    with workplace("tests", tmp_path / "kept") as kept:
        (kept / "log").touch()
    assert (tmp_path / "kept/log").exists()


@pytest.mark.parametrize(
    ("release", "threading", "runs_functional"),
    [("33.0.2", True, False), ("34.0.0", True, True), ("33.0.2", False, True)],
)
def test_native_threads_are_for_the_tests_that_nova_runs_with_them(
    release: str, threading: bool, runs_functional: bool
) -> None:
    known = environment.NovaEnvironment(release, threading=threading)
    assert known.can_run("nova.tests.unit.xloud")
    assert known.can_run("nova.tests.functional.test_xloud_adjust") is runs_functional


def test_seeds_of_random_walks_reach_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVA_XLOUD_SEEDS", "1-5")
    monkeypatch.delenv("NOVA_XLOUD_STEPS", raising=False)
    variables = environment.NovaEnvironment("29.4.0").variables
    assert variables["NOVA_XLOUD_SEEDS"] == "1-5"
    assert "NOVA_XLOUD_STEPS" not in variables


def test_what_is_named_against_a_piece_taken_out_is_there() -> None:
    ours = Path(__file__).parents[2] / "src/nova_tree/additions"
    named = re.findall(r"nova\.tests(?:\.\w+)+", (environment.HERE / "without.toml").read_text())
    assert named
    for name in named:
        parts = name.split(".")
        for length in range(len(parts), 0, -1):
            file = ours.joinpath(*parts[:length]).with_suffix(".py")
            if file.exists():  # else it is in a file of Nova's
                assert all(part in file.read_text() for part in parts[length:]), name
