"""The libraries that a release's tests run with: resolved by pip in the root of the tests.

The pins of a series are the point that pip starts from.  A pin that the release does not accept, or
that pip names when versions do not fit together, is let go: pip takes the newest version that fits.
A new series starts from the pins of the nearest series, and takes the Placement of its own series:
Nova names no version of it, and an older Placement does not run with newer libraries of Oslo.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from nova_xloud.ground import root
from nova_xloud.ground.files import put
from tests.nova.environment import PINS, RECIPE, client_settings, entering, requirements, run_script
from tests.nova.releases import series_of

#: The files of Nova that name the libraries of its tests.
ASKING = ("requirements.txt", "test-requirements.txt")
_HEAD = "# What our own tests run with on this release (Python 3.11).\n"
#: Placement, and how much its number is less than that of the Nova of the same series.
_PLACEMENT, _YOUNGER = "openstack-placement", 18
#: Runs in the root: /work has the files of Nova, pins to start from, and what else is asked for.
_SCRIPT = """\
set -e
python3 -m venv /tmp/venv
/tmp/venv/bin/python - <<'END'
import os, platform, sys
from pip._vendor.packaging.specifiers import SpecifierSet
wanted, has = os.environ["PYTHON_WANTED"], platform.python_version()
if not SpecifierSet(wanted).contains(has):
    sys.exit(f"Nova asks for Python {wanted}, the root of the tests has {has}")
END
cd /work
/tmp/venv/bin/python - <<'END'
import re, subprocess, sys
from pip._vendor.packaging.requirements import InvalidRequirement, Requirement
canonical = lambda name: re.sub(r"[-_.]+", "-", name).lower()
asked = {}
for file in ("requirements.txt", "test-requirements.txt"):
    for line in open(file):
        text = line.split("#")[0].strip()
        try:
            found = Requirement(text)
        except InvalidRequirement:
            continue
        if found.marker is None or found.marker.evaluate():
            asked.setdefault(canonical(found.name), []).append(found.specifier)
kept = []
for line in open("start.txt"):
    name, _, version = line.strip().partition("==")
    fits = all(each.contains(version, prereleases=True) for each in asked.get(canonical(name), []))
    if not fits:
        print("does not suit any more:", line.strip(), flush=True)
    kept.append(line.strip() if fits else name)
while True:
    open("kept.txt", "w").write("\\n".join(kept) + "\\n")
    command = [sys.executable, "-m", "pip", "install", "--progress-bar=off", "-r", "kept.txt"]
    for file in ("asked.txt", "requirements.txt", "test-requirements.txt"):
        command += ["-r", file]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if not done.returncode:
        break
    print(done.stdout, flush=True)
    if "ResolutionImpossible" not in done.stdout:
        sys.exit(done.returncode)
    pinned = {canonical(each.partition("==")[0]) for each in kept if "==" in each}
    told = re.findall(r"^ERROR: Cannot install .*|The user requested .*", done.stdout, re.M)
    named = {canonical(each) for each in re.findall(r"([\\w.-]+)==", " ".join(told))}
    # the pins that pip blames; all, where it blames none
    freed = (named & pinned) or pinned
    if not freed:
        sys.exit(done.returncode)
    print("do not fit together any more:", ", ".join(sorted(freed)), flush=True)
    kept = [each.partition("==")[0] if canonical(each.partition("==")[0]) in freed else each
            for each in kept]
END
/tmp/venv/bin/python -m pip freeze --all --exclude pip --exclude-editable >found.txt
"""


class UnpinnedError(Exception):
    """The libraries of a release could not be chosen; says why, and where the output is."""


class Pinned(NamedTuple):
    """The libraries of a release's tests.

    :ivar file: that pins them
    :ivar told: a line for each library that was pinned in another version, or not at all
    """

    file: Path
    told: list[str]


def pin(release: str, source: Path, python: str, log: Path, place: Path = PINS) -> Pinned:
    """Choose the libraries for a release, and write them into the pins of its series.

    A series whose pins suit keeps them as they are.

    :param source: the unpacked sdist
    :param python: the versions of Python that the release asks for: ``>=3.11``
    :param log: gets the output of pip
    :raises UnpinnedError: if pip finds no versions that fit together
    :raises XloudError: if the root cannot be made
    """
    series = series_of(release)
    file = place / f"{series}.txt"
    before = requirements(file if file.exists() else _nearest(series, place))
    start, asked = (before, []) if file.exists() else beginning(series, before)
    with tempfile.TemporaryDirectory(prefix="nova-xloud-") as scratch:
        work = Path(scratch)
        for name in ASKING:
            shutil.copyfile(source / name, work / name)
        (work / "start.txt").write_text("".join(f"{each}\n" for each in start))
        (work / "asked.txt").write_text("".join(f"{each}\n" for each in asked))
        command = [*entering(root.make(RECIPE)), "--resolv-conf=copy-host", *client_settings()]
        command += [root.bind(work, "/work"), f"--setenv=PYTHON_WANTED={python}"]
        if run_script(command, _SCRIPT, log):
            raise UnpinnedError(f"{last_line(log)}: see {log}")
        found = _locked((work / "found.txt").read_text())
    told = changes(before, found)
    if told or not file.exists():
        text = _HEAD + "".join(f"{each}\n" for each in found)
        put(file, text.encode())
    return Pinned(file, told)


def beginning(series: int, pins: list[str]) -> tuple[list[str], list[str]]:
    """Return the pins that a new series starts from, and the requirement of its Placement.

    :param pins: of another series
    """
    kept = [each for each in pins if not each.startswith(f"{_PLACEMENT}==")]
    return kept, [f"{_PLACEMENT}<{series - _YOUNGER + 1}"]


def changes(before: list[str], after: list[str]) -> list[str]:
    """Return a line for each library whose version is another, or that came or went."""
    old, new = (dict(each.split("==") for each in pins) for pins in (before, after))
    return [
        f"{name}: {old.get(name, 'none')} -> {new.get(name, 'none')}"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]


def last_line(log: Path) -> str:
    """Return the last line of a log that says something."""
    lines = [each.strip() for each in log.read_text(errors="replace").splitlines() if each.strip()]
    errors = [each for each in lines if re.match(r"ERROR|Nova asks", each)]
    return (errors or lines or ["it said nothing"])[-1]


def _locked(frozen: str) -> list[str]:
    """Return the pins among the lines that ``pip freeze`` prints, sorted."""
    lines = (each.strip() for each in frozen.splitlines())
    return sorted(each for each in lines if re.fullmatch(r"[\w.-]+==\S+", each))


def _nearest(series: int, place: Path) -> Path:
    """Return the pins of the nearest series that has some."""
    files = {int(each.stem): each for each in place.glob("*.txt")}
    return files[min(files, key=lambda each: (abs(each - series), -each))]
