"""dnf is killed while rpm puts the library's files in place: the guide's recovery heals all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.packages.checks import assert_all_is_well
from tests.packages.el9.cloud import RdoCloud
from tests.packages.killing import SEED, kill_dnf, moments

#: The command of an operator, and the package that it brings.
COMMANDS = {
    "in": "install --allowerasing python3-nova-xloud",
    "back": "swap python3-nova-xloud python3-nova",
}
PACKAGES = {
    "in": "/srv/mirror -name 'python3-nova-xloud-[0-9]*.noarch.rpm'",
    "back": "/srv/rdo -name 'python3-nova-[0-9]*.noarch.rpm'",
}


@pytest.fixture(scope="module")
def placed(cloud: RdoCloud) -> dict[str, list[str]]:
    """The modules of each library, in the order in which rpm puts them in place."""
    order = {}
    for way, package in PACKAGES.items():
        listed = cloud.sh(f"rpm -qlp --nosignature $(find {package})").splitlines()
        order[way] = [each for each in listed if each.endswith(".py") and "/tests/" not in each]
    return order


def number(file: Path) -> int:
    """Return the number of a file on its disk, 0 if it is not there: a rename gives a new one."""
    try:
        return file.stat().st_ino
    except FileNotFoundError:
        return 0


def ready(cloud: RdoCloud, way: str) -> None:
    """Have the library in place from which a way leads."""
    if ("python3-nova-xloud" in cloud.versions()) == (way == "in"):
        cloud.swap_back() if way == "in" else cloud.swap_in()
    cloud.mark()


def recover(cloud: RdoCloud, way: str) -> str:
    """Give the command of the guide, as it is printed there; return the output."""
    said = cloud.sh(f"{cloud.manager} {COMMANDS[way]}")
    if "Package python3-nova-xloud" in said and "is already installed" in said:
        said += cloud.sh(f"{cloud.manager} reinstall --allowerasing python3-nova-xloud")
    cloud.assert_sane()
    return said


def strangers(cloud: RdoCloud) -> list[str]:
    """Return the files among Nova's modules that no package has brought, byte code aside."""
    owned = set(cloud.sh("rpm -qa '*nova*' | xargs rpm -ql").splitlines())
    found = cloud.sh(f"find {cloud.library} -type f ! -name '*.pyc'").splitlines()
    return sorted(set(found) - owned)


def assert_healed(cloud: RdoCloud, way: str, said: str) -> None:
    """One whole library, as its package brought it, and each service restarted once."""
    libraries = {"python3-nova", "python3-nova-xloud"} & set(cloud.versions())
    assert libraries == {{"in": "python3-nova-xloud", "back": "python3-nova"}[way]}, said
    # the guide tells of files with a ";" in their name, which an operator removes
    for each in strangers(cloud):
        assert ";" in each, f"{each} belongs to no package"
        (cloud.container.root / each[1:]).unlink()
    assert cloud.restarts() == dict.fromkeys(cloud.running, 1), said + cloud.account()
    assert_all_is_well(cloud, way)


@pytest.mark.parametrize(("way", "share"), moments())
def test_a_dnf_killed_between_files_leaves_the_services_alone(
    cloud: RdoCloud, placed: dict[str, list[str]], way: str, share: float
) -> None:
    ready(cloud, way)
    configured = cloud.sh("sha256sum /etc/nova/nova.conf")
    modules = [cloud.container.root / each[1:] for each in placed[way]]
    before = {each: number(each) for each in modules}
    moment = modules[int(share * len(modules))]
    kill_dnf(cloud, COMMANDS[way], lambda: number(moment) != before[moment])
    there = sum(number(each) != before[each] for each in modules)
    print(f"seed {SEED}, {way}: killed with {there} of {len(modules)} modules in place")
    assert 0 < there < len(modules), "it was killed outside of the moment"
    assert cloud.restarts() == {}, "a service was restarted onto half a library"
    assert_healed(cloud, way, recover(cloud, way))
    assert cloud.sh("sha256sum /etc/nova/nova.conf") == configured


def test_a_dnf_killed_while_it_erases_our_library_is_healed(cloud: RdoCloud) -> None:
    """RDO's library is whole and recorded by then, and ours is still recorded.

    The other way has no such moment: RDO's library has no module that ours has not.
    """
    ready(cloud, "back")
    # rpm begins at the end of the list of files
    ours = cloud.container.root / "usr/share/nova-xloud/services.sh"
    kill_dnf(cloud, COMMANDS["back"], lambda: not ours.exists())
    assert {"python3-nova", "python3-nova-xloud"} <= set(cloud.versions()), "killed too late"
    assert_healed(cloud, "back", recover(cloud, "back"))
