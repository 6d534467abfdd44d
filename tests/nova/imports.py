"""Every module that we add or change can be imported, in the environment of each release.

``python -m tests.nova.imports`` weaves the tree of a release and imports these modules in one
process of that release's environment. ``make test-bases`` calls it.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from nova_xloud.trees import tree as trees
from tests.nova import releases as releases_
from tests.nova.environment import HERE, NovaEnvironment, pinned_releases
from tests.nova.runs import BrokenTreeError, make_metadata, weave_tree
from tests.nova.workplace import workplace

#: Where the modules are that belong to no package of Nova's.
TOOLS = "tools/xloud/"
#: Nova's tests change the process when they are imported: they come last.
TESTS = "nova.tests."
_LIST = ".modules.json"
_ANSWER = ".imported.json"


def modules(tree: Path) -> list[str]:
    """Return the names of our modules, and of those that we change, in a woven tree."""
    names = []
    for path in trees.paths():
        if path.endswith(".py") and not path.endswith("/__main__.py") and (tree / path).exists():
            parts = Path(path.removeprefix(TOOLS)).with_suffix("").parts
            names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return sorted(names, key=lambda name: (f"{name}.".startswith(TESTS), name))


def failures(environment: NovaEnvironment, tree: Path, log: Path) -> dict[str, str]:
    """Import the modules of a woven tree in one process.

    :param tree: a tree on the host that the run may write into
    :param log: a file that gets the output of the process
    :returns: the error of each module that cannot be imported, by its name
    :raises BrokenTreeError: if the process does not come to its end
    """
    (tree / ".importing.py").write_text((HERE / "importing.py").read_text())
    (tree / _LIST).write_text(json.dumps(modules(tree)))
    (tree / _ANSWER).unlink(missing_ok=True)
    command = ["python", ".importing.py", _LIST, _ANSWER]
    code = environment.run(command, tree, log, {"PYTHONPATH": f"/tree:/tree/{TOOLS}"})
    if code or not (tree / _ANSWER).exists():
        raise BrokenTreeError(f"the import of the modules ended with {code}: see {log}")
    found: dict[str, str] = json.loads((tree / _ANSWER).read_text())
    return found


def check(release: str, work: Path) -> int:
    """Import our modules and the changed ones in one release; print and count the failures."""
    environment = NovaEnvironment(release)
    click.echo(f"{release}: preparing the environment")
    environment.prepare()
    tree, log = work / f"tree-{release}", work / f"imports-{release}.log"
    log.unlink(missing_ok=True)
    weave_tree(release, tree)
    make_metadata(environment, tree, log)
    found = failures(environment, tree, log)
    for name, error in found.items():
        click.echo(f"  {release}: {name} cannot be imported: {error}")
    wanted = len(modules(tree))
    click.echo(f"{release:8} {wanted - len(found)} of {wanted} modules imported")
    return len(found)


@click.command()
# The releases whose environments `make test-nova` needs anyway.
@releases_.option("main", "newest")
@click.option("--all-pinned", is_flag=True, help="every release that has a pinned environment")
@click.option("--keep", type=click.Path(path_type=Path), help="keep the trees and logs there")
def main(releases: tuple[str, ...], all_pinned: bool, keep: Path | None) -> None:
    """Import each module that is added or changed; exit 1 if one cannot be imported."""
    with workplace("imports", keep) as work:
        wanted = pinned_releases() if all_pinned else releases
        # Every release gets its turn.
        if sum([check(release, work) for release in wanted]):
            raise SystemExit(1)


if __name__ == "__main__":
    main()
