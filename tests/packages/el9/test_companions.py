"""The RPMs beside Nova's: rpmlint, the same bytes twice, installed from the mirror, erased."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_xloud.ground import root
from nova_xloud.packages import companions, targets
from nova_xloud.packages.companions import Companion
from tests.packages.companions import built, built_again, each_with
from tests.packages.conftest import Mirrors
from tests.packages.el9.stubs import platform
from tests.packages.el9.test_package import RPMLINT, hashes, run_on
from tests.packages.el9.test_relations import Host

EACH = each_with("rpm")
CLIENT = companions.known()["client"]
NAME = "python3-openstackclient-xloud"
#: The lab is a Debian: its Python does not look where EL's packages have their modules.
PATH = "PYTHONPATH=/usr/lib/python3.9/site-packages"
_DNF = "dnf -q -y --releasever=9"
_LIST = (
    r"find / -xdev \( -path /var/cache -o -path /var/lib/dnf -o -path /var/lib/rpm -o -path "
    r"/var/log -o -path /root -o -path /tmp -o -path /srv \) -prune -o -print | sort"
)
#: These directories belong to packages of EL: its Python, its "filesystem".
_PREPARE = """\
mkdir -p /usr/lib/python3.9/site-packages /usr/share/licenses
cd /srv
rpmbuild --quiet --define "_topdir /srv/build" -bb platform.spec
mkdir platform && mv build/RPMS/noarch/*.rpm platform && createrepo_c -q platform
mkdir -p /etc/yum.repos.d
printf '[platform]\\nname=platform\\nbaseurl=file:///srv/platform\\ngpgcheck=0\\n' \\
	>/etc/yum.repos.d/platform.repo
"""


@EACH
def test_rpmlint_has_nothing_to_say(
    companion: Companion, target: targets.Target, scratch: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    command = "rpmlint -c /srv/rpmlint.toml *.rpm"
    place = scratch / f"rpmlint-{companion.name}"
    failed = run_on(built(companion, target), RPMLINT, command, log, place)
    assert failed == 0, log.read_text()
    assert " 0 errors, 0 warnings" in log.read_text()


@EACH
def test_two_builds_give_the_same_bytes(
    companion: Companion, target: targets.Target, scratch: Path
) -> None:
    dist = scratch / "beside"
    dist.mkdir(exist_ok=True)
    again = hashes(built_again(companion, target, dist))
    assert len(again) >= 2
    assert again == hashes(built(companion, target))


@pytest.fixture
def host(
    companion: Companion,
    target: targets.Target,
    make_mirror: Mirrors,
    scratch: Path,
    tmp_path: Path,
) -> Iterator[Host]:
    """A host with the packages that one companion requires, as a stub, and our mirror."""
    mirror = make_mirror(f"beside-{companion.name}", built(companion, target))
    tools = ("createrepo-c", "dnf", "rpm", "man-db", "python3-pytest", "python3-openstackclient")
    clean = root.make(root.Recipe("test-dnf-beside", target.suite, tools))
    place = scratch / f"host-{companion.name}"
    with root.overlay([clean], place) as merged:
        shutil.copytree(mirror, merged / "srv/mirror")
        packages = packages_of(companion, target)
        (merged / "srv/platform.spec").write_text(platform(*packages))
        made = Host(merged, tmp_path / "log")
        made.run(_PREPARE)
        client = (mirror / target.repository / "nova-xloud.repo").read_text()
        client = re.sub("baseurl=file://.*/pool", "baseurl=file:///srv/mirror/pool", client)
        (merged / "etc/yum.repos.d/nova-xloud.repo").write_text(client)
        keys = merged / "etc/pki/rpm-gpg"
        keys.mkdir(parents=True)
        shutil.copy(mirror / "RPM-GPG-KEY-nova-xloud", keys)
        made.run(f"{_DNF} install platform-el9")
        yield made
    root.remove_tree(place)


def packages_of(companion: Companion, target: targets.Target) -> list[Path]:
    """Return the binary packages under test."""
    return sorted(built(companion, target).glob("*.noarch.rpm"))


@EACH
def test_it_is_installed_from_the_mirror_and_an_erase_leaves_nothing(
    companion: Companion, target: targets.Target, host: Host
) -> None:
    names = [each.name.rsplit("-", 2)[0] for each in packages_of(companion, target)]
    host.run(f"{_DNF} makecache")
    before = host.run(_LIST)
    host.run(f"{_DNF} install {' '.join(names)} && rpm -V {' '.join(names)}")
    assert host.run(_LIST) != before
    host.run(f"{_DNF} remove {' '.join(names)}")
    assert host.run(_LIST) == before


@pytest.mark.parametrize("companion", [CLIENT], ids=["client"])
def test_the_plugin_works_with_the_python_of_el_9(host: Host) -> None:
    host.run(f"{_DNF} install {NAME}")
    usage = host.run(f"{PATH} openstack server xloud adjust --help")
    assert "--no-persist" in usage
    assert "openstack server xloud adjust" in host.run("man openstack-xloud | cat")
    shutil.copytree(
        CLIENT.directory / "tests",
        host.place / "srv/tests",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    said = host.run(f"cd /srv && {PATH} python3 -m pytest -q -p no:cacheprovider tests")
    assert re.search(r"\n[4-9]\d passed", said), said[-3000:]
