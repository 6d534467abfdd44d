"""The keys of a mirror as apt sees them, the end of its indexes, unattended upgrades."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_xloud.ground import root
from nova_xloud.mirrors import mirror, signing
from nova_xloud.mirrors.mirror import Repository
from tests.packages import keys
from tests.packages.keys import Host, Machine
from tests.printed import DOCS, commands
from tests.tiny import make_deb

TRIXIE = Repository("deb", "trixie")
RING = "usr/share/keyrings/nova-xloud.gpg"
READ = (
    "rm -rf /var/lib/apt/lists && apt-get update --error-on=any && "
    "apt-get -y install --reinstall tiny=1.0"
)


@pytest.fixture
def machine(scratch: Path, tmp_path: Path) -> Iterator[Machine]:
    """A mirror with a package."""
    made = Machine(keys.place(scratch), {TRIXIE: [make_deb(tmp_path / "one", "1.0")]})
    yield made
    made.end()


@pytest.fixture(params=[pytest.param("bookworm", marks=pytest.mark.slow), "trixie"])
def host(machine: Machine, scratch: Path, request: pytest.FixtureRequest) -> Iterator[Host]:
    """A host without another archive: apt that checks by gpgv, and by sqv."""
    recipe = root.Recipe(
        f"test-client-{request.param}", request.param, ("unattended-upgrades", "gpgv")
    )
    with keys.host(recipe, machine, scratch / "host") as made:
        (made.root / "etc/apt/sources.list").unlink(missing_ok=True)
        keys.copy_client(machine, "trixie/nova-xloud.sources", made.root / "etc/apt/sources.list.d")
        yield made


def accepts(host: Host, machine: Machine, *ring: str) -> bool:
    """Say whether a host that has some keys reads the mirror and installs from it."""
    keys.give(machine, ring, host.root / RING, armor=False)
    succeeded, said = host(READ)
    assert succeeded or re.search("not signed|NO_PUBKEY|EXPKEYSIG", said), said
    return succeeded


def test_a_key_is_replaced_as_documented(host: Host, machine: Machine) -> None:
    both_sign, alone, _ = keys.steps()
    fetch, _ = keys.fetches()
    assert accepts(host, machine, machine.old)

    machine.sh(*both_sign)
    new = next(
        each.fingerprint for each in signing.keys(machine.gnupg) if each.fingerprint != machine.old
    )
    assert accepts(host, machine, machine.old)
    assert accepts(host, machine, machine.old, new)
    assert accepts(host, machine, new)
    assert accepts(host, machine, machine.old)
    host.succeeds(fetch)
    host.succeeds(READ)

    machine.sh(*alone)
    host.succeeds(READ)
    assert accepts(host, machine, machine.old, new)
    assert accepts(host, machine, new)
    assert not accepts(host, machine, machine.old)
    host.succeeds(fetch)
    host.succeeds(READ)


def test_a_key_that_has_ended_is_prolonged_as_documented(
    host: Host, machine: Machine, late: signing.Signer
) -> None:
    keys.end_in_the_past(machine, late)
    assert not accepts(host, machine, late.key)
    *prolong, fetch, _ = commands(keys.PAGE, "Prolong a key")
    machine.sh(*prolong)
    host.fails(READ)
    host.succeeds(fetch)
    host.succeeds(READ)


def test_indexes_past_their_end_are_refused_until_signed_again(
    host: Host, machine: Machine
) -> None:
    (sign,) = commands(keys.PAGE, "An end for the indexes")
    keys.give(machine, [machine.old], host.root / RING, armor=False)
    machine.sh(sign)
    host.succeeds(READ)
    # a mirror of thirty days ago
    index = machine.place / "dists/trixie"
    month = "s/^(Date|Valid-Until): .*/\\1: REPLACED/"
    dated = subprocess.run(
        ["sed", "-E", month, index / "Release"], check=True, capture_output=True, text=True
    ).stdout
    for name, days in (("Date", 30), ("Valid-Until", 16)):
        told = subprocess.run(
            ["date", "-Ru", "-d", f"{days} days ago"],
            check=True,
            capture_output=True,
            text=True,
            env={"LC_ALL": "C"},
        ).stdout.strip()
        dated = dated.replace(f"{name}: REPLACED", f"{name}: {told}")
    old = index / "InRelease"
    old.unlink()
    (index / "old").write_text(dated)
    signing.Signer(machine.gnupg, machine.old).clear_sign(index / "old", old)
    assert "expired" in host.fails(READ)
    # as the timer does it
    (service, _) = re.findall(r"```ini\n(.*?)```", section("An end for the indexes"), re.DOTALL)
    command = re.search(r"^ExecStart=/usr/local/bin/(.*)$", service, re.MULTILINE)
    assert command
    machine.sh(command[1])
    host.succeeds(READ)


def test_the_timer_is_one_that_systemd_takes(tmp_path: Path) -> None:
    for text in re.findall(r"```ini\n(.*?)```", section("An end for the indexes"), re.DOTALL):
        name = re.match(r"# /etc/systemd/system/(\S+)\n", text)
        assert name
        # the program is not installed where the tests run
        (tmp_path / name[1]).write_text(text.replace("/usr/local/bin/nova-xloud", "/bin/true"))
    units = sorted(tmp_path.glob("nova-xloud-sign.*"))
    assert len(units) == 2
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True)
    told = [line for line in done.stderr.splitlines() if "nova-xloud" in line]
    assert (done.returncode, told) == (0, [])


def section(heading: str) -> str:
    """Return a section of the page."""
    return (DOCS / keys.PAGE).read_text().split(f"## {heading}\n")[1].split("\n## ")[0]


def test_unattended_upgrades_take_ours_by_the_documented_line(
    host: Host, machine: Machine, tmp_path: Path
) -> None:
    keys.give(machine, [machine.old], host.root / RING, armor=False)
    host.succeeds(READ)
    newer = make_deb(tmp_path / "two", "2.0")
    mirror.write(machine.place, {TRIXIE: [newer]}, signing.Signer(machine.gnupg, ""))
    host.succeeds("apt-get update --error-on=any")
    dry = "unattended-upgrade --dry-run --verbose"
    told = section("Unattended upgrades")
    assert dry in " ".join(told.split())
    assert "Packages that will be upgraded: tiny" not in host.succeeds(dry)
    (line,) = re.findall(r"^Unattended-Upgrade::.*$", told, re.MULTILINE)
    place = re.search(r"`/(etc/apt/apt.conf.d/\S+)`", told)
    assert place
    (host.root / place[1]).write_text(f"{line}\n")
    assert "Packages that will be upgraded: tiny" in host.succeeds(dry)
