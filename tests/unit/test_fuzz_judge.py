"""The judge of the fuzz sees faults: a fuzz that finds nothing proves nothing by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import judge
from tests.fuzz.fuzz import KINDS
from tests.fuzz.woven import Change, File, Woven, excerpt

CHANGE = '''"""Why."""
from nova_xloud.weave import append, decorate, entries

from nova.xloud import hooks

X = entries([hooks.a])


class A:
    @append
    def f(self):
        hooks.f(self)

    @decorate
    @hooks.g
    def g(self): ...

    def h(self):
        return hooks.h(self)
'''
WOVEN = """\
import os

from nova.xloud import hooks  # xloud

X = [
    os.path,
    hooks.a,  # xloud
]


class A:
    def f(self):
        # first
        os.stat(self)
        hooks.f(self)  # xloud

    @os.cached
    @hooks.g  # xloud
    def g(self):
        if self:
            os.stat(self)

    def h(self):  # xloud
        return hooks.h(self)  # xloud
"""
DECORATOR = "    @hooks.g  # xloud\n"
OURS = "        hooks.f(self)  # xloud\n"


def bare(woven: str) -> str:
    return "".join(
        line for line in woven.splitlines(keepends=True) if not line.endswith("# xloud\n")
    )


def judged(got: str, *, imports: bool = False) -> str:
    return judge.unlike(got, bare(got), WOVEN, Change(CHANGE), imports=imports)


def test_what_is_only_written_otherwise_is_right() -> None:
    assert judged(WOVEN) == ""
    assert judged(WOVEN.replace("        # first\n", "\n    # second\n")) == ""
    assert judged(WOVEN.replace("os.stat(self)\n", "os.stat(\n  self)\n")) == ""
    entry = "    hooks.a,  # xloud\n"
    assert judged(WOVEN.replace(entry, "").replace("X = [\n", f"X = [\n{entry}")) == ""
    line = "from nova.xloud import hooks  # xloud\n"
    assert judged(line + WOVEN.replace(line, "")) == ""


@pytest.mark.parametrize(
    "wrong",
    [
        WOVEN.replace(OURS, ""),
        WOVEN.replace(OURS, OURS * 2),
        WOVEN.replace(OURS, "").replace("        # first\n", OURS),
        WOVEN.replace(OURS, "").replace("            os.stat(self)\n", f"    {OURS}"),
        WOVEN.replace("hooks.f(self)  #", "hooks.f(os)  #"),
        WOVEN.replace("    @hooks.g  # xloud\n", "").replace(
            "    def f", "    @hooks.g  # xloud\n    def f"
        ),
        WOVEN.replace(
            "    @os.cached\n    @hooks.g  # xloud\n", "    @hooks.g  # xloud\n    @os.cached\n"
        ),
        WOVEN.replace("    hooks.a,  # xloud\n", ""),
        WOVEN.replace("from nova.xloud import hooks  # xloud\n", ""),
        WOVEN.replace("import hooks  #", "import others  #"),
        WOVEN.replace("hooks.f(self)  #", "hooks.f(self  #"),
        WOVEN.replace("    def h(self):  # xloud", "    def i(self):  # xloud"),
    ],
)
def test_lines_that_are_lost_or_elsewhere_are_wrong(wrong: str) -> None:
    assert wrong != WOVEN
    assert judged(wrong)


def test_a_line_of_novas_that_is_lost_is_wrong() -> None:
    without = WOVEN.replace("        os.stat(self)\n        hooks", "        hooks")
    assert judge.unlike(without, bare(WOVEN), without, Change(CHANGE), imports=False)


@pytest.mark.parametrize(
    "ahead",
    [
        *(
            "return",
            "raise ValueError",
            "while True:\n            pass",
            "if 1:\n            return",
        ),
        "while True:\n            for x in self:\n                break",
    ],
)
def test_a_line_that_is_never_reached_is_wrong(ahead: str) -> None:
    dead = WOVEN.replace("os.stat(self)\n        hooks", f"{ahead}\n        hooks")
    assert judge.unreached(dead) == [dead.split("\n").index(OURS.rstrip("\n")) + 1]
    assert "is never reached" in judge.unlike(dead, bare(dead), dead, Change(CHANGE), imports=False)


def test_a_name_that_nobody_defines_is_found(tmp_path: Path) -> None:
    (tmp_path / "right.py").write_text(WOVEN)
    (tmp_path / "wrong.py").write_text(
        WOVEN.replace("import os\n", "import o\n").replace("hooks.f(self)  #", "hooks.f(nobody)  #")
    )
    found = judge.undefined(tmp_path)
    assert set(found) == {"wrong.py"}
    (told,) = found["wrong.py"]
    assert "nobody" in told


def test_the_sites_of_a_woven_file_are_found() -> None:
    woven = Woven(File("34.0.0", 34, "nova/a.py", CHANGE), WOVEN)
    assert [(each.kind, each.name, each.directive) for each in woven.sites] == [
        ("import", "", ""),
        ("elements", "X", "entries"),
        ("statements", "A.f", "append"),
        ("decorator", "A.g", "decorate"),
        ("definition", "A", ""),
    ]
    assert woven.base == bare(WOVEN)


def test_a_long_file_is_cut_to_what_the_change_names() -> None:
    text = "".join(f"def f{number}():\n    pass\n" for number in range(100))
    short = excerpt(text, "def f50", longest=10)
    assert "def f50()" in short
    assert short.count("def ") < 20
    assert excerpt(text, "", longest=201) == text


def test_each_kind_of_mutation_has_a_name_of_its_own() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS) > 40
