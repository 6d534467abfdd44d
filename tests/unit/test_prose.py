"""The linter of the prose finds clauses without a noun, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import prose


def found(name: str, text: str, place: Path) -> list[tuple[int, str]]:
    """Return line and sentence of each clause in a file."""
    file = place / name
    file.write_text(text)
    lines = prose.prose(file)
    assert lines is not None
    return [(each.line, each.sentence) for each in prose.clauses(name, lines)]


@pytest.mark.parametrize(
    "sentence",
    [
        "Nothing of what is left changes.",
        "Return what it has.",
        "It counts what the guest has.",
        "Whatever was said of it, it stays.",
        "Return what comes of it.",
    ],
)
def test_a_clause_without_a_noun_is_found(sentence: str, tmp_path: Path) -> None:
    assert found("page.md", f"First.\n\n{sentence}\n", tmp_path) == [(3, sentence)]


@pytest.mark.parametrize(
    "sentence",
    [
        "It counts the memory that the guest has.",
        "See what kind of guest it has.",
        "The program says `what is left`.",
        "So what? It is fine.",
    ],
)
def test_a_plain_sentence_is_left_alone(sentence: str, tmp_path: Path) -> None:
    assert not found("page.md", f"{sentence}\n", tmp_path)


def test_a_clause_that_the_end_of_a_line_divides_is_found(tmp_path: Path) -> None:
    assert found("page.md", "It says what\nis left. More.\n", tmp_path) == [
        (1, "It says what is left.")
    ]


def test_lines_of_two_paragraphs_or_rows_are_no_sentence(tmp_path: Path) -> None:
    assert not found("page.md", "It asks what\n\nis left.\n\n- so what\n- it goes\n", tmp_path)


def test_code_is_not_prose(tmp_path: Path) -> None:
    assert not found("page.md", "```console\n$ echo what is left\n```\n", tmp_path)
    assert not found("module.py", 'TEXT = "what is left"\n', tmp_path)
    assert not found("run.sh", "#!/bin/sh\necho what is left\n", tmp_path)


def test_comments_and_docstrings_of_python_are_prose(tmp_path: Path) -> None:
    text = '"""Tell what is left."""\n\n# a comment on\n# what it has\nX = 1  # what was there\n'
    assert [line for line, _ in found("module.py", text, tmp_path)] == [1, 4, 5]


@pytest.mark.parametrize("name", ["run.sh", "settings.toml", "Makefile", "nova.spec.in"])
def test_comments_of_other_files_are_prose(name: str, tmp_path: Path) -> None:
    assert found(name, "x\n# what is left\n", tmp_path) == [(2, "what is left")]


def test_a_file_of_debian_has_no_ending(tmp_path: Path) -> None:
    (tmp_path / "debian").mkdir()
    assert found("debian/rules", "#!/usr/bin/make -f\n# what is left\n", tmp_path)


def test_a_program_without_an_ending_is_read_as_its_first_line_says(tmp_path: Path) -> None:
    assert found("ask", '#!/usr/bin/python3\n"""Ask what is left."""\n', tmp_path)
    assert found("run", "#!/bin/sh\n# what is left\n", tmp_path)
    (tmp_path / "LICENSE").write_text("what is left")
    assert prose.prose(tmp_path / "LICENSE") is None


def test_a_file_with_a_clause_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("Nothing is left.\n\nTell what it has.\n")
    assert prose.main(tmp_path) == 1
    told = capsys.readouterr().out
    assert "page.md:3: a clause without its noun: Tell what it has." in told
    assert "1 clauses" in told
    page.write_text("Nothing is left.\n")
    assert prose.main(tmp_path) == 0
    assert "0 clauses" in capsys.readouterr().out


def test_a_long_line_fails_outside_of_tables_links_and_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = "word " * 25
    page = tmp_path / "page.md"
    page.write_text(f"| {long} |\n\n```\n{long}\n```\n\n[{long}](page.md)\n")
    assert prose.main(tmp_path) == 0
    page.write_text(f"Short.\n{long}\n")
    assert prose.main(tmp_path) == 1
    assert "page.md:2: more than 100 columns" in capsys.readouterr().out
