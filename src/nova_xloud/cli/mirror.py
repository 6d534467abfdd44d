"""The commands that make, sign and prune mirrors, and the commands for their keys."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import click

from nova_xloud.cli.directories import Directory, built_option
from nova_xloud.ground.errors import MirrorError
from nova_xloud.ground.files import RECORD
from nova_xloud.mirrors import mirror, publishing, signing
from nova_xloud.packages import companions, targets

#: How long before the end of a key the commands warn, in seconds.
_SOON = 60 * 24 * 3600


def _own_gnupg_home() -> Path:
    """Return where our own signing keys are kept: outside any checkout, private."""
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    return Path(data) / "nova-xloud/gnupg"


_home = click.option(
    "--gnupg-home",
    type=Directory(),
    default=_own_gnupg_home,
    help="GnuPG directory with the signing keys; default: nova-xloud's own, made if missing.",
)
_keys = click.option(
    *("--key", "keys"),
    multiple=True,
    metavar="FINGERPRINT",
    help="A key that signs; default: those that signed last. Given twice, both keys sign the "
    "indexes, and the first key signs the packages.",
)
_keep = click.option(
    "--keep",
    default=mirror.KEEP,
    show_default=True,
    type=click.IntRange(min=1),
    help="How many builds of each target, and of each companion, stay.",
)
_valid_days = click.option(
    "--valid-days",
    type=click.IntRange(min=0),
    help="For how many days apt accepts the indexes (Valid-Until); 0: for ever. Default: as "
    "before. Run `nova-xloud sign` more often than that.",
)
_expire = click.option(
    "--expire",
    default="2y",
    show_default=True,
    metavar="WHEN",
    help="When the key ends: 90d, 2y, a day like 2031-12-31, or never.",
)


def _signing(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say who signs."""
    return _home(_keys(command))


@click.command("mirror")
@click.argument("directory", type=Directory())
@built_option
@click.option("--url", default="", help="Where clients will find it; default: file:DIRECTORY.")
@_signing
@_keep
@_valid_days
def make_mirror(
    directory: Path,
    dist: Path,
    url: str,
    gnupg_home: Path,
    keys: tuple[str, ...],
    keep: int,
    valid_days: int | None,
) -> None:
    """Add the packages in dist/ to the signed repositories in DIRECTORY."""
    packages: dict[mirror.Repository, list[Path]] = {}
    for target in targets.known().values():
        beside = [companions.as_target(each, target) for each in companions.of(target)]
        for each in (target, *beside) if target.repository else ():
            if (dist / each.name / RECORD).exists():
                repository = mirror.Repository(target.format, target.repository)
                packages.setdefault(repository, []).append(dist / each.name)
    if not packages:
        raise MirrorError(f"there are no packages in {dist}: `nova-xloud build TARGET` first")
    signer = _signer(gnupg_home, keys)
    written = mirror.write(directory, packages, signer, keep=keep, url=url, valid_days=valid_days)
    _tell_signed(directory, written)
    for client in sorted(directory.glob("*/nova-xloud.*")):
        click.echo(f"  {client}")
    click.echo(f"  {directory}/{mirror.NAME}.gpg")
    click.echo(
        "Next, on a host: nova-xloud.gpg to /usr/share/keyrings, its nova-xloud.sources to "
        "/etc/apt/sources.list.d, `apt update`, `apt install python3-nova-xloud`; "
        "docs/operator-rpm.md says it for dnf."
    )


@click.command("sign")
@click.argument("directory", type=Directory(exists=True))
@_signing
@_valid_days
def sign_mirror(
    directory: Path, gnupg_home: Path, keys: tuple[str, ...], valid_days: int | None
) -> None:
    """Sign the repositories in DIRECTORY again: by other keys, or before Valid-Until."""
    written = mirror.sign(directory, _signer(gnupg_home, keys), valid_days=valid_days)
    _tell_signed(directory, written)


@click.command("prune")
@click.argument("directory", type=Directory(exists=True))
@_signing
@_keep
@click.option(
    "--now", is_flag=True, help="Remove at once the files too that a client may be reading."
)
def prune_mirror(
    directory: Path, gnupg_home: Path, keys: tuple[str, ...], keep: int, now: bool
) -> None:
    """Drop all but the last builds of each target and companion from DIRECTORY."""
    written = mirror.prune(directory, _signer(gnupg_home, keys), keep, now=now)
    click.echo(f"{directory}: of each target and companion, the last {keep} builds at most")
    if written.left.files:
        click.echo(
            f"  {written.left.files} files of former states stay on the disk "
            f"({written.left.size / 2**20:.1f} MiB): for {publishing.GRACE // 60} minutes a client "
            "may still read them."
        )
        after = time.strftime("%H:%M", time.localtime(written.left.until + 60))
        click.echo(
            f"  The first mirror, sign or prune after {after} removes them; "
            f"`nova-xloud prune {directory} --keep {keep} --now` does it at once."
        )


@click.group("key")
def key() -> None:
    """The keys that sign mirrors: make, list, prolong them."""


@key.command("new")
@_home
@_expire
def new_key(gnupg_home: Path, expire: str) -> None:
    """Make a signing key beside those that are there."""
    fingerprint = signing.make_key(gnupg_home, expire)
    click.echo(fingerprint)
    click.echo(
        f"Made in {gnupg_home}; it signs nothing yet. Next: `nova-xloud mirror` or `nova-xloud "
        f"sign` with --key {fingerprint}. In the place of another key: docs/mirror.md.",
        err=True,
    )


@key.command("list")
@_home
def list_keys(gnupg_home: Path) -> None:
    """List the signing keys: fingerprint, end, and whether it signs."""
    for each in signing.keys(gnupg_home):
        click.echo(f"{each.fingerprint} {each.ends()} {each.unusable or 'signs'}")


@key.command("prolong")
@click.argument("fingerprint")
@_home
@_expire
def prolong_key(fingerprint: str, gnupg_home: Path, expire: str) -> None:
    """Have a key end later, counted from now; also a key that has ended."""
    prolonged = signing.prolong(gnupg_home, fingerprint, expire)
    click.echo(f"{prolonged.fingerprint}: ends {prolonged.ends()}")
    click.echo(
        "Next: `nova-xloud sign DIRECTORY`, then bring the keyrings in DIRECTORY to all hosts: "
        "theirs still have the former end."
    )


def _signer(home: Path, keys: tuple[str, ...]) -> signing.Signer:
    """Return the keys that were asked for, or a signer without any: the mirror knows who signed."""
    first, *others = keys or ("",)
    return signing.Signer(home, first, tuple(others))


def _tell_signed(directory: Path, written: mirror.Written) -> None:
    """Say who signed, and until when that is good."""
    click.echo(f"{directory}: signed by {' and '.join(written.signer.keys)}")
    if written.valid_days:
        click.echo(
            f"  apt accepts the indexes for {written.valid_days} days: have `nova-xloud sign "
            f"{directory}` run more often"
        )
    for each in signing.keys(written.signer.home):
        if each.fingerprint in written.signer.keys and 0 < each.expires < time.time() + _SOON:
            click.echo(
                f"nova-xloud: warning: the key {each.fingerprint} ends on {each.ends()}: "
                f"`nova-xloud key prolong {each.fingerprint}`, or replace it: docs/mirror.md",
                err=True,
            )


commands: list[click.Command] = [make_mirror, sign_mirror, prune_mirror, key]
