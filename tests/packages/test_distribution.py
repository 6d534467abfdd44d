"""The distribution publishes a newer nova: with ours not rebuilt yet, and with ours rebuilt."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.packages.cloud import RESTING, RUNNING, Cloud
from tests.packages.debs import index, named, repack


@pytest.fixture(scope="module")
def later(stock: str) -> str:
    """The version of the distribution's next update: its last number is one higher."""
    return re.sub(r"[0-9]+$", lambda number: str(int(number[0]) + 1), stock)


@pytest.fixture(scope="module")
def later_distribution(distribution: Path, stock: str, later: str) -> Path:
    """The distribution's packages with a newer version, each needing the others in it."""
    for deb in sorted(distribution.glob("*nova*.deb")):
        repack(deb, distribution, {stock: later})
    index(distribution)
    return distribution


@pytest.fixture(scope="module")
def rebuilt(debs: list[Path], stock: str, later: str, scratch: Path) -> Path:
    """Our packages, standing in for the distribution's newer ones, as a directory."""
    for deb in debs:
        repack(deb, scratch / "rebuilt", {stock: later} if "nova" in deb.name else {})
    return scratch / "rebuilt"


def nova(cloud: Cloud) -> dict[str, str]:
    """Return the distribution's nova packages and how they are."""
    return {name: how for name, how in cloud.versions().items() if "xloud" not in name}


def test_nova_is_held_back_until_ours_is_rebuilt(
    cloud: Cloud, later_distribution: Path, stock: str, version: str
) -> None:
    cloud.apt("install python3-nova-xloud")
    before = nova(cloud)
    repository = cloud.container.root / "srv/debian"
    shutil.rmtree(repository)
    shutil.copytree(later_distribution, repository)
    cloud.sh("apt-get update")
    cloud.mark()
    for command in ("upgrade", "dist-upgrade"):
        output = cloud.apt(command)
        assert "kept back" in output or "not upgraded" in output, output
        assert nova(cloud) == before == dict.fromkeys(before, stock)
        assert cloud.versions()["python3-nova-xloud"] == version
    assert cloud.restarts() == {}


def test_a_hold_keeps_ours_from_being_removed(cloud: Cloud, stock: str) -> None:
    # Debian 12's apt refuses even without; Debian 13's takes ours away
    simulated = cloud.container.run("apt-get", "-s", "install", "nova-common", check=False)
    assert simulated.returncode or "Remv python3-nova-xloud" in simulated.stdout
    cloud.sh("apt-mark hold python3-nova-xloud")
    refused = cloud.container.run("apt-get", "-y", "install", "nova-common", check=False)
    assert refused.returncode != 0, refused.stdout
    assert set(nova(cloud).values()) == {stock}


def test_all_upgrade_together_when_ours_is_rebuilt(
    cloud: Cloud, rebuilt: Path, make_mirror, later: str
) -> None:
    cloud.sh("apt-mark unhold python3-nova-xloud")
    cloud.use_mirror(make_mirror("rebuilt", rebuilt))
    installed = nova(cloud)
    cloud.mark()
    cloud.apt("upgrade")
    assert nova(cloud) == dict.fromkeys(installed, later)
    ours = named(rebuilt.glob("*.deb"), "python3-nova-xloud").name
    assert f"_{cloud.versions()['python3-nova-xloud'].split(':')[1]}_" in ours
    # the distribution's own scripts have restarted them (nova-api even twice): ours has not again
    assert set(cloud.restarts()) == set(RUNNING)
    assert cloud.said() == ""
    assert cloud.stale() == []
    assert cloud.states()[RESTING[-1]] == "inactive"
    assert cloud.adjust()[0] == 400
