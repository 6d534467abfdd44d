"""What packages cost, as ratios: ``python -m tests.bench TARGET...``.

All of one run is measured on the same machine, from the same empty cache: the targets' builds cold,
warm and with nothing changed; Debian's own build of nova; stdeb on the tree that our package is of.
Prints a table and writes dist/reports/bench-packages.json. Needs root, and about half an hour.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from functools import reduce
from pathlib import Path

from nova_xloud import bases
from nova_xloud.bases import apt
from nova_xloud.ground import root
from nova_xloud.ground.errors import XloudError
from nova_xloud.packages import deb, targets
from tests.bench import theirs
from tests.bench.figures import Cost, Row, compared, show
from tests.bench.ours import Builder, Builds

REPORTS = Path(__file__).parents[2] / "dist/reports"
#: Compared with the distribution's own build, and with stdeb's.
TARGET = "debian-13"
TURNS = 2
#: The ratios are at most these. Ours are of the whole command: weaving, the source package and the
#: record are in; theirs are of the bare build.
AGAINST_DEBIAN = {"seconds": 0.6, "cpu_seconds": 0.7, "bytes": 1.03}
AGAINST_DEBIAN_COLD = {"seconds": 0.8}
AGAINST_STDEB = {"seconds": 0.8, "bytes": 1.03}
#: All default targets against that one build.
ALL_AGAINST_DEBIAN = {"seconds": 1.2}
ALL_AGAINST_DEBIAN_COLD = {"seconds": 1.3}
UNCHANGED = {"seconds": 0.05}
#: A build with nothing changed takes at most so many seconds.
MOMENT = 5.0


def main(names: list[str]) -> int:
    """Measure; return 1 if an aim was missed, 2 if it is not told what to measure."""
    if TARGET not in names:
        print(f"usage: python -m tests.bench {TARGET} [TARGET...]", file=sys.stderr)
        return 2
    scratch = Path(tempfile.mkdtemp(prefix="nova-xloud-bench-", dir="/var/tmp"))
    os.environ["NOVA_XLOUD_CACHE"] = str(scratch / "cache")
    try:
        root.require_root("the bench")
        rows = measure(names, scratch)
    except XloudError as error:
        print(f"bench: {error.sentence}: {error}", file=sys.stderr)
        return error.exit_code
    finally:
        root.remove_tree(scratch)
    REPORTS.mkdir(parents=True, exist_ok=True)
    told = [{**row._asdict(), "ratio": row.ratio} for row in rows]
    (REPORTS / "bench-packages.json").write_text(json.dumps(told, indent=1) + "\n")
    show(rows)
    print(f"written to {REPORTS / 'bench-packages.json'}")
    return int(any(row.ratio > row.aim for row in rows))


def measure(names: list[str], place: Path) -> list[Row]:
    """Build everything, and compare."""
    builder = Builder(place)
    ours: dict[str, Builds] = {}
    for name in names:
        _tell(f"{name}: cold, {TURNS} times warm, unchanged")
        ours[name] = builder.builds(name, TURNS)
    mirror = builder.mirror()
    together = reduce(Builds.plus, ours.values()).plus(Builds(mirror, mirror, Cost(0, 0)))
    suite = targets.get(TARGET).suite
    source, packages = bases.fetch(f"debian:{suite}")[0], builder.dist / TARGET
    _tell("Debian's nova: cold, then warm")
    debian_cold, debian = theirs.costs(theirs.debian(suite), source, place, TURNS)
    _tell("stdeb: warm")
    dsc = next(packages.glob("*.dsc"))
    version = apt.upstream_version(dsc.name.removeprefix(f"{deb.SOURCE}_"))
    _, stdeb = theirs.costs(theirs.stdeb(suite, version), dsc, place, TURNS)
    one = ours[TARGET]
    moment = Cost(MOMENT, 0)
    return [
        *compared(f"{TARGET} : Debian's nova", one.warm, debian, AGAINST_DEBIAN),
        *compared(f"{TARGET}, cold : Debian's nova", one.cold, debian_cold, AGAINST_DEBIAN_COLD),
        *compared(f"{TARGET} : stdeb, same tree", one.warm, stdeb, AGAINST_STDEB),
        *compared("make packages : Debian's nova", together.warm, debian, ALL_AGAINST_DEBIAN),
        *compared(
            "make packages, cold : Debian's nova",
            together.cold,
            debian_cold,
            ALL_AGAINST_DEBIAN_COLD,
        ),
        *compared("all, unchanged : cold", together.unchanged, together.cold, UNCHANGED),
        *(
            row
            for name, each in ours.items()
            for row in compared(
                f"{name}, unchanged : {MOMENT:g} s", each.unchanged, moment, {"seconds": 1.0}
            )
        ),
    ]


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


sys.exit(main(sys.argv[1:]))
