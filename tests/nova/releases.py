"""The releases that tests run on, by the part that they play: releases.toml alone names releases.

A command of the tests takes a release (``29.4.0``) or a part: ``main``, the one that most tests run
on; ``oldest`` and ``newest``, the first and the last supported release.
"""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path
from typing import Any

import click

import nova_xloud.bases
from nova_xloud.bases import known

TABLE = Path(nova_xloud.bases.__file__).with_name("releases.toml")


def series_of(release: str) -> int:
    """Return the series of a release: 29 of 29.4.0."""
    return int(release.partition(".")[0])


def numbers(name: str) -> list[int]:
    """Return the numbers of a release, which releases are ordered by: [29, 4, 0] of 29.4.0."""
    return [int(each) for each in name.split(".")]


@functools.cache
def newest_of() -> dict[int, str]:
    """Return the release of each series that is checked, oldest first."""
    checked = [each.name for each in known().values() if each.sha256 and each.checked]
    return {series_of(name): name for name in sorted(checked, key=numbers)}


def parts() -> dict[str, tuple[str, ...]]:
    """Return the releases that play each part."""
    table = tomllib.loads(TABLE.read_text())["tests"]
    newest = newest_of()
    names = list(newest.values())
    found = {"oldest": names[0], "main": newest[table["main"]], "newest": names[-1]}
    deep = [newest[each] for each in table["deep"]]
    return {**{part: (name,) for part, name in found.items()}, "deep": (*deep, names[-1])}


def of(*names: str) -> tuple[str, ...]:
    """Return the releases that are meant by parts, each once."""
    known_parts = parts()
    return tuple(dict.fromkeys(release for name in names for release in known_parts[name]))


class Release(click.ParamType):
    """A release, or the name of a part."""

    name = "release"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the releases that are meant."""
        if isinstance(value, tuple):
            return value
        return parts().get(value, (value,))


def flat(
    _ctx: click.Context, _param: click.Parameter, given: tuple[tuple[str, ...], ...]
) -> tuple[str, ...]:
    """Return all releases that the uses of an option name, each once."""
    return tuple(dict.fromkeys(release for each in given for release in each))


def option(*default: str) -> Any:
    """Return the option --release, which can be given more than once.

    :param default: the parts that are meant without it
    """
    return click.option(
        "--release",
        "releases",
        multiple=True,
        type=Release(),
        callback=flat,
        default=of(*default),
        help=f"a release, or {', '.join(parts())}; default: {', '.join(default)}",
    )


@click.command()
@click.argument("part", type=click.Choice(["oldest", "main", "newest", "deep"]))
def main(part: str) -> None:
    """Print the releases that play a part."""
    click.echo(" ".join(parts()[part]))


if __name__ == "__main__":
    main()
