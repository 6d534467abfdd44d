"""RDO publishes a newer nova: with ours not rebuilt yet, and with ours rebuilt."""

from __future__ import annotations

from pathlib import Path

from tests.packages.checks import assert_only_the_running_were_restarted, assert_runs_our_code
from tests.packages.el9.cloud import RdoCloud


def rdo(cloud: RdoCloud) -> dict[str, str]:
    """Return RDO's nova packages and their versions."""
    return {name: how for name, how in cloud.versions().items() if "xloud" not in name}


def test_nova_stays_until_ours_is_rebuilt(cloud: RdoCloud, stock: str, version: str) -> None:
    cloud.dnf("install --allowerasing python3-nova-xloud")
    before = rdo(cloud)
    cloud.rdo_moves()
    cloud.mark()
    cloud.dnf("upgrade")
    assert "python3-nova-xloud" in cloud.refused("upgrade --best")
    assert rdo(cloud) == before == dict.fromkeys(before, stock)
    assert cloud.versions()["python3-nova-xloud"] == version
    assert cloud.restarts() == {}


def test_protection_keeps_ours_from_being_removed(cloud: RdoCloud, version: str) -> None:
    command = "upgrade --best --allowerasing --disablerepo=nova-xloud"
    asked = cloud.sh(f"dnf --assumeno --refresh {command} || true")
    assert "Removing" in asked, "the advice to protect ours is needless"
    assert "python3-nova-xloud" in asked.partition("Removing")[2]
    cloud.sh("echo python3-nova-xloud >/etc/dnf/protected.d/nova-xloud.conf")
    assert "problem with installed package" in cloud.refused(command)
    assert cloud.versions()["python3-nova-xloud"] == version


def test_all_upgrade_together_when_ours_is_rebuilt(
    cloud: RdoCloud, rebuilt: Path, make_mirror, later: str
) -> None:
    cloud.use_mirror(make_mirror("rebuilt", rebuilt))
    installed = rdo(cloud)
    cloud.mark()
    cloud.dnf("upgrade")
    assert rdo(cloud) == dict.fromkeys(installed, later)
    assert "+xloud2." in cloud.versions()["python3-nova-xloud"]
    # RDO's own scripts have restarted them: ours has not again
    assert_only_the_running_were_restarted(cloud)
    assert cloud.said() == ""
    cloud.wait_for_api()
    assert_runs_our_code(cloud)
