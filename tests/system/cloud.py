"""The cloud under test: its hosts, its accounts, its flavors and servers."""

from __future__ import annotations

import ctypes
import functools
import itertools
import json
import queue
import shutil
import subprocess
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.packages.container import Container
from tests.system import settings
from tests.system.api import PLACEMENT_VERSION, Api
from tests.system.install import wait_for_compute
from tests.system.waiting import wait_for

_CLONE_NEWNET = 0x40000000
#: The services that must run; nova-compute's own container may be another.
SERVICES = ("nova-api", "nova-conductor", "nova-scheduler", "nova-compute")


def enter_network(container: Container) -> None:
    """Have this thread, and those that it starts from now on, speak in a container's network."""
    with Path(f"/proc/{container.leader}/ns/net").open() as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "entering a container's network")


class Probe:
    """Asks those who know in a host: libvirt and QEMU by probe.py, Nova's database by database.py.

    :param script: of this directory, which answers
    :param arguments: of the script
    """

    #: Who asks of a guest while that is unplugging a vCPU waits for it, but no one else.
    _AT_ONCE = 4

    def __init__(self, container: Container, script: str = "probe.py", *arguments: str) -> None:
        shutil.copy(Path(__file__).with_name(script), container.root / "root")
        command = container.inside("python3", f"/root/{script}", *arguments)
        self._processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(self._AT_ONCE)
        ]
        self._idle: queue.SimpleQueue[subprocess.Popen[str]] = queue.SimpleQueue()
        for process in self._processes:
            self._idle.put(process)

    def ask(self, method: str, *arguments: object) -> Any:
        """Return the answer.

        :raises LookupError: it is a no, e.g. since there is no such domain
        """
        process = self._idle.get()
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            print(json.dumps([method, *arguments]), file=process.stdin, flush=True)
            answer = json.loads(process.stdout.readline())
        finally:
            self._idle.put(process)
        if "error" in answer:
            raise LookupError(answer["error"])
        return answer["ok"]

    def close(self) -> None:
        """End it, if that has not been done: its host cannot end before."""
        for process in self._processes:
            if process.returncode is None:
                process.communicate()


@dataclass(frozen=True)
class Flavor:
    """What a server is made of.

    :ivar vcpus: the maximum
    :ivar ram: the maximum, in MiB
    :ivar minimum_cpu: the floor; 0: none
    :ivar minimum_memory: the floor in MiB; 0: none
    """

    vcpus: int
    ram: int
    minimum_cpu: int = 0
    minimum_memory: int = 0

    @property
    def name(self) -> str:
        """The name of the flavor in the cloud."""
        return f"lab-{self.minimum_cpu}.{self.vcpus}-{self.minimum_memory}.{self.ram}"

    @property
    def extra_specs(self) -> dict[str, str]:
        """The floors, as extra specs."""
        floors = {"minimum_cpu": self.minimum_cpu, "minimum_memory": self.minimum_memory}
        return {name: str(value) for name, value in floors.items() if value}

    @property
    def floor(self) -> tuple[int, int]:
        """The size that a server starts with: vCPUs and MiB."""
        return self.minimum_cpu or self.vcpus, self.minimum_memory or self.ram


class Cloud:
    """A booted cloud with stock Nova or ours.

    :ivar container: the host that has everything, the only one at first
    :ivar admin: the cloud's admin
    :ivar owner: a member of the project that has the servers
    :ivar reader: a reader of it
    :ivar stranger: a member of another project
    """

    def __init__(self, container: Container) -> None:
        self.container = container
        self._flavors: dict[str, str] = {}
        self._making = threading.Lock()
        self._numbers = itertools.count(1)
        self._cursor = self.journal_end()
        self.connect()

    def connect(self) -> None:
        """Speak to the cloud as it runs now: at first, and after a reboot of its host."""
        enter_network(self.container)
        self.admin = Api("admin", "admin")
        self.owner = Api("owner", "demo")
        self.reader = Api("reader", "demo")
        self.stranger = Api("stranger", "other")
        self.probe = Probe(self.container)
        self.database = Probe(self.container, "database.py", settings.AT, settings.PASSWORD)
        # everything that the first request of each service would make one wait for
        wait_for("an answer of nova-api", lambda: self._answers(), 120)
        wait_for_compute(self.container, settings.CONTROLLER)

    def disconnect(self) -> None:
        """Let go of the hosts, before they end."""
        self.probe.close()
        self.database.close()

    def _answers(self) -> bool:
        try:
            return self.admin.request("GET", "/servers").status == 200
        except Exception:
            return False

    # files, services ------------------------------------------------------------------------

    def sh(self, script: str) -> str:
        """Run a shell script on the host that has everything; return its output."""
        return self.container.sh(script)

    def restart_compute(self) -> None:
        """Start nova-compute anew and wait until it listens."""
        self.sh("systemctl restart nova-compute")
        wait_for_compute(self.container, settings.CONTROLLER)

    def main_pid(self, unit: str) -> int:
        """Return the id of a service's main process, 0 if it does not run."""
        return int(self.sh(f"systemctl show -P MainPID {unit}"))

    def tracebacks(self) -> str:
        """Return the log lines of Nova's services since ``forget_logs`` that look like a crash.

        A service that cannot load its modules has no log yet: systemd's journal has its last words.
        """
        logged = self.sh("grep -h -A 40 'Traceback (most' /var/log/nova/*.log || true")
        journal = self.sh(
            f"journalctl -q -o short-precise --after-cursor '{self._cursor}' -u 'nova-*'"
        ).splitlines()
        return logged + "\n".join(crashes(journal))

    def forget_logs(self) -> None:
        """Look for tracebacks from here on."""
        self.sh("for f in /var/log/nova/*.log; do : >$f; done")
        self._cursor = self.journal_end()

    def journal_end(self) -> str:
        """Return journalctl's name of the present end of the journal."""
        return self.sh("journalctl -q -n 0 --show-cursor").split()[-1]

    @contextmanager
    def policy(self, rule: str, check: str) -> Iterator[None]:
        """Have a rule of Nova's overridden in its policy directory for a while."""
        file = "/etc/nova/policy.d/50-site.yaml"
        self.sh(f'echo \'"{rule}": "{check}"\' >{file}')
        try:
            yield
        finally:
            self.sh(f"rm {file}")

    # flavors, images, servers -------------------------------------------------------------------

    def flavor(self, flavor: Flavor) -> str:
        """Return a flavor's id; made, once, if the cloud has none of it."""
        with self._making:
            return self._flavor(flavor)

    def _flavor(self, flavor: Flavor) -> str:
        if flavor.name not in self._flavors:
            about = {"name": flavor.name, "vcpus": flavor.vcpus, "ram": flavor.ram, "disk": 1}
            made = self.admin.request("POST", "/flavors", {"flavor": about}).expect(200)
            flavor_id = made["flavor"]["id"]
            if flavor.extra_specs:
                body = {"extra_specs": flavor.extra_specs}
                self.admin.request("POST", f"/flavors/{flavor_id}/os-extra_specs", body).expect(200)
            self._flavors[flavor.name] = flavor_id
        return self._flavors[flavor.name]

    def images(self, name: str) -> list[str]:
        """Return the ids of the images of a name."""
        found = self.admin.get(f"/v2/images?name={name}", service="image", microversion=None)
        return [str(each["id"]) for each in found["images"]]

    def image(self, name: str) -> str:
        """Return an image's id."""
        return self.images(name)[0]

    def new_server(self, flavor: Flavor, image: str = "guest", **more: object) -> str:
        """Ask for a server of the owner's and return its id, without waiting for anything."""
        about = {
            "name": f"lab-{next(self._numbers)}",
            "flavorRef": self.flavor(flavor),
            "imageRef": self.image(image),
            "networks": "none",
            **more,
        }
        made = self.owner.request("POST", "/servers", {"server": about}).expect(202)
        return str(made["server"]["id"])

    def servers(self) -> list[dict[str, Any]]:
        """Return all servers of the cloud, their names and ids."""
        found = self.admin.get("/servers?all_tenants=1")["servers"]
        return list(found)

    def delete_servers(self, *ids: str) -> None:
        """Delete servers, all if none is named, and wait until they are gone."""
        doomed = ids or tuple(server["id"] for server in self.servers())
        for each in doomed:
            assert self.admin.request("DELETE", f"/servers/{each}").status in (204, 404)
        wait_for(
            f"the end of {len(doomed)} servers",
            lambda: not {server["id"] for server in self.servers()} & set(doomed),
            180,
        )

    # Placement ------------------------------------------------------------------------------

    def provider(self, name: str = settings.CONTROLLER.name) -> str:
        """Return the id of a host's resource provider."""
        found = self.admin.placement(f"/resource_providers?name={name}")
        return str(found["resource_providers"][0]["uuid"])

    def used(self, host: str = settings.CONTROLLER.name) -> dict[str, int]:
        """Return the resources of a host that Placement has given away."""
        usages: Mapping[str, int] = self.admin.placement(
            f"/resource_providers/{self.provider(host)}/usages"
        )["usages"]
        return dict(usages)

    def tracked(self, host: str = settings.CONTROLLER.name) -> dict[str, int]:
        """Return the amounts that Nova's own tracker counts for servers of a host, by class."""
        # later microversions leave that to Placement
        found = self.admin.get("/os-hypervisors/detail", microversion="2.87")["hypervisors"]
        (about,) = (each for each in found if each["hypervisor_hostname"] == host)
        # it begins with the memory that the host keeps for itself
        reserved = self.inventory("MEMORY_MB", host)["reserved"]
        return {"VCPU": about["vcpus_used"], "MEMORY_MB": about["memory_mb_used"] - reserved}

    @property
    def can_adjust(self) -> bool:
        """Whether Placement knows that the host can adjust."""
        traits = self.admin.placement(f"/resource_providers/{self.provider()}/traits")
        return "CUSTOM_XLOUD_ADJUST" in traits["traits"]

    @contextmanager
    def taken(self, resource: str, amount: int) -> Iterator[None]:
        """Have others, whom Nova does not know, hold some of the host for a while."""
        ask = functools.partial(
            self.admin.request, service="placement", microversion=PLACEMENT_VERSION
        )
        most = self.inventory(resource)["max_unit"]
        paths = []
        try:
            # nobody can have more of it than that
            for begun in range(0, amount, most):
                path = f"/allocations/{uuid.uuid4()}"
                resources = {resource: min(most, amount - begun)}
                allocation = {
                    "allocations": {self.provider(): {"resources": resources}},
                    "project_id": str(uuid.uuid4()),
                    "user_id": str(uuid.uuid4()),
                    "consumer_generation": None,
                    "consumer_type": "OTHER",
                }
                ask("PUT", path, allocation).expect(204)
                paths.append(path)
            yield
        finally:
            for path in paths:
                ask("DELETE", path).expect(204)

    def inventory(self, resource: str, host: str = settings.CONTROLLER.name) -> dict[str, Any]:
        """Return what Placement knows a host to have of a resource."""
        path = f"/resource_providers/{self.provider(host)}/inventories/{resource}"
        return dict(self.admin.placement(path))

    def free(self, resource: str) -> int:
        """Return how much of a resource Placement could still give away on the host."""
        about = self.inventory(resource)
        whole = int((about["total"] - about["reserved"]) * about["allocation_ratio"])
        return whole - self.used()[resource]


def crashes(journal: list[str]) -> list[str]:
    """Return what looks like a crash in lines of systemd's journal, each with what follows it.

    On Python 3.13 eventlet says "Exception ignored in" of each child that a service of stock Nova's
    forks, and a traceback after it: nothing has crashed then.
    """
    found = []
    before: dict[str, str] = {}
    for number, line in enumerate(journal):
        # month, day, time, host, process
        process = " ".join(line.split()[3:5])
        if "Traceback (most" in line and "Exception ignored in" not in before.get(process, ""):
            found.append("\n".join(journal[number : number + 40]))
        before[process] = line
    return found


@contextmanager
def host_network() -> Iterator[None]:
    """Give this thread its own network back in the end."""
    with Path("/proc/thread-self/ns/net").open() as before:
        try:
            yield
        finally:
            ctypes.CDLL(None).setns(before.fileno(), _CLONE_NEWNET)
