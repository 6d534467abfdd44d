"""An unpacked source of Nova as a base: which release it is."""

from __future__ import annotations

import email.utils
import re
from pathlib import Path

from nova_xloud.bases.base import Base
from nova_xloud.ground.errors import DirectoryError


def describe(directory: Path) -> Base:
    """Describe an unpacked base by its changelog (Debian) or its metadata (upstream).

    :raises DirectoryError: if it is no source of Nova
    """
    changelog = directory / "debian" / "changelog"
    info = directory / "PKG-INFO"
    if changelog.exists():
        text = changelog.read_text()
        found = re.match(r"nova \(((?:\d+:)?(\d+)[^)]*)\)", text)
        signed = re.search(r"^ -- .*>  (.*)$", text, re.MULTILINE)
        if found and signed:
            date = email.utils.parsedate_to_datetime(signed[1])
            return Base(str(directory), found[1], int(found[2]), int(date.timestamp()))
    elif info.exists():
        found = re.search(r"^Name: nova\nVersion: ((\d+)\S*)$", info.read_text(), re.MULTILINE)
        if found:
            date_of_release = int(info.stat().st_mtime)
            return Base(str(directory), found[1], int(found[2]), date_of_release)
    raise DirectoryError(directory, "is no source of Nova: nothing in it tells the version")
