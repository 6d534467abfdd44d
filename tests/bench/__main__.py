"""The cost of packages, as ratios: ``python -m tests.bench TARGET...``.

All of one run is measured on the same machine, from the same empty cache: the targets' builds cold,
warm and with nothing changed; Debian's own build of nova; stdeb on the tree that our package is of.
The warm builds take turns: one of each target, one of Debian's, one of stdeb's, and so on. A ratio
is of two builds of the same turn. Prints the median ratios, their spread, and the stages of our
build; writes dist/reports/bench-packages.json. Needs root, and about twenty minutes.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from nova_xloud import bases
from nova_xloud.bases import apt
from nova_xloud.ground import root
from nova_xloud.ground.errors import XloudError
from nova_xloud.packages import deb, targets
from tests.bench import theirs
from tests.bench.figures import Cost, Row, compared, show, show_stages, total
from tests.bench.ours import Builder

REPORTS = Path(__file__).parents[2] / "dist/reports"
#: Compared with the distribution's own build, and with stdeb's.
TARGET = "debian-13"
TURNS = 5
#: The ratios are at most these. Ours are of the whole command: weaving, the source package and the
#: record are in; theirs are of the bare build.
AGAINST_DEBIAN = {"seconds": 0.5, "cpu_seconds": 0.7, "bytes": 1.03}
COLD = {"seconds": 0.35}
AGAINST_STDEB = {"seconds": 0.6, "bytes": 1.03}
#: All default targets against that one build.
ALL_AGAINST_DEBIAN = {"seconds": 1.2}
ALL_COLD = {"seconds": 1.3}
UNCHANGED = {"seconds": 0.05}
#: A build with nothing changed takes at most so many seconds.
MOMENT = 5.0


def main(names: list[str]) -> int:
    """Measure; return 1 if an aim was missed, 2 if no target is given."""
    if TARGET not in names:
        print(f"usage: python -m tests.bench {TARGET} [TARGET...]", file=sys.stderr)
        return 2
    scratch = Path(tempfile.mkdtemp(prefix="nova-xloud-bench-", dir="/var/tmp"))
    os.environ["NOVA_XLOUD_CACHE"] = str(scratch / "cache")
    try:
        root.require_root("the bench")
        rows, stages = measure(names, scratch)
    except XloudError as error:
        print(f"bench: {error.sentence}: {error}", file=sys.stderr)
        return error.exit_code
    finally:
        root.remove_tree(scratch)
    REPORTS.mkdir(parents=True, exist_ok=True)
    told = [{**row._asdict(), "ratio": row.ratio, "ratios": row.ratios} for row in rows]
    report = {"rows": told, "stages": stages}
    (REPORTS / "bench-packages.json").write_text(json.dumps(report, indent=1) + "\n")
    show(rows)
    show_stages(stages)
    print(f"written to {REPORTS / 'bench-packages.json'}")
    return int(not all(row.is_met for row in rows))


def measure(names: list[str], place: Path) -> tuple[list[Row], list[dict[str, float]]]:
    """Build everything, and compare.

    :returns: the rows, and the seconds of each stage of our warm builds
    """
    builder = Builder(place)
    cold = {}
    for name in names:
        _tell(f"{name}: cold")
        cold[name] = builder.build(name)
    cold_mirror = builder.mirror()
    suite = targets.get(TARGET).suite
    source = bases.fetch(f"debian:{suite}")[0]
    dsc = next((builder.dist / TARGET).glob("*.dsc"))
    version = apt.upstream_version(dsc.name.removeprefix(f"{deb.SOURCE}_"))
    rivals = ((theirs.debian(suite), source), (theirs.stdeb(suite, version), dsc))
    roots = []
    for rival, _ in rivals:
        _tell(f"{rival.name}: the clean root")
        roots.append(theirs.make_root(rival))

    warm: dict[str, list[Cost]] = {name: [] for name in (*names, "mirror")}
    debian: list[Cost] = []
    stdeb: list[Cost] = []
    stages = []
    for turn in range(1, TURNS + 1):
        _tell(f"warm, turn {turn} of {TURNS}")
        for name in names:
            warm[name].append(builder.build(name, "--force"))
            if name == TARGET:
                stages.append(builder.stages)
                for costs, (rival, package) in zip((debian, stdeb), rivals, strict=True):
                    costs.append(theirs.build(rival, package, place))
        warm["mirror"].append(builder.mirror())
    _tell("unchanged")
    unchanged = {name: builder.build(name) for name in names}

    one, everything = warm[TARGET], total(list(warm.values()))
    all_cold = total([[each] for each in (*cold.values(), cold_mirror)])
    debian_cold = total([[roots[0]], [debian[0]]])
    moment = [Cost(MOMENT, 0)]
    rows = [
        *compared(f"{TARGET} : Debian's nova", one, debian, AGAINST_DEBIAN),
        *compared(f"{TARGET}, cold : Debian's nova", [cold[TARGET]], debian_cold, COLD),
        *compared(f"{TARGET} : stdeb, same tree", one, stdeb, AGAINST_STDEB),
        *compared("make packages : Debian's nova", everything, debian, ALL_AGAINST_DEBIAN),
        *compared("make packages, cold : Debian's nova", all_cold, debian_cold, ALL_COLD),
        *compared(
            "all, unchanged : cold", total([[u] for u in unchanged.values()]), all_cold, UNCHANGED
        ),
        *(
            row
            for name, each in unchanged.items()
            for row in compared(
                f"{name}, unchanged : {MOMENT:g} s", [each], moment, {"seconds": 1.0}
            )
        ),
    ]
    return rows, stages


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


sys.exit(main(sys.argv[1:]))
