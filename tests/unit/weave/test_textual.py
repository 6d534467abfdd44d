from __future__ import annotations

import configparser

import pytest
from conftest import check_noop, check_woven, weave

from nova_xloud import weave as engine
from nova_xloud.ground.errors import AnchorError, ChangeError, MarkedLineError, WeaveError

CFG = """\
[metadata]
name = nova

[entry_points]
console_scripts =
    nova-api = nova.cmd.api:main
nova.validators =
    accel = nova.accel
    # theirs
    pci = nova.pci

wsgi_scripts =
    api = nova.wsgi

[egg_info]
tag_date = 0
"""


def test_lines_go_to_the_end_of_a_value_of_setup_cfg() -> None:
    woven = weave(
        CFG, "[entry_points]\nnova.validators =\n    ours = nova.ours\n", path="setup.cfg"
    )
    assert woven == CFG.replace(
        "    pci = nova.pci\n", "    pci = nova.pci\n    # xloud\n    ours = nova.ours\n"
    )
    parser = configparser.ConfigParser()
    parser.read_string(woven)
    assert parser["entry_points"]["nova.validators"].split("\n")[1:] == [
        "accel = nova.accel",
        "pci = nova.pci",
        "ours = nova.ours",
    ]


def test_a_new_key_of_setup_cfg_goes_to_the_end_of_its_section() -> None:
    woven = weave(
        CFG, "[entry_points]\nnova.more =\n    a = nova.a\n    b = nova.b\n", path="setup.cfg"
    )
    assert woven == CFG.replace(
        "    api = nova.wsgi\n",
        "    api = nova.wsgi\n# xloud\nnova.more =\n    # xloud\n    a = nova.a\n"
        "    # xloud\n    b = nova.b\n",
    )


@pytest.mark.parametrize(
    ("change", "error", "reason"),
    [
        ("[other]\nx =\n    1\n", AnchorError, r"\[other\]: not found"),
        ("[metadata]\nname = ours\n", ChangeError, "line 2: name is there already"),
        ("[metadata]\n    x\n", ChangeError, "line 2: is neither"),
    ],
)
def test_what_setup_cfg_cannot_take_is_refused(
    change: str, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        weave(CFG, change, path="setup.cfg")


ENTRY = "[entry_points]\nnova.validators =\n    ours = nova.ours\n"


@pytest.mark.parametrize("written", ["nova.validators :", "Nova.Validators =", "nova.validators="])
def test_a_key_of_setup_cfg_is_found_as_its_readers_find_it(written: str) -> None:
    woven = weave(CFG.replace("nova.validators =", written), ENTRY, path="setup.cfg")
    assert "    pci = nova.pci\n    # xloud\n    ours = nova.ours\n" in woven


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (CFG + "[entry_points]\n", r"\[entry_points\]: ambiguous"),
        (CFG + "tag_date = 1\n", r"line \d+: cannot be read"),
        (f"x = 1\n{CFG}", "line 1: cannot be read"),
        (
            CFG.replace("pci =", "ours ="),
            r"\[entry_points\] nova.validators: has ours already",
        ),
    ],
)
def test_a_setup_cfg_that_would_read_otherwise_is_refused(before: str, reason: str) -> None:
    with pytest.raises(AnchorError, match=reason):
        weave(before, ENTRY, path="setup.cfg")


TOML = """\
[project]
name = "nova"

[project.entry-points."nova.validators"]
accel = "nova.accel"

# theirs
[tool.x]
y = [
    1,
]
"""
TABLE = '[project.entry-points."nova.validators"]\n'


def test_keys_go_to_the_end_of_their_table_in_pyproject() -> None:
    check_woven(
        TOML,
        TABLE + 'ours = "nova.ours"\n',
        TOML.replace('"nova.accel"\n', '"nova.accel"\nours = "nova.ours"  # xloud\n'),
        path="pyproject.toml",
    )


@pytest.mark.parametrize(("series", "keys"), [(32, ["a"]), (33, ["a", "b"]), (34, ["b", "c"])])
def test_a_table_of_pyproject_is_limited_to_releases(series: int, keys: list[str]) -> None:
    """A table that is not for the release may be missing from it."""
    tool = "[tool.x]\n"
    woven = weave(
        TOML if series < 34 else TOML.replace(tool, "[tool.z]\n"),
        f"# why\n# weave: until 33\n{tool}a = 1\n\n# weave: since 33\n{TABLE}b = 1\n"
        "# why\n# weave: since 34\n[tool.z]\nc.d = 1\n",
        path="pyproject.toml",
        series=series,
    )
    added = [line.partition(" ")[0][0] for line in woven.splitlines() if line.endswith("# xloud")]
    assert sorted(added) == keys


@pytest.mark.parametrize(
    ("change", "error", "reason"),
    [
        ('[no]\na = "b"\n', AnchorError, r"\[no\]: not found"),
        ('a = "b"\n', ChangeError, "line 1: stands in no table"),
        (TABLE + 'accel = "ours"\n', AnchorError, r"\[.*validators\]: has accel already"),
        (TABLE + "ours = nobody\n", AnchorError, "line 2: would not be TOML"),
    ],
)
def test_what_pyproject_cannot_take_is_refused(
    change: str, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        weave(TOML, change, path="pyproject.toml")


@pytest.mark.parametrize(
    ("before", "error", "reason"),
    [
        (TOML + TABLE, AnchorError, "ambiguous"),
        (TOML + "x = nobody\n", AnchorError, "line 12: would not be TOML"),
        (TOML.replace(TABLE, f'{TABLE}text = """\n[x]\n"""\n'), WeaveError, "does not read as"),
    ],
)
def test_a_pyproject_that_would_read_otherwise_is_refused(
    before: str, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        weave(before, TABLE + 'ours = "nova.ours"\n', path="pyproject.toml")


RST = """\
=====
Title
=====

Text.

.. _first:

First
-----

One.

Inner
~~~~~

Two.

Second
------

Three.
"""
BLOCK = "Ours\n----\n\nNew.\n"


def test_a_block_goes_before_a_section_and_its_label() -> None:
    check_woven(
        RST,
        f'.. weave: before section "First"\n{BLOCK}',
        RST.replace(".. _first:", f".. xloud begin\n\n{BLOCK}\n.. xloud end\n\n.. _first:"),
        path="doc/a.rst",
    )


def test_a_block_goes_after_a_section_and_its_inner_ones() -> None:
    check_woven(
        RST,
        f'.. weave: after section "First"\n\n{BLOCK}',
        RST.replace("Second\n", f".. xloud begin\n\n{BLOCK}\n.. xloud end\n\nSecond\n"),
        path="doc/a.rst",
    )


def test_a_block_after_the_last_section_ends_the_file() -> None:
    check_woven(
        RST,
        f'.. weave: after section "Second"\n{BLOCK}',
        RST + f"\n.. xloud begin\n\n{BLOCK}\n.. xloud end\n",
        path="doc/a.rst",
    )


def test_a_file_may_have_blocks_for_several_places_and_releases() -> None:
    change = (
        '.. weave: before section "Second" until 33\n\nOld.\n\n'
        '.. weave: after section "Second" since 34\n\nNew.\n'
    )
    assert "New." in weave(RST, change, path="doc/a.rst")
    assert "Old." not in weave(RST, change, path="doc/a.rst")
    assert "Old." in weave(RST, change, path="doc/a.rst", series=33)


@pytest.mark.parametrize(
    ("path", "base", "change"),
    [
        ("setup.cfg", CFG, "# weave: {}\n[metadata]\nx = 1\n"),
        ("pyproject.toml", TOML, "# weave: {}\n[project]\nx = 1\n"),
        ("a.rst", RST, '.. weave: {}\n.. weave: before section "Second"\nx\n'),
        ("a.rst", RST, '.. weave: before section "Second" {}\nx\n'),
    ],
)
def test_limits_take_point_releases(path: str, base: str, change: str) -> None:
    def changes(limits: str, *point: int) -> bool:
        told = change.format(limits).encode()
        given = engine.weave(base.encode(), told, path=path, series=27, point=point)
        return given != base.encode()

    assert changes("since 27.2", 2, 0)
    assert changes("since 27.2")
    assert not changes("since 27.2", 1, 0)
    assert changes("since 27 until 27.1", 1, 0)
    assert not changes("since 27 until 27.1", 2, 0)
    assert not changes("until 27.1")
    with pytest.raises(ChangeError, match="line 1: 'soon' is neither a series such as 27 nor"):
        changes("since soon")


def test_a_section_may_be_called_as_a_limit_is() -> None:
    change = '.. weave: before section "Sized since soon"\nx\n'
    assert "\nx\n" in weave("Sized since soon\n================\n", change, path="a.rst")


@pytest.mark.parametrize(
    ("change", "error", "reason"),
    [
        ('.. weave: before section "Third"\nx\n', AnchorError, 'section "Third": no such section'),
        ('.. weave: before section "Title"\nx\n.. weave: y\n', ChangeError, "line 3: says neither"),
        ("x\n", ChangeError, "line 1: has no line like"),
    ],
)
def test_what_rst_cannot_take_is_refused(change: str, error: type[Exception], reason: str) -> None:
    with pytest.raises(error, match=reason):
        weave(RST, change, path="doc/a.rst")


def test_a_doubled_section_is_ambiguous() -> None:
    with pytest.raises(AnchorError, match="ambiguous: 2 sections"):
        weave(RST + RST, '.. weave: before section "Second"\nx\n', path="doc/a.rst")


@pytest.mark.parametrize(
    ("path", "base", "change"),
    [
        ("setup.cfg", CFG, "# weave: until 33\n[metadata]\nx = 1\n"),
        ("pyproject.toml", TOML, "# weave: since 35\n[project]\nx = 1\n"),
        ("a.rst", RST, '.. weave: until 33\n.. weave: before section "Second"\nx\n'),
    ],
)
def test_the_first_line_limits_the_file_to_releases(path: str, base: str, change: str) -> None:
    check_noop(base, change, path=path)


@pytest.mark.parametrize(
    ("path", "base", "change", "line"),
    [
        ("setup.cfg", CFG, "[metadata]\nx = 1\n", 2),
        ("pyproject.toml", TOML, "[project]\nx = 1\n", 1),
        ("doc/a.rst", RST, '.. weave: before section "Second"\nx\n', 3),
    ],
)
def test_marked_lines_of_another_origin_are_never_taken_out(
    path: str, base: str, change: str, line: int
) -> None:
    theirs = {"cfg": "# xloud\ny = 1", "toml": "# of y  # xloud"}.get(
        path.rpartition(".")[2], ".. xloud begin\n\ny\n\n.. xloud end\n"
    )
    lines = base.split("\n")
    patched = "\n".join([*lines[: line - 1], theirs, *lines[line - 1 :]])
    with pytest.raises(MarkedLineError, match=f"{path}, line {line}: carries the mark"):
        weave(patched, change, path=path)


def test_a_mark_without_an_end_takes_nothing_out() -> None:
    with pytest.raises(MarkedLineError, match=r"a\.rst, line 1: carries the mark"):
        weave(f".. xloud begin\n{RST}", '.. weave: before section "Second"\nx\n', path="doc/a.rst")
