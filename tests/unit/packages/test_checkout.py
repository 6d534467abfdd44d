"""The parts of a checkout: all are there, and their absence is told before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from nova_xloud.ground.errors import DirectoryError, PackageError
from nova_xloud.packages import checkout


def test_this_is_a_checkout() -> None:
    checkout.require()
    for part in (checkout.DEBIAN, checkout.RPM, checkout.DOCS):
        assert part.is_dir()


def test_an_installation_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkout, "DEBIAN", tmp_path / "debian")
    with pytest.raises(PackageError, match="packages are built in a checkout"):
        checkout.require()
    monkeypatch.setattr(checkout, "DEBIAN", tmp_path / "a\nb")
    with pytest.raises(DirectoryError):
        checkout.require()
