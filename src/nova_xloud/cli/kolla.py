"""The command that writes the input of kolla-build."""

from __future__ import annotations

from pathlib import Path

import click

from nova_xloud import bases
from nova_xloud.cli import sources
from nova_xloud.cli.directories import Directory
from nova_xloud.packages import kolla


@click.command("kolla")
@sources.base_argument
@click.argument("directory", type=Directory())
@sources.version_option
@sources.unsupported_option
def make_kolla(base: str, directory: Path, version: str, unsupported: bool) -> None:
    """Write what kolla-build takes to build images of a BASE with our changes.

    BASE is the Nova that Kolla installs: a release, an sdist, or a git checkout. DIRECTORY gets
    settings for kolla-build, with the patches or the source that they name.
    """
    sources.check_version([base], version)
    with bases.opened(base, version=version, unsupported=unsupported) as (found, unpacked):
        files = sources.composed(found, unpacked)
        settings = kolla.write(found, unpacked, files, directory)
    click.echo(f"Nova {found.version}, for the images of Kolla {kolla.series(found)}:")
    for file in settings:
        click.echo(f"  {file}: {_TOLD[file.name]}")
    click.echo(
        f"Next: `kolla-build --config-file {settings[0]} nova`, with the options of your site; "
        "see docs/kolla.md."
    )


_TOLD = {
    "patches.conf": "Kolla installs this Nova, and kolla_patch applies the patches",
    "source.conf": "Kolla installs this Nova with our changes",
}

commands: list[click.Command] = [make_kolla]
