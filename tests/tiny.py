"""Packages of next to nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

_CONTROL = """\
Package: tiny
Version: {version}
Architecture: all
Maintainer: Nobody <nobody@example.org>
Section: misc
Priority: optional
Description: a package of nothing
"""


def make_deb(directory: Path, version: str, text: str = "nothing") -> Path:
    """Write the package ``tiny`` with a file ``text`` into a new directory; return it."""
    content = directory.parent / f"tiny-{version}-{text}"
    (content / "DEBIAN").mkdir(parents=True)
    (content / "DEBIAN/control").write_text(_CONTROL.format(version=version))
    (content / "text").write_text(text)
    directory.mkdir()
    subprocess.run(["dpkg-deb", "-b", content, directory], check=True, capture_output=True)
    return directory
