"""How stdeb is called in a clean root; that its packages work is tested in tests/packages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from nova_xloud.ground import root
from nova_xloud.ground.errors import PackageError
from nova_xloud.packages import backports


@pytest.fixture
def merged(tmp_path: Path) -> Path:
    """An empty root."""
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def sdist(tmp_path: Path) -> Path:
    """A file for an sdist."""
    file = tmp_path / "os-vif-3.5.0.tar.gz"
    file.write_bytes(b"")
    return file


def test_a_package_is_built_of_each(
    merged: Path, sdist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Sequence[str]] = []

    def build(place: Path, command: Sequence[str], **options: object) -> int:
        told.append(command)
        assert options["environment"]["PBR_VERSION"] == "3.5.0"  # type: ignore[index]
        made = place / "backports/os-vif-3.5.0.tar.gz.d"
        made.mkdir()
        (made / "python3-os-vif_3.5.0-0xloud1_all.deb").write_text("package")
        return 0

    monkeypatch.setattr(root, "run_in", build)
    (made,) = backports.build(merged, [sdist], tmp_path / "log")
    assert made == merged / "backports/os-vif-3.5.0.tar.gz.d/python3-os-vif_3.5.0-0xloud1_all.deb"
    assert "--debian-version=0xloud1" in told[0]


def test_a_failure_names_the_library_and_the_log(
    merged: Path, sdist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(root, "run_in", lambda *arguments, **options: 2)
    with pytest.raises(PackageError, match=r"os-vif-3\.5\.0\.tar\.gz: see .*log"):
        backports.build(merged, [sdist], tmp_path / "log")


def test_nothing_is_done_for_nothing(merged: Path, tmp_path: Path) -> None:
    assert backports.build(merged, [], tmp_path / "log") == []
