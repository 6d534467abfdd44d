"""Nova's own style checks, its hacking rules among them, on our files and our changes.

``python -m tests.nova.style`` runs flake8 with the tree's tox.ini. It counts all findings in files
of ours. In files that we change it counts the findings that the pristine base does not have.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from nova_xloud import bases
from nova_xloud.trees import tree as trees
from tests.nova import releases as releases_
from tests.nova.environment import NovaEnvironment
from tests.nova.runs import BrokenTreeError, weave_tree
from tests.nova.workplace import workplace

# Nova does not let it check these (.pre-commit-config.yaml).
_OTHER = ("doc/", "releasenotes/", "tools/")
_FORMAT = "%(path)s\t%(row)d\t%(code)s %(text)s"


def findings(
    environment: NovaEnvironment, tree: Path, files: list[str], log: Path
) -> dict[tuple[str, str], list[str]]:
    """Run flake8 on files of a tree.

    :returns: {(file, fault): the lines where}
    :raises BrokenTreeError: if flake8 itself fails
    """
    log.unlink(missing_ok=True)
    flake8 = ["python", "-m", "flake8", f"--format={_FORMAT}", "--tee", "--output-file=.style"]
    if environment.run([*flake8, *files], tree, log) not in (0, 1):
        raise BrokenTreeError(f"flake8 failed: see {log}")
    found: dict[tuple[str, str], list[str]] = {}
    for line in (tree / ".style").read_text().splitlines():
        path, row, text = line.split("\t")
        found.setdefault((path.removeprefix("./"), text), []).append(row)
    return found


def check(release: str, work: Path) -> int:
    """Check the tree of a release; print and count the new findings."""
    environment = NovaEnvironment(release)
    environment.prepare()
    tree, base = work / f"tree-{release}", work / f"base-{release}"
    weave_tree(release, tree)
    bases.unpack(release, base)
    ours = [
        path
        for path in trees.paths()
        if path.endswith(".py") and not path.startswith(_OTHER) and (tree / path).exists()
    ]
    changed = [path for path in ours if (base / path).exists()]
    after = findings(environment, tree, ours, work / f"style-tree-{release}.log")
    before = findings(environment, base, changed, work / f"style-base-{release}.log")
    counts = Counter({key: len(rows) for key, rows in after.items()})
    counts.subtract({key: len(rows) for key, rows in before.items()})
    new = +counts
    click.echo(f"{release:8} {len(ours)} files, {new.total()} new findings")
    for path, text in sorted(new):
        click.echo(f"  {path}:{','.join(after[path, text])}: {text}")
    return new.total()


@click.command()
@releases_.option("main", "newest")
def main(releases: tuple[str, ...]) -> None:
    """Check the style of woven trees as Nova does; exit 1 if there is anything new."""
    with workplace("style") as work:
        if sum(check(release, work) for release in releases):
            raise SystemExit(1)


if __name__ == "__main__":
    main()
