from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_xloud.ground import commands
from nova_xloud.ground.commands import answer, end_of, run
from nova_xloud.ground.errors import (
    FetchError,
    HashError,
    MirrorError,
    MissingToolError,
    NetworkError,
    NoSpaceError,
    OutOfMemoryError,
    SettingError,
    TimeLimitError,
    XloudError,
)

needs_root = pytest.mark.usefixtures("as_root")


def test_a_command_gives_what_it_printed() -> None:
    assert run(["sh", "-c", "echo $LC_ALL; echo b >&2"], "x") == "C.UTF-8\nb\n"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("cp: error writing: No space left on device", NoSpaceError),
        ("/usr/bin/python3: No module named pip", MissingToolError),
        ("THESE PACKAGES DO NOT MATCH THE HASHES", HashError),
        ("E: Failed to fetch x  Hash Sum mismatch", HashError),
        ("Temporary failure in name resolution", NetworkError),
        ("E: Could not connect to x (1.2.3.4), connection timed out", NetworkError),
        ("E: Failed to fetch x  Temporary failure resolving 'y'", NetworkError),
        ("something else", FetchError),
    ],
)
def test_why_a_command_failed_is_told_from_its_words(words: str, error: type[XloudError]) -> None:
    with pytest.raises(XloudError) as caught:
        run(["sh", "-c", 'echo "$0"; exit 3', words], "doing this")
    assert type(caught.value) is error


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(MissingToolError, match="no-such-program is not installed"):
        run(["no-such-program"], "x")


@contextlib.contextmanager
def small_disk(place: Path, taken: int = 4 << 20) -> Iterator[Path]:
    """A file system of four megabytes, all of it taken, or a part."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "small", place], check=True)
    try:
        (place / "all").write_bytes(bytes(taken))
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def ends(process: int) -> bool:
    """Say whether a process ends soon."""
    for _ in range(50):
        state = Path(f"/proc/{process}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.1)
    return False


def test_a_step_that_does_not_end_is_ended_with_all_that_it_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "_LOOK", 0.1)
    monkeypatch.setenv(commands.TIME_LIMIT_VARIABLE, "0.01")
    started = tmp_path / "started"
    script = f"sleep 600 & echo $! >{started}; wait"
    with pytest.raises(TimeLimitError, match=r"waiting: ended after 0\.01 minutes"):
        run(["sh", "-c", script], "waiting")
    assert ends(int(started.read_text()))


def test_who_waits_and_is_interrupted_ends_what_runs(tmp_path: Path) -> None:
    started = tmp_path / "started"
    wait = (
        "import signal, sys; from nova_xloud.ground.commands import run\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))\n"
        "run(['sh', '-c', 'sleep 600 & echo $! >\"$0\"; wait', sys.argv[1]], 'waiting')"
    )
    with subprocess.Popen([sys.executable, "-c", wait, started]) as waiting:
        while not started.exists() or not started.read_text():
            assert waiting.poll() is None
            time.sleep(0.05)
        waiting.terminate()
        assert waiting.wait(30) == 3
    assert ends(int(started.read_text()))


@pytest.mark.parametrize("told", ["soon", "0", "-1"])
def test_a_time_limit_is_minutes(monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    monkeypatch.setenv(commands.TIME_LIMIT_VARIABLE, told)
    with pytest.raises(SettingError, match="it wants minutes"):
        answer(["true"], MirrorError)


@needs_root
def test_a_program_that_waits_for_a_full_disk_is_ended_and_the_disk_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "_LOOK", 0.1)
    monkeypatch.setattr(commands, "_PATIENCE", 0.5)
    with small_disk(tmp_path / "disk") as disk, pytest.raises(NoSpaceError, match=str(disk)):
        end_of(["sleep", "600"], "waiting", places=[tmp_path, disk])


@needs_root
def test_a_program_that_does_nothing_any_more_on_a_nearly_full_disk_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As apt does with two megabytes left."""
    monkeypatch.setattr(commands, "_LOOK", 0.1)
    monkeypatch.setattr(commands, "_STALLED", 1)
    works = "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.3; done"
    with small_disk(tmp_path / "disk", taken=2 << 20) as disk:
        with (tmp_path / "log").open("w") as log:
            assert end_of(["sh", "-c", works], "working", stdout=log, places=[disk]).code == 0
        with pytest.raises(NoSpaceError, match=str(disk)):
            end_of(["sleep", "600"], "waiting", places=[tmp_path, disk])


@needs_root
def test_a_failure_without_words_on_a_full_disk_names_the_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        log = disk / "log"
        with log.open("w") as out, pytest.raises(NoSpaceError, match=str(disk)):
            end_of(["sh", "-c", "echo lost; exit 1"], "x", stdout=out, places=[disk])
        assert end_of(["true"], "x", places=[disk]).code == 0


@needs_root
def test_the_disk_that_a_program_writes_to_is_the_one_that_is_named(tmp_path: Path) -> None:
    """A program like dpkg-source or createrepo_c gets its place as an argument."""
    with small_disk(tmp_path / "disk", taken=1 << 20) as disk:
        fills = ["dd", "if=/dev/zero", f"of={disk}/file"]
        with pytest.raises(NoSpaceError, match=str(disk)):
            run(fills, "unpacking", places=[disk / "below"])
        with pytest.raises(NoSpaceError, match=str(disk)):
            answer(fills, MirrorError, places=[disk])


@contextlib.contextmanager
def little_memory() -> Iterator[Path]:
    """A control group with 40 MB, as the file that takes the process that shall be in it."""
    old = Path("/sys/fs/cgroup/memory")
    group = (old if old.is_dir() else Path("/sys/fs/cgroup")) / f"nova-xloud-test-{os.getpid()}"
    group.mkdir()
    try:
        limit = group / ("memory.limit_in_bytes" if old.is_dir() else "memory.max")
        limit.write_text(str(40 << 20))
        yield group / "cgroup.procs"
    finally:
        group.rmdir()


@needs_root
def test_what_the_kernel_ended_for_lack_of_memory_is_told() -> None:
    script = 'echo $$ >"$0"; exec "$1" -c "bytes([1]) * (400 << 20)"'
    with little_memory() as group, pytest.raises(OutOfMemoryError, match="lack of memory"):
        end_of(["sh", "-c", script, group, sys.executable], "a large build")


def test_a_kill_of_another_program_is_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter((1, 2))
    monkeypatch.setattr(commands, "_kills_for_memory", lambda: next(counts))
    assert end_of(["false"], "a build").code == 1
