"""A woven file is right, or the build stops: one refusal for each way in which it can be wrong."""

from __future__ import annotations

import pytest
from conftest import weave

from nova_xloud.ground.errors import AnchorError, ChangeError, WeaveError


def refuse(before: str, change: str, reason: str) -> None:
    """Make sure that a change is refused, with file, anchor and release."""
    with pytest.raises(AnchorError) as caught:
        weave(before, change)
    assert str(caught.value) == f"nova/compute/manager.py: {reason} (Nova 34)"


# -- names -------------------------------------------------------------------------------------

NAMES = """\
import os
from nova import utils
try:
    import libvirt
except ImportError:
    libvirt = None
if os.name:
    maybe = 1

class A:
    limit = 1

    def f(self, a, *b, c=1, **d):
        global module_wide
        module_wide = 1
        if a:
            early = one = 1
        else:
            early = 2
        with open(a) as handle:
            held = 1
        for each in b:
            looped = each
        try:
            tried = 1
        except ValueError as error:
            raise
        try:
            caught = 1
        except ValueError as error:
            pass
        if c:
            raising = 1
        else:
            raise ValueError()
        if (walrus := c):
            pass
        listed = [inner for inner in b]
        utils.here(a)
        late = 1

def last():
    pass
"""


@pytest.mark.parametrize(
    "expression",
    [
        *("a", "b", "c", "d", "self", "os", "utils", "libvirt", "maybe", "A", "last", "ours"),
        *("len", "__name__", "early", "handle", "held", "tried", "raising", "walrus"),
        "listed",
        *("module_wide", "[x for x in b if x]", "{x: y for x, y in d}", "(lambda x, *y: x + y)"),
        "f'{a}'",
        "ours if (e := a) else e",
    ],
)
def test_names_that_are_bound_on_every_way_are_used(expression: str) -> None:
    change = f"class A:\n    @before('utils.here')\n    def f(self):\n        ours({expression})\n"
    assert weave(NAMES, f"{change}\n\ndef ours(x):\n    return last(x)\n")


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("nobody", "is bound nowhere"),
        ("limit", "is bound nowhere"),
        ("inner", "is bound nowhere"),
        *((each, "is not bound there on every way") for each in ("one", "each", "looped")),
        *((each, "is not bound there on every way") for each in ("error", "caught", "late")),
    ],
)
def test_a_name_that_may_be_unbound_is_refused(name: str, how: str) -> None:
    change = f"class A:\n    @before('utils.here')\n    def f(self):\n        utils.x({name})\n"
    refuse(NAMES, change, f"A.f: the name {name} {how}")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("X = later\n", "X: the name later is bound nowhere"),
        ("X = Y\nY = 1\n", "X: the name Y is not bound there on every way"),
        ("X = maybe\n", "X: the name maybe is not bound there on every way"),
        ("@decorate\n@ours.wraps\ndef last(): ...\n", "last: the name ours is bound nowhere"),
        ("def g(a=b):\n    pass\n", "g: the name b is bound nowhere"),
        ("def g():\n    def h():\n        b()\n    return h\n", "g: the name b is bound nowhere"),
        ("class B(C):\n    pass\n", "B: the name C is bound nowhere"),
        ("ours.register()\n", "line 2 of the change: the name ours is bound nowhere"),
        (
            "def g():\n    x = x\n",
            "g: the name x is not bound there on every way",
        ),
    ],
)
def test_a_name_is_looked_for_where_python_would(change: str, reason: str) -> None:
    refuse(NAMES, change, reason)


def test_what_runs_later_may_use_what_comes_later() -> None:
    assert weave(NAMES, "def g():\n    def h():\n        return B\n    return h\n\nB = 1\n")


def test_an_entry_that_uses_a_later_import_is_refused() -> None:
    before = "import os\nX = [\n    1,\n]\nif os:\n    from nova import late\n"
    refuse(before, "X = entries([late])\n", "X: the name late is not bound there on every way")


FREED = """\
def f(a, b):
    {0}
    a()
"""


@pytest.mark.parametrize(
    "freeing",
    [
        "del b",
        "if a:\n        del b",
        "for b in a:\n        del b",
        "with a as c:\n        del c, b",
        "try:\n        pass\n    except ValueError as b:\n        pass",
        "while a:\n        try: pass\n        except ValueError as b: pass",
    ],
)
def test_a_name_that_may_be_deleted_is_refused(freeing: str) -> None:
    refuse(
        FREED.format(freeing),
        "@before('a')\ndef f(a, b):\n    a(b)\n",
        "f: the name b is not bound there on every way",
    )


def test_a_loop_may_have_deleted_a_name_before() -> None:
    refuse(
        "def f(a, b):\n    for c in a:\n        a()\n        del b\n",
        "@before('a')\ndef f(a, b):\n    a(b)\n",
        "f: the name b is not bound there on every way",
    )


def test_the_name_of_an_error_that_is_given_on_stays_bound() -> None:
    before = FREED.format("try:\n        pass\n    except ValueError as b:\n        raise")
    assert weave(before, "@before('a')\ndef f(a, b):\n    a(b)\n")


# -- imports of the change ---------------------------------------------------------------------

HOOKED = """\
import os
{0}

class A:
    {1}
    def f(self, a):
        {2}
        a()

    def g(self):
        pass
{3}
"""
HOOKS = """\
from nova.xloud import hooks

class A:
    @before('a')
    def f(self, a):
        hooks.f(a)

    @decorate
    @hooks.g
    def g(self): ...
"""


def hooked(head: str = "", member: str = "x = 1", local: str = "x = 1", foot: str = "") -> str:
    return HOOKED.format(head, member, local, foot)


@pytest.mark.parametrize("place", ["head", "foot"])
@pytest.mark.parametrize(
    "binding",
    [
        *("hooks = None", "hooks: object = None", "def hooks(): pass", "class hooks: pass"),
        *("for hooks in (): pass", "if os:\n    hooks = 1", "(hooks := 1)", "a, *hooks = ''"),
        *("with os as hooks: pass", "try: pass\nexcept OSError as hooks: pass", "del hooks"),
        *("def h():\n    global hooks\n    hooks = 1", "def h(): global hooks; hooks = 1"),
        *("def h():\n\f    global hooks\n    hooks = 1", "for x in os:\n    import os as hooks"),
        "match os:\n    case [hooks]: pass",
        "match os:\n    case {**hooks}: pass",
    ],
)
def test_nothing_else_in_the_module_has_the_name_of_an_import(binding: str, place: str) -> None:
    with pytest.raises(AnchorError, match=r"hooks: line \d+ gives the name hooks to some"):
        weave(hooked(**{place: binding}), HOOKS)


@pytest.mark.parametrize(
    "before",
    [
        hooked(local="hooks = a"),
        hooked(local="for hooks in a: pass").replace("(self, a)", "(self, a, b)"),
        hooked().replace("(self, a)", "(self, a, hooks)"),
        hooked(local="a()\n        hooks = 1").replace("        a()\n\n", "\n"),
        hooked(member="hooks = 1"),
        hooked(member="def hooks(self): pass"),
        hooked(member="if os:\n        import os as hooks"),
    ],
)
def test_nothing_between_an_import_and_its_use_has_its_name(before: str) -> None:
    with pytest.raises(
        AnchorError,
        match=r"A\.[fg]: the name hooks is the change's import, but the function or class has",
    ):
        weave(before, HOOKS)


def test_a_function_may_use_the_name_of_an_import_for_itself() -> None:
    assert weave(hooked(foot="def h(hooks):\n    hooks()\n"), HOOKS)
    # The names of a class are not seen in its functions.
    without_decorator = HOOKS.partition("    @decorate")[0]
    assert weave(hooked(member="hooks = 1"), without_decorator)
    assert weave(hooked(head="if os:\n    from nova.xloud import hooks"), HOOKS)


# -- attributes --------------------------------------------------------------------------------

CLASSES = """\
class Base(object):
    inherited = 1

class A(Base, other.Base):
    member = 1

    def f(self):
        self.set_here = 1
        return self.of_other_base
"""


@pytest.mark.parametrize(
    "name", ["inherited", "member", "f", "set_here", "of_other_base", "ours", "given"]
)
def test_attributes_that_a_class_shows_are_used(name: str) -> None:
    change = f"""
    class A:
        def ours(self):
            self.given = 1
            return self.{name}
    """
    assert weave(CLASSES, change)


def test_an_attribute_that_a_class_does_not_show_is_refused() -> None:
    change = "class A:\n    @prepend\n    def f(self):\n        self.gone()\n"
    refuse(CLASSES, change, "A.f: the class A has no attribute gone")


# -- decorated functions -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("has", "states", "reason"),
    [
        ("def f(a, b, c):", "def f(a, b): ...", ""),
        ("def f(a, *, b):", "def f(a, *, b): ...", ""),
        ("async def f(a):", "async def f(a): ...", ""),
        ("def f():", "def f(): ...", ""),
        (
            "def f(b, a):",
            "def f(a, b): ...",
            "f: has the parameters (b, a), the change states (a, b)",
        ),
        ("def f(a):", "def f(): ...", "f: has the parameters (a), the change states ()"),
        ("def f(a):", "def f(a, b): ...", "f: has the parameters (a), the change states (a, b)"),
        ("def f(a):", "def f(a, *, b): ...", "f: has no parameter b"),
        (
            "async def f(a):",
            "def f(a): ...",
            "f: is a coroutine function, the change states a function",
        ),
        (
            "def f(a):",
            "async def f(a): ...",
            "f: is a function, the change states a coroutine function",
        ),
    ],
)
def test_a_decorated_function_is_the_one_that_is_stated(has: str, states: str, reason: str) -> None:
    before = f"def ours(f):\n    return f\n\n\n{has}\n    pass\n"
    change = f"@decorate\n@ours\n{states}\n"
    if reason:
        refuse(before, change, reason)
    else:
        assert weave(before, change)


@pytest.mark.parametrize("body", ["yield", "x = yield", "if a:\n        yield from a"])
def test_a_generator_is_another_kind_of_function(body: str) -> None:
    before = f"def ours(f):\n    return f\n\n\ndef f(a):\n    {body}\n"
    change = "@decorate{0}\n@ours\ndef f(a): ...\n"
    assert weave(before, change.format('(kind="generator function")'))
    refuse(before, change.format(""), "f: is a generator function, the change states a function")


def test_a_function_around_a_generator_is_none() -> None:
    nested = "def g():\n        yield\n    return lambda: (yield)"
    before = f"def ours(f):\n    return f\n\n\ndef f(a):\n    {nested}\n"
    assert weave(before, "@decorate\n@ours\ndef f(a): ...\n")


@pytest.mark.parametrize(
    ("decorator", "kind"),
    [
        *(("builtins.staticmethod", "staticmethod"), ("f.getter", "f.getter")),
        *(("functools.cached_property", "functools.cached_property"), ("f.setter", "f.setter")),
        ("abc.abstractclassmethod", "abc.abstractclassmethod"),
    ],
)
def test_a_kind_is_known_by_any_name(decorator: str, kind: str) -> None:
    before = f"def ours(f):\n    return f\n\n\nclass A:\n    @{decorator}\n    def f(a): pass\n"
    change = "class A:\n    @decorate\n    @ours\n    def f(a): ...\n"
    refuse(before, change, f"A.f: is a {kind}, the change states a function")


@pytest.mark.parametrize("kind", ["property", "staticmethod", "classmethod"])
def test_the_kind_of_a_decorated_method_is_the_one_that_is_stated(kind: str) -> None:
    before = f"def ours(f):\n    return f\n\n\nclass A:\n    @{kind}\n    def f(a):\n        pass\n"
    change = "class A:\n    @decorate{0}\n    @ours\n    def f(a): ...\n"
    assert weave(before, change.format(f'(kind="{kind}")'))
    refuse(before, change.format(""), f"A.f: is a {kind}, the change states a function")


# -- places ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("if a:\n  return 1\n else:\n  return 2", "on every way: nothing can follow"),
        ("while True:\n  a()", "on every way: nothing can follow"),
        ("try:\n  return a()\n except ValueError:\n  raise", "on every way: nothing can follow"),
        ("with a:\n  return 1", "on every way: nothing can follow"),
        ("while 1:\n  for x in a: break", "on every way: nothing can follow"),
        ("while 1:\n  def g():\n   while a: break", "on every way: nothing can follow"),
        ("for x in a: pass\n else: return 1", "on every way: nothing can follow"),
        ("while a(): pass\n else: raise a", "on every way: nothing can follow"),
        ("if not False: return 1", "on every way: nothing can follow"),
        (
            "match a:\n  case 1: return 1\n  case _: raise a",
            "on every way: nothing can follow",
        ),
        ("if a:\n  return\n a()", "returns early on line 3: the end is not always reached"),
    ],
)
def test_an_end_that_is_not_always_reached_is_refused(body: str, reason: str) -> None:
    with pytest.raises(AnchorError, match=rf"manager\.py: f: .*{reason}.*Nova 34"):
        weave(f"def f(a):\n {body}\n", "@append\ndef f(a):\n    a()\n")


@pytest.mark.parametrize(
    "body",
    [
        *("while 1:\n  if a: break", "for x in a: break\n else: raise a", "if 0: raise a"),
        *("for x in a:\n  for y in a: pass\n  else: break\n else: raise a", "while 0: raise a"),
        *("match a:\n  case 1: raise a", "match a:\n  case _ if a(): raise a"),
    ],
)
def test_an_end_that_is_reached_is_a_place(body: str) -> None:
    assert weave(f"def f(a):\n {body}\n", "@append\ndef f(a):\n    a()\n")


def test_a_change_says_that_it_knows_of_an_early_return() -> None:
    before = "def f(a):\n    def g():\n        return 1\n    a()\n"
    assert weave(before, "@append\ndef f(a):\n    a()\n")
    before = "def f(a):\n    if a:\n        return\n    a()\n"
    assert weave(before, "@append(despite='return')\ndef f(a):\n    a()\n")


@pytest.mark.parametrize(
    ("body", "despite", "reason"),
    [
        (
            "def g():\n        x = 1\n    g()",
            "nested",
            'f: line 3 is in g, which is nested (see despite="nested")',
        ),
        (
            "try:\n        a()\n    except ValueError:\n        x = 1",
            "except",
            'f: line 5 is in an except that swallows the error (see despite="except")',
        ),
    ],
)
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_statement_that_runs_elsewhere_is_refused(
    body: str, despite: str, reason: str, side: str
) -> None:
    before = f"def f(a):\n    {body}\n"
    refuse(before, f"@{side}('x')\ndef f(a):\n    a()\n", reason)
    assert weave(before, f"@{side}('x', despite='{despite}')\ndef f(a):\n    a()\n")


@pytest.mark.parametrize(
    "rest",
    [
        *("if a:\n   return\n  raise", "for x in a:\n   continue\n  raise"),
        "with excutils.save_and_reraise_exception(reraise=False):\n   pass",
        "with excutils.save_and_reraise_exception() as c:\n   c.reraise = False",
    ],
)
def test_a_handler_that_may_swallow_the_error_is_refused(rest: str) -> None:
    before = f"def f(a):\n try:\n  a()\n except ValueError:\n  y = 1\n  {rest}\n"
    reason = 'f: line 5 is in an except that swallows the error (see despite="except")'
    refuse(before, "@before('y')\ndef f(a):\n    a()\n", reason)


@pytest.mark.parametrize(
    "change",
    ["@before('b.c')\ndef f(a):\n    a()\n", "@arguments\ndef f(a):\n    b.c(1)\n"],
)
def test_a_call_in_a_lambda_runs_elsewhere(change: str) -> None:
    before = "def f(a):\n    x = lambda: b.c(\n        2,\n    )\n"
    refuse(
        before, change, 'f: line 2 calls b.c in a lambda, which is nested (see despite="nested")'
    )
    accepted = change.replace("'b.c'", "'b.c', despite='nested'")
    assert weave(before, accepted.replace("@arguments", "@arguments(despite='nested')"))


def test_a_statement_with_a_lambda_is_a_place() -> None:
    before = "def f(a):\n    x = b(lambda: a)\n"
    assert weave(before, "@before('x')\ndef f(a):\n    a()\n")
    assert weave(before, "@after('b')\ndef f(a):\n    a()\n")


@pytest.mark.parametrize("last", ["raise", "with excutils.save_and_reraise_exception():\n   x = 1"])
def test_a_handler_that_gives_the_error_on_is_a_place(last: str) -> None:
    before = f"def f(a):\n try:\n  a()\n except ValueError:\n  y = 1\n  {last}\n"
    assert weave(before, "@before('y')\ndef f(a):\n    a()\n")


@pytest.mark.parametrize(
    ("body", "change", "reason"),
    [
        ("raise a\n    b = 1", "@before('b')", "f: nothing reaches line 3"),
        ("raise a\n    return 1", "@before_return", "f: nothing reaches line 3"),
        ("if 0:\n        b = 1", "@before('b')", "f: nothing reaches line 3"),
        ("while not True:\n        b = 1", "@after('b')", "f: nothing reaches line 3"),
        (
            "if 1:\n        a()\n    else:\n        b = 1",
            "@after('b')",
            "f: nothing reaches line 5",
        ),
        (
            "while 1:\n        a()\n    else:\n        b = 1",
            "@after('b')",
            "f: nothing reaches line 5",
        ),
        (
            "if b(a):\n        return 1\n    else:\n        raise a",
            "@after('b')",
            "f: nothing can follow line 2: each way leaves",
        ),
    ],
)
def test_a_place_that_is_never_reached_is_refused(body: str, change: str, reason: str) -> None:
    refuse(f"def f(a):\n    {body}\n", f"{change}\ndef f(a):\n    a()\n", reason)


def test_the_anchors_of_a_function_come_in_the_stated_order() -> None:
    change = "@after('b')\ndef f(a):\n    x = a\n@before('c')\ndef f(a, x):\n    a(x)\n"
    assert weave("def f(a):\n    b = 1\n    c = 2\n", change.replace("(a, x)", "(a)"))
    refuse(
        "def f(a):\n    c = 2\n    b = 1\n",
        change.replace("(a, x)", "(a)"),
        "f: line 2 comes before line 4, which the change names first",
    )


# -- the whole file ----------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["await a", "yield a", "return a", "nonlocal a"])
def test_a_file_that_only_parses_is_refused(line: str) -> None:
    with pytest.raises(
        WeaveError, match=r"manager\.py: line 2 of the change: line \d would not be Python .Nova 34"
    ):
        weave("a = 1\n", f"{line}\n")


@pytest.mark.parametrize(
    "directive",
    [
        "append(despite='love')",
        "append(despite=1)",
        "append(kind='property')",
        "append(despite=a)",
    ],
)
def test_a_word_that_is_not_of_the_language_is_refused(directive: str) -> None:
    with pytest.raises(ChangeError, match=r"manager\.py, line 3: "):
        weave("def f():\n    pass\n", f"@{directive}\ndef f():\n    f()\n")
