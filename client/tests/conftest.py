"""Fixtures: a cloud on the loopback interface, and the openstack command that talks to it."""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import Callable, Iterator, NamedTuple

import pytest
from openstackclient import shell

from .cloud import Cloud


class Done(NamedTuple):
    """The outcome of a command.

    :ivar ended: when it ended, by time.monotonic
    """

    code: int
    out: str
    err: str
    ended: float


Run = Callable[..., Done]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> Iterator[Cloud]:
    """A cloud, and the environment of a user of it."""
    made = Cloud()
    for name in [each for each in os.environ if each.startswith("OS_")]:
        monkeypatch.delenv(name)
    for name, value in {**made.environment, "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    yield made
    made.close()


@pytest.fixture
def openstack(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """The openstack command: ``openstack("server", "xloud", "show", "web1")``."""
    root = logging.getLogger()
    before = root.handlers[:], root.level

    def run(*words: str) -> Done:
        capsys.readouterr()
        app = shell.OpenStackShell()
        app.stdin, app.stdout, app.stderr = sys.stdin, sys.stdout, sys.stderr
        try:
            code = app.run([str(word) for word in words])
        except SystemExit as end:
            code = end.code
        ended = time.monotonic()
        said = capsys.readouterr()
        return Done(int(code or 0), said.out, said.err, ended)

    yield run
    for handler in root.handlers[:]:
        root.removeHandler(handler)
    for handler in before[0]:
        root.addHandler(handler)
    root.setLevel(before[1])
