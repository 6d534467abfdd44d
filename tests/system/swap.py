"""Swapping packages under a running cloud, and the effects on its users and guests."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.packages.cloud import Answer as Polled
from tests.packages.cloud import answers
from tests.system import settings
from tests.system.api import Answer
from tests.system.cloud import SERVICES, Cloud
from tests.system.install import wait_for_compute
from tests.system.server import Server
from tests.system.waiting import wait_for

RATE = 5
#: Seconds after a swap within which an adjust works.
SOON = 30


@dataclass(frozen=True)
class Swapped:
    """The observations while packages were swapped.

    :ivar version: the version of the library that is installed in the end
    :ivar answers: the answers to a client that asked for its servers all the while
    :ivar guest_ran_on: the guest is the same process, and the same boot, as before
    :ivar restarted: the services whose main process is another, or was told to load anew
    """

    version: str
    seconds: float
    answers: list[Polled]
    guest_ran_on: bool
    restarted: dict[str, int]
    tracebacks: str

    @property
    def failed(self) -> list[Polled]:
        """The requests that were not answered with the list."""
        return [answer for answer in self.answers if answer.result != 200]


def watched(
    cloud: Cloud, witness: Server, arguments: str, then: Callable[[], object] = lambda: None
) -> Swapped:
    """Run apt-get while a client polls the API and a guest runs.

    :param witness: the server of that guest
    :param arguments: of apt-get
    :param then: done as soon as apt-get has ended
    """
    before, guest = witness.probe.ask("process", witness.id), witness.booted()
    cloud.forget_logs()
    cursor = cloud.journal_end()
    polling = start_polling(cloud)
    begun = time.monotonic()
    cloud.sh(f"apt-get -y -o Dpkg::Use-Pty=0 {arguments}")
    seconds = time.monotonic() - begun
    then()
    wait_for_compute(cloud.container, settings.CONTROLLER)
    polled = answers(polling)
    wait_for("a later word of the guest", lambda: witness.booted().up > guest.up)
    journal = cloud.sh(f"journalctl -q -o json --after-cursor '{cursor}' SYSLOG_IDENTIFIER=systemd")
    return Swapped(
        version=installed(cloud),
        seconds=seconds,
        answers=polled,
        guest_ran_on=(witness.probe.ask("process", witness.id), witness.booted().boot)
        == (before, guest.boot),
        restarted=restarts([json.loads(line) for line in journal.splitlines()]),
        tracebacks=cloud.tracebacks(),
    )


def installed(cloud: Cloud) -> str:
    """Return the version of the library, stock or ours."""
    listed = cloud.sh(
        "dpkg-query -Wf '${db:Status-Abbrev}${Version}\\n' python3-nova python3-nova-xloud "
        "2>/dev/null | sed -n 's/^ii *//p'"
    ).split()
    assert len(listed) == 1, listed
    return listed[0]


def restarts(journal: list[dict[str, str]]) -> dict[str, int]:
    """Return how often each service was started or told to load anew, by systemd's own words."""
    counted = dict.fromkeys(SERVICES, 0)
    for entry in journal:
        unit = entry.get("UNIT", "").removesuffix(".service")
        # a service of the type simple is never "Starting"
        begun = "Started " if unit == "nova-api" else "Starting "
        if unit in counted and (
            entry["MESSAGE"].startswith(begun) or "Sent signal SIGHUP" in entry["MESSAGE"]
        ):
            counted[unit] += 1
    return counted


def start_polling(cloud: Cloud) -> subprocess.Popen[str]:
    """Start asking for the list of servers, as their owner, some times a second."""
    poller = Path(__file__).parents[1] / "packages/poller.py"
    shutil.copy(poller, cloud.container.root / "root")
    url = f"{settings.url('nova')}/servers"
    return subprocess.Popen(
        cloud.container.inside("python3", "/root/poller.py", url, str(RATE), cloud.owner.token),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def adjusted_soon(server: Server, **sizes: int) -> None:
    """Check that a server can be adjusted soon after a swap, from now on.

    :param sizes: the sizes to ask for, by the API's names
    """

    def accepted() -> Answer | None:
        answer = server.post(sizes)
        return answer if answer.status == 202 else None

    begun = time.monotonic()
    answer = wait_for("an adjust", accepted, SOON)
    assert server.ended(answer, SOON - (time.monotonic() - begun))["result"] == "Success"
