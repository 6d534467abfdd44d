"""What the tests of companions' packages share, whatever the format."""

from __future__ import annotations

from pathlib import Path

import pytest

from nova_xloud.packages import builds, companion_builds, companions, targets
from nova_xloud.packages.companions import Companion

DIST = Path(__file__).parents[2] / "dist"


def each_with(package_format: str) -> pytest.MarkDecorator:
    """Return a parameter of tests: each companion of the table that has packages of a format."""
    found = [each for each in companions.known().values() if package_format in each.formats]
    return pytest.mark.parametrize("companion", found, ids=lambda companion: companion.name)


def built(companion: Companion, target: targets.Target) -> Path:
    """Return the directory of the packages under test."""
    assert target.format in companion.formats
    place = DIST / companions.as_target(companion, target).name
    assert (place / builds.RECORD).exists(), f"no packages in {place}: run `make packages` first"
    return place


def built_again(companion: Companion, target: targets.Target, dist: Path) -> Path:
    """Build the packages of this checkout once more, in another directory."""
    place = companions.as_target(companion, target)
    with builds.turn(place, dist):
        digest = companion_builds.inputs(companion, target)
        companion_builds.build(companion, target, dist, digest)
    return dist / place.name
