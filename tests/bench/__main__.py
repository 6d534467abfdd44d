"""Time and size of our package against the distribution's own: ``python -m tests.bench``.

Both source packages are built in the same clean root, in turns, without tests and documentation;
the best of the turns counts. Prints a table and writes dist/reports/bench-packages.json.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from nova_xloud import bases, builds, deb, root, targets
from nova_xloud.errors import XloudError

REPOSITORY = Path(__file__).parents[2]
DIST = REPOSITORY / "dist"
TURNS = 2
#: At most this part of the time, and this part of the size.
AIMS = {"seconds": 0.5, "cpu_seconds": 0.5, "bytes": 1.03}


def main() -> int:
    """Measure; return 1 if an aim was missed, 2 if there was nothing to measure."""
    target = targets.get("debian-13")
    built = DIST / target.name
    try:
        root.require_root("the bench")
        if not (built / builds.RECORD).exists():
            print(f"no packages in {built}: run `make packages` first", file=sys.stderr)
            return 2
        figures = measure(target, next(built.glob("*.dsc")))
    except XloudError as error:
        print(f"bench: {error.sentence}: {error}", file=sys.stderr)
        return error.exit_code
    reports = DIST / "reports"
    reports.mkdir(exist_ok=True)
    (reports / "bench-packages.json").write_text(json.dumps(figures, indent=1) + "\n")
    show(figures)
    print(f"written to {reports / 'bench-packages.json'}")
    return int(any(row["ratio"] > row["aim"] for row in figures.values()))


def measure(target: targets.Target, ours: Path) -> dict[str, dict[str, float]]:
    """Build both source packages in turns; return our figure, theirs and the ratio of each kind."""
    theirs = bases.fetch(target.base)[0]
    sources = {"ours": (ours, "python3-nova-xloud"), "theirs": (theirs, "python3-nova")}
    best: dict[str, dict[str, float]] = {}
    for turn in range(TURNS):
        for name, (dsc, library) in sources.items():
            print(f"turn {turn + 1} of {TURNS}: {dsc.name}", file=sys.stderr)
            figures = build(clean_root(target), dsc, library)
            best[name] = {
                kind: min(value, best.get(name, figures)[kind]) for kind, value in figures.items()
            }
    return {
        kind: {
            "ours": best["ours"][kind],
            "theirs": best["theirs"][kind],
            "ratio": round(best["ours"][kind] / best["theirs"][kind], 4),
            "aim": aim,
        }
        for kind, aim in AIMS.items()
    }


def clean_root(target: targets.Target) -> Path:
    """Return a root with the build dependencies of both source packages."""
    ours = deb.recipe(target, REPOSITORY / "debian")
    sources = "s/^deb \\(.*\\)/deb \\1\\ndeb-src \\1/"
    recipe = root.Recipe(
        name=f"{target.name}-bench",
        suite=ours.suite,
        packages=ours.packages,
        hooks=(
            *ours.hooks,
            f"--customize-hook=sed -i '{sources}' \"$1/etc/apt/sources.list\"",
            '--customize-hook=chroot "$1" apt-get update -q',
            '--customize-hook=chroot "$1" env DEBIAN_FRONTEND=noninteractive '
            "apt-get build-dep -q -y --no-install-recommends nova",
        ),
    )
    return root.make(recipe)


def build(clean: Path, dsc: Path, library: str) -> dict[str, float]:
    """Build the binary packages of a source package; return seconds, CPU seconds and bytes."""
    scratch = Path(tempfile.mkdtemp(prefix="nova-xloud-bench-", dir="/var/tmp"))
    log = DIST / f"bench-{library}.log"
    try:
        with root.overlay([clean], scratch) as merged:
            place = merged / "build"
            place.mkdir()
            subprocess.run(
                ["dpkg-source", "--no-check", "-x", dsc, place / "source"],
                check=True,
                capture_output=True,
            )
            subprocess.run(
                ["chown", "-R", f"--reference={merged}/home/{root.BUILDER}", place], check=True
            )
            log.write_text("")
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            start = time.monotonic()
            failed = root.run_in(
                merged,
                ["sh", "-c", "cd /build/source && exec dpkg-buildpackage -b -us -uc"],
                log=log,
                user=root.BUILDER,
                environment={"LC_ALL": "C.UTF-8", "DEB_BUILD_OPTIONS": "nocheck nodoc"},
            )
            seconds = time.monotonic() - start
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if failed:
                raise XloudError(f"building {dsc.name} failed: see {log}")
            made = next(place.glob(f"{library}_*.deb"))
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            return {
                "seconds": round(seconds, 1),
                "cpu_seconds": round(cpu, 1),
                "bytes": made.stat().st_size,
            }
    finally:
        root.remove_tree(scratch)


def show(figures: dict[str, dict[str, float]]) -> None:
    """Print the figures as a table."""
    table = Table("package build", "ours", "Debian's nova", "ratio", "aim", box=None)
    for kind, row in figures.items():
        verdict = "met" if row["ratio"] <= row["aim"] else "missed"
        table.add_row(
            kind.replace("_", " "),
            f"{row['ours']:,}",
            f"{row['theirs']:,}",
            f"{row['ratio']:.3f}",
            f"<= {row['aim']} {verdict}",
        )
    Console(markup=False, highlight=False).print(table)


sys.exit(main())
