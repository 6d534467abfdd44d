"""The commands of docs/kolla.md, and the files that they must leave."""

from __future__ import annotations

from pathlib import Path

from tests.printed import commands

#: The release that the page takes.
_RELEASE = "31.3.1"
#: Where the image has Nova, below its root directory.
SITE = "var/lib/kolla/venv/lib/python3/site-packages"
#: The directory that the page writes to.
WRITTEN = "kolla-nova"


def of(heading: str, release: str = _RELEASE, settings: str = "patches.conf") -> list[str]:
    """Return the commands of a section, for a release and one of the two settings."""
    return [
        each.replace(_RELEASE, release).replace("patches.conf", settings)
        for each in commands("kolla.md", heading)
    ]


def assert_is_the_tree(top: Path, tree: Path) -> None:
    """Compare each module of Nova in an image with that of our tree.

    :param top: the root directory of the image
    """
    (site,) = {each.resolve() for each in top.glob(SITE.replace("python3/", "python3*/"))}
    compared = 0
    for file in (tree / "nova").rglob("*.py"):
        path = file.relative_to(tree)
        if path.parts[1] != "tests":
            assert (site / path).read_bytes() == file.read_bytes(), path
            compared += 1
    assert compared > 400
