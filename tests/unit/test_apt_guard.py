"""The guard that apt calls: which runs it refuses, by the words of the command."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

GUARD = Path(__file__).parents[2] / "debian/apt-guard"
OURS = "2:31.0.0-6+deb13u3+xloud1"
REMOVED = f"python3-nova-xloud {OURS} > - **REMOVE**"
SERVICE = "nova-common 2:31.0.0-6+deb13u3 < 2:31.0.0-6+deb13u4 /var/cache/nova-common.deb"
STOCK = "python3-nova - < 2:31.0.0-6+deb13u4 /var/cache/apt/archives/python3-nova.deb"


def run(command: str, *packages: str) -> tuple[int, str]:
    """Call the guard as apt does; return its exit code and words."""
    quoted = command.replace("%", "%25").replace(" ", "%20")
    told = ["VERSION 2", "APT::Architecture=amd64", f"CommandLine::AsString={quoted}", ""]
    done = subprocess.run(
        [str(GUARD)],
        input="\n".join([*told, *packages, ""]),
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    "command",
    [
        "apt-get -y dist-upgrade",
        "apt full-upgrade",
        "apt-get install nova-common",
        "apt install python3-novaclient",
        "apt install nova-api python3-nova-xloud",
        "aptitude -y install nova-common",
        "apt remove python3-suds",
        "",
    ],
)
def test_a_swap_that_nothing_asks_for_is_refused(command: str) -> None:
    code, said = run(command, REMOVED, SERVICE, STOCK)
    assert code == 3
    assert OURS in said
    assert "python3-nova 2:31.0.0-6+deb13u4" in said
    assert "No package was changed" in said
    assert "No python3-nova-xloud for nova 2:31.0.0-6+deb13u4 is in reach" in said


@pytest.mark.parametrize(
    "command",
    [
        "apt install python3-nova",
        "apt-get -y install python3-nova=2:31.0.0-6+deb13u4",
        "apt install python3-nova/trixie",
        "apt install ./python3-nova_31.0.0-6+deb13u4_all.deb",
        "apt-get -y purge python3-nova-xloud nova-xloud-common python3-nova+",
        "apt install nova-common python3-nova-xloud-",
        "apt remove python3-nova-xloud",
        "aptitude install python3-nova",
    ],
)
def test_a_swap_that_is_asked_for_is_let(command: str) -> None:
    assert run(command, REMOVED, SERVICE, STOCK) == (0, "")


@pytest.mark.parametrize(
    "packages",
    [
        (),
        (SERVICE,),
        # all of Nova goes: no swap
        (REMOVED, "nova-common 2:31.0.0-6+deb13u3 > - **REMOVE**"),
        # ours comes
        (f"python3-nova-xloud - < {OURS} /x.deb", "python3-nova 2:31 > - **REMOVE**"),
        # the last of an earlier run is configured
        ("python3-nova - < 2:31.0.0-6+deb13u4 **CONFIGURE**",),
        (REMOVED, "python3-nova-something - < 1 /x.deb"),
    ],
)
def test_a_run_that_does_not_swap_back_is_let(packages: tuple[str, ...]) -> None:
    assert run("apt-get -y dist-upgrade", *packages) == (0, "")
