"""The table of targets."""

from __future__ import annotations

import pytest

from nova_xloud import bases
from nova_xloud.ground.errors import UnknownTargetError
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
        assert bool(target.repository) == target.stands_in(), target
        assert bool(target.depends) >= bool(target.backports), target
