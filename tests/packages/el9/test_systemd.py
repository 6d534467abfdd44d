"""Restarts with systemd's own RPM macros, triggers and helper, as an EL 9 host has them.

They are those of the source package systemd of Debian 12, which is EL 9's version, 252; so is this
root's dnf, 4.14. On an upgrade the macros only mark units, and systemd's triggers restart the
marked ones at the end of the transaction. The services are stubs under RDO's names.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_xloud.ground import archive, root
from nova_xloud.ground.commands import run
from tests.packages.container import Container, booted
from tests.packages.el9.stubs import platform

HERE = Path(__file__).parent
SUITE = "bookworm"
RECIPE = root.Recipe(
    "test-dnf-systemd",
    SUITE,
    ("createrepo-c", "dbus", "dnf", "procps", "python3", "rpm", "systemd", "systemd-sysv"),
)
#: The places of EL that systemd's build writes into the macros.
PLACES = {
    "ROOTLIBEXECDIR": "/usr/lib/systemd",
    "SYSTEMD_UPDATE_HELPER_PATH": "/usr/lib/systemd/systemd-update-helper",
    "SYSTEM_DATA_UNIT_DIR": "/usr/lib/systemd/system",
    "UPDATE_HELPER_USER_TIMEOUT": "5s",
}
RUNNING, STOPPED = ("api", "conductor"), "scheduler"
#: The package systemd: the helper, and the triggers with their subpackage udev.
_SYSTEMD = """\
Name: systemd
Version: 252
Release: 1
Summary: The helper and the triggers of systemd
License: LGPL-2.1-or-later
BuildArch: noarch
AutoReqProv: no
%description
Stub.
%package udev
Summary: Stub
AutoReqProv: no
%description udev
Stub.
%install
install -D -m 755 /stub/systemd-update-helper %{buildroot}/usr/lib/systemd/systemd-update-helper
%files
/usr/lib/systemd/systemd-update-helper
%files udev
"""
_CONFIGURE = """\
cd /stub
cp macros.systemd /usr/lib/rpm/macros.d/macros.systemd
build() { rpmbuild --quiet --define '_topdir /stub/build' "$@"; }
build -bb platform.spec
build -bb systemd.spec
mkdir -p /srv/1 /srv/2
mv build/RPMS/noarch/* /srv/1
for release in 1 2; do
	build -D "stub_release $release.el9" -bb units.spec
	mv build/RPMS/noarch/* /srv/$release
done
cp ours/1/*.noarch.rpm /srv/1
cp ours/2/*.noarch.rpm /srv/2
createrepo_c -q /srv/1
createrepo_c -q /srv/2
rm -rf /etc/yum.repos.d && mkdir /etc/yum.repos.d
for n in 1 2; do
	printf '[r%s]\\nname=r\\nbaseurl=file:///srv/%s\\ngpgcheck=0\\nenabled=%s' $n $n $((2 - n)) \\
		>/etc/yum.repos.d/$n.repo
done
dnf -q -y --releasever=9 install platform-el9 systemd
dnf -q -y install openstack-nova-api openstack-nova-conductor openstack-nova-scheduler
systemctl start openstack-nova-api openstack-nova-conductor
"""


def render(template: str) -> str:
    """Return a template of systemd's with EL's places; a place that EL lacks becomes /nowhere."""
    return re.sub(
        r"\{\{(\w+)\}\}", lambda found: PLACES.get(found[1], f"/nowhere/{found[1]}"), template
    )


@pytest.fixture(scope="module")
def macros(scratch: Path) -> Path:
    """systemd's own files for RPM distributions, from Debian's source package, by apt."""
    place = scratch / "systemd"
    place.mkdir()
    options = archive.read(SUITE).options
    source = ["apt-get", *options, "source", "--download-only", "systemd"]
    run(["env", "-C", str(place), *source], "fetching the source of systemd")
    (tarball,) = place.glob("systemd_*.orig.tar.gz")
    with tarfile.open(tarball) as members:
        for member in members:
            name = Path(member.name)
            if name.match("src/rpm/*.in") and (content := members.extractfile(member)):
                (place / name.stem).write_text(render(content.read().decode()))
    return place


class Host:
    """A booted root with RDO-shaped packages, of which two services run."""

    def __init__(self, container: Container) -> None:
        """Take a container that is configured."""
        self.container = container

    def starts(self) -> dict[str, list[str]]:
        """Return the output of each service at each of its starts."""
        told = {}
        for name in (*RUNNING, STOPPED):
            command = f"journalctl -q -o cat _SYSTEMD_UNIT=openstack-nova-{name}.service"
            told[name] = [
                line for line in self.container.sh(command).splitlines() if "runs" in line
            ]
        return told

    def dnf(self, arguments: str) -> tuple[str, dict[str, list[str]]]:
        """Run dnf; return its output, and the output of the services that started."""
        before = self.starts()
        said = self.container.sh(f"dnf -y {arguments}")
        self.container.sh("sleep 1; journalctl --sync")
        return said, {
            name: lines[len(before[name]) :]
            for name, lines in self.starts().items()
            if len(lines) > len(before[name])
        }

    def marked(self) -> str:
        """Return which units are marked for a restart."""
        return self.container.sh("systemctl show -P Markers 'openstack-nova-*'").strip()


@pytest.fixture(scope="module")
def host(built: Path, rebuilt: Path, macros: Path, scratch: Path) -> Iterator[Host]:
    """The host on which all of this happens, one test after the other."""
    place = Path(tempfile.mkdtemp(prefix="systemd-", dir=scratch))
    with booted([root.make(RECIPE)], place) as container:
        stub = container.root / "stub"
        shutil.copytree(macros, stub, ignore=shutil.ignore_patterns("*.tar.*", "*.dsc"))
        shutil.copytree(built, stub / "ours/1")
        shutil.copytree(rebuilt, stub / "ours/2")
        shutil.copy(HERE / "units.spec", stub)
        (package,) = built.glob("python3-nova-xloud-2*.noarch.rpm")
        (stub / "platform.spec").write_text(platform(package))
        (stub / "systemd.spec").write_text(_SYSTEMD + (stub / "triggers.systemd").read_text())
        container.sh(_CONFIGURE)
        yield Host(container)
    root.remove_tree(place)


def test_the_macros_are_systemds_own(host: Host) -> None:
    told = host.container.sh("rpm -q --scripts openstack-nova-api; rpm -q --filetriggers systemd")
    assert "systemd-update-helper mark-restart-system-units openstack-nova-api.service" in told
    assert "transfiletriggerin" in told
    assert "system-reload-restart" in told
    assert host.starts() == {"api": ["runs stock"], "conductor": ["runs stock"], "scheduler": []}


def test_a_swap_restarts_what_runs(host: Host) -> None:
    said, starts = host.dnf("install --allowerasing python3-nova-xloud")
    assert starts == {name: ["runs ours"] for name in RUNNING}
    for name in RUNNING:
        assert f"nova-xloud: openstack-nova-{name} restarted" in said


def test_an_upgrade_of_all_is_restarted_by_systemd_alone(host: Host) -> None:
    said, starts = host.dnf("upgrade --enablerepo=r2")
    assert "python3-nova-xloud-1:29.4.0-1+xloud2.el9" in said
    assert starts == {name: ["runs ours"] for name in RUNNING}, said
    assert "nova-xloud: openstack-nova" not in said
    assert host.marked() == ""


def test_a_swap_back_restarts_what_runs(host: Host) -> None:
    _, starts = host.dnf("swap --enablerepo=r2 python3-nova-xloud python3-nova")
    assert starts == {name: ["runs stock"] for name in RUNNING}
    assert (
        host.container.run("systemctl", "is-active", "openstack-nova-scheduler", check=False).stdout
        == "inactive\n"
    )


def test_a_swap_in_the_transaction_that_upgrades_restarts_once(host: Host) -> None:
    host.dnf("downgrade 'openstack-nova-*' python3-nova")
    assert "2.el9" not in host.container.sh("rpm -qa 'openstack-nova-*'")
    only = "--disablerepo=r1 --enablerepo=r2"
    said, starts = host.dnf(f"install {only} --allowerasing python3-nova-xloud")
    assert "python3-nova-xloud-1:29.4.0-1+xloud2.el9" in said
    assert starts == {name: ["runs ours"] for name in RUNNING}, said
    assert host.marked() == ""


def test_the_el_branch_of_our_spec_asks_for_els_packages(built: Path) -> None:
    (package,) = built.glob("*.src.rpm")
    with tempfile.TemporaryDirectory() as place:
        rpm = ["rpm", "--dbpath", place, "-D", f"_topdir {place}", "-i", package]
        subprocess.run(rpm, check=True, capture_output=True)
        query = [
            "rpmspec",
            "-D",
            f"_sourcedir {place}/SOURCES",
            "-D",
            "rhel 9",
            "-q",
            "--srpm",
            "--requires",
        ]
        told = subprocess.run(
            [*query, f"{place}/SPECS/nova-xloud.spec"], check=True, capture_output=True, text=True
        )
    assert {"pyproject-rpm-macros", "python3-devel", "python3-pbr"} <= set(told.stdout.split())
