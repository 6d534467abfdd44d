"""A room for builds that need no root: a directory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from nova_xloud.ground.root import Recipe
from nova_xloud.packages import builds, targets


@contextlib.contextmanager
def room(target: targets.Target, recipe: Recipe, work: Path, log: Path) -> Iterator[builds.Room]:
    """Stand in for ``builds.room``."""
    (work / "area").mkdir()
    yield builds.Room(target.name, work, work / "area", log)
