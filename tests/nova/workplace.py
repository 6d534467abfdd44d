"""The directory that a command works in, and its removal."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from nova_xloud.ground.errors import XloudError
from tests.nova.environment import NoEnvironmentError
from tests.nova.runs import BrokenTreeError


@contextmanager
def workplace(name: str, keep: Path | None = None) -> Iterator[Path]:
    """Lend a directory for trees and logs, which goes away unless the command fails.

    :param keep: the directory to use, which stays
    :raises click.ClickException: for a fault that keeps a command from its work
    """
    work = keep or Path(tempfile.mkdtemp(prefix=f"nova-xloud-{name}-"))
    work.mkdir(parents=True, exist_ok=True)
    try:
        yield work
    except (BrokenTreeError, NoEnvironmentError, XloudError) as error:
        raise click.ClickException(f"{error}; all is kept in {work}") from error
    except SystemExit:
        click.echo(f"all is kept in {work}")
        raise
    if keep is None:
        shutil.rmtree(work)
