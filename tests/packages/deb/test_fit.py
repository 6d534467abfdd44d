"""A version that does not fit is an error, never a removal, whichever side is ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from nova_xloud.ground import root
from nova_xloud.packages import targets
from tests.packages.deb import lab, unbooted
from tests.packages.deb.unbooted import Attempt, Host, Shelf

Hosts = Callable[..., AbstractContextManager[Host]]
OURS = "python3-nova-xloud"
#: apt has two from its release 3.0 on.
SOLVERS = {"bookworm": ("internal",)}


@pytest.fixture(scope="module")
def made(target: targets.Target) -> Path:
    """A root with Debian's Nova."""
    return root.make(unbooted.recipe(target))


@pytest.fixture(scope="module")
def shelf(made: Path, built: Path, scratch: Path) -> Shelf:
    """Packages in any version."""
    return Shelf(made, built, scratch / "shelf")


@pytest.fixture(scope="module")
def here(made: Path) -> str:
    """The version of nova that Debian has today."""
    return unbooted.stock(made)


@pytest.fixture(scope="module")
def ahead(here: str) -> str:
    """Debian's next update."""
    return lab.later(here)


@pytest.fixture(scope="module")
def behind(here: str) -> str:
    """The one before today's."""
    return lab.earlier(here)


@pytest.fixture(scope="module")
def archive(made: Path, scratch: Path) -> Path:
    """A directory with the index of Debian's archive, without nova."""
    place = scratch / "archive"
    place.mkdir()
    unbooted.index_without_nova(made, place / "Packages")
    return place


@pytest.fixture(scope="module")
def hosts(made: Path, archive: Path, target: targets.Target, scratch: Path) -> Hosts:
    """Make hosts: ``hosts(debians, ours, layer...)``: two directories, and layers on the root."""

    @contextmanager
    def make(debians: Path, ours: Path, *layers: Path, keep: Path | None = None) -> Iterator[Host]:
        with unbooted.host([*layers, made], scratch, keep) as host:
            host.serve("archive", archive, suite=target.suite)
            host.serve("debian", debians, suite=target.suite)
            host.serve("mirror", ours, suite=target.suite, label="nova-xloud")
            yield host

    return make


@pytest.fixture(scope="module")
def swapped(hosts: Hosts, shelf: Shelf, here: str, scratch: Path) -> Path:
    """A layer: the host runs ours."""
    layer = scratch / "swapped"
    with hosts(shelf.debians(here), shelf.ours(here), keep=layer) as host:
        (done,) = host.attempt(f"apt-get -y install {OURS}")
        assert done.code == 0, done.output
        assert {name for name, (_, after) in done.changed().items() if not after} == {
            "python3-nova"
        }
        assert done.after[OURS] == f"ii {here}+xloud1"
    return layer


@pytest.fixture(scope="module")
def empty(hosts: Hosts, shelf: Shelf, here: str, scratch: Path) -> Path:
    """A layer: the host has no Nova."""
    layer = scratch / "empty"
    with hosts(shelf.debians(here), shelf.ours(here), keep=layer) as host:
        (done,) = host.attempt(f"apt-get -y purge {' '.join(unbooted.STOCK)}")
        assert done.code == 0, done.output
    return layer


def apt(target: targets.Target, *wishes: str, answer: str = "-y") -> list[str]:
    """Return the commands of apt-get for some wishes, in each of its solvers."""
    solvers = SOLVERS.get(target.suite, ("internal", "3.0"))
    told = [f"apt-get {{}} -o APT::Solver={each} {wish}" for each in solvers for wish in wishes]
    return [each.format("-y") if answer == "-y" else f"yes | {each.format('')}" for each in told]


def others(name: str) -> list[str]:
    """Return the commands of other package managers to get a package and to upgrade all."""
    return [
        f"aptitude -y install {name}",
        "aptitude -y safe-upgrade",
        "aptitude -y full-upgrade",
        "unattended-upgrade -v",
        f"ansible localhost -m apt -a 'name={name} state=latest'",
        "ansible localhost -m apt -a 'upgrade=full'",
    ]


def assert_nothing_of_nova_changed(attempts: list[Attempt]) -> None:
    """No library, no service: only our companion, and backports, may have been upgraded."""
    for attempt in attempts:
        changed = attempt.changed()
        changed.pop("nova-xloud-common", None)
        told = f"{attempt.command}\n{attempt.output}"
        assert [name for name, (_, after) in changed.items() if not after] == [], told
        assert [name for name in changed if "nova" in name] == [], told
        assert "Failed to fetch" not in attempt.output, attempt.output


def assert_refused(attempts: list[Attempt], *versions: str) -> None:
    """Each was an error, and its message names the versions."""
    assert attempts
    for attempt in attempts:
        assert attempt.code, f"{attempt.command}\n{attempt.output}"
        for version in versions:
            assert version in attempt.output, f"{attempt.command}\n{attempt.output}"


UPGRADES = ("upgrade", "dist-upgrade")
RARE = ("dist-upgrade", "install nova-common")
ANSWERS = ["-y", pytest.param("yes", marks=pytest.mark.slow)]


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("mirror", ["behind", "ahead"])
def test_a_mirror_of_another_version_is_refused(
    hosts: Hosts, shelf: Shelf, target, here: str, mirror: str, answer: str, request
) -> None:
    theirs = request.getfixturevalue(mirror)
    with hosts(shelf.debians(here), shelf.ours(theirs)) as host:
        attempts = host.attempt(
            *apt(target, f"install {OURS}", *UPGRADES, "install nova-common", answer=answer),
            f"ansible localhost -m apt -a 'name={OURS} state=latest'",
        )
    assert_nothing_of_nova_changed(attempts)
    assert_refused([each for each in attempts if OURS in each.command], here, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("mirror", ["behind", "ahead"])
def test_other_managers_leave_a_stock_host_alone(
    hosts: Hosts, shelf: Shelf, here: str, mirror: str, request
) -> None:
    with hosts(shelf.debians(here), shelf.ours(request.getfixturevalue(mirror))) as host:
        attempts = host.attempt(*others(OURS))
    for attempt in attempts:
        # aptitude, told -y, offers itself to install the stock library of the same version again
        assert attempt.before == attempt.after, attempt.output


@pytest.mark.parametrize("answer", ANSWERS)
def test_debian_ahead_of_the_mirror_never_takes_ours_away(
    hosts: Hosts, shelf: Shelf, swapped: Path, target, here: str, ahead: str, answer: str
) -> None:
    with hosts(shelf.debians(ahead), shelf.ours(here), swapped) as host:
        kept = host.attempt(*apt(target, "upgrade", f"install {OURS}", answer=answer))
        refused = host.attempt(
            *apt(target, "install nova-common", "install nova-api", answer=answer),
            "ansible localhost -m apt -a 'name=nova-common state=latest'",
        )
        either = host.attempt(*apt(target, "dist-upgrade", answer=answer))
    assert_nothing_of_nova_changed([*kept, *refused, *either])
    assert [each.code for each in kept if "upgrade" in each.command] == [0] * (len(kept) // 2)
    assert_refused(refused, here, ahead)


@pytest.mark.parametrize("kept", [True, False], ids=["old build kept", "old build gone"])
def test_a_mirror_ahead_of_debian_takes_nothing_away(
    hosts: Hosts, shelf: Shelf, swapped: Path, target, here: str, ahead: str, kept: bool
) -> None:
    with hosts(shelf.debians(here), shelf.ours(ahead), swapped) as host:
        if kept:
            host.serve(
                "mirror",
                *(shelf.ours(here), shelf.ours(ahead)),
                suite=target.suite,
                label="nova-xloud",
            )
        refused = host.attempt(*apt(target, f"install {OURS}"))
        either = host.attempt(*apt(target, *UPGRADES, "install nova-common"))
    assert_nothing_of_nova_changed([*refused, *either])
    # apt 2.6 of Debian 12 names the version that it lacks, and not the one that is there
    assert_refused(refused, ahead, *([] if target.suite == "bookworm" else [here]))


@pytest.mark.slow
@pytest.mark.parametrize("side", ["debian", "mirror"])
def test_other_managers_never_take_ours_away(
    hosts: Hosts, shelf: Shelf, swapped: Path, here: str, ahead: str, side: str
) -> None:
    debians, ours = (ahead, here) if side == "debian" else (here, ahead)
    with hosts(shelf.debians(debians), shelf.ours(ours), swapped) as host:
        attempts = host.attempt(*others(OURS), *others("nova-common"))
    assert_nothing_of_nova_changed(attempts)


def test_a_host_on_the_security_suite_is_not_taken_back(
    hosts: Hosts, shelf: Shelf, target, here: str, ahead: str
) -> None:
    with hosts(shelf.debians(here), shelf.ours(here)) as host:
        host.serve("security", shelf.debians(ahead), suite=target.suite, label="Debian-Security")
        (upgraded,) = host.attempt("apt-get -y upgrade")
        assert upgraded.after["nova-common"] == f"ii {ahead}", upgraded.output
        attempts = host.attempt(*apt(target, f"install {OURS}", *UPGRADES))
    assert_nothing_of_nova_changed(attempts)
    assert_refused([each for each in attempts if OURS in each.command], here, ahead)


@pytest.mark.slow
def test_a_host_on_backports_is_not_taken_back(
    hosts: Hosts, shelf: Shelf, target, here: str
) -> None:
    there = "2:33.0.2-1~bpo13+1"
    with hosts(shelf.debians(here), shelf.ours(here)) as host:
        host.serve("backports", shelf.debians(there), suite=f"{target.suite}-backports")
        (upgraded,) = host.attempt("apt-get -y upgrade")
        assert upgraded.after["nova-common"] == f"ii {there}", upgraded.output
        attempts = host.attempt(*apt(target, f"install {OURS}", *UPGRADES))
    assert_nothing_of_nova_changed(attempts)
    assert_refused([each for each in attempts if OURS in each.command], here, there)


@pytest.mark.parametrize("mirror", ["behind", "ahead"])
def test_a_host_without_nova_gets_none_that_does_not_fit(
    hosts: Hosts, shelf: Shelf, empty: Path, target, here: str, mirror: str, request
) -> None:
    theirs = request.getfixturevalue(mirror)
    with hosts(shelf.debians(here), shelf.ours(theirs), empty) as host:
        attempts = host.attempt(*apt(target, f"install {OURS}", f"install nova-conductor {OURS}"))
    assert_nothing_of_nova_changed(attempts)
    assert_refused(attempts, theirs)


def test_a_host_without_nova_gets_ours_and_what_it_needs(
    hosts: Hosts, shelf: Shelf, empty: Path, here: str
) -> None:
    with hosts(shelf.debians(here), shelf.ours(here), empty) as host:
        alone, service = host.attempt(
            f"apt-get -y install {OURS}", f"apt-get -y install nova-conductor {OURS}"
        )
    assert alone.code == service.code == 0, alone.output + service.output
    assert alone.after["nova-common"] == f"ii {here}"
    assert service.after["nova-conductor"] == f"ii {here}"
    assert "python3-nova" not in service.after


@pytest.mark.parametrize(
    "wish",
    ["upgrade", *(pytest.param(each, marks=pytest.mark.slow) for each in RARE)],
)
def test_all_move_together_when_both_are_there(
    hosts: Hosts, shelf: Shelf, swapped: Path, target, here: str, ahead: str, wish: str
) -> None:
    for command in apt(target, wish):
        with hosts(shelf.debians(ahead), shelf.ours(ahead), swapped) as host:
            (done,) = host.attempt(command)
        assert done.code == 0, done.output
        states = {name: how for name, how in done.after.items() if name in unbooted.STOCK}
        assert states == dict.fromkeys(states, f"ii {ahead}"), done.output
        assert done.after[OURS] == f"ii {ahead}+xloud1"


@pytest.mark.parametrize(
    "command",
    [
        "apt-get -y -o APT::Solver=internal install python3-nova",
        f"apt-get -y install python3-nova {OURS}-",
        f"apt-get -y purge {OURS} nova-xloud-common python3-nova+",
        "aptitude -y install python3-nova",
        pytest.param("ansible localhost -m apt -a 'name=python3-nova'", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("debian", ["here", pytest.param("ahead", marks=pytest.mark.slow)])
def test_a_swap_back_that_is_asked_for_is_done(
    hosts: Hosts, shelf: Shelf, swapped: Path, here: str, command: str, debian: str, request
) -> None:
    theirs = request.getfixturevalue(debian)
    with hosts(shelf.debians(theirs), shelf.ours(here), swapped) as host:
        (done,) = host.attempt(command)
    assert done.code == 0, done.output
    states = {name: how for name, how in done.after.items() if name in unbooted.STOCK}
    assert states == dict.fromkeys(unbooted.STOCK, f"ii {theirs}"), done.output
    assert OURS not in done.after


def test_a_guard_that_is_gone_or_broken_stops_no_one(
    hosts: Hosts, shelf: Shelf, swapped: Path, here: str
) -> None:
    guard = "usr/share/nova-xloud/apt-guard"
    reinstall = "apt-get -y install --reinstall nova-conductor"
    with hosts(shelf.debians(here), shelf.ours(here), swapped) as host:
        (host.root / guard).write_text("#!/bin/sh\nnonsense\nexit 1\n")
        (broken,) = host.attempt(reinstall)
        (host.root / guard).unlink()
        (gone,) = host.attempt(reinstall)
    for attempt in (broken, gone):
        assert attempt.code == 0, attempt.output
        assert "apt-guard" not in attempt.output
