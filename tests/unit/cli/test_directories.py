"""Directories on the command line: names that programs cannot be given are refused at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nova_xloud.cli import main as cli
from nova_xloud.ground.errors import DirectoryError


def run(*words: object) -> Result:
    return CliRunner().invoke(cli.main, [str(each) for each in words])


@pytest.mark.parametrize("name", ["a\nb", "a\tb", os.fsdecode(b"a\xff")])
def test_a_directory_that_programs_cannot_be_given_is_refused(tmp_path: Path, name: str) -> None:
    place = str(tmp_path / name)
    for words in (
        ["build", "debian-13", "--dist", place],
        ["mirror", place],
        ["mirror", str(tmp_path / "mirror"), "--gnupg-home", place],
    ):
        result = run(*words)
        assert result.exit_code == DirectoryError.exit_code, result.output
        assert "the name" in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_cache_that_programs_cannot_be_given_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOVA_XLOUD_CACHE", str(tmp_path / "a\nb"))
    result = run("tree", "29.4.0", tmp_path / "tree")
    assert result.exit_code == DirectoryError.exit_code
    assert not list(tmp_path.iterdir())
