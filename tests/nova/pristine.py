"""Servers of flavors without a floor, on the woven tree and on the pristine base.

``python -m tests.nova.pristine`` runs tests on both that take down Nova's calls to databases, RPC
and Placement, the XML of guests, and notifications. It prints and counts every difference.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import click

from nova_xloud import bases
from tests.nova import releases as releases_
from tests.nova.environment import NovaEnvironment
from tests.nova.runs import BrokenTreeError, make_metadata, weave_tree
from tests.nova.workplace import workplace

FUNCTIONAL = "nova/tests/functional"
# The files that the tests need on the base: they import nothing of ours.
FILES = (
    f"{FUNCTIONAL}/xloud_pristine.py",
    f"{FUNCTIONAL}/test_xloud_calls.py",
    f"{FUNCTIONAL}/test_xloud_pristine_events.py",
    f"{FUNCTIONAL}/libvirt/test_xloud_pristine.py",
    f"{FUNCTIONAL}/libvirt/test_xloud_queued_reboots.py",
)
TESTS = tuple(name.removesuffix(".py").replace("/", ".") for name in FILES if "/test_" in name)
NOTES = ".notes"
SHOWN = 20


def take_notes(environment: NovaEnvironment, tree: Path, log: Path) -> dict[str, list[str]]:
    """Run the tests on a tree and return {name: the lines that they took down}.

    :raises BrokenTreeError: if one fails
    """
    make_metadata(environment, tree, log)
    (tree / NOTES).mkdir()
    command = ["python", "-W", "ignore", "-m", "unittest", *TESTS]
    if environment.run(command, tree, log, {"NOVA_XLOUD_NOTES": f"/tree/{NOTES}"}):
        raise BrokenTreeError(f"a test failed: see {log}")
    return {file.stem: json.loads(file.read_text()) for file in sorted((tree / NOTES).iterdir())}


def differences(name: str, base: list[str], tree: list[str]) -> list[str]:
    """Return the lines that only one of two notes has, marked as diff does.

    The order of XML counts; that of calls does not, since unmodified Nova's differs from run to
    run, as that of the sets that it walks.
    """
    if name.startswith("xml-") and len(base) == len(tree):
        pairs = [pair for pair in zip(base, tree, strict=True) if pair[0] != pair[1]]
        return [sign + text for pair in pairs for sign, text in zip("-+", pair, strict=True)]
    before, after = Counter(base), Counter(tree)
    return [
        *(f"-{line}" for line in (before - after).elements()),
        *(f"+{line}" for line in (after - before).elements()),
    ]


def compare(release: str, work: Path) -> int:
    """Compare tree and base of a release; print the differences.

    :param work: a directory for the trees and the output
    :returns: how many notes differ
    """
    environment = NovaEnvironment(release)
    environment.prepare()
    tree, base = work / f"tree-{release}", work / f"base-{release}"
    weave_tree(release, tree)
    bases.unpack(release, base)
    for name in FILES:
        shutil.copy(tree / name, base / name)
    ours = take_notes(environment, tree, work / f"tree-{release}.log")
    theirs = take_notes(environment, base, work / f"base-{release}.log")
    differing = 0
    for name in sorted(ours | theirs):
        found = differences(name, theirs.get(name, []), ours.get(name, []))
        differing += bool(found)
        lines = len(theirs.get(name, []))
        click.echo(f"{release:8} {name:25} {lines:4} on the base, {len(found)} differ")
        for line in found[:SHOWN]:
            click.echo(f"  {line}")
    if not ours:
        raise BrokenTreeError("the tests took nothing down")
    return differing


@click.command()
@releases_.option("main", "newest")
@click.option("--keep", type=click.Path(path_type=Path), help="keep the trees and logs there")
def main(releases: tuple[str, ...], keep: Path | None) -> None:
    """Compare servers without a floor with pristine Nova's; exit 1 if anything differs."""
    with workplace("pristine", keep) as work:
        if differing := sum(compare(release, work) for release in releases):
            click.echo(f"{differing} differ from pristine Nova")
            raise SystemExit(1)
    click.echo("without a floor, the same as pristine Nova")


if __name__ == "__main__":
    main()
