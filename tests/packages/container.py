"""A root booted under systemd in a throw-away container.

It is an overlay on the root, with a loopback of its own (no other network), so that nothing clashes
with the host.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from nova_xloud.ground import root

_NUMBERS = itertools.count(1)
_KNOWN: list[Container] = []


def _nothing(failed: Container) -> None:
    """Leave no evidence: no test runs."""


#: Called with a container whose block ends by an error, while its root is still mounted.
at_failure: Callable[[Container], None] = _nothing


class ContainerError(Exception):
    """A container did not come up, or a command in it failed; the text has its output."""


class Container:
    """A booted container.

    :ivar name: its name on the host, by its number in this process
    :ivar root: its merged file system, seen from the host
    :ivar console: a file with its messages while it boots
    """

    def __init__(
        self, merged: Path, console: Path, binds: Mapping[Path, str] | None = None
    ) -> None:
        """Name a container; it does not run yet.

        :param merged: its root
        :param console: a file that gets its messages while it boots
        :param binds: directories of the host and where they appear inside, writable
        """
        self.name = f"container-{next(_NUMBERS)}"
        self.root = merged
        self.console = console
        self._binds = [root.bind(host, there) for host, there in (binds or {}).items()]
        self._supervisor: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Boot, and wait until systemd has started all it has to.

        :raises ContainerError: if it ends, or takes more than three minutes
        """
        with self.console.open("ab") as out:
            self._supervisor = subprocess.Popen(
                [
                    *(*root.NSPAWN, "-D", str(self.root), "-b", "--private-network"),
                    *("-M", f"nova-test-{os.getpid()}-{next(_NUMBERS)}"),
                    *("--console=pipe", "--resolv-conf=off", *self._binds),
                ],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline and self._supervisor.poll() is None:
            time.sleep(0.5)
            with contextlib.suppress(ContainerError):
                state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
                if state in ("running", "degraded"):
                    return
        raise ContainerError(f"no boot: {self.console.read_text(errors='replace')[-3000:]}")

    @property
    def leader(self) -> int:
        """The container's first process, by the host's numbering.

        :raises ContainerError: if it is not running
        """
        if self._supervisor is None or self._supervisor.poll() is not None:
            raise ContainerError("the container is not running")
        pid = self._supervisor.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if not children:
            raise ContainerError("the container has no first process yet")
        return int(children[0])

    @property
    def seen(self) -> Path:
        """Its file system as its own processes see it, with the mounts there.

        :raises ContainerError: if it is not running
        """
        return Path(f"/proc/{self.leader}/root")

    def inside(self, *command: str, env: Mapping[str, str] | None = None) -> list[str]:
        """Return the host's command line that runs a command inside."""
        variables = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LC_ALL": "C.UTF-8",
            "DEBIAN_FRONTEND": "noninteractive",
            "NEEDRESTART_MODE": "l",
            **(env or {}),
        }
        assignments = [f"{name}={value}" for name, value in variables.items()]
        return ["nsenter", "-t", str(self.leader), "-a", "env", "-i", *assignments, *command]

    def run(
        self, *command: str, check: bool = True, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as root; standard error goes with standard output.

        :raises ContainerError: if it fails and ``check`` is set
        """
        done = subprocess.run(
            self.inside(*command, env=env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        if check and done.returncode:
            raise ContainerError(f"{shlex.join(command)}: exit {done.returncode}\n{done.stdout}")
        return done

    def sh(self, script: str) -> str:
        """Run a shell script inside and return its output.

        :raises ContainerError: if it fails
        """
        return self.run("sh", "-euc", script).stdout

    def stop(self) -> None:
        """Power off; after two minutes, pull the plug."""
        if self._supervisor is None or self._supervisor.poll() is not None:
            return
        os.kill(self.leader, signal.SIGRTMIN + 4)
        try:
            self._supervisor.wait(120)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Pull the plug."""
        if self._supervisor is not None and self._supervisor.poll() is None:
            os.kill(self.leader, signal.SIGKILL)
            self._supervisor.wait(120)


@contextlib.contextmanager
def watched(container: Container) -> Iterator[None]:
    """Know a container while the block runs; let it leave its evidence if that fails."""
    _KNOWN.append(container)
    try:
        yield
    except (Exception, pytest.fail.Exception):
        at_failure(container)
        raise
    finally:
        _KNOWN.remove(container)


def known() -> tuple[Container, ...]:
    """Return the containers whose root is mounted, whether they run or not."""
    return tuple(_KNOWN)


@contextlib.contextmanager
def booted(lower: Sequence[Path], scratch: Path) -> Iterator[Container]:
    """Boot a container on an overlay of layers; power it off and unmount it at the end."""
    with root.overlay(lower, scratch) as merged:
        container = Container(merged, scratch / "console.log")
        try:
            with watched(container):
                container.start()
                yield container
        finally:
            container.stop()
