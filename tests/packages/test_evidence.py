"""A test that fails leaves the evidence of its container, whether that runs or not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.packages.conftest import REPOSITORY

CONFTEST = """
from pathlib import Path
import pytest
from tests.packages import evidence
from tests.packages.container import booted
from tests.packages.evidence import pytest_runtest_makereport, pytest_runtest_protocol

evidence.FAILED = Path({failed!r})
LAYERS = [Path(each) for each in {layers!r}]

@pytest.fixture(scope="session")
def container(tmp_path_factory):
    with booted(LAYERS, Path({scratch!r}) / "one") as container:
        yield container

@pytest.fixture
def half_made():
    with booted(LAYERS, Path({scratch!r}) / "two") as container:
        container.sh("logger -t tried said-by-the-fixture; journalctl --sync")
        container.sh("exit 3")
        yield container
"""
TESTS = """
def test_passes(container):
    container.sh("logger -t tried said-by-the-first; journalctl --sync")

def test_fails(container):
    container.sh("echo written-by-the-second >/var/log/nova/tried.log")
    assert False

def test_ends(container):
    container.kill()
    assert False

def test_never_begins(half_made):
    pass
"""


@pytest.fixture(scope="module")
def failed(cloud_layers: tuple[Path, ...], scratch: Path) -> Path:
    """The evidence of a run of tests that fail in all ways."""
    place = scratch / "evidence"
    (place / "tests").mkdir(parents=True)
    failed = place / "failed"
    told = {
        "failed": str(failed),
        "layers": list(map(str, cloud_layers)),
        "scratch": str(scratch / "evidence-roots"),
    }
    (place / "tests/conftest.py").write_text(CONFTEST.format(**told))
    (place / "tests/test_tried.py").write_text(TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--rootdir={place}", place],
        env={"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True,
        text=True,
    )
    assert "2 failed, 1 passed, 1 error" in done.stdout, done.stdout + done.stderr
    for test in ("test_fails", "test_ends", "test_never_begins"):
        assert f"journal and logs: {failed}/test_tried.py-{test}" in done.stdout, done.stdout
    return failed


def test_a_container_that_runs_leaves_journal_logs_and_states(failed: Path) -> None:
    (left,) = (failed / "test_tried.py-test_fails").iterdir()
    assert "said-by-the-first" in (left / "journal.txt").read_text()
    assert "written-by-the-second" in (left / "var/log/nova/tried.log").read_text()
    assert "nova-scheduler.service" in (left / "systemctl-status.txt").read_text()
    assert "/lib/systemd/systemd" in (left / "processes.txt").read_text()
    assert (left / "console.log").exists()
    assert "it runs" in (left / "about.txt").read_text()


def test_a_container_that_has_ended_leaves_journal_and_logs(failed: Path) -> None:
    (left,) = (failed / "test_tried.py-test_ends").iterdir()
    assert "said-by-the-first" in (left / "journal.txt").read_text()
    assert "written-by-the-second" in (left / "var/log/nova/tried.log").read_text()
    assert "it does not run" in (left / "about.txt").read_text()


def test_a_container_that_a_fixture_could_not_make_leaves_its_journal(failed: Path) -> None:
    places = (failed / "test_tried.py-test_never_begins").iterdir()
    told = {place.name: (place / "journal.txt").read_text() for place in places}
    assert any("said-by-the-fixture" in journal for journal in told.values()), told.keys()


def test_a_test_that_passes_leaves_nothing(failed: Path) -> None:
    assert not (failed / "test_tried.py-test_passes").exists()
