"""Runs Nova's own test suites, and ours inside them, on woven trees.

``python -m tests.nova.run`` is what ``make test-nova`` calls. A suite is a table
in suites.toml. With ``--against-base`` the pristine base runs the same tests in
the same environment, and a failure that it has too is shown but not counted.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import click

from nova_xloud import bases
from tests.nova.environment import HERE, NoEnvironmentError, NovaEnvironment, pinned_releases

RELEASES = ("29.4.0", "34.0.0")
GOOD = ("success", "skip", "xfail")


@dataclass
class Outcome:
    """What one run of a suite on one tree brought."""

    seconds: float = 0.0
    tests: dict[str, str] = field(default_factory=dict)
    broken: str = ""  # why the runner itself failed, if it did

    def count(self, *states: str) -> int:
        """Return how many tests ended in one of ``states``."""
        return sum(1 for state in self.tests.values() if state in states)

    @property
    def failures(self) -> set[str]:
        """The ids of the tests that did not end well."""
        return {name for name, state in self.tests.items() if state not in GOOD}

    def matched(self, pattern: str) -> bool:
        """Say whether a test ran whose id ``pattern`` matches from the start."""
        return any(re.match(pattern, name) for name in self.tests)


def suites() -> dict[str, list[str]]:
    """Return {suite: regular expressions of test ids} from suites.toml."""
    table = tomllib.loads((HERE / "suites.toml").read_text())
    return {name: list(entry["tests"]) for name, entry in table.items()}


def weave_tree(release: str, directory: Path) -> None:
    """Write the woven tree of ``release`` by the product's own command."""
    command = [sys.executable, "-m", "nova_xloud", "tree", release, str(directory)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def run_suite(
    environment: NovaEnvironment, tree: Path, patterns: list[str], logs: Path, workers: int
) -> Outcome:
    """Run the tests that match ``patterns`` on ``tree``.

    :param tree: a tree on the host that the run may write into
    :param logs: a directory for the runner's own output and the subunit stream
    :returns: the outcome of each test
    """
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / "run.log"
    log.unlink(missing_ok=True)
    outcome = Outcome()
    # The entry points (extra-spec validators) are read from the metadata in the tree.
    metadata = ["python", "setup.py", "-q", "egg_info"]
    if environment.run(metadata, tree, log):
        outcome.broken = f"the tree's metadata could not be made: see {log}"
        return outcome
    shutil.copy(HERE / "results.py", tree / ".results.py")
    repository = tree / ".results"
    shutil.rmtree(repository, ignore_errors=True)
    repository.mkdir()
    start = time.monotonic()
    for part in ("unit", "functional"):
        wanted = [p for p in patterns if p.startswith(f"nova.tests.{part}.")]
        if not wanted:
            continue
        where = f".results/{part}"
        (tree / where).mkdir()
        stestr = ["python", "-m", "stestr", f"--test-path=./nova/tests/{part}", "--repo-url", where]
        chosen = "^(" + "|".join(wanted) + ")"
        code = environment.run([*stestr, "run", "--concurrency", str(workers), chosen], tree, log)
        stream = tree / where / ".stestr" / "0"
        answer = f"{where}/outcomes.json"
        if not stream.exists():
            outcome.broken = f"the {part} tests did not start (exit {code}): see {log}"
            continue
        environment.run(["python", ".results.py", where, answer], tree, log)
        outcome.tests.update(json.loads((tree / answer).read_text()))
        if code and not outcome.failures:
            outcome.broken = f"stestr ended with {code} though no test failed: see {log}"
    outcome.seconds = time.monotonic() - start
    if not outcome.tests and not outcome.broken:
        outcome.broken = "no test ran"
    return outcome


def describe(release: str, kind: str, outcome: Outcome) -> str:
    """Return one line about a run, for people."""
    line = (
        f"{release:8} {kind:5} {outcome.count('success', 'xfail'):5} passed "
        f"{len(outcome.failures):3} failed {outcome.count('skip'):3} skipped "
        f"{outcome.seconds:6.0f} s"
    )
    return f"{line}  BROKEN: {outcome.broken}" if outcome.broken else line


@click.command()
@click.option(
    "--suite", "names", multiple=True, help="a table of suites.toml; default: ours, touched"
)
@click.option("--release", "releases", multiple=True, help=f"default: {', '.join(RELEASES)}")
@click.option("--all-pinned", is_flag=True, help="every release that has a pinned environment")
@click.option("--against-base", is_flag=True, help="run the pristine base too, and compare")
@click.option("--workers", default=2, show_default=True, help="stestr processes")
@click.option("--keep", type=click.Path(path_type=Path), help="keep the trees and logs there")
def main(
    names: tuple[str, ...],
    releases: tuple[str, ...],
    all_pinned: bool,
    against_base: bool,
    workers: int,
    keep: Path | None,
) -> None:
    """Run suites of Nova's test tree on woven trees; exit 1 if a test fails."""
    known = suites()
    chosen = names or ("ours", "touched")
    for name in chosen:
        if name not in known:
            raise click.UsageError(f"no suite {name!r}; there are: {', '.join(known)}")
    patterns = [pattern for name in chosen for pattern in known[name]]
    wanted = tuple(pinned_releases()) if all_pinned else releases or RELEASES
    work = keep or Path(tempfile.mkdtemp(prefix="nova-xloud-tests-"))
    work.mkdir(parents=True, exist_ok=True)
    passed = failed = skipped = 0
    broken = False
    try:
        for release in wanted:
            environment = NovaEnvironment(release)
            click.echo(f"{release}: preparing the environment")
            environment.prepare()
            tree = work / f"tree-{release}"
            weave_tree(release, tree)
            outcome = run_suite(environment, tree, patterns, work / f"logs-{release}", workers)
            known_failures: set[str] = set()
            if against_base:
                base = work / f"base-{release}"
                bases.unpack(release, base)
                reference = run_suite(
                    environment, base, patterns, work / f"logs-{release}-base", workers
                )
                known_failures = reference.failures
                click.echo(describe(release, "base", reference))
            click.echo(describe(release, "tree", outcome))
            new = sorted(outcome.failures - known_failures)
            for name in new:
                click.echo(f"  FAILED {outcome.tests[name]}: {name}")
            for name in sorted(outcome.failures & known_failures):
                click.echo(f"  fails on the base too: {name}")
            passed += outcome.count("success", "xfail")
            failed += len(new)
            skipped += outcome.count("skip")
            # Not every release has every module of Nova's; every tree has all of ours.
            idle = [p for p in known["ours"] if p in patterns and not outcome.matched(p)]
            for pattern in idle:
                click.echo(f"  NO TEST matched {pattern}")
            broken = broken or bool(outcome.broken or idle)
    except NoEnvironmentError as error:
        raise click.ClickException(str(error)) from error
    finally:
        if keep is None and not (failed or broken):
            shutil.rmtree(work)
    if failed or broken:
        click.echo(f"logs and trees are kept in {work}")
    click.echo(f"Nova: {passed} passed, {failed} failed, {skipped} skipped")
    if failed or broken:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
