"""The documented life of an adjust is the one in the code."""

from __future__ import annotations

import ast

from nova_xloud.trees import tree

ADDITIONS = tree.sources() / "additions"
DOCUMENT = tree.sources().parents[1] / "docs" / "architecture.md"


def table_of_the_code() -> list[tuple[str, ...]]:
    """Return the rows of LIFE in nova/xloud/lifecycle.py."""
    module = ast.parse((ADDITIONS / "nova/xloud/lifecycle.py").read_text())
    (life,) = [
        node.value
        for node in module.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LIFE"
    ]
    assert isinstance(life, ast.Tuple)
    return [
        tuple(ast.literal_eval(field) for field in row.args)
        for row in life.elts
        if isinstance(row, ast.Call)
    ]


def table_of_the_document() -> list[tuple[str, ...]]:
    """Return the rows of the table below "The life of an adjust"."""
    section = DOCUMENT.read_text().partition("### The life of an adjust")[2]
    lines = [line for line in section.partition("\n- ")[0].splitlines() if line.startswith("|")]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines[2:]]


def test_the_document_has_the_table_of_the_code() -> None:
    documented = [tuple(cell.replace("`", "") for cell in row) for row in table_of_the_document()]
    assert documented == table_of_the_code()


def test_each_move_of_the_table_is_a_function() -> None:
    module = ast.parse((ADDITIONS / "nova/xloud/lifecycle.py").read_text())
    functions = {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
    moves = {name for row in table_of_the_code() for name in row[3].split(", ")} - {"-"}
    assert moves <= functions


def test_each_state_is_reached() -> None:
    rows = table_of_the_code()
    states = [row[0] for row in rows]
    reached = {state for row in rows for state in row[4].split(", ")} - {"-"}
    assert reached == set(states) - {"none"}


def test_nothing_else_makes_a_move() -> None:
    """Only lifecycle.py writes the task state, the intent and the end of the action."""
    words = ("event_finish", "action_start", "XLOUD_ADJUSTING\n", ".task_state = ", "Intent.drop")
    found = [
        f"{module.name}: {word}"
        for module in sorted((ADDITIONS / "nova/xloud").rglob("*.py"))
        if module.name != "lifecycle.py"
        for word in words
        if word in module.read_text()
    ]
    assert not found, found
