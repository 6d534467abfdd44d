"""Runs tests of Nova's test tree on a tree: whole suites by stestr, single tests by unittest.

Knows how tests are run and how they ended; its callers choose the trees and the tests.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.nova.environment import HERE, NovaEnvironment

GOOD = ("success", "skip", "xfail")
PARTS = ("unit", "functional")


@dataclass
class Outcome:
    """The outcome of one run of a suite on one tree."""

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

    def matched(self, *patterns: str) -> set[str]:
        """Return the ids of the tests that one of ``patterns`` matches from the start."""
        return {name for name in self.tests if any(re.match(each, name) for each in patterns)}


class BrokenTreeError(Exception):
    """A tree in which no test can run; says why, and where the output is."""


def suites() -> dict[str, list[str]]:
    """Return {suite: regular expressions of test ids} from suites.toml."""
    table = tomllib.loads((HERE / "suites.toml").read_text())
    return {name: list(entry["tests"]) for name, entry in table.items()}


def weave_tree(release: str, directory: Path) -> None:
    """Write the woven tree of ``release`` by the product's own command."""
    command = [sys.executable, "-m", "nova_xloud", "tree", release, str(directory)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def make_metadata(environment: NovaEnvironment, tree: Path, log: Path) -> None:
    """Write the tree's metadata: the entry points (extra-spec validators) are read from it.

    :raises BrokenTreeError: if that fails
    """
    if environment.run(["python", "setup.py", "-q", "egg_info"], tree, log):
        raise BrokenTreeError(f"the tree's metadata could not be made: see {log}")


def expression(patterns: Sequence[str], without: Sequence[str] = ()) -> str:
    """Return the regular expression of the ids that stestr is to run.

    :param patterns: the beginnings of ids to run
    :param without: the beginnings of ids to leave out
    """
    unwanted = f"(?!{'|'.join(without)})" if without else ""
    return f"^{unwanted}({'|'.join(patterns)})"


def run_suite(
    environment: NovaEnvironment,
    tree: Path,
    patterns: Sequence[str],
    logs: Path,
    workers: int,
    *,
    without: Sequence[str] = (),
) -> Outcome:
    """Run the tests that match ``patterns`` on ``tree``.

    :param tree: a tree on the host that the run may write into
    :param logs: a directory for the runner's own output and the subunit stream
    :param without: patterns of tests that are left out
    :returns: the outcome of each test
    """
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / "run.log"
    log.unlink(missing_ok=True)
    outcome = Outcome()
    try:
        make_metadata(environment, tree, log)
    except BrokenTreeError as error:
        outcome.broken = str(error)
        return outcome
    shutil.copy(HERE / "results.py", tree / ".results.py")
    repository = tree / ".results"
    shutil.rmtree(repository, ignore_errors=True)
    repository.mkdir()
    start = time.monotonic()
    for part in PARTS:
        wanted = [p for p in patterns if p.startswith(f"nova.tests.{part}.")]
        if not wanted:
            continue
        where = f".results/{part}"
        (tree / where).mkdir()
        stestr = ["python", "-m", "stestr", f"--test-path=./nova/tests/{part}", "--repo-url", where]
        chosen = expression(wanted, without)
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


def passes_alone(environment: NovaEnvironment, tree: Path, test: str, log: Path) -> bool:
    """Run one test in a process of its own, all its scenarios; say whether it passes."""
    name = test.partition("(")[0]
    return environment.run(["python", "-W", "ignore", "-m", "unittest", name], tree, log) == 0


def loadable(tree: Path, pattern: str) -> list[str]:
    """Return the modules and classes, as unittest loads them, that a pattern of a suite means.

    :param pattern: a package, the beginning of the names of modules, or a module and the
        beginning of the names of its classes
    """
    place = tree / pattern.replace(".", "/")
    if place.is_dir():
        return [
            ".".join(file.relative_to(tree).with_suffix("").parts)
            for file in sorted(place.rglob("test_*.py"))
        ]
    if modules := sorted(place.parent.glob(f"{place.name}*.py")):
        return [".".join(file.relative_to(tree).with_suffix("").parts) for file in modules]
    module, _, beginning = pattern.rpartition(".")
    file = (tree / module.replace(".", "/")).with_suffix(".py")
    if not file.exists():
        return []
    classes = re.findall(rf"^class ({beginning}\w*)", file.read_text(), re.MULTILINE)
    return [f"{module}.{name}" for name in classes]
