"""kolla-build from the package index, in a virtual environment of its own, pinned by hashes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from nova_xloud.ground import cache

HERE = Path(__file__).resolve().parent
PINS = HERE / "pins"
#: The series of Kolla by the release of Nova that its images have.
KOLLA_OF = {"29.4.0": 18, "31.3.1": 20, "32.2.1": 21, "33.0.2": 22, "34.0.0": 23}
#: The first series of Kolla that applies patches.
FIRST_WITH_PATCHES = 20
#: Found before Kolla's: kolla-build with an engine that keeps the contexts of images.
_KEEPING = """\
#!/bin/sh
exec {python} {program} {contexts} "$@"
"""


class Kolla:
    """A series of Kolla."""

    def __init__(self, series: int) -> None:
        self.series = series
        pins = [PINS / "common.txt", PINS / f"{series}.txt"]
        told = hashlib.sha256(b"".join(each.read_bytes() for each in pins)).hexdigest()[:12]
        self._bin = cache.directory() / "kolla-tests" / f"kolla-{series}-{told}" / "bin"
        with cache.locked("kolla-tests"):
            ready = self._bin / "ready"
            if not ready.exists():
                self._install()
                ready.touch()

    def _install(self) -> None:
        venv = self._bin.parent
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        install = ("-m", "pip", "install", "-q", "--require-hashes")
        pins = PINS / f"{self.series}.txt"
        subprocess.run([self._bin / "python", *install, "-r", pins], check=True)

    def succeeds(self, command: str, place: Path, contexts: Path | None = None) -> str:
        """Run a shell command that must succeed, with kolla-build and nova-xloud first in PATH.

        :param place: the working directory
        :param contexts: gets the files that kolla-build hands to the container engine; None: the
            engine is Docker, which is not there
        :returns: its output
        """
        before = []
        if contexts:
            before.append(place / "bin")
            before[0].mkdir(exist_ok=True)
            program = before[0] / "kolla-build"
            python = self._bin / "python"
            words = {"python": python, "program": HERE / "engine.py", "contexts": contexts}
            program.write_text(_KEEPING.format(**words))
            program.chmod(0o755)
        path = [*before, self._bin, Path(sys.executable).parent, os.environ["PATH"]]
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=place,
            env={**os.environ, "PATH": ":".join(map(str, path))},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout
