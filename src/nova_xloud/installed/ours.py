"""The additions and changes that the program carries: in the zip file that it runs from."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Mapping, NamedTuple

#: The names in the zip file. ``packages.zipapp`` writes them.
ABOUT = "about.json"
TREE = "nova_tree/"


class Ours(NamedTuple):
    """The content of the program.

    :ivar version: of nova-xloud
    :ivar digest: of all additions and changes; two programs with the same digest do the same
    :ivar first: the first series of Nova that the changes are made for
    :ivar last: the last one
    :ivar additions: the content of each file that we add, by its path in the Nova tree
    :ivar changes: the change file of each file of Nova's, by the path of that file
    """

    version: str
    digest: str
    first: int
    last: int
    additions: Mapping[str, bytes]
    changes: Mapping[str, bytes]


def load(archive: Path) -> Ours:
    """Read the content of a zip file."""
    parts: dict[str, dict[str, bytes]] = {"additions": {}, "changes": {}}
    with zipfile.ZipFile(archive) as opened:
        about = json.loads(opened.read(ABOUT).decode())
        for name in sorted(opened.namelist()):
            if name.startswith(TREE) and not name.endswith("/"):
                part, _, path = name[len(TREE) :].partition("/")
                parts[part][path] = opened.read(name)
    return Ours(
        about["version"],
        about["digest"],
        about["first"],
        about["last"],
        parts["additions"],
        parts["changes"],
    )


def is_wanted(path: str) -> bool:
    """Say whether a file of the Nova tree belongs into an installed one.

    Its services read nothing of the documents, and no test.
    """
    if path in ("setup.cfg", "pyproject.toml"):
        return True
    return path.startswith("nova/") and not path.startswith("nova/tests/")
