"""Nova's own functional tests with floors on every flavor that equal its maxima.

``python -m tests.nova.floors`` weaves trees whose functional tests call ``every_floor.py``, and
runs the suite ``floors`` on them. Our code works for every server then, and no server can be
adjusted: Nova's tests must see the figures of stock Nova. A test that fails runs again, alone, on
the tree and on the pristine base. A failure counts unless the test passes alone, or fails on the
base too.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import click

from tests.nova import releases as releases_
from tests.nova.environment import HERE, NovaEnvironment
from tests.nova.run import chosen_patterns, describe, say_idle, wrong_of
from tests.nova.runs import BrokenTreeError, run_suite, suites, weave_tree
from tests.nova.workplace import workplace

SUITE = "floors"
MODULE = "nova/tests/xloud_every_floor.py"
CALLED_BY = "nova/tests/functional/__init__.py"
NOTES = ".floors"
CALL = f"""
from nova.tests import xloud_every_floor  # noqa: E402

xloud_every_floor.install("/tree/{NOTES}")
"""

# The suite must call these functions of ours, or the run has proved nothing about them.
REQUIRED = (
    "nova.virt.libvirt.xloud.get_size",
    "nova.virt.libvirt.xloud_xml._size_guest",
    "nova.xloud.accounting.Accounting.settle_new_guest",
    "nova.xloud.accounting.Accounting.settle_reverted",
    "nova.xloud.api.flavors.at_floor",
    "nova.xloud.api.flavors.check_create",
    "nova.xloud.api.flavors.check_resize",
    "nova.xloud.api.flavors.held",
    "nova.xloud.compute.hooks.guest_is_another",
    "nova.xloud.compute.hooks.guest_is_new",
    "nova.xloud.compute.hooks.guest_is_off",
    "nova.xloud.compute.hooks.server_is_new",
    "nova.xloud.compute.reconcile.Reconciler._reconcile_instance",
    "nova.xloud.compute.tracker.Held.follow",
    "nova.xloud.compute.tracker.usage",
    "nova.xloud.record.following",
    "nova.xloud.record.forget_stashed",
    "nova.xloud.record.start_at_floor",
    "nova.xloud.scheduler.hosts.check_destination",
    "nova.xloud.scheduler.hosts.large_enough",
    "nova.xloud.scheduler.hosts.require_adjust",
    "nova.xloud.scheduler.request.carry_size",
    "nova.xloud.scheduler.request.of_instance",
    "nova.xloud.scheduler.request.requested",
)


class Notes(NamedTuple):
    """The notes of all processes of a run.

    :ivar floors: the flavors that got a floor: "ID SPEC FLOOR"
    :ivar calls: how often each function of ours was called, 0 included
    """

    floors: set[str]
    calls: Counter[str]


def put_into(tree: Path) -> None:
    """Have the functional tests of a woven tree give every flavor floors."""
    shutil.copy(HERE / "every_floor.py", tree / MODULE)
    file = tree / CALLED_BY
    text = file.read_text()
    if CALL not in text:
        file.write_text(text + CALL)
    shutil.rmtree(tree / NOTES, ignore_errors=True)
    (tree / NOTES).mkdir()


def notes(tree: Path) -> Notes:
    """Read the notes that the processes of a run have left in its tree."""
    found = Notes(set(), Counter())
    for file in (tree / NOTES).iterdir():
        noted = json.loads(file.read_text())
        found.floors.update(noted["floors"])
        for name, number in noted["calls"].items():
            found.calls[name] += number
    return found


def lacking(noted: Notes, required: tuple[str, ...]) -> list[str]:
    """Name the proofs that a run lacks: floors on flavors, and calls of functions of ours."""
    lacks = [] if noted.floors else ["no flavor has got a floor"]
    return lacks + [f"never called: {name}" for name in required if not noted.calls[name]]


def failures(release: str, work: Path, workers: int, tests: tuple[str, ...]) -> int:
    """Run the suite on a tree of a release, print the result, count the faults.

    :param tests: regular expressions of the tests to run, instead of the suite
    :raises BrokenTreeError: if the tests did not run
    """
    environment = NovaEnvironment(release)
    environment.prepare()
    tree = work / f"tree-{release}"
    weave_tree(release, tree)
    put_into(tree)
    patterns = chosen_patterns(() if tests else (SUITE,), tests)
    # Our own tests have flavors without a floor, on purpose.
    ours = suites()["ours"]
    logs = work / f"logs-{release}"
    outcome = run_suite(environment, tree, patterns, logs, workers, without=ours)
    click.echo(f"{describe(release, outcome)}  (floors on every flavor)")
    if outcome.broken:
        raise BrokenTreeError(outcome.broken)
    noted = notes(tree)
    ran = sorted(name for name, number in noted.calls.items() if number)
    click.echo(
        f"  {len(noted.floors)} floors on flavors; {sum(noted.calls.values())} calls of "
        f"{len(ran)} of our {len(noted.calls)} functions that are counted"
    )
    for name in sorted(set(noted.calls) - set(ran)):
        click.echo(f"  not called: {name}")
    lacks = lacking(noted, () if tests else REQUIRED)
    wrong = wrong_of(environment, outcome, (), tree, work, against_base=True)
    for problem in [*lacks, *(f"{outcome.tests[name]}: {name}" for name in sorted(wrong))]:
        click.echo(f"  FAILED {problem}")
    say_idle(outcome, patterns, ())
    return len(wrong) + len(lacks)


@click.command()
@releases_.option("main", "newest")
@click.option("--test", "tests", multiple=True, metavar="REGEX", help="the beginning of test ids")
@click.option("--workers", default=2, show_default=True, help="stestr processes")
@click.option("--keep", type=click.Path(path_type=Path), help="keep the trees and logs there")
def main(
    releases: tuple[str, ...], tests: tuple[str, ...], workers: int, keep: Path | None
) -> None:
    """Run Nova's functional tests with a floor on every flavor; exit 1 if a figure differs."""
    with workplace("floors", keep) as work:
        if sum([failures(release, work, workers, tests) for release in releases]):
            raise SystemExit(1)


if __name__ == "__main__":
    main()
