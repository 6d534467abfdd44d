"""A booted cloud as the scenarios see it: its packages, services, API and logs."""

from __future__ import annotations

import json
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from tests.packages.container import Container

POLICY = "/etc/nova/policy.d/10-xloud.yaml"
API = "http://127.0.0.1:8774"
SERVER = "5bc18ba9-6a34-4d76-8f8a-a3dbf83b7e4c"


@dataclass
class Cloud(ABC):
    """A container with Nova running, and the repositories it installs from.

    :cvar manager: the package manager, as it is called
    :cvar library: where the distribution has the library
    :cvar prefix: the beginning of the names of its units
    :cvar running: the units that run
    :cvar resting: those that do not: one enabled but stopped, two disabled, one masked
    :cvar simple: those of the type simple, which never are "Starting"
    :cvar ours: our packages
    :cvar documents: files that come with them
    :cvar upgrades: the arguments that let a package manager upgrade all packages
    :cvar unwanted: the command that would replace our library by accident, while the distribution's
        next update is there and ours for it is not
    """

    manager: ClassVar[str]
    library: ClassVar[str]
    prefix: ClassVar[str]
    running: ClassVar[tuple[str, ...]]
    resting: ClassVar[tuple[str, ...]]
    simple: ClassVar[tuple[str, ...]] = ()
    ours: ClassVar[tuple[str, ...]]
    documents: ClassVar[tuple[str, ...]]
    upgrades: ClassVar[tuple[str, ...]]
    unwanted: ClassVar[str]

    container: Container
    cursor: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self.sh(f"systemctl stop {self.resting[0]}")
        self.wait_for_api()
        self.mark()

    def sh(self, script: str) -> str:
        """Run a shell script inside and return its output."""
        return self.container.sh(script)

    # packages -------------------------------------------------------------------------------

    def manage(self, arguments: str) -> str:
        """Run the package manager, check that it leaves nothing half done; return its output."""
        output = self.sh(f"{self.manager} {arguments}")
        self.assert_sane()
        return output

    def leaves_all(self, arguments: str) -> str:
        """Run the package manager, which may fail, but changes no package; return its output."""
        before = self.versions()
        done = self.container.run("sh", "-euc", f"{self.manager} {arguments}", check=False)
        assert self.versions() == before, done.stdout
        self.assert_sane()
        return done.stdout

    def refused(self, arguments: str) -> str:
        """Run the package manager, which must fail; return its output."""
        done = self.container.run("sh", "-euc", f"{self.manager} {arguments}", check=False)
        assert done.returncode, done.stdout
        self.assert_sane()
        return done.stdout

    @abstractmethod
    def assert_sane(self) -> None:
        """Check that no package is broken or half installed."""

    @abstractmethod
    def use_mirror(self, mirror: Path) -> None:
        """Make a mirror of ours, as it lies on the host, the one the container installs from."""

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Return the version of each package about Nova, or how it is if not fully installed."""

    def stock_versions(self) -> dict[str, str]:
        """Return the distribution's packages of Nova and how they are."""
        return {name: how for name, how in self.versions().items() if "xloud" not in name}

    @abstractmethod
    def swap_in(self) -> str:
        """Install ours over the distribution's library; return the output."""

    @abstractmethod
    def reinstall(self) -> str:
        """Install ours again; return the output."""

    @abstractmethod
    def swap_back(self) -> str:
        """Install the distribution's library over ours; return the output."""

    @abstractmethod
    def shipped(self) -> list[str]:
        """Return the paths that our packages have brought."""

    @abstractmethod
    def distribution_moves(self, stock: str, later: str) -> None:
        """Have the distribution publish its next update."""

    @abstractmethod
    def try_what_is_unwanted(self) -> str:
        """Have the package manager refuse the command that the guide warns of; return its words."""

    # services -------------------------------------------------------------------------------

    def mark(self) -> None:
        """Count restarts, and look for log lines, from here on."""
        self.cursor = self.sh("journalctl -q -n 0 --show-cursor").split()[-1]
        self.sh("for f in /var/log/nova/*.log; do : >$f; done")

    def restarts(self) -> dict[str, int]:
        """Return how often each Nova service was started or reloaded since the mark."""
        counted = Counter()
        for entry in self._journal("SYSLOG_IDENTIFIER=systemd"):
            unit = entry.get("UNIT", "").removesuffix(".service")
            message = entry["MESSAGE"]
            if unit.startswith(self.prefix) and (
                message.startswith("Starting ")
                or (message.startswith("Started ") and unit in self.simple)
                or "Sent signal SIGHUP" in message
            ):
                counted[unit] += 1
        return {unit: number for unit, number in counted.items() if unit != "nova-xloud-restart"}

    def stops_and_starts(self) -> list[str]:
        """Return systemd's messages on services that stop and start since the mark, in order.

        A service that is reloaded, and one of the type simple, is left out.
        """
        told = (
            (entry.get("UNIT", "").removesuffix(".service"), entry["MESSAGE"].partition(" ")[0])
            for entry in self._journal("SYSLOG_IDENTIFIER=systemd")
        )
        wanted = set(self.running) - set(self.simple)
        return [
            f"{what} {unit}"
            for unit, what in told
            if unit in wanted and what in ("Stopping", "Starting", "Started")
        ]

    def said(self) -> str:
        """Return the log of our restarts since the mark."""
        return "\n".join(e["MESSAGE"] for e in self._journal("SYSLOG_IDENTIFIER=nova-xloud"))

    def _journal(self, match: str) -> list[dict[str, str]]:
        # --after-cursor of Debian 11 also drops the first entry that matches
        lines = self.sh(f"journalctl -q -o json --cursor '{self.cursor}' {match}").splitlines()
        entries = [json.loads(line) for line in lines]
        return [entry for entry in entries if entry["__CURSOR"] != self.cursor]

    def override(self, unit: str, settings: str) -> None:
        """Give a unit other settings of its ``[Service]``, by a drop-in."""
        directory = self.container.root / f"etc/systemd/system/{unit}.service.d"
        directory.mkdir()
        (directory / "test.conf").write_text(f"[Service]\n{settings}\n")
        self.sh("systemctl daemon-reload")

    def states(self) -> dict[str, str]:
        """Return whether each Nova service is active, inactive or failed."""
        units = [*self.running, *self.resting]
        told = self.container.run("systemctl", "is-active", *units, check=False).stdout.split()
        return dict(zip(units, told, strict=True))

    def stale(self) -> list[str]:
        """Return the processes of Nova that were started before the library on disk was written.

        uwsgi's main process stays the same over a reload and does not load Nova: not counted.
        """
        mains = [self.sh(f"systemctl show -P MainPID {unit}").strip() for unit in self.running]
        shutil.copy(Path(__file__).with_name("stale.py"), self.container.root / "root")
        return self.sh(f"python3 /root/stale.py {self.library} {' '.join(mains)}").splitlines()

    def knows_option(self, unit: str) -> bool:
        """Say whether a running service has our configuration options loaded, by its own report.

        Nova's services write one, with all options, when they get SIGUSR2.
        """
        before = self.sh("journalctl -q -n 0 --show-cursor").split()[-1]
        self.sh(f"kill -USR2 $(systemctl show -P MainPID {unit}); sleep 3")
        report = self.sh(f"journalctl -q -o cat --after-cursor '{before}' -u {unit}")
        assert "Guru Meditation" in report, f"{unit} gave no report: {report[-500:]}"
        return "\nxloud:" in report

    # API ------------------------------------------------------------------------------------

    def request(self, method: str, path: str, body: str = "", token: str = "") -> tuple[int, str]:
        """Send a request to the API; return status and body.

        :param path: below ``/v2.1`` with keystone in front, or below ``/noauth`` without
        """
        header = f"-H 'X-Auth-Token: {token}'" if token else ""
        answer = self.sh(
            f"curl -sS -X {method} -H 'Content-Type: application/json' {header} -d '{body}' "
            f"-w '\\n%{{http_code}}' {API}{path}"
        )
        text, status = answer.rsplit("\n", 1)
        return int(status), text

    def adjust(self) -> tuple[int, str]:
        """Ask for an adjustment by no number, past keystone: 400 by our code, else 404."""
        path, body = f"/noauth/os-xloud-adjust/{SERVER}", '{"current_vcpus": "?"}'
        return self.request("POST", path, body, token="admin:project")  # noqa: S106 no secret

    def wait_for_api(self) -> None:
        """Wait until the API answers, at most two minutes."""
        self.sh(
            "for i in $(seq 240); do "
            f"[ $(curl -s -o /dev/null -w '%{{http_code}}' {API}/v2.1/servers) != 401 ] || exit 0; "
            "sleep 0.5; done; exit 1"
        )

    def account(self) -> str:
        """Return the logs of our restarts and the API since the mark, for a failure's text."""
        return f"\n{self.said()}\n{self.sh('tail -n 60 /var/log/nova/nova-api.log')}"

    def tracebacks(self) -> str:
        """Return the lines in the logs since the mark that look like a crash."""
        logs = self.sh("grep -h -A 30 'Traceback (most' /var/log/nova/*.log || true")
        journal = self.sh(
            f"journalctl -q -o cat --after-cursor '{self.cursor}' -u '{self.prefix}*' | "
            "grep -A 30 'Traceback (most' || true"
        )
        return logs + journal

    # polling --------------------------------------------------------------------------------

    def start_polling(self, rate: int) -> subprocess.Popen[str]:
        """Start asking the API for servers, so many times a second; see ``answers``."""
        shutil.copy(Path(__file__).with_name("poller.py"), self.container.root / "root")
        return subprocess.Popen(
            self.container.inside("python3", "/root/poller.py", f"{API}/v2.1/servers", str(rate)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


@dataclass(frozen=True)
class Answer:
    """The answer to one request.

    :ivar sent: seconds since 1970
    :ivar result: the HTTP status, or the error as text
    :ivar seconds: how long it took
    """

    sent: float
    result: int | str
    seconds: float


def answers(polling: subprocess.Popen[str]) -> list[Answer]:
    """Stop polling, wait for requests under way, and return the answers."""
    printed, _ = polling.communicate()
    return [Answer(*json.loads(line)) for line in printed.splitlines()]
