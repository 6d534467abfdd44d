"""The argument BASE and its options, and the words that the commands for sources share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from nova_xloud import bases
from nova_xloud.trees import tree

out = Console(markup=False, highlight=False, soft_wrap=True)
err = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)


def complete_base(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[str]:
    """Return the bases that a shell may complete a word to."""
    return [name for name in bases.known() if name.startswith(begun)]


#: The argument that names one base.
base_argument = click.argument("base", shell_complete=complete_base)
refresh_option = click.option(
    "--refresh", is_flag=True, help="Ask the archive for a newer source package."
)
version_option = click.option(
    "--version",
    metavar="X.Y.Z",
    default="",
    help="Which Nova a directory or an sdist has, where nothing in it tells the true version.",
)
unsupported_option = click.option(
    "--unsupported", is_flag=True, help="Accept a Nova older or newer than the supported ones."
)


def check_version(names: Sequence[str], version: str) -> None:
    """Refuse a version for a base that has one."""
    if version and (len(names) != 1 or names[0] in bases.known()):
        raise click.UsageError("--version is for one base, which is a directory or an sdist")


def composed(found: bases.Base, unpacked: Path) -> list[tree.Ours]:
    """Return the files that are ours; tell all that do not fit.

    :raises XloudError: if one does not
    """
    files, failures = tree.compose(found, unpacked)
    refuse(failures)
    return files


def tell_notice(base: str) -> None:
    """Print the notice about an unusual base, if there is one."""
    if told := bases.notice(base):
        err.print(f"Note: {told}")


def refuse(failures: Sequence[tree.Failure]) -> None:
    """Tell all files that do not fit, the last one by its error.

    :raises XloudError: if there is one
    """
    if failures:
        tell_all(failures[:-1])
        raise failures[-1].error


def tell_all(failures: Sequence[tree.Failure]) -> None:
    """Print each change that does not fit."""
    for failure in failures:
        err.print(f"nova-xloud: {failure.error.sentence}: {failure.error}")
