"""The wheel of a companion that is a Python distribution: built by pip in a clean root."""

from __future__ import annotations

from pathlib import Path

from nova_xloud.ground import root
from nova_xloud.packages import builds, companions
from nova_xloud.packages.companions import Companion
from nova_xloud.packages.targets import Target

_BUILD = """\
set -eu
cd /build
tar --strip-components=1 -C tree -xf upstream.tar.gz
python3 -m pip wheel --quiet --no-deps --no-index --no-build-isolation --use-pep517 \\
	--wheel-dir=out ./tree
"""


def recipe(companion: Companion, target: Target) -> root.Recipe:
    """Return the recipe of the clean root: Python with tools that build a wheel."""
    named = target._replace(name=f"{companion.name}-{target.suite}-wheel")
    return builds.recipe(named, "python3-pip", "python3-setuptools", "python3-wheel")


def build(companion: Companion, target: Target, room: builds.Room) -> list[Path]:
    """Build the wheel.

    :raises PackageError: if the build fails
    """
    for name in ("tree", "out"):
        (room.area / name).mkdir(parents=True)
    (room.area / "upstream.tar.gz").write_bytes(companions.upstream(companion))
    date = str(companions.changelog(companion)[0].date)
    room.run(_BUILD, "pip", "the wheel (a few seconds)", SOURCE_DATE_EPOCH=date)
    return list((room.area / "out").glob("*.whl"))
