"""The table of bases: releases are pinned by hash, suites of distributions are not."""

from __future__ import annotations

import re

import pytest

from nova_xloud.bases import releases
from nova_xloud.ground.errors import UnknownBaseError


def test_a_release_has_a_pinned_sdist_and_shares_a_place_with_the_others() -> None:
    release = releases.find("29.4.0")
    assert (release.distribution, release.place) == ("", "releases")
    assert release.sdist.file == "nova-29.4.0.tar.gz"
    assert re.fullmatch(r"[0-9a-f]{64}", release.sdist.sha256)


@pytest.mark.parametrize("name", ["debian:trixie", "ubuntu:noble"])
def test_a_suite_has_a_place_of_its_own(name: str) -> None:
    suite = releases.find(name)
    assert f"{suite.distribution}:{suite.suite}" == name
    assert suite.place == name.replace(":", "-")
    assert suite.sha256 == ""


def test_no_two_bases_but_releases_have_the_same_place() -> None:
    places = [each.place for each in releases.known().values() if each.distribution]
    assert len(set(places)) == len(places)
    assert "releases" not in places


def test_a_base_that_is_not_in_the_table_is_told_with_those_that_are() -> None:
    with pytest.raises(UnknownBaseError, match=r"29\.99\.0: known are .*29\.4\.0.*debian:trixie"):
        releases.find("29.99.0")
