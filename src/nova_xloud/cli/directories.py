"""Directories on the command line: their type, and the option that commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from nova_xloud.ground.files import named


class Directory(click.Path):
    """A directory to write to, whose name the programs that the builder runs can be given."""

    def __init__(self, *, exists: bool = False) -> None:
        super().__init__(exists=exists, path_type=Path, file_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return a path.

        :raises DirectoryError: if its name cannot be used
        """
        return named(Path(os.fsdecode(super().convert(value, param, ctx))))


#: The option of the commands that read packages.
built_option = click.option(
    "--dist",
    default="dist",
    show_default=True,
    type=Directory(),
    help="Where `nova-xloud build` has put the packages.",
)
