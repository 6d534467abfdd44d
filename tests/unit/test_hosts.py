"""What packages stand in for; apt is a stand-in that prints a record."""

from __future__ import annotations

from pathlib import Path

import pytest

from nova_xloud import errors, hosts, targets
from nova_xloud.errors import PackageError, ProvidesError

NOBLE = targets.get("ubuntu-24.04")
EL9 = targets.get("el9")
RECORD = """\
Package: python3-nova
Version: 3:29.2.0-0ubuntu1.4
Depends: python3-os-traits (>= 3.0.0), sudo
Section: python
"""


def be_on(codename: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this host be of a release."""
    (tmp_path / "os-release").write_text(f"NAME=Ubuntu\nVERSION_CODENAME={codename}\n")
    monkeypatch.setattr(hosts, "_OS_RELEASE", tmp_path / "os-release")


def have_apt_say(record: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this host's apt print a record when asked for it as it should be; "" is a failure."""
    apt = tmp_path / "bin/apt-cache"
    apt.parent.mkdir()
    apt.write_text(
        '#!/bin/sh\n[ "$*" = "show --no-all-versions python3-nova" ] || exit 64\n'
        f"printf '%s' '{record}'; [ -n '{record}' ]\n"
    )
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{apt.parent}:/usr/bin:/bin")


def test_a_host_of_the_release_tells_version_and_relations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_on("noble", tmp_path, monkeypatch)
    have_apt_say(RECORD, tmp_path, monkeypatch)
    told = hosts.asked(NOBLE, None)
    assert told.provides == "3:29.2.0-0ubuntu1.4"
    assert told.relations == ("python3-os-traits (>= 3.0.0)", "sudo")


def test_the_operators_word_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    be_on("noble", tmp_path, monkeypatch)
    have_apt_say(RECORD, tmp_path, monkeypatch)
    told = hosts.asked(NOBLE, "3:29.0.1-0ubuntu1")
    assert told == NOBLE._replace(provides="3:29.0.1-0ubuntu1")
    assert hosts.asked(EL9, "2:29.2.1-3.el9s").provides == "2:29.2.1-3.el9s"


def test_on_another_host_the_version_must_be_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for codename in ("jammy", "trixie"):
        be_on(codename, tmp_path, monkeypatch)
        with pytest.raises(ProvidesError, match="--provides"):
            hosts.asked(NOBLE, None)
    monkeypatch.setattr(hosts, "_OS_RELEASE", tmp_path / "missing")
    with pytest.raises(ProvidesError, match="--provides"):
        hosts.asked(NOBLE, None)


@pytest.mark.parametrize("record", ["", "Package: python3-nova\nDepends: sudo\n"])
def test_an_apt_that_knows_no_version_is_told(
    record: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_on("noble", tmp_path, monkeypatch)
    have_apt_say(record, tmp_path, monkeypatch)
    with pytest.raises(ProvidesError, match="apt"):
        hosts.asked(NOBLE, None)


def test_another_series_than_the_bases_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ProvidesError, match=r"Nova 30.*29\.4\.0"):
        hosts.asked(EL9, "1:30.0.0-1.el9")
    be_on("noble", tmp_path, monkeypatch)
    have_apt_say(RECORD.replace("29.2.0", "32.0.0"), tmp_path, monkeypatch)
    with pytest.raises(ProvidesError, match=r"Nova 32.*29\.4\.0"):
        hosts.asked(NOBLE, None)


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
