from __future__ import annotations

import pytest

from nova_xloud.weave import marks


def test_a_marked_line_is_told_from_one_that_only_talks_of_xloud() -> None:
    assert marks.is_marked(marks.mark("x = 1"))
    assert not marks.is_marked("import xloud")
    assert not marks.is_marked("# xloud")


def test_a_blank_line_is_never_marked() -> None:
    assert marks.mark("    ") == ""


@pytest.mark.parametrize(
    ("woven", "base"),
    [
        pytest.param(["a", "b  # xloud", "", "c"], ["a", "", "c"], id="blank after ours is theirs"),
        pytest.param(["a", "", "b  # xloud", "c"], ["a", "", "c"], id="blank before a statement"),
        pytest.param(
            ["a", "", "    def f():  # xloud", "        pass  # xloud", "", "c"],
            ["a", "", "c"],
            id="blank before our function is ours",
        ),
        pytest.param(
            ["a", "", "# why  # xloud", "@b  # xloud", "def f(): pass  # xloud", "c"],
            ["a", "c"],
            id="comments and decorators belong to our function",
        ),
        pytest.param(
            ["a", "", "@b  # xloud", "def f():", "    pass", ""],
            ["a", "", "def f():", "    pass", ""],
            id="blank before their function that we decorate is theirs",
        ),
        pytest.param(
            ["a", "", "", "b  # xloud", ""], ["a", ""], id="blank before ours at the end is ours"
        ),
        pytest.param(["a", "", "# b  # xloud", "c"], ["a", "", "c"], id="only a comment"),
    ],
)
def test_blank_lines_go_with_the_lines_they_came_with(woven: list[str], base: list[str]) -> None:
    assert marks.without_marked(woven) == base
