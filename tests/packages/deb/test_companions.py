"""The packages beside Nova's: lintian, the same bytes twice, installed from the mirror, purged."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_xloud.ground import root
from nova_xloud.ground.cache import sha256
from nova_xloud.packages import companions, targets
from nova_xloud.packages.companions import Companion
from tests.packages.companions import built, built_again, each_with
from tests.packages.conftest import Mirrors
from tests.packages.deb.debs import control_of, field

EACH = each_with("deb")
CLIENT = companions.known()["client"]
NAME = "python3-openstackclient-xloud"
DASHBOARD = companions.known()["dashboard"]
#: What the distribution's own packages do at the first chance, whoever gives it.
_READY = {
    "dashboard": "dpkg-trigger --no-await openstack-dashboard-rebuild-static; dpkg --configure -a"
}
#: Lists all files of a root but those that apt and dpkg keep for themselves.
_LIST = (
    (
        "find / -xdev ( -path /var/lib/apt -o -path /var/cache -o -path /var/lib/dpkg "
        "-o -path /var/log -o -path /tmp -o -path /root -o -path /srv ) -prune -o -print | sort"
    )
    .replace("( ", "\\( ")
    .replace(" )", " \\)")
)


def names(debs: Path) -> list[str]:
    """Return the names of the packages in a directory."""
    return [field(control_of(each), "Package") for each in sorted(debs.glob("*.deb"))]


def dependencies(debs: Path) -> list[str]:
    """Return the names of the packages that those in a directory depend on."""
    found = []
    for each in sorted(debs.glob("*.deb")):  # data alone depends on nothing
        found += re.findall(r"^Depends: (.*)$", control_of(each), re.MULTILINE)
    relations = [each for listed in found for each in listed.split(", ") if each]
    return sorted({re.split(r"[ :|]", each)[0] for each in relations} - set(names(debs)))


@EACH
def test_lintian_has_nothing_to_say(
    companion: Companion, target: targets.Target, scratch: Path, tmp_path: Path
) -> None:
    clean = root.make(root.Recipe("lintian-trixie", "trixie", ("lintian",)))
    place = scratch / f"lintian-{companion.name}"
    with root.overlay([clean], place) as merged:
        shutil.copytree(built(companion, target), merged / "srv/built")
        options = "--allow-root --fail-on error,warning --info"
        if target.repository != target.suite:
            # a repository's name, not Debian's for a release
            options += " --suppress-tags bad-distribution-in-changes-file"
        command = f"lintian {options} /srv/built/*.changes"
        failed = root.run_in(merged, ["sh", "-c", command], log=tmp_path / "log")
    root.remove_tree(place)
    assert failed == 0, (tmp_path / "log").read_text()


@EACH
def test_two_builds_give_the_same_bytes(
    companion: Companion, target: targets.Target, scratch: Path
) -> None:
    dist = scratch / "beside"
    dist.mkdir(exist_ok=True)
    again = built_again(companion, target, dist)
    # the other files tell of the time and the machine
    ours = [
        each
        for each in built(companion, target).iterdir()
        if each.name.endswith((".deb", ".dsc")) or ".tar." in each.name
    ]
    assert len(ours) >= 4
    assert {each.name: sha256(again / each.name) for each in ours} == {
        each.name: sha256(each) for each in ours
    }


class Host:
    """A host of the distribution, with the dependencies of the packages, and our mirror."""

    def __init__(self, merged: Path, mirror: Path, repository: str, log: Path) -> None:
        self._root, self._log = merged, log
        shutil.copytree(mirror, merged / "srv/mirror")
        sources = merged / "etc/apt/sources.list.d"
        for old in (merged / "etc/apt/sources.list", *sources.iterdir()):
            old.unlink(missing_ok=True)
        shutil.copy(mirror / "nova-xloud.gpg", merged / "usr/share/keyrings")
        told = (mirror / repository / "nova-xloud.sources").read_text()
        client = re.sub("URIs: .*", "URIs: file:/srv/mirror", told)
        (sources / "nova-xloud.sources").write_text(client)

    def __call__(self, script: str) -> str:
        """Run a shell script; return its output.

        :raises AssertionError: if it fails
        """
        self._log.write_text("")
        environment = {"DEBIAN_FRONTEND": "noninteractive", "HOME": "/root", "LC_ALL": "C.UTF-8"}
        command = ["sh", "-euc", script]
        failed = root.run_in(self._root, command, log=self._log, environment=environment)
        said = self._log.read_text()
        assert failed == 0, said[-4000:]
        return said

    def put(self, directory: Path, name: str) -> None:
        """Have a copy of a directory in /srv."""
        shutil.copytree(
            directory, self._root / "srv" / name, ignore=shutil.ignore_patterns("__pycache__")
        )


@pytest.fixture
def host(
    companion: Companion,
    target: targets.Target,
    make_mirror: Mirrors,
    scratch: Path,
    tmp_path: Path,
) -> Iterator[Host]:
    """A host for one companion."""
    debs = built(companion, target)
    mirror = make_mirror(f"beside-{companion.name}", debs)
    tools = ("python3-pytest", "man-db", "bash-completion", "bash")
    name = f"test-beside-{companion.name}-{target.suite}"
    clean = root.make(root.Recipe(name, target.suite, (*dependencies(debs), *tools)))
    place = scratch / f"host-{companion.name}"
    with root.overlay([clean], place) as merged:
        yield Host(merged, mirror, target.repository, tmp_path / "log")
    root.remove_tree(place)


@EACH
def test_it_is_installed_from_the_mirror_and_a_purge_leaves_nothing(
    companion: Companion, target: targets.Target, host: Host
) -> None:
    host(_READY.get(companion.name, ""))
    before = host(_LIST)
    packages = " ".join(names(built(companion, target)))
    host(f"apt-get update --error-on=any && apt-get -y install {packages} && dpkg --audit")
    assert host(_LIST) != before
    host(f"apt-get -y purge {packages}")
    assert host(_LIST) == before


@pytest.mark.parametrize("companion", [CLIENT], ids=["client"])
def test_the_plugin_works_with_the_client_of_the_distribution(host: Host) -> None:
    """The tests of the plugin run on the installed files: real commands, a cloud on loopback."""
    host(f"apt-get update && apt-get -y install {NAME}")
    usage = host("openstack server xloud adjust --help; openstack server xloud show --help")
    assert "--no-persist" in usage
    assert "man1/openstack-xloud.1" in host("man -w openstack-xloud")
    assert "openstack server xloud adjust" in host("man openstack-xloud | cat")
    host.put(CLIENT.directory / "tests", "tests")
    said = host("cd /srv && python3 -m pytest -q -p no:cacheprovider tests")
    assert re.search(r"\n[4-9]\d passed", said), said[-3000:]
    # as docs/client.md says it; the file of a user goes before that of the distribution
    place = "/root/.local/share/bash-completion/completions"
    host(f"mkdir -p {place} && openstack complete >{place}/openstack")
    words = (
        "COMP_WORDS=(openstack server xloud ''); COMP_CWORD=3; COMP_LINE='openstack server xloud '"
    )
    script = (
        f". /usr/share/bash-completion/bash_completion; . {place}/openstack; {words}; "
        "COMP_POINT=${#COMP_LINE}; _openstack; echo found: ${COMPREPLY[*]}"
    )
    assert "found: adjust show" in host(f'bash -c "{script}"'.replace("$", "\\$"))
    host(f"apt-get -y purge {NAME}")
    assert "server_xloud" not in host("openstack complete")


@pytest.mark.parametrize("companion", [DASHBOARD], ids=["dashboard"])
def test_the_panels_work_with_the_horizon_of_the_distribution(host: Host) -> None:
    """The tests of the plugin run on the installed files: real views, a Compute API on loopback."""
    host("apt-get update && apt-get -y install python3-xloud-dashboard")
    host.put(DASHBOARD.directory / "tests", "tests")
    said = host("cd /srv && python3 -W ignore -m django test --settings tests.settings tests")
    found = re.search(r"\nRan (\d+) tests in ", said)
    assert found, said[-3000:]
    assert int(found[1]) >= 30
    assert "\nOK\n" in said
