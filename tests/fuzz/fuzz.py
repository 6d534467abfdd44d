"""Mutates real Nova files by a seed, weaves each, and tells the verdicts."""

from __future__ import annotations

import functools
import os
import random
import re
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from nova_xloud import weave as engine
from nova_xloud.ground.errors import AnchorError, MarkedLineError, WeaveError, XloudError
from tests.fuzz import judge, layout, names, places, textual, wholes
from tests.fuzz.mutation import KINDS, Kind, Mutation, Verdict
from tests.fuzz.woven import Change, File, Site, Woven, excerpt

#: Importing them fills the table of kinds.
FAMILIES = (layout, names, places, wholes)


class Base(NamedTuple):
    """Where a release's files are.

    :ivar changes: the directory of our changes
    """

    release: str
    series: int
    directory: Path
    changes: Path


class Outcome(NamedTuple):
    """The outcome of one mutated file.

    :ivar number: of the mutation; with the seed it makes the same again
    :ivar woven: the weaver gave a file
    :ivar wrong: the fault of the weave, or ""
    :ivar needless: why a file was refused that had to be woven, or ""
    :ivar file: the name of the woven file in the directory for ruff
    """

    seed: int
    number: int
    kind: str
    release: str
    path: str
    site: str
    woven: bool
    wrong: str
    needless: str
    file: str

    def __str__(self) -> str:
        told = self.wrong or f"refused: {self.needless}"
        return (
            f"seed {self.seed}, mutation {self.number} ({self.kind}) of {self.path}, "
            f"{self.site}, Nova {self.release}: {told}"
        )


def fuzz(
    bases: Sequence[Base], seed: int, numbers: Sequence[int], directory: Path
) -> list[Outcome]:
    """Make mutations and judge how the weaver takes them, on all processors.

    :param numbers: which of the seed's mutations
    :param directory: gets the woven files, for ruff and for people
    """
    work = functools.partial(_one, tuple(bases), seed, directory)
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        found = list(pool.map(work, numbers, chunksize=8))
    unknown = judge.undefined(directory)
    return [
        each._replace(wrong=each.wrong or "; ".join(unknown.get(each.file, ()))) for each in found
    ]


def fuzz_texts(bases: Sequence[Base], seed: int, numbers: Sequence[int]) -> list[Outcome]:
    """Make mutations of the files that are not Python, and judge how the weaver takes them."""
    return [_one_text(bases, seed, number) for number in numbers]


def _one_text(bases: Sequence[Base], seed: int, number: int) -> Outcome:
    rng = random.Random(f"{seed} text {number}")  # noqa: S311 the same each time
    kind = textual.KINDS[number % len(textual.KINDS)]
    for _ in range(100):
        base = rng.choice(bases)
        file = rng.choice(sorted(each for each in base.changes.rglob("*.*") if textual.knows(each)))
        path = file.relative_to(base.changes).as_posix()
        change = file.read_text()
        there = base.directory / path
        if not path.endswith(kind.ending) or not there.exists():
            continue
        told = File(base.release, base.series, path, change)
        if _weave_text(told, there.read_text()) == there.read_text():
            continue  # the change is for other releases
        text, verdict = kind.make(there.read_text(), textual.anchor_of(path, change), rng)
        if text != there.read_text():
            outcome = Outcome(seed, number, kind.name, base.release, path, "", False, "", "", "")
            return _judged_text(told, text, verdict, outcome)
    raise AssertionError(f"seed {seed}, mutation {number}: {kind.name} fits no file")


def _weave_text(file: File, text: str) -> str:
    return engine.weave(
        text.encode(),
        file.change.encode(),
        path=file.path,
        series=file.series,
        release=file.release,
    ).decode()


def _judged_text(file: File, text: str, verdict: Verdict, outcome: Outcome) -> Outcome:
    try:
        got = _weave_text(file, text)
    except (AnchorError, MarkedLineError, WeaveError) as error:
        named = f"{file.path}" in str(error) and f"(Nova {file.release})" in str(error)
        return outcome._replace(
            wrong="" if named else f"the refusal does not name file and release: {error}",
            needless=str(error) if verdict is Verdict.WOVEN else "",
        )
    except Exception as error:  # whatever else it is, it is no answer
        return outcome._replace(wrong=f"{type(error).__name__}: {error}")
    wrong = "is woven, but had to be refused"
    if verdict is not Verdict.REFUSED:
        wrong = textual.unlike(file.path, text, file.change, got, file.series)
    return outcome._replace(woven=True, wrong=wrong)


def _one(bases: tuple[Base, ...], seed: int, directory: Path, number: int) -> Outcome:
    """Make one mutation and judge how the weaver takes it."""
    rng = random.Random(f"{seed} {number}")  # noqa: S311 the same each time
    kind = KINDS[number % len(KINDS)]
    for _ in range(400):
        base = rng.choice(bases)
        woven = load(base, rng.choice(_paths(base)))
        wanted = [site for site in woven.sites if site.kind in kind.sites]
        site = rng.choice(wanted) if wanted else None
        made = _mutate(woven, site, kind, rng) if site else None
        if site and made:
            return _judged(made, woven, site, kind.name, (seed, number), directory)
    raise AssertionError(f"seed {seed}, mutation {number}: {kind.name} fits no file")


def _mutate(woven: Woven, site: Site, kind: Kind, rng: random.Random) -> Mutation | None:
    """Return a mutation of a file, maybe on top of some of its layout; None if there is none."""
    index = woven.sites.index(site)
    either = imports = False
    while not kind.alone and rng.random() < 0.3:
        below = rng.choice([each for each in KINDS if each.stacks and site.kind in each.sites])
        made = below.make(woven, site, rng)
        if made is None:
            continue
        either = either or made.verdict is Verdict.EITHER
        imports = imports or made.imports
        woven = Woven(woven.file, made.text)
        site = woven.sites[index]
    made = kind.make(woven, site, rng)
    if made is None or (made.text == woven.text and made.base is None):
        return None
    if either and made.verdict is Verdict.WOVEN:
        made = made._replace(verdict=Verdict.EITHER)
    return made._replace(imports=imports or made.imports)


def _judged(
    made: Mutation,
    woven: Woven,
    site: Site,
    kind: str,
    told: tuple[int, int],
    directory: Path,
) -> Outcome:
    """Weave a mutated file and judge the result."""
    file = woven.file
    after = Woven(file, made.text).base if made.base is None else ""
    base = after.encode() if made.base is None else made.base
    outcome = Outcome(*told, kind, file.release, file.path, site.name, False, "", "", "")
    try:
        got = engine.weave(
            base, file.change.encode(), path=file.path, series=file.series, release=file.release
        ).decode()
    except (AnchorError, MarkedLineError, WeaveError) as error:
        return outcome._replace(
            wrong=_misnamed(error, file),
            needless=str(error) if made.verdict is Verdict.WOVEN else "",
        )
    except Exception as error:  # whatever else it is, it is no answer
        return outcome._replace(wrong=f"{type(error).__name__}: {error}")
    outcome = outcome._replace(woven=True, file=f"{told[0]}-{told[1]}.py")
    (directory / outcome.file).write_text(got)
    if made.verdict is Verdict.REFUSED:
        return outcome._replace(wrong="is woven, but had to be refused")
    change = Change(file.change)
    return outcome._replace(
        wrong=judge.unlike(got, base.decode(), made.text, change, imports=made.imports)
    )


def _misnamed(error: XloudError, file: File) -> str:
    """Say in which way a refusal does not name file, anchor and release; "" if it does."""
    text = str(error)
    if file.path not in text or f"(Nova {file.release})" not in text:
        return f"the refusal does not name file and release: {text}"
    if isinstance(error, MarkedLineError):
        return ""
    anchor = text.removeprefix(f"{file.path}: ").partition(": ")[0]
    if re.fullmatch(r"line \d+( of the change)?", anchor) or anchor in Change(file.change).names:
        return ""
    return f"the refusal names no anchor of the change: {text}"


@functools.cache
def _paths(base: Base) -> list[str]:
    """Return the Python files that have changes."""
    return [
        file.relative_to(base.changes).as_posix() for file in sorted(base.changes.rglob("*.py"))
    ]


@functools.cache
def load(base: Base, path: str) -> Woven:
    """Return the weave of an unmutated file; of a long file, that of an excerpt."""
    change = (base.changes / path).read_text()
    text = excerpt((base.directory / path).read_text(), change)
    woven = engine.weave(text.encode(), change.encode(), path=path, series=base.series).decode()
    return Woven(File(base.release, base.series, path, change), woven)
