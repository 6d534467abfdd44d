from __future__ import annotations

import pytest

from nova_xloud.commands import run
from nova_xloud.errors import (
    FetchError,
    HashError,
    MissingToolError,
    NetworkError,
    NoSpaceError,
    XloudError,
)


def test_a_command_gives_what_it_printed() -> None:
    assert run(["sh", "-c", "echo $LC_ALL; echo b >&2"], "x") == "C.UTF-8\nb\n"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("cp: error writing: No space left on device", NoSpaceError),
        ("/usr/bin/python3: No module named pip", MissingToolError),
        ("THESE PACKAGES DO NOT MATCH THE HASHES", HashError),
        ("E: Failed to fetch x  Hash Sum mismatch", HashError),
        ("Temporary failure in name resolution", NetworkError),
        ("E: Could not connect to x (1.2.3.4), connection timed out", NetworkError),
        ("E: Failed to fetch x  Temporary failure resolving 'y'", NetworkError),
        ("something else", FetchError),
    ],
)
def test_why_a_command_failed_is_told_from_its_words(words: str, error: type[XloudError]) -> None:
    with pytest.raises(XloudError) as caught:
        run(["sh", "-c", 'echo "$0"; exit 3', words], "doing this")
    assert type(caught.value) is error


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(MissingToolError, match="no-such-program is not installed"):
        run(["no-such-program"], "x")
