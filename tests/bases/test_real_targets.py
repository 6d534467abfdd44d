"""The table of targets against the requirements of the real bases."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path

import pytest

from nova_xloud import bases
from nova_xloud.packages import targets

TOLD = [each for each in targets.known().values() if each.relations]


@pytest.mark.parametrize("target", TOLD, ids=lambda target: target.name)
def test_relations_that_are_told_whole_are_those_of_the_release(target: targets.Target) -> None:
    (sdist,) = bases.fetch(target.base)
    told = {re.sub(r"\b1:", "", each) for each in target.relations}
    asked = {relation(line) for line in requirements(sdist)}
    assert len(asked) > 50
    assert asked - told == set()


def requirements(sdist: Path) -> list[str]:
    """Return the lines of a release's requirements.txt that name a requirement."""
    with tarfile.open(sdist) as archive:
        member = next(
            each for each in archive if re.fullmatch(r"[^/]+/requirements.txt", each.name)
        )
        content = archive.extractfile(member)
        assert content
        lines = (line.decode().partition("#")[0].strip() for line in content)
        return [line for line in lines if line]


def relation(requirement: str) -> str:
    """Return Debian's relation for a requirement, with its minimum."""
    name = re.match(r"[\w.-]+", requirement)
    minimum = re.search(r">=([\d.]+)", requirement)
    assert name
    assert minimum
    short = {"PyYAML": "yaml"}.get(name[0], name[0].removeprefix("python-").lower())
    return f"python3-{short} (>= {minimum[1]})"
