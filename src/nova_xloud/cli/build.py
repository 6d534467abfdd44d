"""The command that makes packages."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import click

from nova_xloud import bases
from nova_xloud.bases import checkouts, srpm
from nova_xloud.cli import tables
from nova_xloud.cli.directories import Directory
from nova_xloud.ground import root
from nova_xloud.ground.errors import DirectoryError, NetworkError, TargetsError, XloudError
from nova_xloud.packages import (
    builds,
    checkout,
    companion_builds,
    companions,
    formats,
    hosts,
    targets,
    zipapp,
)
from nova_xloud.trees import patched, tree

_LOG = logging.getLogger(__name__)

#: The target of a source of the user's.
_OWN = "wheel"


def _complete_target(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[str]:
    """Return the targets that a shell may complete a word to."""
    return [name for name in (*targets.known(), _OWN) if name.startswith(begun)]


@click.command("build")
@click.argument("names", metavar="TARGET...", nargs=-1, shell_complete=_complete_target)
@click.option("--list", "listing", is_flag=True, help="List the targets and do nothing else.")
@click.option("--json", "as_json", is_flag=True, help="List them for programs.")
@click.option(
    *("--revision", "revision"),
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="N of the packages' version ...+xloudN.",
)
@click.option(
    "--dist",
    default="dist",
    show_default=True,
    type=Directory(),
    help="Where each target gets its directory.",
)
@click.option("--force", is_flag=True, help="Build also if nothing has changed.")
@click.option(
    "--companions/--no-companions",
    "with_companions",
    default=True,
    show_default=True,
    help="Build the packages beside those of Nova too, into dist/TARGET-COMPANION.",
)
@click.option("--refresh", is_flag=True, help="Ask the archive for a newer source package.")
@click.option(
    *("--provides", "provides"),
    metavar="E:V-R",
    help="Targets of a release: the version of python3-nova that the site's nova-common, or "
    "openstack-nova-common, depends on.",
)
@click.option(
    *("--source", "source"),
    type=click.Path(path_type=Path, exists=True),
    help="RPM targets: the distribution's source RPM of openstack-nova, or a dnf repository (a "
    "directory) with it. It is the base then, so that no patch of the distribution's is lost.",
)
@click.option(
    "--source-key",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The OpenPGP public key that must have signed the source RPM.",
)
@click.option("--source-sha256", default="", help="Instead of a key: the hash it must have.")
@click.option(
    "--base",
    "own",
    metavar="DIR",
    type=click.Path(path_type=Path, exists=True),
    help="The target wheel: a git checkout of Nova, whose commit is the base, or an sdist.",
)
def build(
    names: tuple[str, ...],
    listing: bool,
    as_json: bool,
    revision: int,
    dist: Path,
    force: bool,
    with_companions: bool,
    refresh: bool,
    provides: str | None,
    source: Path | None,
    source_key: Path | None,
    source_sha256: str,
    own: Path | None,
) -> None:
    """Build the packages of each TARGET into dist/TARGET, in a clean root. Needs root.

    The target wheel is for a Nova of yours, which --base names.
    """
    if listing:
        _list_targets(as_json)
        return
    if not names:
        raise click.UsageError("name a target; `nova-xloud build --list` shows them")
    asked = [each._replace(revision=revision) for each in _asked(names, own)]
    given = _source(asked, source, source_key, source_sha256)
    if given:
        asked = [_stands_in_for(given, target) for target in asked]
    wanted = [hosts.asked(target, provides) for target in asked]
    root.require_root("building packages")
    # terminated, it cleans up as when interrupted: no mount and no half a build stays
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    options = _Options(dist, force, refresh, given, own)
    failures: list[tuple[str, XloudError]] = []
    for target in wanted:
        try:
            (_build_own if own else _build)(target, options)
            for companion in companions.of(target) if with_companions else ():
                _build_companion(companion, target, options)
        except XloudError as error:
            if len(wanted) == 1:
                raise
            failures.append((target.name, error))
            _LOG.error("%s: %s: %s", target.name, error.sentence, error)
    if failures:
        raise TargetsError(failures, len(wanted))
    for target in wanted:
        if told := bases.notice(target.base) or ("" if given else hosts.notice(target)):
            click.echo(f"Note: {target.name}: {told}")
    for following in dict.fromkeys(formats.of(target).NEXT for target in wanted):
        click.echo(following)


@click.command("zipapp")
@click.argument(
    "file", type=click.Path(path_type=Path, dir_okay=False), default=Path("dist", zipapp.NAME)
)
def make_zipapp(file: Path) -> None:
    """Write the one file that changes an installed Nova.

    Default: dist/nova-xloud-tree.pyz. It runs in the Python of that Nova, and needs nothing else.
    """
    zipapp.build(file)
    click.echo(f"{file}: {file.stat().st_size / 1000:.0f} kB")
    click.echo(
        f"Next, on a host or in a container: `python3 {file.name} check`, by the Python that Nova "
        "runs in; see docs/installed-trees.md."
    )


commands: list[click.Command] = [build, make_zipapp]


def _list_targets(as_json: bool) -> None:
    listed = targets.known().values()
    told = ("base", "format", "suite", "repository", "python", "provides", "verified")
    if as_json:
        rows = [{"name": each.name, **{key: getattr(each, key) for key in told}} for each in listed]
        click.echo(json.dumps(rows, indent=2))
        return
    headings = ("target", "base", "format", "Python", "verified")
    cells = [(each.name, each.base, each.format, each.python, each.verified) for each in listed]
    click.echo(tables.text(headings, cells))


class _Options(NamedTuple):
    """How targets are built.

    :ivar dist: the directory in which each target has its own
    :ivar force: build also if nothing has changed
    :ivar refresh: fetch the base anew
    :ivar source: the distribution's source RPM that is the base, if one was named
    :ivar own: the user's checkout or sdist that is the base, if one was named
    """

    dist: Path
    force: bool
    refresh: bool
    source: srpm.SourceRpm | None
    own: Path | None


#: Gives the digest of the inputs of a build, and builds from them.
_Prepare = Callable[[], tuple[str, Callable[[], list[Path]]]]


def _unless_built(
    target: targets.Target, version: str, options: _Options, prepare: _Prepare
) -> None:
    """Build packages unless they are there, and say so.

    :param version: of the packages, as the user reads it
    """
    start = time.monotonic()
    with builds.turn(target, options.dist):
        inputs, make = prepare()
        # asked in its turn: another build of the same may just have ended
        files = [] if options.force else builds.intact(target, options.dist, inputs)
        told = "is up to date"
        if not files:
            files = make()
            told = "built"
    click.echo(f"{target.name}: {version} {told}, {time.monotonic() - start:.1f} s")
    for file in files:
        click.echo(f"  {file}")


def _build(target: targets.Target, options: _Options) -> None:
    """Build a target unless its packages are there, and say so."""

    def prepare() -> tuple[str, Callable[[], list[Path]]]:
        base = _fetch(target, options)
        related = formats.of(target).related(target, refresh=options.refresh)
        inputs = formats.inputs(related, base)
        return inputs, lambda: _make(related, options, inputs)

    _unless_built(target, f"+xloud{target.revision}", options, prepare)


def _asked(names: tuple[str, ...], own: Path | None) -> list[targets.Target]:
    """Return the targets of these names."""
    if own is None:
        if _OWN in names:
            raise click.UsageError(
                f"the target {_OWN} takes --base DIR; the wheels of releases are targets such as "
                "29.4.0-wheel"
            )
        return [targets.get(name) for name in names]
    if names != (_OWN,):
        raise click.UsageError(f"--base is for the target {_OWN}, alone")
    if own.is_dir() and not checkouts.is_one(own):
        raise DirectoryError(own, "is no git checkout: give one, or an sdist")
    return [targets.Target(_OWN, str(own.absolute()), "wheel", "", "", "", "")]


def _build_own(target: targets.Target, options: _Options) -> None:
    """Build a wheel of a checkout's commit, or of an sdist, unless it is there; say so."""
    checkout.require()
    with contextlib.ExitStack() as stack:

        def prepare() -> tuple[str, Callable[[], list[Path]]]:
            source = stack.enter_context(_frozen(Path(target.base), options.dist))
            base, unpacked = stack.enter_context(
                bases.opened(str(source.place), only=None if source.commit else tree.paths())
            )
            like = targets.of_series(target.format, base.series)
            named = f"{target.base}@{source.commit}" if source.commit else target.base
            chosen = target._replace(base=named, suite=like.suite)
            inputs = formats.inputs(chosen, base.files)
            _LOG.info("%s: weaving our changes into Nova %s", target.name, base.version)
            made = patched.woven(base, unpacked)
            return inputs, lambda: formats.build(made, chosen, options.dist, inputs)

        _unless_built(target, f"+xloud{target.revision}", options, prepare)


class _Frozen(NamedTuple):
    """A source that nobody changes during a build.

    :ivar place: a clone of a checkout, or an sdist
    :ivar commit: the id of the clone's commit; "" for an sdist
    """

    place: Path
    commit: str


@contextlib.contextmanager
def _frozen(own: Path, dist: Path) -> Iterator[_Frozen]:
    """Yield a clone of a checkout, which stays at its commit during the build, or an sdist."""
    if not own.is_dir():
        yield _Frozen(own, "")
        return
    prefix = f".{_OWN}.source-"
    for left in dist.glob(f"{prefix}*"):
        # a killed build has left it; one that has just ended may remove its own beside
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=dist) as scratch:
        place = Path(scratch, "nova")
        yield _Frozen(place, checkouts.clone(own, place))


def _build_companion(
    companion: companions.Companion, target: targets.Target, options: _Options
) -> None:
    """Build a companion for a target unless its packages are there, and say so."""
    checkout.require()

    def prepare() -> tuple[str, Callable[[], list[Path]]]:
        inputs = companion_builds.inputs(companion, target)
        return inputs, lambda: companion_builds.build(companion, target, options.dist, inputs)

    version = companions.changelog(companion)[0].version
    _unless_built(companions.as_target(companion, target), version, options, prepare)


def _source(
    asked: list[targets.Target], source: Path | None, key: Path | None, sha256: str
) -> srpm.SourceRpm | None:
    """Return the verified source RPM that is the base, if one was named."""
    if source is None:
        if key or sha256:
            raise click.UsageError("--source-key and --source-sha256 are for --source")
        return None
    if any(target.format != "rpm" for target in asked):
        raise click.UsageError("--source is for targets whose packages are RPMs")
    return srpm.verified(srpm.Given(srpm.find(source), key, sha256))


def _stands_in_for(source: srpm.SourceRpm, target: targets.Target) -> targets.Target:
    """Return a target whose base is a source RPM, and which stands in for the packages of it."""
    version = source.version.partition(":")[2].rpartition("-")[0]
    return target._replace(base=version, provides=source.version)


def _fetch(target: targets.Target, options: _Options) -> tuple[Path, ...]:
    """Return the files of a target's base.

    The archive is asked at each build: packages for a version that its hosts no longer have are of
    no use. Without network the cache serves.
    """
    if options.source:
        return (options.source.file,)
    try:
        return bases.fetch(target.base, ask=True, refresh=options.refresh)
    except NetworkError as error:
        files = () if options.refresh else bases.cached(target.base)
        if not files:
            raise
        _LOG.warning(
            "warning: %s is built from the cache, since the archive of %s did not answer. Its "
            "hosts may have a newer version by now. (%s)",
            *(target.name, target.base, error),
        )
        return files


def _make(target: targets.Target, options: _Options, inputs: str) -> list[Path]:
    """Weave our changes into a target's base and build its packages."""
    checkout.require()
    if options.source is None:
        _LOG.info("%s: weaving our changes into %s (a few seconds)", target.name, target.base)
        with bases.opened(target.base, only=tree.paths()) as (base, unpacked):
            made = patched.woven(base, unpacked)
        return formats.build(made, target, options.dist, inputs)
    _LOG.info("%s: preparing %s in a clean root (a minute)", target.name, options.source.file.name)
    macros = checkout.RPM / f"{target.name}.macros"
    log = options.dist / f"{target.name}-source.log"
    work = options.dist / f".{target.name}.source"
    with srpm.opened(options.source, macros, target.suite, log, work) as (base, unpacked):
        _LOG.info("%s: weaving our changes into it (a few seconds)", target.name)
        made = patched.woven(base, unpacked)
        return formats.build(made, target, options.dist, inputs)
