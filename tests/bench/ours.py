"""Our builds, by the command that people give."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from nova_xloud.ground.errors import XloudError
from tests.bench.figures import Cost, measured
from tests.bench.stages import OF_DEB, Stages


class Builder:
    """The command, with a cache and a dist directory of its own.

    :ivar stages: seconds of each stage of the last build
    """

    def __init__(self, place: Path) -> None:
        """Build in a place.

        :param place: where both go; empty at first
        """
        self.stages: dict[str, float] = {}
        self.dist = place / "dist"
        self._log = place / "ours.log"
        self._keys = place / "gnupg"

    def build(self, target: str, *options: str) -> Cost:
        """Build a target once; :attr:`stages` tells where the time went."""
        logs = (self._log, self.dist / f"{target}.log")
        with Stages(OF_DEB, *logs) as stages:
            # rivals build Nova alone
            words = ("build", target, "--no-companions", *options)
            cost = measured(lambda: self._run(*words) or self._size(target))
        self.stages = stages.seconds
        return cost

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
