"""Where the time of a build goes: the stages, by the lines that the build writes."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

#: The first stage begins with the command. Each further one begins with a line that has the text.
OF_DEB: tuple[tuple[str, str], ...] = (
    ("archive and base", ""),
    ("weave", "weaving our changes into"),
    ("source package", "building the packages"),
    ("debhelper", "dh binary --"),
    ("xz", "   dh_builddeb"),
    ("records, comparison, scratch", " dpkg-genbuildinfo"),
)
_PAUSE = 0.02


class Stages:
    """Follows the logs of a build while it runs; a context manager.

    :ivar seconds: of each stage that has begun, once the build has ended
    """

    def __init__(self, stages: Sequence[tuple[str, str]], *logs: Path) -> None:
        self.seconds: dict[str, float] = {}
        self._stages = list(stages)
        self._logs = {log: log.read_bytes() if log.exists() else b"" for log in logs}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="stages")

    def __enter__(self) -> Stages:
        self._begun = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _follow(self) -> None:
        name = self._stages.pop(0)[0]
        begun = self._begun
        while not self._ended.wait(_PAUSE):
            while self._stages and self._shows(self._stages[0][1]):
                now = time.monotonic()
                self.seconds[name] = now - begun
                begun, name = now, self._stages.pop(0)[0]
        self.seconds[name] = time.monotonic() - begun

    def _shows(self, text: str) -> bool:
        """Say whether a log has a line that it had not before the build."""
        return any(text.encode() in self._new(log, old) for log, old in self._logs.items())

    @staticmethod
    def _new(log: Path, old: bytes) -> bytes:
        """Return the text that a log has gained; all of it where the build writes it anew."""
        if not log.exists():
            return b""
        text = log.read_bytes()
        if text == old:
            return b""
        return text[len(old) :] if text.startswith(old) else text
