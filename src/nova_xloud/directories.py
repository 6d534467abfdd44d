"""The type of a directory on the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from nova_xloud.files import named


class Directory(click.Path):
    """A directory to write to, whose name the programs that the builder runs can be given."""

    def __init__(self, *, exists: bool = False) -> None:
        super().__init__(exists=exists, path_type=Path, file_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return a path.

        :raises DirectoryError: if its name cannot be used
        """
        return named(Path(os.fsdecode(super().convert(value, param, ctx))))
