"""nova-xloud-settle on stock Nova, as it runs when the packages have been swapped back.

``python -m tests.nova.settle`` runs the command's tests on pristine bases. On woven trees they run
with all tests of ours: there the command runs before a swap.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from nova_xloud import bases
from nova_xloud.trees import tree as trees
from tests.nova import releases as releases_
from tests.nova.environment import NovaEnvironment
from tests.nova.runs import run_suite
from tests.nova.workplace import workplace

COMMAND = "tools/xloud"
TEST = "nova/tests/functional/test_xloud_settle.py"


def failures(release: str, work: Path, workers: int) -> int:
    """Run the tests on the base of a release, print their outcomes, count the faults."""
    environment = NovaEnvironment(release)
    environment.prepare()
    base = work / f"base-{release}"
    bases.unpack(release, base)
    added = trees.sources() / "additions"
    shutil.copytree(added / COMMAND, base / COMMAND)
    shutil.copy(added / TEST, base / TEST)
    pattern = TEST.removesuffix(".py").replace("/", ".")
    outcome = run_suite(environment, base, [pattern], work / f"logs-{release}", workers)
    passed = outcome.count("success")
    wrong = len(outcome.tests) - passed
    click.echo(
        f"{release:8} stock Nova: {passed} passed, {wrong} did not {outcome.seconds:.0f} s"
        f" {outcome.broken}"
    )
    for name in sorted(outcome.tests):
        if outcome.tests[name] != "success":
            click.echo(f"  {outcome.tests[name]}: {name}")
    return wrong + bool(outcome.broken)


@click.command()
@releases_.option("oldest", "main", "newest")
@click.option("--workers", default=2, show_default=True)
@click.option("--keep", type=click.Path(path_type=Path), help="keep the trees and logs there")
def main(releases: tuple[str, ...], workers: int, keep: Path | None) -> None:
    """Run the tests of nova-xloud-settle on stock Nova; exit 1 if one does not pass."""
    with workplace("settle", keep) as work:
        if sum(failures(release, work, workers) for release in releases):
            raise SystemExit(1)


if __name__ == "__main__":
    main()
