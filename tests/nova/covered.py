"""Branch coverage of our own modules by our own unit tests.

``python -m tests.nova.covered`` runs them on a woven tree and exits 1 if less than the least is
covered. What only another release runs counts as not covered.
"""

from __future__ import annotations

from pathlib import Path

import click

from nova_xloud import tree as trees
from tests.nova.environment import NovaEnvironment
from tests.nova.runs import BrokenTreeError, loadable, make_metadata, suites, weave_tree
from tests.nova.workplace import workplace

LEAST = 95


def modules() -> list[str]:
    """Return the paths in the tree of our own modules, but for the tests."""
    added = trees.sources() / "additions"
    paths = (file.relative_to(added) for file in sorted(added.rglob("*.py")))
    return [str(path) for path in paths if "tests" not in path.parts]


def measure(environment: NovaEnvironment, tree: Path, log: Path) -> str:
    """Run our unit tests on a tree and return coverage's table of our modules.

    :raises BrokenTreeError: if a test fails
    """
    make_metadata(environment, tree, log)
    patterns = [name for name in suites()["ours"] if name.startswith("nova.tests.unit.")]
    names = [name for pattern in patterns for name in loadable(tree, pattern)]
    # as a file: Nova's own settings for coverage would add to what is asked for here
    (tree / ".covered").write_text(
        "[run]\nbranch = true\ndata_file = .covered.data\ninclude =\n"
        + "".join(f"  {path}\n" for path in modules())
        + "[report]\nskip_covered = true\n"
    )
    coverage = ["python", "-W", "ignore", "-m", "coverage"]
    running = [*coverage, "run", "--rcfile=.covered", "-m", "unittest", *names]
    if environment.run(running, tree, log):
        raise BrokenTreeError(f"a test failed: see {log}")
    told = log.with_suffix(".txt")
    told.unlink(missing_ok=True)
    environment.run([*coverage, "report", "--rcfile=.covered"], tree, told)
    return told.read_text()


def total(table: str) -> int:
    """Return the percentage in coverage's table.

    :raises BrokenTreeError: there is none
    """
    last = next((line.split() for line in table.splitlines() if line.startswith("TOTAL")), [])
    if not last:
        raise BrokenTreeError(f"coverage says: {table}")
    return int(last[-1].rstrip("%"))


@click.command()
@click.option("--release", default="29.4.0", show_default=True)
@click.option("--keep", type=click.Path(path_type=Path), help="keep the tree and logs there")
def main(release: str, keep: Path | None) -> None:
    """Measure the branch coverage of our modules; exit 1 if it is less than 95 %."""
    with workplace("covered", keep) as work:
        environment = NovaEnvironment(release)
        environment.prepare()
        weave_tree(release, work / "tree")
        table = measure(environment, work / "tree", work / "run.log")
        covered = total(table)
        click.echo("\n".join(line for line in table.splitlines() if line.endswith("%")))
        click.echo(f"{release}: {covered} % of our modules, with their branches, by our unit tests")
        if covered < LEAST:
            click.echo(f"less than {LEAST} %")
            raise SystemExit(1)


if __name__ == "__main__":
    main()
