from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from conftest import check_noop, check_woven, weave
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_xloud import weave as engine
from nova_xloud.ground.errors import AnchorError, ChangeError, MarkedLineError, WeaveError


@pytest.fixture(autouse=True, scope="module")
def without_proof() -> Iterator[None]:
    """Weave snippets that name things which nobody defines; test_proof.py has the proof."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "faults", lambda *_: ())
        yield


# -- functions ---------------------------------------------------------------------------------


def test_append_goes_behind_the_last_statement_and_before_the_comments_of_the_class() -> None:
    check_woven(
        """\
        class Manager:
            def start(self):
                if self.on:
                    run()
                    # the end of the if

            # of the class
        x = 1
        """,
        """\
        class Manager:
            @append
            def start(self):
                # why
                self.extend(
                    many)
        """,
        """\
        class Manager:
            def start(self):
                if self.on:
                    run()
                    # the end of the if
                # why  # xloud
                self.extend(  # xloud
                    many)  # xloud

            # of the class
        x = 1
        """,
    )


@pytest.mark.parametrize("last", ["return 1", "raise ValueError()"])
def test_append_is_refused_where_nothing_could_follow(last: str) -> None:
    with pytest.raises(AnchorError, match=r"manager\.py: f: ends in return or raise.*Nova 34"):
        weave(f"def f():\n    {last}\n", "@append\ndef f():\n    g()\n")


def test_prepend_goes_behind_the_docstring() -> None:
    check_woven(
        '''\
        def f():
            """Does.

            Much.
            """

            g()
        ''',
        "@prepend\ndef f():\n    h()\n",
        '''\
        def f():
            """Does.

            Much.
            """
            h()  # xloud

            g()
        ''',
    )


def test_prepend_without_docstring_goes_before_the_first_statement_and_its_comment() -> None:
    check_woven(
        """\
        async def f(a,
                    b):
            # first
            g()
        """,
        "@prepend\nasync def f(b):\n    h(b)\n",
        """\
        async def f(a,
                    b):
            h(b)  # xloud
            # first
            g()
        """,
    )


def test_before_return_goes_before_the_final_return_only() -> None:
    check_woven(
        """\
        def f(a):
            if a:
                return 1
            return (
                a)
        """,
        "@before_return\ndef f(a):\n    g(a)\n",
        """\
        def f(a):
            if a:
                return 1
            g(a)  # xloud
            return (
                a)
        """,
    )


def test_before_return_needs_a_final_return() -> None:
    with pytest.raises(AnchorError, match="does not end in a return"):
        weave("def f():\n    g()\n", "@before_return\ndef f():\n    h()\n")


STATEMENTS = """\
def f(self, instance):
    try:
        with self.lock(instance) as held:
            instance.vcpus = 1
            for self.each in [1,
                              2]:
                pass
        if a:
            pass
        elif check(held):
            pass
    except Exception as error:
        raise wrap(error)
    first, (second, *rest) = three()
    return [
        done(x) for x in rest]
"""


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("self.lock", "        with self.lock(instance) as held:"),
        ("held", "        with self.lock(instance) as held:"),
        ("instance.vcpus", "            instance.vcpus = 1"),
        ("self.each", "            for self.each in [1,"),
        ("wrap", "        raise wrap(error)"),
        ("rest", "    first, (second, *rest) = three()"),
        ("three", "    first, (second, *rest) = three()"),
        ("done", "    return ["),
    ],
)
def test_before_finds_the_statement_that_calls_or_assigns_at_any_depth(
    name: str, line: str
) -> None:
    woven = weave(STATEMENTS, f'@before("{name}")\ndef f():\n    ours()\n').splitlines()
    indent = " " * (len(line) - len(line.lstrip()))
    assert woven[woven.index(f"{indent}ours()  # xloud") + 1] == line


def test_after_goes_behind_the_whole_statement() -> None:
    check_woven(
        """\
        def f():
            x = g(
                1)
            # of h
            h()
        """,
        '@after("g")\ndef f(x):\n    use(x)\n',
        """\
        def f():
            x = g(
                1)
            use(x)  # xloud
            # of h
            h()
        """,
    )


def test_after_a_with_header_goes_behind_the_block() -> None:
    check_woven(
        "def f():\n    with g():\n        h()\n    i()\n",
        '@after("g")\ndef f():\n    ours()\n',
        "def f():\n    with g():\n        h()\n    ours()  # xloud\n    i()\n",
    )


@pytest.mark.parametrize(
    ("body", "directive", "reason"),
    [
        ("a()", 'after("b")', "nothing assigns to or calls b"),
        ("b()\n    b()", 'after("b")', "ambiguous: b on lines 2, 3"),
        ("return b()", 'after("b")', "nothing can follow line 2"),
        ("a(); b()", 'after("b")', "line 2 holds more than one statement"),
        ("if a: b()", 'after("b")', "line 2 holds more than one statement"),
        ("if a:\n        pass\n    elif b():\n        pass", 'before("b")', "is an elif"),
    ],
)
def test_a_statement_that_is_missing_doubled_or_unfit_is_refused(
    body: str, directive: str, reason: str
) -> None:
    with pytest.raises(AnchorError, match=reason):
        weave(f"def f():\n    {body}\n", f"@{directive}\ndef f():\n    ours()\n")


def test_parameters_of_the_change_must_be_names_of_the_function() -> None:
    with pytest.raises(AnchorError, match="f: has no parameter or local flavor, x"):
        weave(
            "def f(a, *, b, **c):\n    d = 1\n    use()\n",
            "@append\ndef f(a, b, c, d, flavor, x):\n    g(flavor)\n",
        )


def test_several_directives_for_one_function_stand_side_by_side() -> None:
    check_woven(
        "def f():\n    a()\n",
        "@prepend\ndef f():\n    b()\n@append\ndef f():\n    c()\n",
        "def f():\n    b()  # xloud\n    a()\n    c()  # xloud\n",
    )


def test_decorators_become_the_innermost() -> None:
    check_woven(
        """\
        class A:
            @property
            # of vcpus
            def vcpus(self):
                return 1

        class B(object):
            pass
        """,
        """\
        class A:
            @decorate(kind="property")
            @ours.requested(
                1)
            @second
            def vcpus(self): ...

        @decorate
        @third
        class B: ...
        """,
        """\
        class A:
            @property
            # of vcpus
            @ours.requested(  # xloud
                1)  # xloud
            @second  # xloud
            def vcpus(self):
                return 1

        @third  # xloud
        class B(object):
            pass
        """,
    )


def test_the_brackets_of_a_decorator_are_part_of_it() -> None:
    check_woven(
        """\
        class A:
            @first(
                1,
            )  # why
            @(
            second)
            def f(self):
                return 1

            x = 2
        """,
        """\
        class A:
            @decorate
            @ours(
                2,  # two
            )  # ours
            def f(self): ...

            @(
                third
            )
            def g(self):
                return 2
        """,
        """\
        class A:
            @first(
                1,
            )  # why
            @(
            second)
            @ours(  # xloud
                2,  # two  # xloud
            )  # ours  # xloud
            def f(self):
                return 1

            x = 2

            @(  # xloud
                third  # xloud
            )  # xloud
            def g(self):  # xloud
                return 2  # xloud
        """,
    )


@pytest.mark.parametrize("last", ["x = 'é'; g()", "if 'é': g()", "'é'; g();"])
def test_letters_of_several_bytes_do_not_hide_a_second_statement(last: str) -> None:
    with pytest.raises(AnchorError, match="line 2 holds more than one statement"):
        weave(f"def f():\n    {last}\n", '@before("g")\ndef f():\n    h()\n')


def test_a_semicolon_alone_is_no_second_statement() -> None:
    check_woven(
        "def f():\n    é = 'é';  # é\n    g()\n",
        '@after("é")\ndef f():\n    h()\n',
        "def f():\n    é = 'é';  # é\n    h()  # xloud\n    g()\n",
    )


# -- names that Nova has, and names that it has not --------------------------------------------


def test_new_members_go_to_the_end_of_class_and_module_with_the_blank_lines_of_pep8() -> None:
    check_woven(
        '''\
        class A:
            """Doc."""
            x = 1

            def f(self):
                pass

        def last():
            pass
        ''',
        '''\
        class A:
            y: int = 2
            # about g
            @staticmethod
            def g():

                def inner():
                    return 2
                return inner

        LIMIT = 3
        class New(object):
            """Doc."""

            z = 1


            # about h
            async def h(self):
                await self
        ours.register()
        ''',
        '''\
        class A:
            """Doc."""
            x = 1
            y: int = 2  # xloud

            def f(self):
                pass

            # about g  # xloud
            @staticmethod  # xloud
            def g():  # xloud

                def inner():  # xloud
                    return 2  # xloud
                return inner  # xloud

        def last():
            pass


        LIMIT = 3  # xloud


        class New(object):  # xloud
            """Doc."""  # xloud
            z = 1  # xloud

            # about h  # xloud
            async def h(self):  # xloud
                await self  # xloud


        ours.register()  # xloud
        ''',
    )


def test_a_file_without_final_newline_gets_none() -> None:
    check_woven("a = 1", "B = 2\n", "a = 1\nB = 2  # xloud")


def test_a_file_of_comments_only_can_be_added_to() -> None:
    check_woven("# Licence\n", "B = 2\n", "# Licence\nB = 2  # xloud\n")


def test_append_to_the_last_function_of_a_file_with_new_members_behind_it() -> None:
    check_woven(
        "class A:\n    def f(self):\n        a()\n",
        """\
        class B(object): ...
        class A:
            def g(self):
                pass
            @append
            def f(self):
                b()
        """,
        """\
        class A:
            def f(self):
                a()
                b()  # xloud

            def g(self):  # xloud
                pass  # xloud


        class B(object): ...  # xloud
        """,
    )


@pytest.mark.parametrize("new", ["def f():\n    pass\n", "f = 1\n", "f: int = 1\n"])
def test_what_nova_has_needs_a_directive(new: str) -> None:
    with pytest.raises(AnchorError, match="f: Nova has it"):
        weave("def f():\n    pass\n" if new[0] == "d" else "f = 0\n", new)


@pytest.mark.parametrize(
    ("change", "anchor"),
    [
        ("class A:\n    def f(self): ...\n", "A: not found"),
        (
            "class A(object):\n    @append\n    def f(self):\n        g()\n",
            "A: not found, but in it",
        ),
        ("@append\ndef f():\n    g()\n", "f: not found"),
        ("class B:\n    @decorate\n    @x\n    def f(self): ...\n", "B.f: not found"),
        ("X = entries((\n    1,\n))\n", "X: not found"),
    ],
)
def test_what_is_missing_is_named_with_its_class(change: str, anchor: str) -> None:
    with pytest.raises(AnchorError, match=anchor):
        weave("class B:\n    pass\n", change)


def test_names_that_are_defined_twice_are_ambiguous_also_under_if_and_try() -> None:
    with pytest.raises(AnchorError, match="f: ambiguous: defined on lines 2, 5"):
        weave(
            "if a:\n    def f(): pass\nelse:\n    # no\n    def f(): pass\n",
            "@append\ndef f():\n    g()\n",
        )


@pytest.mark.parametrize(
    "second",
    [
        *("f = None", "f: object = None", "import os as f", "for f in (): pass", "del f"),
        *("with open('') as f: pass", "try: pass\nexcept OSError as f: pass", "(f := None)"),
        *("for x in ():\n    def f(): pass", "while 0:\n    class f: pass", "[f, *_] = ''"),
        *("with open(''):\n    f = None", "match 1:\n    case 1:\n        f = None"),
    ],
)
@pytest.mark.parametrize("is_first", [False, True])
def test_a_name_that_is_bound_in_any_other_way_too_is_ambiguous(
    second: str, is_first: bool
) -> None:
    parts = ["def f():\n    h()\n", f"{second}\n"]
    with pytest.raises(AnchorError, match="f: ambiguous: defined on lines"):
        weave("".join(parts[::-1] if is_first else parts), "@append\ndef f():\n    g()\n")


def test_a_name_that_is_added_to_or_is_a_local_elsewhere_is_bound_once() -> None:
    weave("X = [\n    1,\n]\nX += [2]\ndef g():\n    X = 1\n", "X = entries([3])\n")


def test_a_function_under_try_is_found() -> None:
    check_woven(
        "try:\n    import a\n    def f():\n        a.b()\nexcept ImportError:\n    a = None\n",
        "@append\ndef f():\n    g()\n",
        "try:\n    import a\n    def f():\n        a.b()\n        g()  # xloud\n"
        "except ImportError:\n    a = None\n",
    )


# -- entries and arguments ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "new", "after"),
    [
        pytest.param(
            "X = (\n    1,\n    2,  # two\n    # end\n)\n",
            "X = entries((\n    # three\n    3,\n    (4,\n     5),\n))\n",
            "X = (\n    1,\n    2,  # two\n    # three  # xloud\n    3,  # xloud\n"
            "    (4,  # xloud\n     5),  # xloud\n    # end\n)\n",
            id="behind a trailing comma, before the comments at the end",
        ),
        pytest.param(
            "X = [\n    1,\n    # of two\n    2\n]\n",
            "X = entries([3])\n",
            "X = [\n    1,\n    # of two\n    3,  # xloud\n    2\n]\n",
            id="before the last, which has no comma",
        ),
        pytest.param(
            'X = {"a": 1,\n     "b": 2}\n',
            "X = entries({'c': f(\n    3)})\n",
            'X = {"a": 1,\n     \'c\': f(  # xloud\n         3),  # xloud\n     "b": 2}\n',
            id="dict whose bracket is not on a line of its own",
        ),
        pytest.param(
            "X = {\n    1, 2,\n    *three, 4,\n}\n",
            "X = entries({5,  # five\n})\n",
            "X = {\n    1, 2,\n    *three, 4,\n    5,  # five  # xloud\n}\n",
            id="several to a line",
        ),
        pytest.param(
            "X: tuple = (\n    a(\n        1),\n    (b\n     + 2),\n)\n",
            "X = entries((3,))\n",
            "X: tuple = (\n    a(\n        1),\n    (b\n     + 2),\n    3,  # xloud\n)\n",
            id="elements that span lines",
        ),
        pytest.param(
            "X = {'é': 'é',\n     'ü': ('é',\n           1), 'ö': (\n         2), }\n",
            "X = entries({'ß': 'é', 'ä': (f('é'))})\n",
            "X = {'é': 'é',\n     'ß': 'é',  # xloud\n     'ä': (f('é')),  # xloud\n"
            "     'ü': ('é',\n           1), 'ö': (\n         2), }\n",
            id="letters of several bytes",
        ),
        pytest.param(
            "X = ((\n    1), (\n    2\n),\n    4,\n)\n",
            "X = entries(((3), (lambda a, b: (a, b)), f(c for c, d in e),))\n",
            "X = ((\n    1), (\n    2\n),\n    4,\n    (3),  # xloud\n"
            "    (lambda a, b: (a, b)),  # xloud\n    f(c for c, d in e),  # xloud\n)\n",
            id="elements in brackets, commas that part no elements",
        ),
    ],
)
def test_entries_go_to_the_end_of_a_display(before: str, new: str, after: str) -> None:
    check_woven(before, new, after)


def test_entries_of_a_class_attribute() -> None:
    check_woven(
        "class A:\n    fields = {\n        'a': 1,\n    }\n",
        "class A:\n    fields = entries({\n        'b': 2,\n    })\n",
        "class A:\n    fields = {\n        'a': 1,\n        'b': 2,  # xloud\n    }\n",
    )


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ("X = (1, 2)\n", "written on one line"),
        ("X = 1, 2\n", "written on one line"),
        ("X = (\n    1), (\n    2)\n", "written on one line"),
        ("X = ()\n", "written on one line"),
        ("X = f(\n    1,\n)\n", "is no tuple, list, set or dict display"),
        ("X = (\n    1,\n)\nX = (\n    2,\n)\n", "ambiguous: assigned on lines 1, 4"),
    ],
)
def test_a_display_without_room_is_refused(before: str, reason: str) -> None:
    with pytest.raises(AnchorError, match=f"X: .*{reason}"):
        weave(before, "X = entries((\n    3,\n))\n")


def test_entries_must_be_of_the_kind_that_nova_has() -> None:
    with pytest.raises(ChangeError, match="not of the same kind"):
        weave("X = {\n    'a': 1,\n}\n", "X = entries((\n    3,\n))\n")


def test_a_key_that_nova_has_is_not_added() -> None:
    with pytest.raises(AnchorError, match="X: has the key of line 2 already"):
        weave("X = {\n    'a': 1,\n}\n", "X = entries({'b': 1, 'a': 2})\n")
    weave("X = {\n    'a': 1,\n    **b,\n}\n", "X = entries({'b': 1, **a})\n")


def test_arguments_go_into_the_one_call() -> None:
    check_woven(
        """\
        def list_rules():
            return itertools.chain(
                a.list_rules(),
                z.list_rules()
            )
        """,
        "@arguments\ndef list_rules():\n    itertools.chain(ours.list_rules(), *more)\n",
        """\
        def list_rules():
            return itertools.chain(
                a.list_rules(),
                ours.list_rules(),  # xloud
                *more,  # xloud
                z.list_rules()
            )
        """,
    )


def test_arguments_follow_all_that_the_call_has() -> None:
    check_woven(
        """\
        def f():
            with (g)(  # not f(
                a, key=lambda b, c: f"{b},{c}",
                *(d for d, e in h),
                **i,
            ) as j:
                return j
        """,
        "@arguments\ndef f():\n    g(**k)\n",
        """\
        def f():
            with (g)(  # not f(
                a, key=lambda b, c: f"{b},{c}",
                *(d for d, e in h),
                **i,
                **k,  # xloud
            ) as j:
                return j
        """,
    )


def test_a_call_inside_a_string_takes_no_arguments() -> None:
    with pytest.raises(AnchorError, match="f: calls g inside a string"):
        weave(
            'def f():\n    return f"""{g(\n        1,\n    )}"""\n',
            "@arguments\ndef f():\n    g(b)\n",
        )


def test_arguments_that_would_not_be_python_are_refused() -> None:
    with pytest.raises(WeaveError, match=r"line 5 would not be Python .Nova 34"):
        weave(
            "def f():\n    g(\n        a=1,\n    )\n",
            "@arguments\ndef f():\n    g(b)\n",
        )


def test_a_call_that_is_made_twice_is_refused() -> None:
    with pytest.raises(AnchorError, match="f: calls g 2 times, not once"):
        weave("def f():\n    g(\n        g(1),\n    )\n", "@arguments\ndef f():\n    g(b)\n")


# -- imports -----------------------------------------------------------------------------------

IMPORTS = """\
from __future__ import annotations
import os
import sys

from oslo_log import log
try:
    import libvirt
except ImportError:
    libvirt = None

from nova.compute import api
import nova.conf
# about utils
from nova import utils
"""


@pytest.mark.parametrize(
    ("new", "neighbour"),
    [
        ("import itertools", "import os"),
        ("from nova.compute import task_states", "import nova.conf"),
        ("import nova.exception", "# about utils"),
        ("from nova import block_device", "from nova.compute import api"),
        ("from oslo_config import cfg", "from oslo_log import log"),
    ],
)
def test_an_import_goes_to_its_alphabetical_place_in_its_group(new: str, neighbour: str) -> None:
    name = new.split()[-1].partition(".")[0]
    woven = weave(IMPORTS, f"{new}\nX = {name}.y\n").splitlines()
    assert woven[woven.index(f"{new}  # xloud") + 1] == neighbour


def test_the_last_import_of_a_group_goes_behind_it() -> None:
    woven = weave(IMPORTS, "from nova.xloud import size as s\nX = s.y\n").splitlines()
    assert woven[woven.index("from nova.xloud import size as s  # xloud") - 1] == (
        "from nova import utils"
    )


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("from nova import utils\nX = utils\n", id="Nova has it"),
        pytest.param("import nova.conf\nX = nova.conf\n", id="Nova has the package"),
        pytest.param("from nova import size\nX = a.size\n", id="nothing uses it"),
        pytest.param("from nova import size\nX = f(size=1)\n", id="only a keyword"),
        pytest.param("from nova_xloud.weave import append\nX = append\n", id="the language"),
    ],
)
def test_an_import_that_is_there_or_not_used_is_not_added(change: str) -> None:
    assert "import" not in "".join(
        line for line in weave(IMPORTS, change).splitlines() if line.endswith("# xloud")
    )


def test_an_import_whose_name_is_taken_is_refused() -> None:
    with pytest.raises(AnchorError, match=r"Nova's file has that name for nova\.utils"):
        weave(IMPORTS, "from nova.xloud import utils\nX = utils\n")


# -- releases ----------------------------------------------------------------------------------

LIMITED = """\
@append(until=33)
def f():
    old()
@append(since=34)
def f():
    new()
X = entries((
    1,
), since=35)
"""


@pytest.mark.parametrize(("series", "added"), [(33, "old()"), (34, "new()")])
def test_a_directive_is_limited_to_releases(series: int, added: str) -> None:
    check_woven(
        "def f():\n    a()\n",
        LIMITED,
        f"def f():\n    a()\n    {added}  # xloud\n",
        series=series,
    )


def test_a_file_is_limited_by_its_releases() -> None:
    change = 'RELEASES = {"since": 31, "until": 33}\nB = 2\n'
    check_noop("a = 1\n", change, series=30)
    check_noop("a = 1\n", change, series=34)
    check_woven("a = 1\n", change, "a = 1\nB = 2  # xloud\n", series=31)


# -- places that are deep ----------------------------------------------------------------------


def test_a_line_that_gets_too_long_at_its_place_is_refused_with_the_anchor() -> None:
    change = f"@before('g')\ndef f(a):\n    a('{'x' * 50}')\n"
    assert weave("def f(a):\n    g()\n", change)
    reason = "f: is so deep that line 4 of the change is too long: woven it is 84 columns wide"
    with pytest.raises(AnchorError, match=reason):
        weave(f"def f(a):\n    if a:\n{' ' * 20}g()\n", change)


# -- words that the language does not have ------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "line", "reason"),
    [
        ('X = """a\nb"""\n', 2, "a string spans lines"),
        ('def f():\n    return f"""{a}\n"""\n', 3, "a string spans lines"),
        ("X = 1 + \\\n    2\n", 2, "a backslash at the end"),
        ("def f():\n    a()\n\n    b()\n", 4, "a blank line inside code"),
        ("X = (\n    1,\n\n    2)\n", 4, "a blank line inside code"),
        ("def f():\n    a()\n\n    # at the end\n", 4, "a blank line inside code"),
        (f"X = '{'x' * 70}'\n", 2, "woven it is 85 columns wide, 79 at most"),
        ("class B:\n    f()\n", 3, "only definitions and attributes"),
        ("X = 1; Y = 2\n", 2, "one statement a line"),
        ("@append\ndef g():\n    '''Doc.'''\n    a()\n", 4, "a docstring cannot be woven"),
        ("@append\ndef g(): a()\n", 3, "the body needs lines of its own"),
        ("@append\n@x\ndef g():\n    a()\n", 4, "one directive, and other decorators only with"),
        ("@decorate\ndef g(): ...\n", 3, "one directive, and other decorators only with"),
        ("@decorate\n@x\ndef g():\n    a()\n", 4, "the body of a decorated definition"),
        ("@after\ndef g():\n    a()\n", 3, "after and before take a dotted name"),
        ("@append('x')\ndef g():\n    a()\n", 3, "after and before take a dotted name"),
        ("@append(for_ever=1)\ndef g():\n    a()\n", 3, "since= and until= take a series"),
        ("@append(since=34.1)\ndef g():\n    a()\n", 3, "since= and until= take a series"),
        ("@append(until='34.x')\ndef g():\n    a()\n", 3, "since= and until= take a series"),
        ("RELEASES = 34\n", 2, "RELEASES is not like"),
        ("RELEASES = {'from': 34}\n", 2, "RELEASES is not like"),
        ("import a, b\nX = a\n", 2, "import one name a line"),
        ("@arguments\ndef g():\n    a()\n    b()\n", 3, "the body is one call"),
        ("X = entries(1)\n", 2, "entries takes one"),
        ("def f():\n    a()\nf = 1\n", 4, "f stands here a second time"),
        ("def f(:\n", 2, ""),
    ],
)
def test_an_error_names_the_change_file_and_its_line(change: str, line: int, reason: str) -> None:
    with pytest.raises(ChangeError, match=rf"manager\.py, line {line}: .*{reason}"):
        weave("import q\nX0 = 1\nclass B:\n    pass\ndef g():\n    a()\n", change)


def test_a_change_says_what_it_is_for() -> None:
    with pytest.raises(ChangeError, match="line 1: has no docstring"):
        engine.weave(b"a = 1\n", b"B = 2\n", path="a.py", series=34)


def test_a_nova_file_that_is_not_python_is_an_anchor_error() -> None:
    with pytest.raises(AnchorError, match=r"line 1: is not Python 3\.\d+: invalid syntax"):
        weave("def (:\n", "B = 2\n")
    with pytest.raises(AnchorError, match=r"is not Python 3\.\d+: .*null byte"):
        weave("a = 1\0\n", "B = 2\n")


CHANGE = "@append\ndef f():\n    g()\n    h()\n"


@pytest.mark.parametrize(
    ("base", "line"),
    [
        ("def f():\n    a()\n    b()  # xloud\n", 3),
        ("def f():\n    a()  # xloud\n", 2),
        ("def f():\n    a()\n    g()  # xloud\n", 3),
        ("def f():\n    a()\n    g()  # xloud\n    h()  # xloud\n    i()  # xloud\n", 5),
        ("def f():\n    a()\n    g()  # xloud\n    h()  # xloud\n    h()  # xloud\n", 5),
        ("X = 1  # xloud\ndef f():\n    a()\n    g()  # xloud\n    h()  # xloud\n", 1),
        ("def f():\n    g()  # xloud\n    h()  # xloud\n    a()\n", 2),
    ],
)
def test_marked_lines_of_another_origin_are_never_taken_out(base: str, line: int) -> None:
    with pytest.raises(MarkedLineError, match=rf"manager\.py, line {line}: .*Nova 34"):
        weave(base, CHANGE)
    told = ('"""Why."""\n' + CHANGE).encode()
    with pytest.raises(MarkedLineError, match=rf"manager\.py, line {line}: "):
        engine.unweave(base.encode(), told, path="nova/compute/manager.py", series=34)


def test_lines_that_only_speak_of_xloud_stay() -> None:
    base = "import xloud\n# xloud\ndef f():\n    a()  # of xloud\n    b() # xloud\n"
    check_woven(base, CHANGE, base + "    g()  # xloud\n    h()  # xloud\n")


@pytest.mark.parametrize(
    ("base", "reason"),
    [
        (b"a = 1\r\nb = 2\r\n", "line 1: has a carriage return"),
        (b"a = 1\nb = '\rc'\n", "line 2: has a carriage return"),
        ("\ufeffa = 1\n".encode(), "line 1: begins with a byte order mark"),
        ("# coding: latin-1\na = 'é'\n".encode("latin-1"), "line 2: is not UTF-8"),
    ],
)
@pytest.mark.parametrize("path", ["nova/a.py", "setup.cfg"])
def test_text_that_cannot_be_given_back_is_refused(base: bytes, reason: str, path: str) -> None:
    with pytest.raises(AnchorError, match=f"{path}: {reason}.*Nova 34"):
        engine.weave(base, b'"""Why."""\nB = 2\n', path=path, series=34)


@pytest.mark.parametrize(
    ("change", "line", "reason"),
    [
        (b'"""Why."""\r\nB = 2\r\n', 1, "has a carriage return"),
        (b'\xef\xbb\xbf"""Why."""\nB = 2\n', 1, "begins with a byte order mark"),
        (b'"""Why."""\nB = "\xe9"\n', 2, "is not UTF-8"),
    ],
)
@pytest.mark.parametrize("path", ["nova/a.py", "setup.cfg", "pyproject.toml", "a.rst"])
def test_a_change_file_that_cannot_be_read_is_refused(
    change: bytes, line: int, reason: str, path: str
) -> None:
    with pytest.raises(ChangeError, match=f"change of {path}, line {line}: {reason}"):
        engine.weave(b"A = 1\n", change, path=path, series=34)


@pytest.mark.parametrize(
    ("limits", "version", "woven"),
    [
        ('since="27.2"', (27, 1, 0), False),
        ('since="27.2"', (27, 2, 0), True),
        ('since="27.2"', (27, 10, 0), True),
        ('since="27.2"', (26, 3, 0), False),
        ('since="27.2"', (28, 0, 0), True),
        ('since="27.2"', (27,), True),
        ('since="27.2.1"', (27, 2, 0), False),
        ("since=27", (27, 0, 0), True),
        ('until="27.1"', (27, 1, 9), True),
        ('until="27.1"', (27, 2, 0), False),
        ('until="27.1"', (27,), False),
        ("until=27", (27, 5, 1), True),
        ('since="27.1", until="27.2"', (27, 1, 0), True),
        ('since="27.1", until="27.2"', (27, 3, 0), False),
    ],
)
def test_limits_take_point_releases(limits: str, version: tuple[int, ...], woven: bool) -> None:
    base = b"def f():\n    a()\n"
    series, point = version[0], version[1:]
    kinds = {
        "nova/a.py": f'"""Why."""\n@append({limits})\ndef f():\n    b()\n',
        "nova/b.py": f'"""Why."""\nRELEASES = dict({limits})\nB = 2\n',
    }
    kinds["nova/b.py"] = kinds["nova/b.py"].replace("dict(", "{").replace(")\nB", "}\nB")
    kinds["nova/b.py"] = re.sub(r"(since|until)=", r'"\1": ', kinds["nova/b.py"])
    for path, change in kinds.items():
        given = engine.weave(base, change.encode(), path=path, series=series, point=point)
        assert (given != base) == woven, path
        back = engine.unweave(given, change.encode(), path=path, series=series, point=point)
        assert back == base


def test_blank_lines_that_could_not_be_told_apart_are_refused() -> None:
    with pytest.raises(WeaveError, match="does not give the file back"):
        weave(
            "def f():\n    a()\n\n    b()\n",
            '@before("b")\ndef f():\n    def ours():\n        pass\n',
        )


def test_the_words_of_the_language_do_nothing() -> None:
    def function() -> int:
        return 1

    for word in (engine.append, engine.prepend, engine.before_return, engine.decorate):
        assert word(function) is function
        assert word(since=1)(function) is function
    assert engine.arguments(function) is function
    assert engine.after("a.b", until=2)(function) is function
    assert engine.before("a.b")(function) is function
    assert engine.entries((1,)) == (1,)


# -- any code ----------------------------------------------------------------------------------

_lines = st.sampled_from(
    ["x = 1", "", "# a comment", "g(1,\n  2)", "if a:\n    h()\n\n    # in it", "y = '''\n\n'''"]
)
_bodies = st.lists(_lines, max_size=6).map(lambda lines: "\n".join(["k = 0", *lines]))


def _indented(text: str) -> str:
    return "\n".join("    " + line if line else "" for line in text.split("\n"))


@settings(max_examples=150, deadline=None)
@given(
    before=_bodies,
    body=_bodies,
    after=_bodies,
    ours=st.sets(st.sampled_from(["method", "append", "prepend", "module", "class"]), min_size=1),
    newline=st.sampled_from(["\n", "", "\n\n"]),
)
def test_weaving_is_taken_back_whatever_stands_around(
    before: str, body: str, after: str, ours: set[str], newline: str
) -> None:
    base = f"{before}\nclass A:\n{_indented(f'def f(self):{chr(10)}{_indented(body)}')}\n{after}"
    parts = {
        "method": "class A:\n    def new(self):\n        n()\n",
        "prepend": "class A:\n    @prepend\n    def f(self):\n        n()\n",
        "append": "class A:\n    @append\n    def f(self):\n        n()\n",
        "module": "NEW = 1\n",
        "class": "class New(object):\n    def n(self):\n        n()\n",
    }
    woven = weave(base + newline, "".join(text for each, text in parts.items() if each in ours))
    marked = [line for line in woven.split("\n") if line.endswith("  # xloud")]
    assert marked
