"""A server, as all can see it who know something of its size: the views that must agree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.system import settings
from tests.system.api import Answer, Api
from tests.system.cloud import Cloud, Flavor, Probe
from tests.system.waiting import wait_for

#: Seconds that a guest needs to boot under emulation, and to obey a request.
BOOT, OBEY = 150, 60
#: Room for a walk: an emulated guest cannot plug more vCPUs in its life than its maximum.
ROOMY = Flavor(vcpus=16, ram=512, minimum_cpu=1, minimum_memory=256)
#: QEMU without KVM may end so when a guest boots with several vCPUs: a fault of its own.
_QEMU_ENDED = "Assertion `section_index < d->map.sections_nb' failed"
#: An image.
NO_BALLOON = "guest-without-balloon"
_LINE = re.compile(r"GUEST up=(\d+) cpus=(\d+) kb=(\d+) boot_kb=(\d+) boot=(\S+)\s")


@dataclass(frozen=True)
class Size:
    """vCPUs and MiB."""

    vcpus: int
    memory_mb: int


@dataclass(frozen=True)
class Record:
    """The record of a server in Nova's database.

    :ivar kept: the size of the server after its next cold start
    :ivar counted: the size that its project's quota counts
    """

    kept: Size
    counted: Size


@dataclass(frozen=True)
class Guest:
    """The figures that a guest last printed on its serial console.

    :ivar up: seconds since it booted
    :ivar kb: all the memory that its kernel manages
    :ivar boot_kb: the same before the balloon driver took any; differs from boot to boot
    :ivar boot: of which boot of its kernel that holds
    """

    up: int
    cpus: int
    kb: int
    boot_kb: int
    boot: str


@dataclass
class Server:
    """A server of the cloud under test.

    :ivar probe: of the host that it is on
    :ivar died_on: a host that died with it, and is not back: Placement still holds it there too
    """

    cloud: Cloud
    id: str
    flavor: Flavor
    probe: Probe = field(repr=False)
    died_on: str = ""

    # requests -----------------------------------------------------------------------------------

    def post(self, body: object, *, api: Api | None = None, **settings: Any) -> Answer:
        """Ask for an adjust, with a body as it is."""
        return (api or self.cloud.admin).request(
            "POST", f"/os-xloud-adjust/{self.id}", body, **settings
        )

    def adjust(self, vcpus: int = 0, memory_mb: int = 0, **more: object) -> dict[str, Any]:
        """Ask for an adjust, expect a 202, wait until the action ends, and return its event.

        An adjust that has succeeded, and that is to last, has been accounted for by then.
        """
        asked = {"vcpus": vcpus, "memory_mb": memory_mb}
        asked = {name: value for name, value in asked.items() if value}
        body = {f"current_{name}": value for name, value in asked.items()}
        answer = self.post({**body, **more})
        assert answer.expect(202) == {}
        event = self.ended(answer)
        if event["result"] == "Success" and not more:
            self.assert_held(**asked)
        return event

    def ended(self, answer: Answer, seconds: float = 120) -> dict[str, Any]:
        """Wait until an accepted adjust has ended, and return its action's last event.

        By then the server is free for the next operation.
        """
        assert answer.request_id
        wait_for(f"the end of {answer.request_id}", lambda: not self.is_adjusting, seconds)
        event = self.event(answer.request_id)
        assert event, f"{answer.request_id} has ended, but nobody has told"
        assert self.is_free
        return event

    @property
    def is_adjusting(self) -> bool:
        """Whether Nova's database holds that an adjust is under way; nova-api is not troubled."""
        return "xloud_adjusting" in self.cloud.database.ask("record", self.id)

    @property
    def is_free(self) -> bool:
        """Whether nobody works on it."""
        return self.about["OS-EXT-STS:task_state"] is None

    def event(self, request_id: str) -> dict[str, Any] | None:
        """Return the last event of a request's action, None as long as the action goes on."""
        told = self.told(request_id)
        if told is None:  # equal to current: nothing to do, nothing recorded
            return None
        events = told["events"]
        if not events or any(event["finish_time"] is None for event in events):
            return None
        return dict(events[-1])

    def told(self, request_id: str) -> dict[str, Any] | None:
        """Return what a request's action tells, None if there is none."""
        path = f"/servers/{self.id}/os-instance-actions/{request_id}"
        answer = self.cloud.admin.request("GET", path)
        return None if answer.status == 404 else dict(answer.expect(200)["instanceAction"])

    def act(self, action: str, value: object = None, **settings: Any) -> Answer:
        """Ask for one of Nova's own server actions, and return the answer.

        :raises AssertionError: the action is refused at once
        """
        path = f"/servers/{self.id}/action"
        answer = self.cloud.admin.request("POST", path, {action: value}, **settings)
        assert answer.status in (200, 202, 204), answer
        return answer

    def assert_no_host(self, answer: Answer) -> str:
        """Wait until an action has failed since no host suits the server; return the reason.

        :raises AssertionError: the action ends otherwise
        """

        def failed() -> str | None:
            told = self.told(answer.request_id)
            events = told["events"] if told else []
            if not events or any(event["finish_time"] is None for event in events):
                return None
            reasons = [str(event["details"]) for event in events if event["result"] == "Error"]
            (reason,) = {each for each in reasons if "No valid host was found" in each}
            return reason

        reason = wait_for(
            f"the end of {answer.request_id}", failed, seen=lambda: self.told(answer.request_id)
        )
        wait_for("the end of the task", lambda: self.is_free)
        return reason

    def actions(self, name: str = "xloud_adjust") -> list[dict[str, Any]]:
        """Return the server's actions of a name, the newest first."""
        found = self.cloud.admin.get(f"/servers/{self.id}/os-instance-actions")
        return [each for each in found["instanceActions"] if each["action"] == name]

    def assert_held(self, **values: int) -> None:
        """Check at once, before any periodic task, that an adjust has been accounted for.

        :param values: of those that were adjusted, by the names of ``Size``
        :raises AssertionError: Placement, the record or the project's quota has another
        """
        record = self.record
        views = {"Placement": self.held, "record": record.kept, "counted": record.counted}
        for name, value in values.items():
            wrong = {view: size for view, size in views.items() if getattr(size, name) != value}
            assert not wrong, f"{name} is to be {value}: {wrong}"

    # views ----------------------------------------------------------------------------------

    @property
    def about(self) -> dict[str, Any]:
        """The server as the API shows it."""
        return dict(self.cloud.admin.get(f"/servers/{self.id}")["server"])

    def wait(self, status: str, seconds: float = 120) -> None:
        """Wait until the server is in a state, and nobody works on it."""

        def there() -> bool:
            now = self.about
            assert now["status"] == status or now["status"] != "ERROR", now.get("fault")
            return now["status"] == status and now["OS-EXT-STS:task_state"] is None

        wait_for(f"{self.id} is {status}", there, seconds)

    @property
    def status(self) -> dict[str, Any]:
        """The answer of ``xloud-status`` to a reader."""
        answer = self.cloud.reader.get(f"/servers/{self.id}/xloud-status")
        assert set(answer) == {"xloud_status"}
        return dict(answer["xloud_status"])

    @property
    def figures(self) -> dict[str, Any]:
        """The figures that libvirt and QEMU report."""
        return dict(self.probe.ask("figures", self.id))

    @property
    def record(self) -> Record:
        """The record in Nova's database."""
        told = self.cloud.database.ask("record", self.id)
        known = [told.get(f"xloud_current_{name}") for name in ("vcpus", "memory_mb")]
        # a server without a record has its flavor's maximum
        kept = Size(self.flavor.vcpus, self.flavor.ram) if None in known else Size(*map(int, known))
        return Record(kept, Size(*told["counted"]))

    @property
    def allocation(self) -> dict[str, dict[str, int]]:
        """The amounts that Placement holds for it: {resource provider: {class: amount}}."""
        found = self.cloud.admin.placement(f"/allocations/{self.id}")["allocations"]
        return {provider: dict(held["resources"]) for provider, held in found.items()}

    @property
    def held(self) -> Size:
        """The size that Placement holds for it, which must be on one host that lives."""
        allocation = self.allocation
        if self.died_on:
            del allocation[self.cloud.provider(self.died_on)]
        (held,) = allocation.values()
        return Size(held["VCPU"], held["MEMORY_MB"])

    # the guest ------------------------------------------------------------------------------

    @property
    def console(self) -> str:
        """All output of the guest since it was started."""
        file = self.cloud.container.seen / f"var/lib/nova/instances/{self.id}/console.log"
        return file.read_text(errors="replace") if file.exists() else ""

    @property
    def guest(self) -> Guest | None:
        """The figures that the guest last printed, None if it has printed none."""
        said = _LINE.findall(self.console)
        return Guest(*map(int, said[-1][:-1]), said[-1][-1]) if said else None

    def guest_kb(self, memory_mb: int) -> int:
        """Return the KiB that the guest's kernel manages when the guest has so many MiB."""
        return self.booted().boot_kb - (self.flavor.ram - memory_mb) * 1024

    def booted(self, seconds: float = BOOT) -> Guest:
        """Wait until the guest has printed its figures."""
        return wait_for(f"a word of the guest of {self.id}", lambda: self.guest, seconds)

    @property
    def lost_by_qemu(self) -> bool:
        """Whether its guest was lost by a fault of QEMU's own, as QEMU has logged."""
        logs = (self.cloud.container.seen / "var/log/libvirt/qemu").glob("*.log")
        texts = [file.read_text(errors="replace") for file in logs]
        return any(_QEMU_ENDED in text for text in texts if f"-uuid {self.id}" in text)

    # the views ------------------------------------------------------------------------------

    def views(self) -> dict[str, Size]:
        """Return the size as all see it who can tell: several views of one thing."""
        return {**self._own_views(), **self._asked_views()}

    def _own_views(self) -> dict[str, Size]:
        """Return the views that cost no service of the cloud anything."""
        libvirt, guest, record = self.figures, self.guest, self.record
        views = {
            "record": record.kept,
            "counted": record.counted,
            "libvirt": Size(libvirt["vcpus"], libvirt["memory_mb"]),
            "QEMU": Size(libvirt["qemu_vcpus"], libvirt["memory_mb"]),
        }
        if guest:
            mib = self.flavor.ram - (guest.boot_kb - guest.kb) / 1024
            views["guest"] = Size(guest.cpus, int(mib) if mib == int(mib) else -1)
        return views

    def _asked_views(self) -> dict[str, Size]:
        """Return the views that services give."""
        status = self.status
        return {
            "xloud-status": Size(status["current_vcpus"], status["current_memory_mb"]),
            "Placement": self.held,
        }

    def assert_agreed(
        self, vcpus: int, memory_mb: int, seconds: float = OBEY, *, but: Mapping[str, Size] = {}
    ) -> None:
        """Wait until all views show a size, and nobody works on the server.

        :param but: views that show another size, and which
        :raises AssertionError: they still differ; the text has them all
        """
        wanted = Size(vcpus, memory_mb)
        last: dict[str, Size] = {}

        def agree_on(views: dict[str, Size]) -> bool:
            last.update(views)
            return all(size == but.get(name, wanted) for name, size in views.items())

        def agreed() -> bool:
            last.clear()
            own = self._own_views()
            # which no patience brings back
            assert own["libvirt"].vcpus is not None or not self.lost_by_qemu, "lost by QEMU"
            # the services are asked when the others agree: to answer takes the guests' time
            return (
                agree_on(own)
                and "guest" in last
                and agree_on(self._asked_views())
                and but.keys() <= last.keys()
                and self.is_free
            )

        wait_for(f"all views at {wanted}", agreed, seconds, seen=lambda: last)


def create(
    cloud: Cloud, flavor: Flavor, image: str = "guest", probe: Probe | None = None, **more: object
) -> Server:
    """Create a server and wait until it is active; its guest may still boot."""
    server = Server(cloud, cloud.new_server(flavor, image, **more), flavor, probe or cloud.probe)
    server.wait("ACTIVE", 180)
    return server


def assert_left_out(cloud: Cloud, flavor: Flavor, why: str, **more: object) -> None:
    """Check that a new server gets no host, and that the scheduler's log says why.

    :param why: the host that is left out, and the resource that it has too little of
    :raises AssertionError: the server gets a host, or the log has another reason
    """
    refused = Server(cloud, cloud.new_server(flavor, **more), flavor, cloud.probe)
    try:
        wait_for("a refusal", lambda: refused.about["status"] == "ERROR", 120)
        fault = refused.about["fault"]
        assert "No valid host was found" in fault["message"], fault
        log = cloud.sh("grep 'cannot hold the maximum' /var/log/nova/nova-scheduler.log || true")
        assert why in log, log
    finally:
        cloud.delete_servers(refused.id)


def periodic() -> float:
    """Return the seconds within which all views agree after any event."""
    return settings.PERIODIC + OBEY
