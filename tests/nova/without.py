"""Each change, taken out alone, makes at least one test fail: no line of ours is there untested.

``python -m tests.nova.without`` takes each piece of each change out of a woven tree and runs
tests until one fails: first those that without.toml names for it, then all of ours.
"""

from __future__ import annotations

import queue
import re
import shutil
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import click

from nova_xloud.ground.errors import AnchorError
from nova_xloud.trees import tree as trees
from tests.nova import documents
from tests.nova.environment import HERE, NovaEnvironment
from tests.nova.pieces import Piece, pieces, without
from tests.nova.releases import of
from tests.nova.runs import BrokenTreeError, loadable, make_metadata, suites, weave_tree
from tests.nova.workplace import workplace

# A piece that does nothing in the first release is taken out of the next.
RELEASES = of("main", "newest")
METADATA = ("setup.cfg", "pyproject.toml")
FAILED = re.compile(r"^(?:FAIL|ERROR): .*?\(?([\w.]+)\)?$", re.MULTILINE)


class Bench(NamedTuple):
    """A woven tree to take pieces out of, one at a time."""

    environment: NovaEnvironment
    documents: NovaEnvironment
    tree: Path
    log: Path

    def fails(self, names: list[str]) -> str:
        """Run tests until one fails; return that one's name, or nothing.

        Nova's unit tests and its functional ones do not bear each other in one process.

        :raises BrokenTreeError: if the tests ended otherwise
        """
        for part in ("unit", "functional"):
            chosen = [name for name in names if name.startswith(f"nova.tests.{part}.")]
            self.log.unlink(missing_ok=True)
            command = ["python", "-W", "ignore", "-m", "unittest", "-f", *chosen]
            if chosen and self.environment.run(command, self.tree, self.log):
                told = self.log.read_text(errors="replace")
                if found := FAILED.search(told):
                    return found[1]
                if "Traceback" in told:
                    return f"{chosen[0]}: cannot be loaded"
                raise BrokenTreeError(f"unittest was stopped: see {self.log}")
        return ""


def noticed(bench: Bench, piece: Piece, table: dict[str, list[str]]) -> str:
    """Run the tests that may notice that a piece is missing; return one that did, or nothing."""
    documented = piece.path.partition("/")[0]
    if documented in documents.EXPECTED:
        found = documents.problems(bench.documents, bench.tree, documented, bench.log)
        return found[0] if found else ""
    ours = {pattern: loadable(bench.tree, pattern) for pattern in suites()["ours"]}
    for pattern, names in ours.items():
        if not names:
            return f"no test matches {pattern}"
    if name := bench.fails(table[piece.label]) if piece.label in table else "":
        return name
    name = bench.fails([name for names in ours.values() for name in names])
    return f"{name} (not in without.toml)" if name else ""


def take_out(bench: Bench, piece: Piece, content: bytes, table: dict[str, list[str]]) -> str:
    """Give a file of the tree another content for a while; return the test that notices."""
    file = bench.tree / piece.path
    whole = file.read_bytes()
    file.write_bytes(content)
    try:
        if piece.path in METADATA:
            make_metadata(bench.environment, bench.tree, bench.log)
        return noticed(bench, piece, table)
    finally:
        file.write_bytes(whole)
        if piece.path in METADATA:
            make_metadata(bench.environment, bench.tree, bench.log)


def benches(release: str, work: Path, count: int) -> list[Bench]:
    """Make so many woven trees of a release."""
    environment = NovaEnvironment(release)
    environment.prepare()
    builder = NovaEnvironment(release, documents=True)
    builder.prepare()
    made: list[Bench] = []
    for number in range(count):
        tree, log = work / f"tree-{release}-{number}", work / f"{release}-{number}.log"
        if made:
            shutil.copytree(made[0].tree, tree, symlinks=True)
        else:
            weave_tree(release, tree)
            documents.prepare(builder, tree, log)
        made.append(Bench(environment, builder, tree, log))
    return made


def effective(
    release: str, tree: Path, wanted: list[Piece]
) -> Iterator[tuple[Piece, bytes | None]]:
    """Yield the pieces that do something in a release, and the file without them.

    The file is None where the build refuses it: other pieces use names of the missing one.
    """
    series = int(release.partition(".")[0])
    for piece in wanted:
        file = tree / piece.path
        whole = file.read_bytes() if file.exists() else b""
        content: bytes | None = b""
        if whole:
            try:
                content = without(piece, whole, series)
            except AnchorError:
                content = None
        if content != whole:
            yield piece, content


def all_pieces(pattern: str) -> list[Piece]:
    """Return the pieces of all changes whose label matches a regular expression."""
    top = trees.sources() / "changes"
    found = [
        piece
        for path in trees.paths()
        if (top / path).exists()
        for piece in pieces(path, (top / path).read_bytes())
    ]
    return [piece for piece in found if re.search(pattern, piece.label)]


@click.command()
@click.option("--only", default="", help="a regular expression of what to take out")
@click.option("--workers", default=2, show_default=True, help="trees worked on at a time")
def main(only: str, workers: int) -> None:
    """Take each piece of each change out; exit 1 if no test notices one."""
    table = tomllib.loads((HERE / "without.toml").read_text())
    left = all_pieces(only)
    named = {piece.label for piece in left}
    wrong = [f"without.toml names {each}" for each in table if not only and each not in named]
    total = len(left)
    with workplace("without") as work:
        for release in RELEASES:
            if left:
                left, missed = run_release(release, left, table, work, workers)
                wrong += missed
        wrong += [f"{piece.label} does nothing in {' or '.join(RELEASES)}" for piece in left]
        for each in wrong:
            click.echo(f"WRONG: {each}")
        click.echo(f"{total - len(wrong)} of {total} pieces are noticed when they are missing")
        if wrong:
            raise SystemExit(1)


def run_release(
    release: str, wanted: list[Piece], table: dict[str, list[str]], work: Path, workers: int
) -> tuple[list[Piece], list[str]]:
    """Take out, one by one, the pieces that do something in a release.

    :returns: the pieces that do nothing in it, and those that no test noticed
    """
    click.echo(f"{release}: preparing the trees")
    free: queue.Queue[Bench] = queue.Queue()
    made = benches(release, work, workers)
    for bench in made:
        free.put(bench)
    doing = list(effective(release, made[0].tree, wanted))
    # A test that fails on the whole tree would notice nothing.
    used = sorted({name for piece, _ in doing for name in table.get(piece.label, ())})
    if used and (broken := made[0].fails(used)):
        raise BrokenTreeError(f"{broken} fails on the whole tree of {release}")

    def one(item: tuple[Piece, bytes | None]) -> tuple[str, str, float]:
        piece, content = item
        if content is None:
            return piece.label, "the build refuses the change", 0
        bench = free.get()
        start = time.monotonic()
        try:
            return piece.label, take_out(bench, piece, content, table), time.monotonic() - start
        finally:
            free.put(bench)

    missed = []
    with ThreadPoolExecutor(workers) as pool:
        for label, test, seconds in pool.map(one, doing):
            click.echo(f"{release:8} {label}: {test or 'NOT NOTICED'} ({seconds:.0f} s)")
            if not test:
                missed.append(f"{label}: no test notices that it is missing in {release}")
    done = {piece.label for piece, _ in doing}
    return [piece for piece in wanted if piece.label not in done], missed


if __name__ == "__main__":
    main()
