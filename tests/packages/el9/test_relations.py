"""Versions that do not fit: dnf refuses with any option, and every service stays.

The packages of Nova are stubs of RDO's names and relations, in several versions. Ours are the
packages under test. The dnf is an older and a newer one than EL 9's (4.14). No service runs.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from nova_xloud.ground import root
from tests.packages.el9.stubs import platform

HERE = Path(__file__).parent
#: Debian's suites, for their dnf: 4.5, and 4.23, which repeats the proof.
SUITES = ("bullseye", pytest.param("trixie", marks=pytest.mark.slow))
#: The versions that the site's RDO may have: ours stands in for the first.
NOW, LATER, STREAM, TRUNK = (
    *("1:29.2.0-1.el9", "1:29.2.0-2.el9", "1:29.2.0-1.el9s"),
    "1:28.1.0-0.20240625002040.ecdd747.el9",
)
SERVICES = ("openstack-nova-api", "openstack-nova-common", "openstack-nova-compute")
SWAPS = (
    *("install --allowerasing python3-nova-xloud", "install python3-nova-xloud"),
    *("swap python3-nova python3-nova-xloud",),
    "swap --allowerasing python3-nova python3-nova-xloud",
)
UPGRADES = (
    *("upgrade", "upgrade --best --allowerasing"),
    *("distro-sync", "distro-sync --allowerasing", "distro-sync --best --allowerasing"),
)
_MARK = "@@@"
_PREPARE = """\
cd /stub
build() { rpmbuild --quiet --define "_topdir /stub/build" "$@"; }
publish() {
	mkdir -p "$1" && mv build/RPMS/noarch/*.rpm "$1"
	createrepo_c -q "$1"
}
build -bb platform.spec
publish /srv/platform
for version in VERSIONS; do
	build -D "stub_version ${version%-*}" -D "stub_release ${version#*-}" -bb stub.spec
	publish "/srv/rdo/1:$version"
done
for ours in /srv/ours/*; do createrepo_c -q "$ours"; done
mkdir -p /etc/yum.repos.d
printf '[%s]\\nname=%s\\nbaseurl=file:///srv/%s\\ngpgcheck=0\\n' platform platform platform \\
	>/etc/yum.repos.d/platform.repo
dnf -q -y --releasever=9 install platform-el9
"""


class Attempt(NamedTuple):
    """The outcome of a command.

    :ivar code: its exit code
    :ivar said: its output
    :ivar installed: the version of each package about Nova that is installed afterwards
    """

    code: int
    said: str
    installed: dict[str, str]


class Host:
    """A root with dnf in which no service runs."""

    def __init__(self, place: Path, log: Path) -> None:
        """Take a root as the host, and a file for the output of commands."""
        self.place = place
        self.log = log

    def run(self, script: str) -> str:
        """Run a shell script; return its output."""
        self.log.write_text("")
        command = ["sh", "-euc", script]
        failed = root.run_in(self.place, command, log=self.log, environment={"HOME": "/root"})
        assert failed == 0, self.log.read_text()
        return self.log.read_text()

    def attempt(self, commands: Sequence[str]) -> dict[str, Attempt]:
        """Run dnf with one command after the other, none of which gets an answer."""
        query = "rpm -qa --qf '%{name} %{epoch}:%{version}-%{release}\\n' '*nova*'"
        step = f"echo '{_MARK}'$code; {query}; echo '{_MARK}'"
        steps = [f"code=0; dnf {each} </dev/null || code=$?; {step}" for each in commands]
        said, *parts = self.run("\n".join(steps)).split(_MARK)
        attempts = {}
        for command, told, after in zip(commands, parts[::2], parts[1::2], strict=True):
            code, *installed = told.splitlines()
            versions = dict(line.split() for line in installed)
            attempts[command] = Attempt(int(code), said, versions)
            said = after
        return attempts

    def offer(self, theirs: Sequence[str], ours: Sequence[str]) -> None:
        """Say which versions RDO serves, and for which ones our mirror has a build."""
        told = ""
        for repository, versions in (("rdo", theirs), ("ours", ours)):
            for number, version in enumerate(versions):
                told += (
                    f"[{repository}-{number}]\nname=x\nbaseurl=file:///srv/{repository}/{version}\n"
                    "gpgcheck=0\nmetadata_expire=0\n"
                )
        (self.place / "etc/yum.repos.d/offered.repo").write_text(told)

    def install(self, *names: str) -> dict[str, str]:
        """Install packages, which must work; return the installed versions of Nova's packages."""
        command = f"-y install --allowerasing {' '.join(names)}"
        done = self.attempt([command])[command]
        assert done.code == 0, done.said
        return done.installed


@pytest.fixture(scope="module", params=SUITES)
def layers(
    request: pytest.FixtureRequest, built: Path, rebuilt: Path, scratch: Path
) -> Iterator[list[Path]]:
    """A root with the stubs of all versions and both builds of ours, for each dnf."""
    lower = root.make(
        root.Recipe(f"test-dnf-{request.param}", request.param, ("createrepo-c", "dnf", "rpm"))
    )
    place = Path(tempfile.mkdtemp(prefix="dnf-", dir=scratch))
    with root.overlay([lower], place) as merged:
        for version, packages in ((NOW, built), (LATER, rebuilt)):
            shutil.copytree(packages, merged / f"srv/ours/{version}")
        (merged / "stub").mkdir()
        shutil.copy(HERE / "stub.spec", merged / "stub")
        (package,) = built.glob("python3-nova-xloud-[0-9]*.rpm")
        (merged / "stub/platform.spec").write_text(platform(package))
        versions = " ".join(each.removeprefix("1:") for each in (NOW, LATER, STREAM, TRUNK))
        host = Host(merged, place / "log")
        host.run(_PREPARE.replace("VERSIONS", versions))
    yield [place / "upper", lower]
    root.remove_tree(place)


@pytest.fixture
def host(layers: list[Path], scratch: Path) -> Iterator[Host]:
    """A host without Nova."""
    place = Path(tempfile.mkdtemp(prefix="host-", dir=scratch))
    with root.overlay(layers, place) as merged:
        yield Host(merged, place / "log")
    root.remove_tree(place)


def both(commands: Iterable[str]) -> list[str]:
    """Return commands with -y, and without."""
    return [f"{yes}{command}" for command in commands for yes in ("-y ", "")]


@pytest.mark.parametrize(
    ("theirs", "ours"), [(LATER, NOW), (NOW, LATER), (STREAM, NOW), (TRUNK, NOW)]
)
def test_ours_for_another_version_is_refused(host: Host, theirs: str, ours: str) -> None:
    host.offer([theirs], [ours])
    before = host.install(*SERVICES, "python3-nova")
    for command, done in host.attempt(both(SWAPS)).items():
        assert done.code == 1, f"{command}: {done.said}"
        assert done.installed == before, f"{command}: {done.said}"
        assert theirs.removeprefix("1:") in done.said, f"{command}: {done.said}"
        assert ours in done.said, f"{command}: {done.said}"


@pytest.mark.parametrize(
    ("theirs", "ours"), [((LATER,), NOW), ((NOW, LATER), NOW), ((NOW,), LATER)]
)
def test_an_upgrade_of_a_stock_host_swaps_nothing(
    host: Host, theirs: Sequence[str], ours: str
) -> None:
    host.offer(theirs[-1:], [ours])
    before = host.install(*SERVICES, "python3-nova")
    host.offer(theirs, [ours])
    for command, done in host.attempt([f"-y {each}" for each in UPGRADES]).items():
        assert (done.code, done.installed) == (0, before), f"{command}: {done.said}"


@pytest.fixture(scope="module")
def upgrading(layers: list[Path], scratch: Path) -> Iterator[list[Path]]:
    """The root with ours and the services that it fits installed."""
    place = Path(tempfile.mkdtemp(prefix="ours-", dir=scratch))
    with root.overlay(layers, place) as merged:
        host = Host(merged, place / "log")
        host.offer([NOW], [NOW])
        host.install(*SERVICES, "python3-nova-xloud")
    yield [place / "upper", *layers]
    root.remove_tree(place)


@pytest.mark.parametrize(
    ("theirs", "ours"), [((NOW, LATER), (NOW,)), ((LATER,), (NOW,)), ((NOW,), (NOW, LATER))]
)
@pytest.mark.parametrize("command", UPGRADES)
def test_no_upgrade_of_a_host_with_ours_removes_a_service(
    upgrading: list[Path],
    scratch: Path,
    command: str,
    theirs: Sequence[str],
    ours: Sequence[str],
) -> None:
    place = Path(tempfile.mkdtemp(prefix="host-", dir=scratch))
    with root.overlay(upgrading, place) as merged:
        host = Host(merged, place / "log")
        host.offer(theirs, ours)
        (done,) = host.attempt([f"-y {command}"]).values()
    root.remove_tree(place)
    services = {name: version for name, version in done.installed.items() if "openstack" in name}
    if "python3-nova-xloud" in done.installed:
        assert services == dict.fromkeys(SERVICES, NOW), done.said
        assert "python3-nova" not in done.installed
    else:
        # dnf was let erase ours, and has said so: the library of the same version is there instead
        assert "--allowerasing" in command, done.said
        assert done.installed == dict.fromkeys([*SERVICES, "python3-nova"], theirs[-1]), done.said
        assert "Removing dependent packages:\n python3-nova-xloud " in done.said
    if done.code:
        assert NOW.removeprefix("1:") in done.said, done.said
        assert LATER.removeprefix("1:") in done.said, done.said


def test_a_host_without_nova_gets_what_fits_or_is_told(host: Host) -> None:
    host.offer([LATER], [NOW])
    for done in host.attempt(both(["install python3-nova-xloud"])).values():
        assert (done.code, done.installed) == (1, {}), done.said
        assert NOW in done.said
        assert LATER.removeprefix("1:") in done.said
    host.offer([NOW, LATER], [NOW])
    installed = host.install("python3-nova-xloud", "openstack-nova-compute")
    assert {name for name in installed if "openstack" in name} == set(SERVICES) - {
        "openstack-nova-api"
    }


def test_where_rdo_still_has_the_version_that_ours_fits_all_go_there_together(host: Host) -> None:
    host.offer([LATER], [NOW])
    before = host.install(*SERVICES, "python3-nova")
    host.offer([NOW, LATER], [NOW])
    for command, done in host.attempt(SWAPS).items():
        assert (done.code, done.installed) == (1, before), f"{command}: {done.said}"
        # a downgrade, of which the guide warns: dnf lists it before it asks
        assert "Downgrading:" in done.said or "conflicts with python3-nova" in done.said
    assert host.install("python3-nova-xloud").keys() == {*SERVICES, "python3-nova-xloud"}
