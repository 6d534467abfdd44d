"""Real Ceilometers read the notifications of a server that is adjusted.

``python -m tests.nova.ceilometer`` has the woven tree write down the legacy notifications of one
server, as its notifier got them. Each Ceilometer then loads the definitions of
``deploy/ceilometer`` beside its own, and makes samples and events of these notifications.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import click

from tests.nova import releases as releases_
from tests.nova.environment import NovaEnvironment
from tests.nova.runs import BrokenTreeError, make_metadata, weave_tree
from tests.nova.workplace import workplace

HERE = Path(__file__).resolve().parent
DEFINITIONS = HERE.parents[1] / "deploy" / "ceilometer"
READER = HERE / "ceilometer_reader.py"
# Those of Debian 12 and of Debian 13, and the newest of the package index in November 2026.
CEILOMETERS = ("19.0.0", "24.0.0", "27.0.0")
TEST = "nova.tests.functional.libvirt.test_vcpu_current_events.LifeEventsTest"
NOTES = ".notes"

# The sizes after each adjust of the test: (phase, vCPUs, MiB), and the requested ones.
ENDS = [("end", 3, 2048), ("end", 3, 1024), ("error", 3, 1024)]
ASKED = [(3, 2048), (None, 1024), (1, None)]


def take_down(release: str, environment: NovaEnvironment, work: Path) -> Path:
    """Weave a tree and have its test write the notifications down; return the tree.

    :raises BrokenTreeError: if the test fails
    """
    tree, log = work / f"tree-{release}", work / f"tree-{release}.log"
    weave_tree(release, tree)
    make_metadata(environment, tree, log)
    (tree / NOTES).mkdir()
    command = ["python", "-W", "ignore", "-m", "unittest", TEST]
    if environment.run(command, tree, log, {"NOVA_XLOUD_NOTES": f"/tree/{NOTES}"}):
        raise BrokenTreeError(f"the test failed: see {log}")
    return tree


def read(environment: NovaEnvironment, tree: Path, version: str, log: Path) -> dict[str, Any]:
    """Have a Ceilometer read the notifications; return its samples, events and complaints.

    :raises BrokenTreeError: if it cannot be installed, or fails
    """
    place = f"/tree/.ceilometer-{version}"
    script = (
        f"python3 -m venv {place} && "
        f"{place}/bin/python -m pip install -q --no-compile ceilometer=={version} 'setuptools<81'"
    )
    if environment.run(["sh", "-c", script], tree, log, online=True):
        raise BrokenTreeError(f"Ceilometer {version} could not be installed: see {log}")
    shutil.copytree(DEFINITIONS, tree / "deploy-ceilometer", dirs_exist_ok=True)
    shutil.copy(READER, tree / READER.name)
    command = [f"{place}/bin/python", READER.name, f"{NOTES}/legacy.json", "deploy-ceilometer"]
    if environment.run([*command, f"{NOTES}/{version}.json"], tree, log, {"PYTHONPATH": ""}):
        raise BrokenTreeError(f"Ceilometer {version} failed: see {log}")
    told: dict[str, Any] = json.loads((tree / NOTES / f"{version}.json").read_text())
    return told


def faults(told: dict[str, Any]) -> list[str]:
    """Return the differences between the notifications and a Ceilometer's samples."""
    found = [f"complaint: {line}" for line in told["complaints"]]

    def expect(what: str, expected: object, seen: object) -> None:
        if expected != seen:
            found.append(f"{what}: {seen}, not {expected}")

    def volumes(name: str, *endings: str) -> list[float]:
        return [
            each["volume"]
            for each in told["samples"]
            if each["name"] == name and each["event_type"].endswith(endings)
        ]

    ends = (".end", ".error")
    expect("xloud.vcpus", [vcpus for _phase, vcpus, _mb in ENDS], volumes("xloud.vcpus", *ends))
    expect("xloud.memory", [mb for _phase, _vcpus, mb in ENDS], volumes("xloud.memory", *ends))
    expect("xloud.adjust.error", [1], volumes("xloud.adjust.error", *ends))
    # Ceilometer's own meters
    for name, place in (("vcpus", 1), ("memory", 2)):
        adjusts = tuple(f"xloud_adjust{end}" for end in ends)
        expect(name, [end[place] for end in ENDS], volumes(name, *adjusts))
        expect(f"{name} of exists", [ENDS[-1][place]], volumes(name, "instance.exists"))
    events = [each for each in told["events"] if "xloud_adjust" in each["event_type"]]
    expect("events", 2 * len(ENDS), len(events))
    done = [each for each in events if each["event_type"].endswith(ends)]
    for event, end, asked in zip(done, ENDS, ASKED, strict=False):
        traits = event["traits"]
        new = (traits.get("new_vcpus"), traits.get("new_memory_mb"))
        expect("event", end, (event["event_type"].rpartition(".")[2], *new))
        expect("asked", asked, (traits.get("asked_vcpus"), traits.get("asked_memory_mb")))
        for name in ("instance_id", "tenant_id", "request_id", "old_vcpus", "old_memory_mb"):
            if not traits.get(name):
                found.append(f"{event['event_type']} has no {name}")
        if end[0] == "error" and "vCPUs" not in str(traits.get("message")):
            found.append(f"no reason: {traits.get('message')}")
    return found


def compare(release: str, work: Path, versions: tuple[str, ...] = CEILOMETERS) -> int:
    """Have each Ceilometer read the notifications of a release; print and count the faults."""
    environment = NovaEnvironment(release)
    environment.prepare()
    tree = take_down(release, environment, work)
    count = 0
    for version in versions:
        told = read(environment, tree, version, work / f"ceilometer-{version}.log")
        found = faults(told)
        click.echo(
            f"{release}: Ceilometer {version} made {len(told['samples'])} samples and "
            f"{len(told['events'])} events, {len(found)} wrong"
        )
        for fault in found:
            click.echo(f"  {fault}")
        count += len(found)
    return count


@click.command()
@releases_.option("main")
@click.option("--keep", type=click.Path(path_type=Path), help="keep the trees and logs there")
def main(releases: tuple[str, ...], keep: Path | None) -> None:
    """Have real Ceilometers read the notifications of adjusts; exit 1 if one reads them wrong."""
    with workplace("ceilometer", keep) as work:
        if sum(compare(release, work) for release in releases):
            raise SystemExit(1)


if __name__ == "__main__":
    main()
