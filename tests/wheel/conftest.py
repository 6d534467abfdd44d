"""The fixtures that the tests of virtual environments share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_xloud.ground import root
from nova_xloud.packages import targets
from tests.nova.environment import NovaEnvironment
from tests.wheel.environment import Environment

RELEASE = targets.get("29.4.0-wheel").base


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that goes at the end."""
    made = Path(tempfile.mkdtemp(prefix="nova-xloud-wheel-", dir="/var/tmp"))
    yield made
    root.remove_tree(made)


@pytest.fixture
def installed(place: Path) -> Iterator[Environment]:
    """An environment with the release, installed by pip."""
    environment = NovaEnvironment(RELEASE)
    environment.prepare()
    tree = place / "tree"
    tree.mkdir()
    with root.overlay([environment.venv], place) as venv:
        made = Environment(environment, venv, tree)
        made.succeeds(f"pip install -q --no-deps nova=={RELEASE}")
        yield made
