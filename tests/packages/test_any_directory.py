"""A build where the checkout's user has chosen unusual names for the directories."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nova_xloud.ground import root
from nova_xloud.ground.cache import sha256
from nova_xloud.packages import builds, targets

#: Each sign means something to a program that the builder runs.
NAME = "a b:c,d\\e \u00e9"


@pytest.mark.slow
def test_packages_are_built_in_any_directory_and_are_the_same_bytes(
    target: targets.Target, built: Path, stock: str, scratch: Path
) -> None:
    place = scratch / NAME
    place.mkdir()
    told = [] if target.is_distributions() else ["--provides", stock]
    command = [sys.executable, "-m", "nova_xloud", "build", target.name, "--no-companions", *told]
    done = subprocess.run(
        [*command, "--dist", place / "dist"],
        env={**os.environ, "NOVA_XLOUD_CACHE": str(place / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    for package in (each for kind in ("*.deb", "*.rpm") for each in built.glob(kind)):
        assert sha256(place / "dist" / target.name / package.name) == sha256(package)
    assert (place / "dist" / target.name / builds.RECORD).exists()
    root.remove_tree(place)
