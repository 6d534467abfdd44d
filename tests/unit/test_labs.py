"""Labs of tests: what they are told of the distribution's nova; they are made in tests/packages."""

from __future__ import annotations

import subprocess
from pathlib import Path

from nova_xloud import root
from tests.packages import labs

RECIPE = root.Recipe("test", "trixie", ("a",), ("--customize-hook=between",))


def run_hook(option: str, made: Path) -> None:
    """Do what mmdebstrap does with a hook."""
    script = option.partition("=")[2]
    subprocess.run(["sh", "-euc", script, "sh", made], check=True)


def test_apt_takes_one_version_of_nova_while_a_root_is_made(tmp_path: Path) -> None:
    recipe = labs.pinned(RECIPE, "2:31.0.0-6+deb13u2")
    first, between, last = recipe.hooks
    assert (between,) == RECIPE.hooks
    run_hook(first, tmp_path)
    pin = tmp_path / "etc/apt/preferences.d/nova"
    assert "Package: src:nova\nPin: version 2:31.0.0-6+deb13u2\n" in pin.read_text()
    run_hook(last, tmp_path)
    assert not pin.exists()


def test_another_version_is_another_root() -> None:
    assert labs.pinned(RECIPE, "1").digest != labs.pinned(RECIPE, "2").digest
