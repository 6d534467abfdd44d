"""Where Nova comes from: upstream releases, a distribution's source package, a directory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from nova_xloud.errors import DirectoryError


class Base(NamedTuple):
    name: str
    version: str
    series: int
    date: int


def describe(directory: Path) -> Base:
    """Describe an unpacked base."""
    info = directory / "PKG-INFO"
    if not info.exists():
        raise DirectoryError(directory, "is no source of Nova: it has no PKG-INFO")
    version = re.search(r"^Version: (\d+)(\S*)$", info.read_text(), re.MULTILINE)
    if version is None:
        raise DirectoryError(info, "names no version")
    return Base(str(directory), version[1] + version[2], int(version[1]), int(info.stat().st_mtime))
