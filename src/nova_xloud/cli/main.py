"""The commands for sources and patches; the commands of the other modules are added here.

Each command says what happened, where the result is, and what to do next.
"""

from __future__ import annotations

import csv
import ctypes
import hashlib
import json
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from nova_xloud import bases
from nova_xloud.cli import branch as cli_branch
from nova_xloud.cli import build as cli_build
from nova_xloud.cli import kolla as cli_kolla
from nova_xloud.cli import mirror as cli_mirror
from nova_xloud.cli import outdated as cli_outdated
from nova_xloud.cli import sources, tables
from nova_xloud.cli.sources import err, out
from nova_xloud.ground import archive, cache, disk
from nova_xloud.ground.errors import NoSpaceError, XloudError
from nova_xloud.trees import mails, quilt, tree


class _Group(click.Group):
    """Commands whose failures are told in words, with the exit code of their class."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except XloudError as error:
            tell(error)
            ctx.exit(error.exit_code)
        except OSError as error:
            if disk.is_full(error):
                written = [cache.directory(), Path(tempfile.gettempdir()), Path.cwd()]
                full = NoSpaceError(Path(error.filename or disk.fullest(written)))
                tell(full)
                ctx.exit(full.exit_code)
            err.print(f"nova-xloud: {error.strerror or error}: {error.filename or ''}")
            ctx.exit(XloudError.exit_code)


class _Terminal(logging.Handler):
    """Writes each step of the builder to standard error as it happens, also without a terminal."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(f"nova-xloud: {record.getMessage()}", err=True)


def tell(error: XloudError) -> None:
    """Print the error, and the things that it left untouched."""
    err.print(f"nova-xloud: {error.sentence}: {error}")
    err.print(f"({error.untouched})")


@click.group(cls=_Group)
@click.version_option(package_name="nova-xloud")
@click.option(
    *("--archive", "archive_file"),
    envvar=archive.VARIABLE,
    metavar="FILE",
    help="A .sources file of apt, with Signed-By: the archive that clean roots, sources and "
    f"libraries of distributions come from. Default: the apt sources of this host. "
    f"Environment: {archive.VARIABLE}.",
)
def main(archive_file: str | None) -> None:
    """Nova with servers that grow and shrink while they run: sources, patches, packages.

    BASE is an upstream release (29.4.0), a distribution's source package (debian:trixie), or a
    source of Nova that you have: an sdist, or a directory such as a git checkout.
    """
    progress = logging.getLogger("nova_xloud")
    progress.handlers = [_Terminal(logging.INFO)]
    progress.setLevel(logging.INFO)
    if archive_file:
        os.environ[archive.VARIABLE] = archive_file


@main.command("bases")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_bases(as_json: bool) -> None:
    """List the releases that can be built from."""
    rows = [
        {
            "name": each.name,
            "series": each.codename,
            "python": each.python,
            "sha256": each.sha256,
            "state": bases.state(each.name),
        }
        for each in bases.known().values()
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    columns = ("name", "series", "python", "state")
    cells = [[row[each] for each in columns] for row in rows]
    click.echo(tables.text(("base", *columns[1:]), cells))


@main.command("tree")
@sources.base_argument
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@sources.refresh_option
@sources.version_option
@sources.unsupported_option
@click.option(
    "--keep-going",
    is_flag=True,
    help="Write the files that fit, even if not all do: to work on changes.",
)
def make_tree(
    base: str, directory: Path, refresh: bool, version: str, unsupported: bool, keep_going: bool
) -> None:
    """Write the complete modified Nova into DIRECTORY."""
    sources.check_version([base], version)
    with bases.opened(base, refresh=refresh, version=version, unsupported=unsupported) as (
        found,
        unpacked,
    ):
        files, failures = tree.compose(found, unpacked)
        if not keep_going:
            sources.refuse(failures)
        sources.tell_all(failures)
        written = tree.write(found, unpacked, files, directory)
    added = sum(each.base is None for each in files)
    if written:
        out.print(f"Nova {found.version}: {added} files added, {len(files) - added} changed.")
        if len(written) < len(files):
            out.print(f"Of these, {len(written)} were not up to date in the tree that was there.")
        out.print(f"The tree is in {directory}; `grep -rn xloud {directory}` shows what is ours.")
    else:
        out.print(f"{directory} is woven already: nothing has changed.")
    sources.tell_notice(base)
    if failures:
        out.print(f"It is not complete: {len(failures)} files do not fit.")
        sys.exit(1)


@main.command("diff")
@sources.base_argument
@sources.refresh_option
@sources.version_option
@sources.unsupported_option
@click.option(
    "--for",
    "tool",
    type=click.Choice(["quilt", "git"]),
    default="quilt",
    show_default=True,
    help="quilt: patches for the very files of BASE. git: mails that `git am` applies to the tag "
    "of the release, or to the commit of a checkout.",
)
def show_diff(base: str, refresh: bool, version: str, unsupported: bool, tool: str) -> None:
    """Print our additions and changes as a series of patches.

    `patch -p1` applies it to the base. With --for git, `git am` does.
    """
    sources.check_version([base], version)
    paths = tree.paths()
    with bases.opened(
        base, refresh=refresh, only=paths, version=version, unsupported=unsupported
    ) as (found, unpacked):
        if tool == "git":
            content = _mails(found, unpacked, paths)
        else:
            files = sources.composed(found, unpacked)
            patches = [*found.patches, *quilt.series(files)]
            content = b"".join(each.content for each in patches)
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
    sources.tell_notice(base)
    if found.form == bases.SDIST and b"+++ b/setup.cfg" in content:
        _tell_form(found, tool)


_FORMS = ("table", "csv", "json")
_ADDED_MODE = 0o644


@main.command("files")
@sources.base_argument
@sources.refresh_option
@sources.version_option
@sources.unsupported_option
@click.option("--as", "form", type=click.Choice(_FORMS), default="table", show_default=True)
def list_files(base: str, refresh: bool, version: str, unsupported: bool, form: str) -> None:
    """List the files of the modified Nova that are ours, or have lines of ours.

    For each: its path in the tree, whether it is added or changed, our source of it, and the size
    in bytes, the mode and the SHA-256 that it has in the tree. `nova-xloud tree` writes them. The
    table leaves source and mode out.
    """
    sources.check_version([base], version)
    with bases.opened(
        base, refresh=refresh, only=tree.paths(), version=version, unsupported=unsupported
    ) as (found, unpacked):
        files = sources.composed(found, unpacked)
        modes = {
            each.path: (unpacked / each.path).stat().st_mode & 0o7777 if each.base else _ADDED_MODE
            for each in files
        }
    columns = ("path", "kind", "source", "bytes", "mode", "sha256")
    rows = [
        (
            each.path,
            "added" if each.base is None else "changed",
            f"src/nova_tree/{'additions' if each.base is None else 'changes'}/{each.path}",
            len(each.content),
            f"{modes[each.path]:04o}",
            hashlib.sha256(each.content).hexdigest(),
        )
        for each in files
    ]
    if form == "json":
        click.echo(json.dumps([dict(zip(columns, row, strict=True)) for row in rows], indent=2))
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([columns, *rows])
    else:
        shown = ("path", "kind", "bytes", "sha256")
        cells = [[str(row[columns.index(name)]) for name in shown] for row in rows]
        click.echo(tables.text(shown, cells))


def _mails(found: bases.Base, unpacked: Path, paths: Sequence[str]) -> bytes:
    """Return the series of mails for a base."""
    if found.form == bases.DISTRIBUTION:
        raise click.UsageError(
            f"{found.name} is the source package of a distribution: --for git is for a release, "
            "an sdist or a git checkout"
        )
    with bases.as_in_git(found, unpacked, paths) as place:
        files = sources.composed(found, place)
        if found.form == bases.GIT:
            mails.check_commit(unpacked, files)
        return mails.series(found, place, files)


def _tell_form(found: bases.Base, tool: str) -> None:
    """Say what the patch of setup.cfg is made for, whose text in an sdist is not git's."""
    if tool == "git":
        err.print(
            f"Note: {found.name} is an sdist, whose setup.cfg setuptools has written anew. The "
            "patch of setup.cfg is made for the text that Nova's repository should have. From a "
            "checkout, `nova-xloud diff DIRECTORY --for git` makes it for the text that is there."
        )
    else:
        err.print(
            "Note: these patches fit the sdist. In Nova's repository, and in distributions' "
            "source packages made from it, setup.cfg differs: name the directory that you have, "
            "or give --for git."
        )


class Checked(NamedTuple):
    """The findings of a check of one base.

    :ivar name: the base
    :ivar version: the version of this base; "" if the base could not be fetched or read
    :ivar files: how many files are ours
    :ivar failures: a line for each file that does not fit
    :ivar seconds: how long it took
    """

    name: str
    version: str
    files: int
    failures: list[str]
    seconds: float


def end_with_parent() -> None:
    """Have the kernel end this worker when the command is killed (Linux, prctl(2))."""
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


@main.command("check")
@click.argument("names", metavar="[BASE]...", nargs=-1, shell_complete=sources.complete_base)
@click.option("--jobs", type=click.IntRange(min=1), help="How many at once; default: every core.")
@sources.version_option
@sources.unsupported_option
def check(names: tuple[str, ...], jobs: int | None, version: str, unsupported: bool) -> None:
    """Try whether every change fits; without BASE, each that packages are built from.

    Exits 1 if one does not.
    """
    sources.check_version(names, version)
    wanted = names or tuple(each.name for each in bases.known().values() if each.checked)
    failed = False
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with (
        ProcessPoolExecutor(jobs, initializer=end_with_parent) as pool,
        Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress,
    ):
        task = progress.add_task("checking", total=len(wanted))
        for future in as_completed(
            [pool.submit(check_base, name, version, unsupported) for name in wanted]
        ):
            found = future.result()
            progress.advance(task)
            failed = failed or bool(found.failures)
            for line in found.failures:
                out.print(f"{found.name}: {line}")
            verdict = f"{len(found.failures)} do not fit" if found.failures else "all fit"
            what = f" (Nova {found.version})" if found.version not in {"", found.name} else ""
            out.print(f"{found.name}{what}: {found.files} files, {verdict}, {found.seconds:.1f} s")
    sys.exit(1 if failed else 0)


def check_base(name: str, version: str = "", unsupported: bool = False) -> Checked:
    """Compose one base, in a process of its own.

    :param version: of a directory or an sdist, instead of the one that it tells
    :param unsupported: accept a series that the changes are not made for
    """
    start = time.monotonic()
    try:
        with bases.opened(name, only=tree.paths(), version=version, unsupported=unsupported) as (
            found,
            unpacked,
        ):
            files, failures = tree.compose(found, unpacked)
    except XloudError as error:
        told = [f"{error.sentence}: {error}"]
        return Checked(name, "", 0, told, time.monotonic() - start)
    told = [str(each.error) for each in failures]
    return Checked(name, found.version, len(files), told, time.monotonic() - start)


for _command in (
    *cli_branch.commands,
    *cli_build.commands,
    *cli_kolla.commands,
    *cli_mirror.commands,
    *cli_outdated.commands,
):
    main.add_command(_command)
