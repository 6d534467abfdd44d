"""Runs Nova's own test suites, and ours inside them, on woven trees.

``python -m tests.nova.run`` is what ``make test-nova`` calls. A suite is a table
in suites.toml. With ``--against-base`` each test that failed runs again, alone,
on the tree and on the pristine base in the same environment: one of Nova's that
fails on the base too, or passes alone, is shown but not counted. One of ours must
run and pass: it counts when it passes alone, and when it is skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from nova_xloud import bases
from tests.nova import releases as releases_
from tests.nova.environment import THREADING_SINCE, NovaEnvironment, pinned_releases
from tests.nova.releases import series_of
from tests.nova.runs import PARTS, Outcome, passes_alone, run_suite, suites, weave_tree
from tests.nova.workplace import workplace

DEFAULT = ("ours", "touched")


def describe(release: str, outcome: Outcome) -> str:
    """Return one line about a run, for people."""
    line = (
        f"{release:8} {outcome.count('success', 'xfail'):5} passed "
        f"{len(outcome.failures):3} failed {outcome.count('skip'):3} skipped "
        f"{outcome.seconds:6.0f} s"
    )
    return f"{line}  BROKEN: {outcome.broken}" if outcome.broken else line


def judge(environment: NovaEnvironment, outcome: Outcome, tree: Path, work: Path) -> set[str]:
    """Run the failed tests again, alone: on the tree, then on the base; print base against tree.

    :param tree: where it failed
    :param work: a directory for the base and the output
    :returns: the tests that fail on the tree, and not on the base
    """
    log = work / f"alone-{environment.release}.log"
    again = {test for test in outcome.failures if not passes_alone(environment, tree, test, log)}
    for test in sorted(outcome.failures - again):
        click.echo(f"  unstable, passes alone: {test}")
    if not again:
        return set()
    base = work / f"base-{environment.release}"
    bases.unpack(environment.release, base)
    environment.run(["python", "setup.py", "-q", "egg_info"], base, log)
    shared = {test for test in again if has_test(base, test)}
    known = {test for test in shared if not passes_alone(environment, base, test, log)}
    for test in sorted(known):
        click.echo(f"  fails on the base too: {test}")
    click.echo(
        f"{environment.release:8} of {len(outcome.failures)} that failed, {len(again)} fail alone "
        f"on the tree, {len(known)} on the base: see {log}"
    )
    return again - known


def wrong_of(
    environment: NovaEnvironment,
    outcome: Outcome,
    ours: Sequence[str],
    tree: Path,
    work: Path,
    *,
    against_base: bool,
) -> set[str]:
    """Return the tests that count as failed.

    :param ours: patterns of our own tests, which neither may be skipped nor fail at times
    :param tree: where they ran
    :param work: a directory for the base and the output
    :param against_base: do not count those of Nova's that fail on the base too, or pass alone
    """
    of_ours = outcome.matched(*ours)
    failed = outcome.failures
    if against_base:
        if not failed and not outcome.broken:
            click.echo("  nothing failed on the tree: nothing to compare with the base")
        if failed:
            failed = judge(environment, outcome, tree, work) | (failed & of_ours)
    return failed | {name for name in of_ours if outcome.tests[name] == "skip"}


def say_idle(outcome: Outcome, patterns: Sequence[str], ours: Sequence[str]) -> bool:
    """Print the patterns that no test matched; say whether one of ours is among them.

    Not every release has every module of Nova's; every tree has all of ours.
    """
    idle = [pattern for pattern in patterns if not outcome.matched(pattern)]
    for pattern in idle:
        missed = "NO TEST matched" if pattern in ours else "no test of this release matches"
        click.echo(f"  {missed} {pattern}")
    return any(pattern in ours for pattern in idle)


def chosen_patterns(names: Sequence[str], tests: Sequence[str]) -> list[str]:
    """Return the regular expressions of the tests to run.

    :param names: suites; none means ours and touched
    :param tests: expressions that are to be run instead of suites
    :raises click.UsageError: for a suite, or an expression, that cannot be
    """
    if tests:
        beginnings = tuple(f"nova.tests.{part}." for part in PARTS)
        if names:
            raise click.UsageError("either --suite or --test")
        if wrong := [test for test in tests if not test.startswith(beginnings)]:
            raise click.UsageError(f"{wrong[0]!r} begins with none of: {', '.join(beginnings)}")
        return list(tests)
    known = suites()
    if wrong := [name for name in names if name not in known]:
        raise click.UsageError(f"no suite {wrong[0]!r}; there are: {', '.join(known)}")
    # those of one suite may be those of another, too
    return list(dict.fromkeys(test for name in names or DEFAULT for test in known[name]))


def has_test(tree: Path, test: str) -> bool:
    """Say whether a tree has the module and the class of a test."""
    module, name, _ = test.partition("(")[0].rsplit(".", 2)
    file = (tree / module.replace(".", "/")).with_suffix(".py")
    return file.exists() and f"class {name}(" in file.read_text()


@click.command()
@click.option(
    "--suite", "names", multiple=True, help=f"a table of suites.toml; default: {', '.join(DEFAULT)}"
)
@click.option(
    "--test", "tests", multiple=True, metavar="REGEX", help="what a test's id begins with, no suite"
)
@releases_.option("main", "newest")
@click.option("--all-pinned", is_flag=True, help="one release of each series")
@click.option("--against-base", is_flag=True, help="look whether what fails does on the base too")
@click.option("--threading", is_flag=True, help="native threads instead of eventlet (33 and later)")
@click.option("--workers", default=2, show_default=True, help="stestr processes")
@click.option("--keep", type=click.Path(path_type=Path), help="keep the trees and logs there")
def main(
    names: tuple[str, ...],
    tests: tuple[str, ...],
    releases: tuple[str, ...],
    all_pinned: bool,
    against_base: bool,
    threading: bool,
    workers: int,
    keep: Path | None,
) -> None:
    """Run suites of Nova's test tree on woven trees; exit 1 if a test fails."""
    patterns = chosen_patterns(names, tests)
    ours = suites()["ours"]
    wanted = releases
    if all_pinned:
        first = THREADING_SINCE if threading else 0
        wanted = tuple(each for each in pinned_releases() if series_of(each) >= first)
    passed = failed = skipped = 0
    broken = False
    with workplace("tests", keep) as work:
        for release in wanted:
            environment = NovaEnvironment(release, threading=threading)
            click.echo(f"{release}: preparing the environment")
            environment.prepare()
            able = [pattern for pattern in patterns if environment.can_run(pattern)]
            for pattern in sorted(set(patterns) - set(able)):
                click.echo(f"  not with native threads, nor does Nova of {release}: {pattern}")
            tree = work / f"tree-{release}"
            weave_tree(release, tree)
            outcome = run_suite(environment, tree, able, work / f"logs-{release}", workers)
            click.echo(describe(release, outcome))
            wrong = wrong_of(environment, outcome, ours, tree, work, against_base=against_base)
            for name in sorted(wrong):
                click.echo(f"  FAILED {outcome.tests[name]}: {name}")
            passed += outcome.count("success", "xfail")
            failed += len(wrong)
            skipped += outcome.count("skip") - sum(outcome.tests[name] == "skip" for name in wrong)
            known = [*ours, *suites()["brief"]]
            broken = say_idle(outcome, able, known) or bool(outcome.broken) or broken
        click.echo(f"Nova: {passed} passed, {failed} failed, {skipped} skipped")
        if failed or broken:
            raise SystemExit(1)


if __name__ == "__main__":
    main()
