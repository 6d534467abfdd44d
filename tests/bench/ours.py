"""Our builds, by the command that people give."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from nova_xloud.ground.errors import XloudError
from tests.bench.figures import Cost, best, measured


class Builds(NamedTuple):
    """What builds of one target, or several, took.

    :ivar cold: with an empty cache: the base is fetched, the clean root made
    :ivar warm: with both there
    :ivar unchanged: when there is nothing to do
    """

    cold: Cost
    warm: Cost
    unchanged: Cost

    def plus(self, other: Builds) -> Builds:
        """Return what both took together."""
        return Builds(*(one.plus(another) for one, another in zip(self, other, strict=True)))


class Builder:
    """The command, with a cache and a dist directory of its own.

    :param place: where both go; empty at first
    """

    def __init__(self, place: Path) -> None:
        self.dist = place / "dist"
        self._log = place / "ours.log"
        self._keys = place / "gnupg"

    def builds(self, target: str, turns: int) -> Builds:
        """Build a target cold, warm (the best of some turns) and with nothing to do."""
        cold = self.build(target)
        warm = best([self.build(target, "--force") for _ in range(turns)])
        return Builds(cold, warm, self.build(target))

    def build(self, target: str, *options: str) -> Cost:
        """Build a target once."""
        return measured(lambda: self._run("build", target, *options) or self._size(target))

    def mirror(self) -> Cost:
        """Write the signed mirror of all that was built."""
        keys = ("--gnupg-home", str(self._keys))
        return measured(lambda: self._run("mirror", str(self.dist.parent / "mirror"), *keys))

    def _run(self, command: str, *arguments: str) -> int:
        words = [sys.executable, "-m", "nova_xloud", command, *arguments, "--dist", str(self.dist)]
        with self._log.open("a") as out:
            done = subprocess.run(words, stdout=out, stderr=subprocess.STDOUT)
        if done.returncode:
            raise XloudError(f"nova-xloud {command} failed: {self._log.read_text()[-2000:]}")
        return 0

    def _size(self, target: str) -> int:
        """Return the size of the package with the library."""
        libraries = [
            each
            for pattern in ("python3-nova-xloud_*.deb", "python3-nova-xloud-[0-9]*.rpm", "*.whl")
            for each in (self.dist / target).glob(pattern)
        ]
        return libraries[0].stat().st_size
