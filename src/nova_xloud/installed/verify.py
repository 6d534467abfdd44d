"""The state of an installed Nova, as a table: files, metadata, the loaded code, the services."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator, NamedTuple

from nova_xloud.installed import journal as journals
from nova_xloud.installed import metadata, work
from nova_xloud.installed.journal import ADDED, BYTE_CODE, CHANGED, Journal, Store
from nova_xloud.installed.ours import Ours
from nova_xloud.installed.places import Place

GOOD, WRONG, UNKNOWN = "good", "WRONG", "not seen"

#: Runs in the Python of the tree; says which Nova it imports, and what that Nova has.
_ASK = """
import json, os, sys
import nova
from nova.xloud import lifecycle
from nova.policies import xloud_adjust
from importlib import import_module, metadata
try:
    found = metadata.entry_points(group='nova.api.extra_spec_validators')
except TypeError:
    found = metadata.entry_points().get('nova.api.extra_spec_validators', ())
validators = {each.name: each.value for each in found}
specs = [each.name for each in import_module(validators['minimum']).register()]
print(json.dumps({
    'nova': os.path.dirname(os.path.dirname(os.path.realpath(nova.__file__))),
    'policies': [each.name for each in xloud_adjust.list_rules()],
    'specs': specs,
}))
"""
_POLICIES = {"os_compute_api:xloud:adjust", "os_compute_api:xloud:status"}
_SPECS = {"minimum_cpu", "minimum_memory"}
_SERVICE = re.compile(r"nova[-_](api|compute|conductor|scheduler|metadata|\w*proxy|wsgi)")


class Row(NamedTuple):
    """A line of the table.

    :ivar what: the subject of the check
    :ivar state: ``good``, ``WRONG`` or ``not seen``
    :ivar found: the finding, for the operator
    """

    what: str
    state: str
    found: str


def look(place: Place, ours: Ours) -> list[Row]:
    """Return the table of an installed Nova."""
    store = Store(place)
    known = store.journal()
    if known is None:
        return [Row("changes", WRONG, "nova-xloud was not applied by this program")]
    if work.is_stale(store, known):
        told = "pip has replaced this Nova since nova-xloud was applied: run `apply` again"
        return [Row("changes", WRONG, told)]
    rows = [_changes(known, ours), _files(store, known), _entry_point(place, ours)]
    # the RECORD of an editable installation names no file of the checkout
    if place.metadata.parent == place.code and (place.metadata / metadata.RECORD).exists():
        rows.append(_record(place, known))
    return [*rows, *_imported(place), _services(place, known)]


def _changes(known: Journal, ours: Ours) -> Row:
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(known.since))
    told = f"nova-xloud {known.version} in Nova {known.nova}, {known.state} since {since}"
    if known.state != journals.APPLIED:
        return Row("changes", WRONG, f"{told}: `apply` or `rollback` finishes")
    if known.digest != ours.digest:
        return Row("changes", WRONG, f"{told}: this program has other changes, `apply` them")
    return Row("changes", GOOD, told)


def _files(store: Store, known: Journal) -> Row:
    ours = [each for each in known.files if each.kind != BYTE_CODE]
    wrong = [
        each.path
        for each in ours
        if journals.of(journals.read(store.place.code / each.path)) != each.new
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        told = f"{len(wrong)} of {len(ours)} are not as applied: {', '.join(wrong[:3])}{more}"
        return Row("files", WRONG, told)
    added = sum(each.kind == ADDED for each in ours)
    marks = 0
    for each in ours:
        if each.kind == CHANGED and each.path.endswith(".py"):
            text = (store.place.code / each.path).read_text()
            marks += sum(line.endswith("# xloud") for line in text.splitlines())
    told = f"{added} added, {len(ours) - added} changed; {marks} marked lines in Nova's files"
    return Row("files", GOOD, told)


def _entry_point(place: Place, ours: Ours) -> Row:
    file = place.metadata / metadata.ENTRY_POINTS
    lines = {re.sub(r"\s", "", line) for line in file.read_text().splitlines()}
    lacking = [
        line
        for _, line in metadata.declared(ours.changes["setup.cfg"])
        if re.sub(r"\s", "", line) not in lines
    ]
    if lacking:
        return Row("entry point", WRONG, f"{file} lacks {', '.join(lacking)}")
    return Row("entry point", GOOD, f"in {place.metadata.name}")


def _record(place: Place, known: Journal) -> Row:
    """Compare RECORD with the files: pip removes a file by it."""
    rows = (place.metadata / metadata.RECORD).read_text().splitlines()
    named = {line.partition(",")[0] for line in rows}
    lacking = [each.path for each in known.files if each.kind == ADDED and each.path not in named]
    if lacking:
        return Row("RECORD", WRONG, f"lacks {len(lacking)} of our files, {lacking[0]} is one")
    return Row("RECORD", GOOD, "names our files: pip can remove them")


def _imported(place: Place) -> list[Row]:
    """Ask the Python of the tree, if that is the Python that this program runs in."""
    done = subprocess.run(
        [sys.executable, "-c", _ASK],
        capture_output=True,
        cwd="/",
        check=False,
    )
    try:
        told = json.loads(done.stdout.decode())
    except ValueError:
        told = {}
    if told.get("nova") != str(place.code):
        if _is_this_pythons(place):
            last = (done.stderr.decode().strip().splitlines() or ["no answer"])[-1]
            return [Row("imports", WRONG, last)]
        reason = "not asked: start this program by the Python of the tree"
        return [Row(each, UNKNOWN, reason) for each in ("imports", "policies", "extra specs")]
    rows = [Row("imports", GOOD, f"by {sys.executable}")]
    for what, key, wanted in (
        ("policies", "policies", _POLICIES),
        ("extra specs", "specs", _SPECS),
    ):
        lacking = sorted(wanted - set(told[key]))
        state = WRONG if lacking else GOOD
        rows.append(Row(what, state, f"lacks {lacking}" if lacking else ", ".join(sorted(wanted))))
    return rows


def _is_this_pythons(place: Place) -> bool:
    return any(Path(each).resolve() == place.code for each in sys.path if each)


class _Service(NamedTuple):
    """A running process of Nova's.

    :ivar pid: its number
    :ivar name: its name, e.g. ``nova-compute``
    :ivar since: when it was started, in seconds since 1970
    """

    pid: int
    name: str
    since: float


def _services(place: Place, known: Journal) -> Row:
    """Find processes that were started before the files were written: they run the old code."""
    running = list(_running(place))
    older = [each for each in running if each.since < known.since]
    if older:
        told = ", ".join(f"{each.name} ({each.pid})" for each in older)
        return Row("services", WRONG, f"run the code from before: restart {told}")
    return Row("services", GOOD, f"{len(running)} run, all started later")


def _running(place: Place) -> Iterator[_Service]:
    """Yield the running processes of Nova's that use the tree."""
    boot = _boot_time()
    ticks = os.sysconf("SC_CLK_TCK")
    environment = place.inside.partition("/lib/python")[0]
    for each in Path("/proc").iterdir():
        if not each.name.isdigit() or int(each.name) == os.getpid():
            continue
        try:
            words = (each / "cmdline").read_bytes().decode(errors="replace").split("\0")
            name = next((found[0] for word in words if (found := _named(word))), "")
            if not name or not _uses(each, place, environment, words):
                continue
            told = (each / "stat").read_text().rpartition(")")[2].split()
            yield _Service(int(each.name), name, boot + int(told[19]) / ticks)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue


def _named(word: str) -> re.Match[str] | None:
    return None if word.endswith(".pyz") else _SERVICE.search(word)


def _uses(process: Path, place: Place, environment: str, words: list[str]) -> bool:
    """Say whether a process has its code from a tree."""
    own = Path(f"{process}/root{place.inside}/nova/__init__.py")
    if not own.exists():
        return False
    there = (place.code / "nova/__init__.py").stat()
    mine = own.stat()
    if (mine.st_ino, mine.st_size) != (there.st_ino, there.st_size):
        return False
    if any(word.startswith(environment + "/") for word in words):
        return True
    return f"{place.inside}/" in (process / "maps").read_text()


def _boot_time() -> float:
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0
