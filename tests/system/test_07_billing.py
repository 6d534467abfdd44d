"""Debian's own Ceilometer reads adjusts from the message bus, with the definitions that we ship."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nova_xloud.ground import root
from tests import printed
from tests.packages.container import Container
from tests.system import settings
from tests.system.beside import host_beside
from tests.system.cloud import Cloud, Flavor
from tests.system.conftest import REPOSITORY
from tests.system.together import Servers
from tests.system.waiting import wait_for

pytestmark = pytest.mark.slow

RECIPE = root.Recipe(
    name="system-ceilometer-debian-13",
    suite="trixie",
    packages=(
        *("systemd", "systemd-sysv", "dbus", "iproute2", "procps", "ca-certificates"),
        "ceilometer-agent-notification",
    ),
    hooks=(
        '--customize-hook=echo meter >"$1/etc/hostname"',
        # it starts when it has been set up
        '--customize-hook=chroot "$1" systemctl disable ceilometer-agent-notification',
    ),
)
BESIDE = (RECIPE,)
_SAMPLES, _EVENTS = "/var/lib/ceilometer/samples", "/var/lib/ceilometer/events"
#: Where an operator's Ceilometer would have Gnocchi, this one has a file.
_PIPELINE = """
sources: [{{name: all, {kind}: ["*"], sinks: [file]}}]
sinks: [{{name: file, publishers: ["file://{file}?json"]}}]
"""
FLAVOR = Flavor(vcpus=4, ram=512, minimum_cpu=1, minimum_memory=256)


@pytest.fixture(scope="module")
def meter(cloud: Cloud, beside: dict[str, Path], scratch: Path) -> Iterator[Container]:
    """A host of Debian's Ceilometer with our definitions, and a Nova that tells it of servers."""
    root_of_it = beside[RECIPE.name]
    with host_beside(cloud, root_of_it, "10.77.0.4", "meter", scratch / "meter") as container:
        place = container.root / "etc/ceilometer"
        for name, kind, file in (
            ("pipeline.yaml", "meters", _SAMPLES),
            ("event_pipeline.yaml", "events", _EVENTS),
        ):
            (place / name).write_text(_PIPELINE.format(kind=kind, file=file))
        container.sh(
            f"printf '[DEFAULT]\\ntransport_url = %s\\n' '{settings.QUEUE}' "
            ">/etc/ceilometer/ceilometer.conf"
        )
        own = "/usr/lib/python3/dist-packages/ceilometer/pipeline/data/event_definitions.yaml"
        if not (place / "event_definitions.yaml").exists():
            container.sh(f"cp {own} /etc/ceilometer/")
        shutil.copytree(REPOSITORY / "deploy", container.root / "root/deploy")
        for command in printed.commands("events.md", "Ceilometer"):
            container.sh(f"cd /root && {command}")
        file = cloud.container.root / "etc/nova/nova.conf"
        file.write_text(
            file.read_text() + "\n[oslo_messaging_notifications]\ndriver = messagingv2\n"
        )
        cloud.restart_compute()
        yield container


def read(container: Container, file: str) -> list[dict[str, Any]]:
    """Return what Ceilometer has published so far."""
    path = container.root / file.lstrip("/")
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_an_adjust_is_metered(meter: Container, servers: Servers) -> None:
    server = servers(FLAVOR)
    assert server.adjust(vcpus=3, memory_mb=384)["result"] == "Success"

    names = {"xloud.vcpus", "xloud.memory", "vcpus", "memory"}

    def samples() -> dict[str, Any] | None:
        last = {
            each["name"]: each
            for each in read(meter, _SAMPLES)
            if each["resource_id"] == server.id and each["name"] in names
        }
        return last if last.keys() == names and last["memory"]["volume"] == 384 else None

    found = wait_for("the samples", samples, 60, seen=lambda: read(meter, _SAMPLES))
    assert {name: found[name]["volume"] for name in found} == {
        "xloud.vcpus": 3,
        "xloud.memory": 384,
        "vcpus": 3,
        "memory": 384,
    }
    metadata = found["xloud.vcpus"]["resource_metadata"]
    assert (metadata["old_vcpus"], metadata["asked_vcpus"]) == (1, 3)
    assert found["xloud.vcpus"]["project_id"] == server.about["tenant_id"]


def test_an_adjust_is_an_event(meter: Container, servers: Servers) -> None:
    server = servers(FLAVOR)
    assert server.adjust(vcpus=2)["result"] == "Success"

    def told() -> dict[str, Any] | None:
        for each in read(meter, _EVENTS):
            traits = {trait["name"]: trait["value"] for trait in each["traits"]}
            if (
                each["event_type"] == "compute.instance.xloud_adjust.end"
                and traits["instance_id"] == server.id
            ):
                return traits
        return None

    traits = wait_for("the event", told, 60, seen=lambda: read(meter, _EVENTS)[-3:])
    figures = {name: int(traits[name]) for name in ("old_vcpus", "asked_vcpus", "new_vcpus")}
    assert figures == {"old_vcpus": 1, "asked_vcpus": 2, "new_vcpus": 2}
