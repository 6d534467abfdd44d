"""The command that makes packages."""

from __future__ import annotations

import hashlib
import json
import logging
import signal
import sys
import time
from pathlib import Path
from typing import NamedTuple

import click

from nova_xloud import bases
from nova_xloud.bases import apt, sdists, srpm
from nova_xloud.cli import tables
from nova_xloud.cli.directories import Directory
from nova_xloud.ground import cache, root
from nova_xloud.ground.errors import (
    NetworkError,
    PackageError,
    TargetsError,
    XloudError,
)
from nova_xloud.ground.files import named
from nova_xloud.ground.patches import Patch
from nova_xloud.packages import builds, deb, hosts, rpm, targets, wheel
from nova_xloud.trees import quilt, tree

_LOG = logging.getLogger(__name__)

CHECKOUT = Path(__file__).parents[3]
PACKAGING = CHECKOUT / "debian"
RPM_PACKAGING = CHECKOUT / "rpm"
GUIDE = CHECKOUT / "docs/operator-deb.md"
RPM_GUIDE = CHECKOUT / "docs/operator-rpm.md"
#: Of the Debian packaging, what RPMs need too.
SHARED = (
    *("restart-services", "services.sh", "ask-api", "other-servers", "render-notes"),
    *("nova-xloud-settle", "nova-xloud-settle.8"),
)
#: What of this checkout goes into the packages of a format beside the tree.
_PACKAGING = {
    "deb": (PACKAGING, GUIDE),
    "rpm": (PACKAGING, RPM_PACKAGING, RPM_GUIDE),
    "wheel": (),
}


def _complete_target(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[str]:
    """Return the targets that a shell may complete a word to."""
    return [name for name in targets.known() if name.startswith(begun)]


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
def build(
    names: tuple[str, ...],
    listing: bool,
    as_json: bool,
    revision: int,
    dist: Path,
    force: bool,
    refresh: bool,
    provides: str | None,
    source: Path | None,
    source_key: Path | None,
    source_sha256: str,
) -> None:
    """Build the packages of each TARGET into dist/TARGET, in a clean root. Needs root."""
    if listing:
        _list_targets(as_json)
        return
    if not names:
        raise click.UsageError("name a target; `nova-xloud build --list` shows them")
    asked = [targets.get(name) for name in names]
    given = _source(asked, source, source_key, source_sha256)
    if given:
        asked = [_stands_in_for(given, target) for target in asked]
    wanted = [hosts.asked(target, provides) for target in asked]
    root.require_root("building packages")
    # terminated, it cleans up as when interrupted: no mount and no half a build stays
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    options = _Options(revision, dist, force, refresh, given)
    failures: list[tuple[str, XloudError]] = []
    for target in wanted:
        try:
            _build(target, options)
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
    if any(target.format != "wheel" for target in wanted):
        click.echo("Next: `nova-xloud mirror DIR` makes a signed repository of them.")
    if any(target.format == "wheel" for target in wanted):
        click.echo(
            "Next, in the environment of Nova: `pip install --force-reinstall --no-deps WHEEL`; "
            "without --force-reinstall pip does nothing. See docs/operator-wheel.md."
        )


commands: list[click.Command] = [build]


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

    :ivar revision: N of ``+xloudN``
    :ivar dist: the directory in which each target has its own
    :ivar force: build also if nothing has changed
    :ivar refresh: fetch the base anew
    :ivar source: the distribution's source RPM that is the base, if one was named
    """

    revision: int
    dist: Path
    force: bool
    refresh: bool
    source: srpm.SourceRpm | None


def _build(target: targets.Target, options: _Options) -> None:
    """Build a target unless its packages are there, and say so."""
    start = time.monotonic()
    dist = options.dist
    with builds.turn(target, dist):
        fetched = _fetch(target, options.refresh, options.source)
        inputs = _inputs(target, options.revision, fetched)
        # asked in its turn: another build of the same may just have ended
        files = [] if options.force else builds.intact(target, dist, inputs)
        told = "is up to date"
        if not files:
            files = _make(target, fetched, options.revision, dist, inputs)
            told = "built"
    seconds = time.monotonic() - start
    click.echo(f"{target.name}: +xloud{options.revision} {told}, {seconds:.1f} s")
    for file in files:
        click.echo(f"  {file}")


class _Fetched(NamedTuple):
    """The parts of a target's packages that are not in this checkout.

    :ivar files: of the base
    :ivar record: the archive's paragraph about the library that the packages stand in for
    """

    files: tuple[Path, ...]
    record: str
    source: srpm.SourceRpm | None = None


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


def _fetch(target: targets.Target, refresh: bool, source: srpm.SourceRpm | None) -> _Fetched:
    """Fetch a target's base, and the record of the library in the target's archive.

    The archive is asked at each build: packages for a version that its hosts no longer have are of
    no use. Without network the cache serves.
    """
    if source:
        return _Fetched((source.file,), source.version, source)
    try:
        files = bases.fetch(target.base, ask=True, refresh=refresh)
    except NetworkError as error:
        files = () if refresh else bases.cached(target.base)
        if not files:
            raise
        _LOG.warning(
            "warning: %s is built from the cache, since the archive of %s did not answer. Its "
            "hosts may have a newer version by now. (%s)",
            *(target.name, target.base, error),
        )
    if target.format != "deb" or target.relations:
        return _Fetched(files, "")
    if target.is_distributions():
        return _Fetched(files, bases.record(target.base))
    try:
        offer = apt.newest(target.suite)
    except NetworkError:
        offer = apt.listed(target.suite)
        if refresh or not offer.record:
            raise
    return _Fetched(files, offer.record)


def _inputs(target: targets.Target, revision: int, fetched: _Fetched) -> str:
    """Return a digest of all that a target's packages are made of, itself included."""
    told = hashlib.sha256(repr((target, revision, fetched.record)).encode())
    ours = (tree.sources(), *_PACKAGING[target.format], Path(__file__).parents[1])
    files = sorted(path for place in ours for path in (place, *place.rglob("*")))
    for path in [*fetched.files, *files]:
        if path.is_file() and path.suffix != ".pyc":
            told.update(f"{path} {cache.sha256(path)}\n".encode())
    return told.hexdigest()


def _make(
    target: targets.Target, fetched: _Fetched, revision: int, dist: Path, inputs: str
) -> list[Path]:
    """Weave our patches for a target's base and build its packages.

    :raises PackageError: if this is no checkout, or the base is not what the format is built from
    """
    if not (named(PACKAGING) / "control.in").exists():
        raise PackageError(f"{PACKAGING} is missing: packages are built in a checkout")
    if fetched.source:
        return _build_on_source_rpm(target, fetched.source, revision, dist, inputs)
    _LOG.info("%s: weaving our changes into %s (a few seconds)", target.name, target.base)
    with bases.opened(target.base, only=tree.paths()) as (base, unpacked):
        files, failures = tree.compose(base, unpacked)
        patches = quilt.series(files)
    if failures:
        raise failures[0].error
    if base.patch:
        patches.insert(0, Patch(*base.patch))
    if target.format == "rpm":
        (sdist,) = base.files
        directory = f"nova-{base.version}"
        release = rpm.Material(
            *(base.version, base.date, sdist, patches, RPM_PACKAGING, _rpm_sources(), directory)
        )
        return rpm.build(target, release, revision, dist, inputs)
    if target.format == "wheel":
        plain = wheel.Material(base.version, base.date, base.files[0], patches)
        return wheel.build(target, plain, revision, dist, inputs)
    theirs = next((each for each in base.files if ".debian.tar." in each.name), None)
    source = deb.Material(
        target.provides or base.version,
        apt.upstream_version(base.version),
        base.date,
        base.orig or base.files[0],
        theirs,
        patches,
        {each.path for each in files if each.base is None},
        fetched.record,
        base.library if target.is_distributions() else None,
        PACKAGING,
        [GUIDE],
        [sdists.fetch(each) for each in target.backports],
    )
    return deb.build(target, source, revision, dist, inputs)


def _rpm_sources() -> list[Path]:
    """Return the files of this checkout that are sources of an RPM beside rpm/."""
    return [*(PACKAGING / name for name in SHARED), RPM_GUIDE]


def _build_on_source_rpm(
    target: targets.Target, source: srpm.SourceRpm, revision: int, dist: Path, inputs: str
) -> list[Path]:
    """Weave our patches for a source RPM and build a target's packages of both."""
    _LOG.info("%s: preparing %s in a clean root (a minute)", target.name, source.file.name)
    macros = RPM_PACKAGING / f"{target.name}.macros"
    log = dist / f"{target.name}-source.log"
    work = dist / f".{target.name}.source"
    with srpm.opened(source, macros, target.suite, log, work) as (prepared, tree_of_it):
        _LOG.info("%s: weaving our changes into it (a few seconds)", target.name)
        files, failures = tree.compose(prepared.base, tree_of_it)
        if failures:
            raise failures[0].error
        material = rpm.Material(
            version=prepared.base.version,
            date=prepared.base.date,
            sdist=prepared.tarball,
            patches=[*prepared.patches, *quilt.series(files)],
            packaging=RPM_PACKAGING,
            sources=_rpm_sources(),
            directory=prepared.directory,
            release=srpm.own_release(source.version),
            changelog=source.changelog,
        )
        return rpm.build(target, material, revision, dist, inputs)
