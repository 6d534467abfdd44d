"""Comparing a library that we have built with the distribution's: they differ in our lines only."""

from __future__ import annotations

import configparser
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from nova_xloud.bases.binary import ASIDE, read
from nova_xloud.weave import without_marked


def compare(built: Path, theirs: Path, added: Collection[str]) -> list[str]:
    """Compare a package of ours with the distribution's, our lines taken out.

    :param built: our binary package
    :param theirs: the distribution's
    :param added: the paths of our own files in the tree
    :returns: a line for each file that differs; none if all is well
    """
    one, other = read(built).files, read(theirs).files
    wrong = []
    ours = {each for each in added if each.startswith("nova/")}
    for path in sorted(_names(one) | _names(other) | ours):
        if path not in one:
            wrong.append(f"{path}: missing from ours")
        elif path not in other:
            if path not in added:
                wrong.append(f"{path}: not in the distribution's, and not one of ours")
        elif (
            one[path] != other[path]
            and not ASIDE.search(path)
            and without_marked(one[path], path=path) != other[path]
        ):
            wrong.append(f"{path}: differs in more than our lines")
    return wrong + _compare_metadata(one, other)


def _compare_metadata(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> list[str]:
    """Compare the metadata of both: the requirements, and all entry points."""
    ours, theirs = _metadata(one), _metadata(other)
    if ours is None or theirs is None:
        return [] if ours == theirs else ["the metadata of one of both is missing"]
    wrong = []
    for file in ("requires.txt", "top_level.txt") if ours == theirs else ():
        has, wants = (set(files.get(f"{ours}/{file}", b"").split()) for files in (one, other))
        # ours may tell more: Debian's builds of 33 and 34 write the optional requirements only
        if lost := sorted(wants - has):
            wrong.append(f"{theirs}/{file}: {lost[0].decode()} is missing from ours")
    path = "entry_points.txt"
    points, expected = (
        _entry_points(files.get(f"{top}/{path}", b""))
        for files, top in ((one, ours), (other, theirs))
    )
    if gone := sorted(expected - points):
        wrong.append(f"{theirs}/{path}: {gone[0]} is missing from ours, or another")
    return wrong


def _metadata(files: Mapping[str, bytes]) -> str | None:
    """Return the name of the directory with the metadata: nova-VERSION.egg-info or .dist-info."""
    names = {path.partition("/")[0] for path in files}
    return next((each for each in sorted(names) if re.match(r"nova-.*\.\w+-info$", each)), None)


def _entry_points(text: bytes) -> set[tuple[str, str, str]]:
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    parser.read_string(text.decode())
    return {
        (group, name, value.replace(" ", ""))
        for group in parser.sections()
        for name, value in parser.items(group)
    }


def _names(files: Mapping[str, bytes]) -> set[str]:
    return {each for each in files if each.startswith("nova/")}
