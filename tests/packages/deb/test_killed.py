"""dpkg is killed while it puts the library's files in place: the guide's recovery heals all."""

from __future__ import annotations

import time

import pytest

from tests.packages.checks import assert_all_is_well
from tests.packages.cloud import Cloud
from tests.packages.killing import SEED, kill_between_files, moments


@pytest.fixture(scope="module")
def placed(cloud: Cloud) -> dict[str, list[str]]:
    """The modules of each library, in the order in which dpkg puts them in place."""
    packages = {
        "in": "/srv/mirror -name 'python3-nova-xloud_*.deb'",
        "back": "/srv/debian -name 'python3-nova_*.deb'",
    }
    order = {}
    for way, package in packages.items():
        listed = cloud.sh(f"dpkg-deb --fsys-tarfile $(find {package}) | tar -t").splitlines()
        order[way] = [each[1:] for each in listed if each.endswith(".py") and "/tests/" not in each]
    return order


def kill(cloud: Cloud, way: str, share: float, modules: list[str]) -> int:
    """Kill apt and dpkg when a share of the modules is in place; return how many are."""
    package = {"in": "python3-nova-xloud", "back": "python3-nova"}[way]
    moment = modules[int(share * len(modules))]
    kill_between_files(cloud, f"install {package}", moment)
    return sum((cloud.container.root / each[1:]).exists() for each in modules)


def recover(cloud: Cloud, way: str) -> str:
    """Give the command of the guide, as it is printed there; return the output."""
    package = {"in": "python3-nova-xloud", "back": "python3-nova"}[way]
    # a half-removed library needs the second command to get whole
    said = cloud.container.run("dpkg", "--configure", "-a", check=False).stdout
    said += cloud.sh(f"yes | apt install -f {package} 2>&1")
    cloud.sh("dpkg --purge --pending")
    cloud.assert_sane()
    return said


@pytest.mark.parametrize(("way", "share"), moments())
def test_a_dpkg_killed_between_files_leaves_the_services_alone(
    cloud: Cloud, placed: dict[str, list[str]], way: str, share: float
) -> None:
    if ("python3-nova-xloud" in cloud.versions()) == (way == "in"):
        pytest.fail(f"{way}: that library is there already: {cloud.versions()}")
    cloud.mark()
    there = kill(cloud, way, share, placed[way])
    print(f"seed {SEED}, {way}: killed with {there} of {len(placed[way])} modules in place")
    assert 0 < there < len(placed[way]), "it was killed outside of the moment"
    said = cloud.container.run("dpkg", "--configure", "-a", check=False).stdout
    assert cloud.restarts() == {}, said
    if "Processing triggers for nova-xloud-common" in said:
        assert "The Nova library is not whole: python3-nova" in said
    recover(cloud, way)
    assert cloud.restarts() == dict.fromkeys(cloud.running, 1), cloud.account()
    assert_all_is_well(cloud, way)


@pytest.mark.parametrize("way", ["in", pytest.param("back", marks=pytest.mark.slow)])
def test_what_fails_on_half_a_library_comes_back(
    cloud: Cloud, placed: dict[str, list[str]], way: str
) -> None:
    """systemd restarts a service that dies; one that an administrator disables stays down.

    One way is the quick proof: the script that restarts is the same both ways.
    """
    if ("python3-nova-xloud" in cloud.versions()) == (way == "in"):
        cloud.swap_back() if way == "in" else cloud.swap_in()
    conductor, scheduler = "nova-conductor", "nova-scheduler"
    kill(cloud, way, 0.3, placed[way])
    cloud.sh(f"systemctl kill -s KILL {conductor} {scheduler}")
    wait_for(cloud, "failed", conductor, scheduler)
    cloud.sh(f"systemctl -q disable {scheduler}")
    cloud.container.run("dpkg", "--configure", "-a", check=False)
    assert [cloud.states()[unit] for unit in (conductor, scheduler)] == ["failed"] * 2
    recover(cloud, way)
    states = cloud.states()
    assert states[conductor] == "active"
    assert states[scheduler] == "failed", "an administrator has disabled it"
    cloud.sh(f"systemctl -q enable --now {scheduler}")
    assert_all_is_well(cloud, way)


def test_the_other_library_is_refused_until_the_first_is_whole(
    cloud: Cloud, placed: dict[str, list[str]]
) -> None:
    if "python3-nova-xloud" in cloud.versions():
        cloud.swap_back()
    cloud.mark()
    kill(cloud, "in", 0.5, placed["in"])
    cloud.container.run("dpkg", "--configure", "-a", check=False)
    refused = cloud.container.run("sh", "-c", "yes | apt install -f python3-nova", check=False)
    assert refused.returncode
    assert "very bad inconsistent state" in refused.stdout
    assert cloud.restarts() == {}
    recover(cloud, "in")
    assert_all_is_well(cloud, "in")


def test_a_reboot_in_between_is_healed(cloud: Cloud, placed: dict[str, list[str]]) -> None:
    if "python3-nova-xloud" in cloud.versions():
        cloud.swap_back()
    kill(cloud, "in", 0.4, placed["in"])
    cloud.container.kill()
    cloud.container.start()
    cloud.sh(f"systemctl stop {cloud.resting[0]}; systemctl reset-failed {cloud.resting[0]} || :")
    assert cloud.states()["nova-conductor"] in ("activating", "failed")
    said = recover(cloud, "in")
    assert "nova-xloud: nova-conductor restarted" in said
    assert_all_is_well(cloud, "in")


def wait_for(cloud: Cloud, state: str, *units: str) -> None:
    """Wait until units are in a state, at most two minutes."""
    deadline = time.monotonic() + 120
    while [cloud.states()[unit] for unit in units] != [state] * len(units):
        assert time.monotonic() < deadline, cloud.states()
        time.sleep(1)
