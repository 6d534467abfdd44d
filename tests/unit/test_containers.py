"""The containers of builds and of Nova's suites end with the process that has started them."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

NOVA = """
import pathlib, sys
from tests.nova.environment import NovaEnvironment

work = pathlib.Path(sys.argv[1])
environment = NovaEnvironment("29.4.0")
environment.root = work / "root"
environment.run(["sleep", sys.argv[2]], work / "tree", work / "log", venv=work / "venv")
"""
BUILD = """
import pathlib, sys
from nova_xloud.ground import root

work = pathlib.Path(sys.argv[1])
root.run_in(work / "root", ["sleep", sys.argv[2]], log=work / "log")
"""
PATIENCE = 30


def running(*words: str) -> set[int]:
    """Return the processes of a command."""
    found = set()
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            told = (place / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if told[:-1] == list(words):
                found.add(int(place.name))
    return found


def wait_for(words: tuple[str, ...], *, gone: bool) -> set[int]:
    end = time.monotonic() + PATIENCE
    while bool(found := running(*words)) is gone and time.monotonic() < end:
        time.sleep(0.1)
    return found


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Path]:
    """Make a root that has no more than a shell and ``sleep``: no network is needed."""
    for name in ("tree", "venv", "root/usr", "root/etc"):
        (tmp_path / name).mkdir(parents=True)
    for tool in ("/bin/sh", "/bin/sleep"):
        linked = subprocess.run(["ldd", tool], capture_output=True, text=True, check=True)
        for file in (tool, *re.findall(r"/\S+", linked.stdout)):
            (tmp_path / f"root{file}").parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, tmp_path / f"root{file}")
    yield tmp_path
    for process in running("sleep", seconds(tmp_path)):  # where the test has failed
        os.kill(process, signal.SIGKILL)


def seconds(work: Path) -> str:
    """Return how long a container sleeps: a number that no other process has."""
    return f"9999.{os.getpid()}{sum(map(ord, str(work)))}"


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
@pytest.mark.parametrize("script", [NOVA, BUILD], ids=["nova", "build"])
def test_a_container_ends_with_the_process_that_has_started_it(
    work: Path, script: str, number: int
) -> None:
    words = ("sleep", seconds(work))
    run = subprocess.Popen([sys.executable, "-c", script, work, words[1]])
    try:
        assert wait_for(words, gone=False), (work / "log").read_text()
    finally:
        run.send_signal(number)
        assert run.wait(PATIENCE) == -number
    assert not wait_for(words, gone=True)
