"""The nova of a distribution: the notices to operators; fetching and unpacking is in test_apt."""

from __future__ import annotations

from pathlib import Path

import pytest

from nova_xloud.bases import apt, distributions

VERSION = "2:31.0.0-6+deb13u3"


def fetched(source: str) -> apt.Fetched:
    """Return a library of a version with the source of another."""
    return apt.Fetched(VERSION, "", source, "", (), Path("python3-nova.deb"))


def test_the_source_of_the_very_version_is_nothing_unusual() -> None:
    assert distributions.notice("debian:trixie", fetched(VERSION)) == ""


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("2:31.0.0-6+deb13u2", "The base is the source of 2:31.0.0-6+deb13u2 with the library"),
        ("", "The base is the upstream release 31.0.0 with the library"),
    ],
)
def test_another_source_is_told_with_both_versions(source: str, told: str) -> None:
    notice = distributions.notice("debian:trixie", fetched(source))
    assert f"does not serve the source of nova {VERSION}" in notice
    assert told in notice
