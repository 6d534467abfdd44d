"""Fixtures that only Debian packages need."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def debs(built: Path) -> list[Path]:
    """The binary packages under test."""
    return sorted(built.glob("*.deb"))


def offered(layers: tuple[Path, ...]) -> list[Path]:
    """Return the distribution's own packages, of the uppermost layer that has some.

    A file that a layer removes is a device there.
    """
    found = ((layer / "srv/debian").glob("*.deb") for layer in layers)
    debs = ([deb for deb in layer if deb.is_file()] for layer in found)
    return next(each for each in debs if each)
