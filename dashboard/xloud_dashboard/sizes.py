"""What the pages show of a server: its size, and the bounds that its flavor gives it."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, NamedTuple

from django.utils.dateparse import parse_datetime

#: {what the API calls a resource: the flavor's maximum, the flavor's floor}
_FLAVOR = {"vcpus": ("vcpus", "minimum_cpu"), "memory_mb": ("ram", "minimum_memory")}


class Bounds(NamedTuple):
    """The bounds of a resource of a server: a number of vCPUs, or MiB."""

    floor: int
    maximum: int

    @property
    def is_fixed(self) -> bool:
        """Whether the resource cannot be adjusted."""
        return self.floor >= self.maximum


class Server(NamedTuple):
    """A server, as the list of servers tells it.

    :ivar status: of the server, or the task that is under way
    :ivar vcpus: None if the cloud does not tell: a cell of it is down
    :ivar memory: in MiB; None as well
    :ivar host: the name of its host, told to administrators only
    :ivar project: the id of its project
    """

    id: str
    name: str
    status: str
    flavor: str
    vcpus: Bounds | None
    memory: Bounds | None
    host: str
    project: str

    @property
    def has_floor(self) -> bool:
        """Whether a resource of it can be adjusted."""
        return any(each and not each.is_fixed for each in (self.vcpus, self.memory))


def server(told: dict[str, Any]) -> Server:
    """Return a server of what the API tells of it."""
    flavor = told.get("flavor") or {}
    return Server(
        id=told["id"],
        name=told.get("name") or told["id"],
        status=told.get("OS-EXT-STS:task_state") or told.get("status", ""),
        flavor=flavor.get("original_name", ""),
        vcpus=_bounds(flavor, "vcpus"),
        memory=_bounds(flavor, "memory_mb"),
        host=told.get("OS-EXT-SRV-ATTR:host") or "",
        project=told.get("tenant_id", ""),
    )


def _bounds(flavor: dict[str, Any], resource: str) -> Bounds | None:
    maximum_name, floor_name = _FLAVOR[resource]
    maximum = flavor.get(maximum_name)
    if maximum is None:
        return None
    floor = str((flavor.get("extra_specs") or {}).get(floor_name, maximum))
    return Bounds(int(floor) if floor.isdecimal() else maximum, maximum)


class Host(NamedTuple):
    """A host with its servers that have a floor.

    :ivar servers: those
    :ivar others: the number of the servers that it has besides
    :ivar held: {resource: what the host's tracker holds for all servers}; empty if it is not told
    :ivar capacity: {resource: amount of the host}
    """

    name: str
    servers: list[Server]
    others: int
    held: dict[str, int]
    capacity: dict[str, int]

    @property
    def totals(self) -> list[dict[str, Any]]:
        """What the servers with a floor have in sum, by resource."""
        return [
            {
                "resource": resource,
                "floor": sum(each.floor for each in bounds),
                "maximum": sum(each.maximum for each in bounds),
                "held": self.held.get(resource),
                "capacity": self.capacity.get(resource),
            }
            for resource, bounds in (
                ("vcpus", [each.vcpus for each in self.servers if each.vcpus]),
                ("memory_mb", [each.memory for each in self.servers if each.memory]),
            )
        ]


def by_host(servers: list[Server], hypervisors: list[dict[str, Any]]) -> list[Host]:
    """Return the hosts by name, each with its servers; servers without a host are in one of ""."""
    held: dict[str, dict[str, int]] = {}
    capacity: dict[str, dict[str, int]] = {}
    for each in hypervisors:
        name = each["service"]["host"]
        # a host of bare metal has many
        for resource in ("vcpus", "memory_mb"):
            for known, figure in ((held, f"{resource}_used"), (capacity, resource)):
                of_host = known.setdefault(name, {})
                of_host[resource] = of_host.get(resource, 0) + (each.get(figure) or 0)
    names = sorted({each.host for each in servers} | set(held))
    hosts = []
    for name in names:
        here = [each for each in servers if each.host == name]
        floored = [each for each in here if each.has_floor]
        more = (held.get(name, {}), capacity.get(name, {}))
        hosts.append(Host(name, floored, len(here) - len(floored), *more))
    return hosts


class Adjust(NamedTuple):
    """An adjust, as its server action tells it.

    :ivar result: ``Success`` or ``Error``; "" as long as it goes on
    :ivar details: the sizes, or the reason of a failure
    """

    request_id: str
    begun: datetime | None
    ended: datetime | None
    result: str
    details: str

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        if self.begun is None or self.ended is None:
            return None
        return (self.ended - self.begun).total_seconds()


def adjust(action: dict[str, Any]) -> Adjust:
    """Return an adjust of what the API tells of its server action."""
    events = action.get("events") or []
    begun = _time(action.get("start_time"))
    told = (str(action["request_id"]), begun)
    if not events or any(each.get("finish_time") is None for each in events):
        return Adjust(*told, None, "", "")
    last = events[-1]
    result, details = last.get("result") or "", last.get("details") or ""
    return Adjust(*told, _time(last["finish_time"]), str(result), str(details))


def _time(text: str | None) -> datetime | None:
    """Return a time that Nova tells, in UTC."""
    parsed = parse_datetime(text) if text else None
    if parsed is None or parsed.tzinfo is not None:
        return parsed
    return parsed.replace(tzinfo=timezone.utc)
