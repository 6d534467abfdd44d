"""A library that we have built, compared with the distribution's."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import CHANGE_FILE, INFO, NOVA_FILE, PATH, STOCK, package

from nova_xloud import weave
from nova_xloud.trees import comparison

WOVEN = weave.weave(NOVA_FILE.encode(), CHANGE_FILE.encode(), path=PATH, series=31)
ADDED = {"nova/xloud/size.py"}
OURS = {
    **STOCK,
    PATH: WOVEN,
    "nova/xloud/size.py": b"# xloud\n",
    "nova/locale/de/LC_MESSAGES/nova.mo": b"another date",
    f"{INFO}/entry_points.txt": b"[a]\nb=c:d\n[console_scripts]\nnova-api=nova.cmd.api:main\n",
}


def test_ours_is_the_distributions_apart_from_our_lines(tmp_path: Path) -> None:
    theirs = package(tmp_path, STOCK)
    assert comparison.compare(package(tmp_path, OURS, "ours"), theirs, ADDED) == []


@pytest.mark.parametrize(
    ("path", "content", "told"),
    [
        (PATH, NOVA_FILE.encode() + b"x = 1\n", f"{PATH}: differs in more than our lines"),
        (PATH, WOVEN.replace(b"stop", b"halt"), f"{PATH}: differs in more than our lines"),
        ("nova/__init__.py", None, "nova/__init__.py: missing from ours"),
        ("nova/xloud/size.py", None, "nova/xloud/size.py: missing from ours"),
        ("nova/more.py", b"", "nova/more.py: not in the distribution's, and not one of ours"),
        (
            f"{INFO}/requires.txt",
            b"oslo.db\n",
            f"{INFO}/requires.txt: oslo.config is missing from ours",
        ),
        (f"{INFO}/entry_points.txt", b"[a]\nb = c:d\n", f"{INFO}/entry_points.txt: "),
        ("nova/locale/de/LC_MESSAGES/nova.mo", None, "nova.mo: missing from ours"),
    ],
)
def test_a_library_that_is_another_is_told_by_its_files(
    tmp_path: Path, path: str, content: bytes | None, told: str
) -> None:
    files = {**OURS, path: content}
    ours = package(tmp_path, {k: v for k, v in files.items() if v is not None}, "ours")
    (wrong,) = comparison.compare(ours, package(tmp_path, STOCK), ADDED)
    assert told in wrong
