"""The evidence that a booted container leaves when a test fails: journal, logs, services.

The conftest of each suite that boots containers imports the two hooks. The evidence of a test is in
``dist/reports/failed/TEST/CONTAINER/``; it goes when that test runs again.
"""

from __future__ import annotations

import contextlib
import datetime
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packages import container
from tests.packages.container import Container, ContainerError

FAILED = Path(__file__).parents[2] / "dist/reports/failed"
#: Seconds that one command in a container may take.
PATIENCE = 120
JOURNAL = "var/log/journal"
#: Questions to a container that runs, which no file answers.
_ASKED = {
    "journal.txt": "journalctl --no-pager -a -o short-precise",
    "systemctl-status.txt": (
        "systemctl --no-pager --full status --all 'nova*' 'openstack-nova*' libvirtd mariadb "
        "rabbitmq-server; systemctl --no-pager --failed; systemctl --no-pager list-jobs"
    ),
    "processes.txt": "ps -eo pid,ppid,lstart,stat,args --forest",
    "stamps.txt": "ls -lAR --time-style=full-iso /run/nova-xloud",
}
#: Files that a container has, in its root: logs, and the consoles of its guests.
_KEPT = ("var/log", "var/lib/nova/instances/*/console.log")


def place_of(item: pytest.Item) -> Path:
    """Return the directory that the evidence of a test goes to."""
    target = item.config.getoption("--target", None)
    name = f"{item.nodeid}@{target}" if target else item.nodeid
    return FAILED / re.sub(r"[^\w.@\[\]=-]+", "-", name.removeprefix("tests/"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[object]:
    """Have a container that ends by an error during a test leave its evidence as that test's.

    A fixture that fails takes its container down before its failure is reported.
    """
    place = place_of(item)
    shutil.rmtree(place, ignore_errors=True)
    with contextlib.ExitStack() as stack:
        stack.callback(setattr, container, "at_failure", container.at_failure)
        container.at_failure = lambda failed: keep(failed, place)
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[pytest.TestReport]:
    """Keep the evidence of all containers when a test fails, and tell where it is."""
    report = yield
    place = place_of(item)
    if report.failed:
        for each in container.known():
            keep(each, place)
        if place.exists():
            report.sections.append(("containers", f"journal and logs: {place}"))
    return report


def keep(failed: Container, place: Path) -> None:
    """Copy the evidence of a failure from a container, and name files that cannot be copied.

    Never raises: the test's own failure is the news.

    :param failed: the container, running or not, its root mounted
    :param place: the test's directory; that of the container in it is written anew
    """
    into = place / failed.name
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    missing = []
    told = [f"{datetime.datetime.now(datetime.UTC).isoformat()}: {failed.name}"]
    try:
        told.append(f"it runs; its first process is {failed.leader}")
        for name, script in _ASKED.items():
            missing += _ask(failed.inside("sh", "-c", script), into / name)
    except (ContainerError, OSError) as error:
        told.append(f"it does not run: {error}")
        # its own journalctl: the host's may be older than the files
        read = ["chroot", str(failed.root), "journalctl", "--no-pager", "-a", "-o", "short-precise"]
        missing += _ask([*read, "-D", f"/{JOURNAL}"], into / "journal.txt")
    shutil.copy(failed.console, into)
    for pattern in _KEPT:
        missing += _copy(failed, pattern, into)
    (into / "about.txt").write_text("\n".join([*told, *missing]) + "\n")


def _ask(command: list[str], answer: Path) -> list[str]:
    """Write the output of a command to a file; return the faults."""
    try:
        with answer.open("wb") as out:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                timeout=PATIENCE,
            )
    except (OSError, subprocess.SubprocessError) as error:
        return [f"{answer.name}: {error}"]
    # systemctl tells by its code how the services are, ls that there are no stamps
    return [f"{answer.name}: exit {done.returncode}"] if done.returncode else []


def _copy(failed: Container, pattern: str, into: Path) -> list[str]:
    """Copy files of a container, all but the journal's own; return the faults."""
    wrong = []
    for found in failed.root.glob(pattern):
        there = into / found.relative_to(failed.root)
        try:
            if found.is_dir():
                shutil.copytree(
                    found, there, symlinks=True, ignore=shutil.ignore_patterns("journal")
                )
            else:
                there.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(found, there)
        except (OSError, shutil.Error) as error:
            wrong.append(f"{found}: {error}")
    return wrong
