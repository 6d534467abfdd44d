"""The commands and the program of docs/client.md, as printed, on a cloud on loopback."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.printed import DOCS, commands, program

REPOSITORY = Path(__file__).parents[2]


def _fakes() -> ModuleType:
    """Return the module with the cloud of the plugin's own tests."""
    file = REPOSITORY / "client/tests/cloud.py"
    spec = importlib.util.spec_from_file_location("client_cloud", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FAKES = _fakes()


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A cloud with the server of the page, and the environment of a user of it."""
    made = FAKES.Cloud()
    for name in [each for each in os.environ if each.startswith("OS_")]:
        monkeypatch.delenv(name)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    yield made
    made.close()


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True)


@pytest.mark.parametrize("heading", ["Adjust a server", "Show a server"])
def test_the_commands_of_the_page_succeed(cloud: Any, heading: str) -> None:
    cloud.actions = [[FAKES.event(None)], [FAKES.event("Success")]]
    for command in commands("client.md", heading):
        done = run(*shlex.split(command))
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_the_table_of_the_page_is_the_one_that_is_printed(cloud: Any) -> None:
    words = (
        "The server has 3 vCPUs and 2048 MiB now. It had 1 vCPUs and 1024 MiB before. "
        "The guest says that it uses all of its vCPUs."
    )
    cloud.actions = [[FAKES.event(None)], [FAKES.event("Success", words)]]
    cloud.status.update(current_vcpus=3, current_memory_mb=2048, guest_online_vcpus=3)
    (command,) = commands("client.md", "Adjust a server")
    assert run(*shlex.split(command)).stdout in (DOCS / "client.md").read_text()


def test_the_program_of_the_page_waits_and_tells_the_size(cloud: Any) -> None:
    cloud.actions = [[], [FAKES.event(None)], [FAKES.event("Success")]]
    cloud.status.update(current_vcpus=3, current_memory_mb=2048)
    done = run(sys.executable, "-c", program("client.md"))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "3 vCPUs, 2048 MiB\n"
    size = {"current_vcpus": 3, "current_memory_mb": 2048}
    assert [body for _, _, body in cloud.posts] == [size]


def test_the_program_of_the_page_tells_a_failure(cloud: Any) -> None:
    reason = "The guest gave back 0 of 2 vCPUs."
    cloud.actions = [[FAKES.event("Error", reason)]]
    done = run(sys.executable, "-c", program("client.md"))
    assert done.returncode == 1
    assert done.stderr == f"failed: {reason}\n"


def test_the_exit_codes_of_the_page_are_those_of_the_manual() -> None:
    manual = (REPOSITORY / "client/doc/openstack-xloud.rst").read_text()
    section = manual.partition("EXIT STATUS")[2].partition("EXAMPLES")[0]
    table = (DOCS / "client.md").read_text().partition("## Exit codes")[2].partition("## From")[0]
    codes = re.findall(r"^(\d)$", section, re.MULTILINE)
    assert codes == re.findall(r"^\| (\d) \|", table, re.MULTILINE)
    assert len(codes) == 4
