"""The command of the one file for installed trees, ``nova-xloud-tree.pyz``.

It runs in the Python of Nova, 3.8 or later, and imports the standard library. The builder's own
commands use click, which a container of Nova's does not have.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Sequence

from nova_xloud.ground.errors import XloudError
from nova_xloud.installed import ours as carried
from nova_xloud.installed import places, verify, work

NAME = "nova-xloud-tree"
_DESCRIPTION = """\
Puts live vertical resize into a Nova that pip has installed, and takes it out again.

  check     tries whether every change fits; writes nothing
  apply     keeps the files of Nova's, then replaces them one by one
  verify    shows the state as a table; exits with 1 when something is wrong
  rollback  puts the files of Nova's back

DIRECTORY is the site-packages of Nova, or the checkout of an editable installation. Default: the
Nova that this Python imports.
"""
_NEXT = {
    "apply": "Next: restart the services of Nova, then run `verify`.",
    "rollback": "Next: restart the services of Nova.",
}


def main(archive: str, arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    :param archive: the file that the program runs from, and carries our changes
    :returns: the exit code
    """
    given = _parser().parse_args(arguments)
    try:
        return _run(given, carried.load(Path(archive)))
    except XloudError as error:
        print(f"{NAME}: {error.sentence}: {error}", file=sys.stderr)
        print(f"({error.untouched})", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"{NAME}: {error.strerror or error}: {error.filename or ''}", file=sys.stderr)
        return XloudError.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=NAME, description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("check", "apply", "verify", "rollback"))
    parser.add_argument(
        "directory",
        metavar="DIRECTORY",
        nargs="?",
        default=os.environ.get("NOVA_SITE_PACKAGES") or os.environ.get("NOVA_ROOT") or "",
        help="environment: NOVA_SITE_PACKAGES or NOVA_ROOT",
    )
    parser.add_argument(
        "--root",
        default="/",
        help="the root of a container's file system, as this host sees it; DIRECTORY is inside",
    )
    parser.add_argument(
        "--backup-dir",
        metavar="DIRECTORY",
        default=os.environ.get("BACKUP_DIR", ""),
        help="where the files of Nova's are kept; default: .nova-xloud beside nova. "
        "Environment: BACKUP_DIR",
    )
    parser.add_argument("--json", action="store_true", help="verify: the table for programs")
    return parser


def _run(given: argparse.Namespace, ours: carried.Ours) -> int:
    place = places.find(given.directory, Path(given.root))
    about = f"Nova {place.version} in {place.code}"
    if given.command == "verify":
        rows = verify.look(place, ours)
        wrong = any(each.state == verify.WRONG for each in rows)
        if given.json:
            print(json.dumps([each._asdict() for each in rows], indent=2))
        else:
            print(about)
            print(_table(rows))
        return 1 if wrong else 0
    places.refuse_owned(place)
    if given.command == "check":
        number = work.check(place, ours)
        print(f"{about}: all changes fit, {number} files")
        return 0
    if given.command == "apply":
        number = work.apply(place, ours, given.backup_dir, _say)
        done = f"{number} files written" if number else "is up to date, nothing was written"
    else:
        number = work.rollback(place, _say)
        done = f"{number} files are Nova's own again"
    print(f"{about}: {done}")
    if number:
        print(_NEXT[given.command])
    return 0


def _say(line: str) -> None:
    print(f"{NAME}: {line}", file=sys.stderr, flush=True)


def _table(rows: list[verify.Row]) -> str:
    widths = [max(len(each[column]) for each in rows) for column in (0, 1)]
    return "\n".join(
        f"{each.what:<{widths[0]}}  {each.state:<{widths[1]}}  {each.found}" for each in rows
    )
