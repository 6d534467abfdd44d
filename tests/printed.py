"""The commands of our documents, as they are printed there."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def commands(page: str, heading: str) -> list[str]:
    """Return the commands of a section, in their order.

    A command begins after ``$`` or ``#`` in a console block. A backslash at the end of a line
    continues it.

    :param page: a file of docs/
    :param heading: the title of the section, without its marks
    :raises AssertionError: if the section is missing or has no command
    """
    text = (DOCS / page).read_text()
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ [^\n]*\n\n|\Z)", text, re.M | re.S)
    assert found, f"{page} has no section {heading!r}"
    blocks = re.findall(r"^ *```console\n(.*?)^ *```", found[1], re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", "")
    printed = re.findall(r"^ *[$#] (.*)$", lines, re.MULTILINE)
    assert printed, f"{page}, {heading}: no commands"
    return printed


def program(page: str) -> str:
    """Return the one program of a page that is printed in Python.

    :param page: a file of docs/
    """
    blocks = re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text(), re.M | re.S)
    (found,) = blocks
    return str(found)
