"""The command that says which packages must be built again."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from nova_xloud.cli import report as outdated
from nova_xloud.cli import tables
from nova_xloud.cli.directories import Directory, built_option

#: What the command exits with: packages must be built again; nobody could say of some.
EXIT_OUTDATED = 40
EXIT_NOT_ASKED = 41


@click.command("outdated")
@click.argument("names", metavar="[TARGET]...", nargs=-1)
@built_option
@click.option(
    "--mirror",
    "mirror_",
    type=Directory(exists=True),
    help="Look at the packages in this mirror too.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_outdated(names: tuple[str, ...], dist: Path, mirror_: Path | None, as_json: bool) -> None:
    """Say which packages are made from another Nova than their archives have today.

    The archives are asked with their security suites, pip for upstream releases. Exits 0 if all
    packages are up to date, 40 if some must be built again, 41 if some archive did not answer and
    the others have nothing new. Needs no root.
    """
    found = outdated.standings(dist, mirror_, names)
    if as_json:
        click.echo(json.dumps([each._asdict() for each in found], indent=2))
    else:
        headings = ("target", "state", "built from", "newest", "where")
        rows = [
            (each.target, each.state, each.built or "?", each.newest or "?", each.place)
            for each in found
        ]
        click.echo(tables.text(headings, rows))
    silent = [each for each in found if each.state == outdated.NOT_ASKED]
    for reason in dict.fromkeys(each.reason for each in silent):
        click.echo(f"nova-xloud: {reason}", err=True)
    if stale := list(dict.fromkeys(each.target for each in found if each.must_be_built)):
        if not as_json:
            click.echo(
                f"Next: `nova-xloud build --refresh {' '.join(stale)}`, then `nova-xloud mirror "
                "DIR`. A newer upstream release has to be in this checkout's table first: `git "
                "pull`."
            )
        sys.exit(EXIT_OUTDATED)
    if silent:
        sys.exit(EXIT_NOT_ASKED)


commands: list[click.Command] = [list_outdated]
