"""The fixtures that the tests of images share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_xloud.ground import root


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that goes at the end."""
    made = Path(tempfile.mkdtemp(prefix="nova-xloud-kolla-", dir="/var/tmp"))
    yield made
    root.remove_tree(made)
