"""The command that writes a branch into a git checkout of Nova."""

from __future__ import annotations

from pathlib import Path

import click

from nova_xloud import bases
from nova_xloud.cli import sources
from nova_xloud.ground.errors import DirectoryError
from nova_xloud.trees import branches, tree


@click.command("branch")
@click.argument("checkout", type=click.Path(exists=True, file_okay=False))
@click.argument("name", default="nova-xloud")
@sources.version_option
@sources.unsupported_option
def make_branch(checkout: str, name: str, version: str, unsupported: bool) -> None:
    """Write our additions and changes as a branch NAME of a git CHECKOUT, a commit for each.

    Default: nova-xloud. The branch follows the commit that is checked out. Working tree, index and
    other branches stay as they are. An older branch of this name is replaced if all its commits are
    ours.
    """
    place = str(Path(checkout).absolute())  # never the name of a release
    with bases.opened(place, only=tree.paths(), version=version, unsupported=unsupported) as (
        found,
        unpacked,
    ):
        if found.form != bases.GIT:
            raise DirectoryError(unpacked, "is no git checkout")
        files = sources.composed(found, unpacked)
        made = branches.write(found, unpacked, files, name)
    told = "written" if made.changed else "is up to date"
    click.echo(f"Nova {found.version}: branch {name} {told}, {made.length} commits of ours:")
    click.echo(f"  {made.commit}")
    click.echo(
        f"Next: push {name}, with the tags of Nova. OpenStack-Ansible takes that commit; see "
        "docs/openstack-ansible.md."
    )


commands: list[click.Command] = [make_branch]
