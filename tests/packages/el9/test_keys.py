"""A mirror's keys as dnf sees them: replaced, prolonged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_xloud.ground import root
from nova_xloud.mirrors import signing
from nova_xloud.mirrors.mirror import Repository
from tests.packages import keys
from tests.packages.keys import Host, Machine
from tests.printed import commands
from tests.tiny import make_rpms

EL9 = Repository("rpm", "el9")
RING = "etc/pki/rpm-gpg/RPM-GPG-KEY-nova-xloud"
DNF = "dnf -y --releasever 9 --disablerepo '*' --enablerepo nova-xloud"
INSTALL = f"rm -rf /var/cache/dnf && {DNF} install tiny"
#: Forgets all keys: a host of one state knows nothing of the state before.
ANEW = "rm -rf /var/cache/dnf; rpm -e tiny; rpm -e --allmatches gpg-pubkey; true"


@pytest.fixture
def machine(scratch: Path, tmp_path: Path) -> Iterator[Machine]:
    """A mirror with a package."""
    made = Machine(keys.place(scratch), {EL9: [make_rpms(tmp_path / "one")]})
    yield made
    made.end()


@pytest.fixture(params=["bullseye", "trixie"])
def host(machine: Machine, scratch: Path, request: pytest.FixtureRequest) -> Iterator[Host]:
    """A host without another repository: the rpm of EL 9, and that of today."""
    recipe = root.Recipe(f"test-dnf-{request.param}", request.param, ("createrepo-c", "dnf", "rpm"))
    with keys.host(recipe, machine, scratch / "host") as made:
        keys.copy_client(machine, "el9/nova-xloud.repo", made.root / "etc/yum.repos.d")
        yield made


def accepts(host: Host, machine: Machine, *ring: str) -> bool:
    """Say whether a new host that has some keys reads the mirror and installs from it."""
    host(ANEW)
    keys.give(machine, ring, host.root / RING, armor=True)
    succeeded, said = host(INSTALL)
    assert succeeded or "GPG" in said or "signature" in said, said
    return succeeded


def test_a_key_is_replaced_as_documented(host: Host, machine: Machine) -> None:
    both_sign, alone, forget = keys.steps()
    _, fetch = keys.fetches()
    assert accepts(host, machine, machine.old)

    machine.sh(*both_sign)
    new = next(
        each.fingerprint for each in signing.keys(machine.gnupg) if each.fingerprint != machine.old
    )
    assert accepts(host, machine, machine.old, new)
    assert not accepts(host, machine, new)
    assert accepts(host, machine, machine.old)
    # this host goes all the way
    host.succeeds(fetch)
    host.succeeds(f"rpm -e tiny; {INSTALL}")

    machine.sh(*alone)
    host.succeeds(f"rpm -e tiny; {INSTALL}")
    host.succeeds(fetch)
    host.succeeds(f"OLD={machine.old}; {forget}")
    known = host.succeeds("rpm -q gpg-pubkey")
    assert new[-8:].lower() in known
    assert machine.old[-8:].lower() not in known
    host.succeeds(f"rpm -e tiny; {INSTALL}")

    assert accepts(host, machine, machine.old, new)
    assert accepts(host, machine, new)
    assert not accepts(host, machine, machine.old)


def test_a_key_that_has_ended_is_prolonged_as_documented(
    host: Host, machine: Machine, late: signing.Signer
) -> None:
    keys.end_in_the_past(machine, late)
    assert not accepts(host, machine, late.key)
    *prolong, _, fetch = commands(keys.PAGE, "Prolong a key")
    machine.sh(*prolong)
    host.succeeds(fetch)
    host.succeeds(INSTALL)
