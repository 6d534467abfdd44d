"""A new release of Nova as a base: ``make new-base VERSION=X.Y.Z``.

It pins the hash of the sdist in releases.toml, the one file that names releases, chooses the
libraries of the release's tests, and runs the check and our tests.  Then it says which of these
broke, and where.  All that it has written stays: mend the broken part, and run it again.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click

from nova_xloud.bases import sdists
from nova_xloud.ground import cache
from nova_xloud.ground.errors import XloudError
from nova_xloud.ground.files import put
from tests.nova import pinning
from tests.nova.releases import TABLE, numbers, series_of
from tests.nova.workplace import workplace

REPORTS = Path("dist/reports")
#: How many lines of a step that broke are told again at the end.
_SHOWN = 20
_TARGETS = TABLE.parents[1] / "packages/targets.toml"
_ROW = re.compile(r'^"(\d+(?:\.\d+)+)" = \{(.*)\}$')


class Row(NamedTuple):
    """A line of releases.toml.

    :ivar version: ``29.4.0``
    :ivar codename: of the series, ``2024.1 caracal``
    :ivar python: the versions of Python that it asks for, ``>=3.8``
    :ivar sha256: of the sdist
    """

    version: str
    codename: str
    python: str
    sha256: str


class Step(NamedTuple):
    """A step, and its result.

    :ivar broke: why it failed; "" if it did not
    """

    name: str
    broke: str
    told: Sequence[str] = ()


def with_release(text: str, row: Row) -> str:
    """Return the text of releases.toml with a release.

    The last release of a series is the one that is checked. A release that is there already gets no
    second line, and no other hash.

    :raises ValueError: if the release is there with another hash
    """
    table = tomllib.loads(text)["releases"]
    if row.version in table:
        if table[row.version]["sha256"] != row.sha256:
            raise ValueError(f"releases.toml pins another hash of {row.version}")
        return text
    siblings = [each for each in table if series_of(each) == series_of(row.version)]
    newest = max([row.version, *siblings], key=numbers)
    line = (
        f'"{row.version}" = {{ codename = "{row.codename}", python = "{row.python}", '
        f'sha256 = "{row.sha256}"{"" if newest == row.version else ", checked = false"} }}'
    )
    lines = text.split("\n")
    last = 0
    for index, each in enumerate(lines):
        found = _ROW.match(each)
        if found is None:
            continue
        if not last or numbers(found[1]) < numbers(row.version):
            last = index + (numbers(found[1]) < numbers(row.version))
        if found[1] in siblings and newest == row.version and "checked" not in found[2]:
            lines[index] = each.removesuffix(" }") + ", checked = false }"
    lines.insert(last, line)
    made = "\n".join(lines)
    there = tomllib.loads(made)["releases"]
    if list(there) != sorted(there, key=numbers) or row.version not in there:
        raise ValueError(f"releases.toml has no place for {row.version}: add its line by hand")
    return made


def codename_of(version: str, table: str, source: Path) -> str:
    """Return the name of a release's series: the known one, else the one that its sdist tells.

    :param table: the text of releases.toml
    :param source: the unpacked sdist
    """
    for name, row in tomllib.loads(table)["releases"].items():
        if series_of(name) == series_of(version):
            return str(row["codename"])
    tox = source / "tox.ini"
    named = re.findall(r"/constraints/upper/(20\d\d\.\d)", tox.read_text() if tox.exists() else "")
    if named:
        return str(max(named))
    # The first release of a series has the notes of the one before, and no constraints of its own.
    notes = [each.stem for each in (source / "releasenotes/source").glob("20[0-9][0-9].[12].rst")]
    if not notes:
        return f"series {series_of(version)}"
    year, half = max(notes).split(".")
    return f"{year}.2" if half == "1" else f"{int(year) + 1}.1"


def python_of(source: Path) -> str:
    """Return the versions of Python that a release asks for."""
    found = re.search(r"^Requires-Python: (.*)$", (source / "PKG-INFO").read_text(), re.MULTILINE)
    return found[1].strip() if found else ">=3"


def older_bases(version: str, targets: str) -> list[str]:
    """Return the targets that are built from an older release of the same series.

    :param targets: the text of targets.toml
    """
    return [
        f"{name} is built from {row['base']}"
        for name, row in tomllib.loads(targets).items()
        if re.fullmatch(r"[\d.]+", row["base"])
        and series_of(row["base"]) == series_of(version)
        and numbers(row["base"]) < numbers(version)
    ]


def libraries(row: Row, table: str, source: Path, log: Path) -> Step:
    """Choose the libraries of a release's tests.

    :param table: the text of releases.toml, with the release
    """
    name = "pins"
    if not is_checked(row.version, table):
        return Step(name, "", ["those of the last release of the series"])
    click.echo(f"== {name}: pip chooses the libraries (some minutes): {log}")
    try:
        pinned = pinning.pin(row.version, source, row.python, log)
    except (pinning.UnpinnedError, XloudError) as error:
        return Step(name, str(error))
    return Step(name, "", [f"in {pinned.file}:", *pinned.told] if pinned.told else [])


def run(name: str, command: Sequence[str], log: Path) -> Step:
    """Run a command of the tests: its output goes to the terminal, and to a log."""
    click.echo(f"== {name}: {' '.join(command)}")
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        assert process.stdout
        told = []
        for line in process.stdout:
            click.echo(line, nl=False)
            out.write(line)
            told.append(line.rstrip("\n"))
    if not process.wait():
        return Step(name, "")
    wrong = [each for each in told if _says_where(each)]
    return Step(name, f"ended with {process.returncode}: see {log}", wrong[:_SHOWN])


def _says_where(line: str) -> bool:
    """Say whether a line of a step names a place: a file that does not fit, a test that failed."""
    return bool(
        re.search(
            r": \S+: .*\(Nova .*\)$|^\s*(FAILED|ERROR|NO TEST)|BROKEN|^Error:|^  \S+:\d", line
        )
    )


def steps(version: str, logs: Path) -> list[Step]:
    """Run the check and our tests on a release that is in the table."""
    done = [run("check", ["nova_xloud", "check", version], logs / "check.log")]
    commands = {
        "weaving": ["pytest", "tests/bases/test_real_bases.py", "-k", version],
        "our tests": [
            *("tests.nova.run", "--release", version, "--suite", "ours", "--against-base")
        ],
        "imports": ["tests.nova.imports", "--release", version],
        "style": ["tests.nova.style", "--release", version],
        "settle on stock Nova": ["tests.nova.settle", "--release", version],
    }
    if not is_checked(version, TABLE.read_text()):
        del commands["weaving"]
    for name, command in commands.items():
        if done[0].broke:
            done.append(Step(name, "not run: not all changes fit"))
        else:
            done.append(run(name, command, logs / f"{name.replace(' ', '-')}.log"))
    return done


def is_checked(version: str, table: str) -> bool:
    """Say whether a release is the one of its series that is checked.

    :param table: the text of releases.toml
    """
    return bool(tomllib.loads(table)["releases"][version].get("checked", True))


@click.command()
@click.argument("version", metavar="X.Y.Z")
@click.option("--codename", default="", help="Of a new series: 2027.1 indri.")
def main(version: str, codename: str) -> None:
    """Add a release of Nova, and say which part broke and where; exit 1 if one did."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise click.UsageError(f"{version!r} is no release of Nova: make new-base VERSION=34.0.1")
    logs = REPORTS / f"new-base-{version}"
    logs.mkdir(parents=True, exist_ok=True)
    with workplace("new-base") as work:
        try:
            sdist = sdists.download(sdists.Sdist("nova", version, ""), work)
            source = work / "nova"
            sdists.unpack(sdist, source)
            text = TABLE.read_text()
            named = codename or codename_of(version, text, source)
            row = Row(version, named, python_of(source), cache.sha256(sdist))
            made = with_release(text, row)
        except (ValueError, XloudError) as error:
            raise click.ClickException(f"{error}; nothing was changed") from error
        put(TABLE, made.encode())
        click.echo(f"{TABLE.name}: {row.version}, {row.codename}, Python {row.python}")
        done = [libraries(row, made, source, logs / "pins.log")]
    done += steps(version, logs)
    click.echo(f"\nNova {version}:")
    for step in done:
        click.echo(f"  {step.name:22} {step.broke or 'well'}")
        for line in step.told:
            click.echo(f"    {line}")
    for line in older_bases(version, _TARGETS.read_text()):
        click.echo(f"  {_TARGETS.name}: {line}")
    if any(step.broke for step in done):
        click.echo("Mend what broke (docs/changing-nova.md), then run the same command again.")
        raise SystemExit(1)
    click.echo("All is well: look at the changes (git diff), and commit them.")


if __name__ == "__main__":
    main()
