from __future__ import annotations

from nova_xloud.ground import errors


def _classes() -> list[type[errors.XloudError]]:
    found = [errors.XloudError]
    for each in found:
        found.extend(each.__subclasses__())
    return found


def test_every_failure_has_its_own_exit_code() -> None:
    codes = [each.exit_code for each in _classes()]
    assert sorted(codes) == sorted(set(codes))
    assert 2 not in codes, "2 is click's code for wrong usage"
    assert all(0 < code < 100 for code in codes)


def test_every_failure_says_what_happened_and_what_is_untouched() -> None:
    for each in _classes():
        assert each.__doc__
        assert not each.sentence.endswith(".")
        assert each.untouched
