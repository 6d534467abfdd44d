"""The table of targets."""

from __future__ import annotations

import pytest

from nova_xloud import bases
from nova_xloud.bases import releases
from nova_xloud.ground.errors import PackageError, UnknownTargetError
from nova_xloud.packages import targets


def test_every_target_has_a_base_that_is_known() -> None:
    for target in targets.known().values():
        assert target.base in bases.known(), target


def test_an_unknown_target_is_told_with_those_there_are() -> None:
    with pytest.raises(UnknownTargetError) as raised:
        targets.get("debian-31")
    assert "debian-31" in str(raised.value)
    assert all(name in str(raised.value) for name in targets.known())


def test_a_target_of_a_release_says_what_it_stands_in_for_or_who_knows() -> None:
    for target in targets.known().values():
        told = bool(target.provides or target.preferred)
        assert told == (target.stands_in() and not target.is_distributions()), target
        assert target.stands_in() == (target.format != "wheel"), target
        assert bool(target.depends) >= bool(target.backports), target


def test_each_series_has_a_wheel() -> None:
    for series in releases.supported():
        target = targets.of_series("wheel", series)
        assert target.base.startswith(f"{series}."), target
    with pytest.raises(PackageError, match="no target builds a wheel of Nova 25"):
        targets.of_series("wheel", 25)


@pytest.mark.parametrize(
    ("version", "epoch"), [("1:29.2.0-1.el9", "1"), ("29.2.0-1.el9", "0"), ("12:1~rc1-0.1", "12")]
)
def test_the_epoch_is_that_of_the_version_provided(version: str, epoch: str) -> None:
    assert targets.epoch(version) == epoch


@pytest.mark.parametrize("version", ["29.2.0", "1:29.2.0", "x:29-1", "29-1-1", "29-1 || true", ""])
def test_what_is_no_version_is_refused(version: str) -> None:
    with pytest.raises(PackageError, match="EPOCH:VERSION-RELEASE"):
        targets.epoch(version)
