"""Branch coverage of our own modules by our own unit tests.

``python -m tests.nova.covered`` runs them on a woven tree and exits 1 if less than the least of any
module is covered. A line that only another release runs counts as not covered.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from nova_xloud.trees import tree as trees
from tests.nova.environment import NovaEnvironment
from tests.nova.releases import of
from tests.nova.runs import BrokenTreeError, loadable, make_metadata, suites, weave_tree
from tests.nova.workplace import workplace

LEAST = 95
WHOLE = 100


def modules() -> list[str]:
    """Return the paths in the tree of our own modules, but for the tests.

    ``tools`` holds a command that runs on stock Nova; its tests are functional: see settle.py.
    """
    added = trees.sources() / "additions"
    paths = (file.relative_to(added) for file in sorted(added.rglob("*.py")))
    return [str(path) for path in paths if not {"tests", "tools"} & set(path.parts)]


def measure(environment: NovaEnvironment, tree: Path, log: Path) -> dict[str, float]:
    """Run our unit tests on a tree and return {path of a module of ours: per cent covered}.

    :raises BrokenTreeError: if a test fails
    """
    make_metadata(environment, tree, log)
    patterns = [name for name in suites()["ours"] if name.startswith("nova.tests.unit.")]
    names = [name for pattern in patterns for name in loadable(tree, pattern)]
    # as a file: Nova's own settings for coverage would add modules to these
    (tree / ".covered").write_text(
        # threads are eventlet's there
        "[run]\nbranch = true\nconcurrency = greenlet\ndata_file = .covered.data\ninclude =\n"
        + "".join(f"  {path}\n" for path in modules())
    )
    coverage = ["python", "-W", "ignore", "-m", "coverage"]
    running = [*coverage, "run", "--rcfile=.covered", "-m", "unittest", *names]
    if environment.run(running, tree, log):
        raise BrokenTreeError(f"a test failed: see {log}")
    telling = [*coverage, "json", "--rcfile=.covered", "-q", "-o", ".covered.json"]
    if environment.run(telling, tree, log):
        raise BrokenTreeError(f"coverage does not tell: see {log}")
    return shares((tree / ".covered.json").read_text(), modules())


def shares(told: str, paths: list[str]) -> dict[str, float]:
    """Return {path: per cent covered}; a module that no test has loaded is not covered.

    :param told: the report of coverage, as JSON
    """
    files = json.loads(told)["files"]
    return {
        path: files[path]["summary"]["percent_covered"] if path in files else 0.0 for path in paths
    }


@click.command()
@click.option("--release", default=of("main")[0], show_default=True)
@click.option("--keep", type=click.Path(path_type=Path), help="keep the tree and logs there")
def main(release: str, keep: Path | None) -> None:
    """Measure the branch coverage of our modules; exit 1 if that of one is less than 95 %."""
    with workplace("covered", keep) as work:
        environment = NovaEnvironment(release)
        environment.prepare()
        weave_tree(release, work / "tree")
        found = measure(environment, work / "tree", work / "run.log")
        for path, share in found.items():
            if share < WHOLE:
                click.echo(f"  {share:6.2f} % {path}")
        whole = sum(share == WHOLE for share in found.values())
        click.echo(
            f"{release}: {whole} of our {len(found)} modules are covered wholly, "
            "with their branches, by our unit tests"
        )
        if less := [path for path, share in found.items() if share < LEAST]:
            click.echo(f"less than {LEAST} %: {', '.join(less)}")
            raise SystemExit(1)


if __name__ == "__main__":
    main()
