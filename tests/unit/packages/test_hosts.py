"""The version that packages stand in for: by the operator, the table, a configured archive."""

from __future__ import annotations

from pathlib import Path

import pytest

from nova_xloud.ground import archive, errors
from nova_xloud.ground.errors import PackageError, ProvidesError
from nova_xloud.packages import hosts, targets

NOBLE = targets.get("ubuntu-24.04")
EL9 = targets.get("el9")


@pytest.fixture(autouse=True)
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file that names the archives: none of Ubuntu."""
    file = tmp_path / "archive.sources"
    file.write_text(
        "Types: deb\nURIs: http://archive.example/debian\nSuites: bookworm\nComponents: main\n"
        "Signed-By: /keys/debian.gpg\n"
    )
    monkeypatch.setenv(archive.VARIABLE, str(file))
    return file


def test_the_distributions_own_nova_is_the_base_where_its_archive_is_configured(
    configured: Path,
) -> None:
    configured.write_text(
        configured.read_text() + "\nTypes: deb\nURIs: http://archive.example/ubuntu\n"
        "Suites: noble noble-updates noble-security\nComponents: main universe\n"
        "Signed-By: /keys/ubuntu.gpg\n"
    )
    told = hosts.asked(NOBLE, None)
    assert (told.base, told.provides, told.relations) == ("ubuntu:noble", "", ())
    assert told.is_distributions()
    assert hosts.notice(told) == ""


def test_the_operators_word_goes_first_and_means_the_release(configured: Path) -> None:
    configured.write_text(configured.read_text().replace("bookworm", "noble"))
    told = hosts.asked(NOBLE, "3:29.0.1-0ubuntu1")
    assert told == NOBLE._replace(provides="3:29.0.1-0ubuntu1")
    assert hosts.asked(EL9, "2:29.2.1-3.el9s").provides == "2:29.2.1-3.el9s"


def test_without_an_archive_and_without_a_version_both_ways_are_told() -> None:
    with pytest.raises(ProvidesError, match=r"ubuntu:noble.*--archive.*--provides 3:29"):
        hosts.asked(NOBLE, None)


def test_a_release_in_a_distributions_place_is_told_to_lack_its_patches() -> None:
    told = hosts.notice(hosts.asked(NOBLE, "3:29.2.0-0ubuntu1"))
    assert "upstream release 29.4.0, not the source of 3:29.2.0-0ubuntu1" in told
    assert "compare" in told
    assert hosts.notice(targets.get("debian-13")) == ""
    assert hosts.notice(targets.get("29.4.0-wheel")) == ""


def test_another_series_than_the_bases_is_refused() -> None:
    with pytest.raises(ProvidesError, match=r"Nova 30.*29\.4\.0"):
        hosts.asked(EL9, "1:30.0.0-1.el9")
    with pytest.raises(ProvidesError, match=r"Nova 32.*29\.4\.0"):
        hosts.asked(NOBLE, "3:32.0.0-0ubuntu1")


def test_what_is_no_version_is_refused() -> None:
    with pytest.raises(PackageError, match="EPOCH:VERSION-RELEASE"):
        hosts.asked(EL9, "29.2.0")


def test_the_table_goes_for_the_others() -> None:
    assert hosts.asked(EL9, None) == EL9
    debian = targets.get("debian-13")
    assert hosts.asked(debian, None) == debian
    with pytest.raises(ProvidesError, match="leave --provides out"):
        hosts.asked(debian, "2:31.0.0-6")


def test_the_failure_has_an_exit_code_of_its_own() -> None:
    classes = [each for each in vars(errors).values() if isinstance(each, type)]
    codes = [each.exit_code for each in classes if "exit_code" in vars(each)]
    assert codes.count(ProvidesError.exit_code) == 1
