"""Hosts of which Debian's nova is one update ahead of our mirror, and one behind it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.packages.checks import (
    assert_only_the_running_were_restarted,
    assert_runs_our_code,
    assert_runs_stock_code,
)
from tests.packages.deb import lab
from tests.packages.deb.cloud import DebianCloud
from tests.packages.deb.conftest import offered
from tests.packages.deb.debs import control_of, field, named, repack


def assert_refused_untouched(cloud: DebianCloud, *versions: str) -> None:
    """Ours is refused, with the versions named; packages, services and API are as before."""
    before = cloud.versions()
    cloud.mark()
    said = cloud.refused("install python3-nova-xloud")
    for version in versions:
        assert version in said
    assert cloud.versions() == before
    assert cloud.restarts() == {}
    assert [cloud.states()[unit] for unit in cloud.running] == ["active"] * len(cloud.running)
    assert_runs_stock_code(cloud)


def swap_in(cloud: DebianCloud) -> None:
    """Install ours, which fits now."""
    before = cloud.stock_versions()
    # Debian's own scripts may have started it with an upgrade
    cloud.sh(f"systemctl stop {cloud.resting[0]}")
    cloud.mark()
    cloud.swap_in()
    before.pop("python3-nova")
    assert cloud.stock_versions() == before
    assert_only_the_running_were_restarted(cloud)
    assert_runs_our_code(cloud)


def swap_back(cloud: DebianCloud, stock: str) -> None:
    """Install Debian's library again."""
    cloud.swap_back()
    versions = cloud.stock_versions()
    assert versions == dict.fromkeys(lab.STOCK, stock)
    assert "python3-nova-xloud" not in cloud.versions()
    assert cloud.stale() == []
    assert_runs_stock_code(cloud)


@pytest.mark.slow
def test_a_host_one_update_ahead_of_the_mirror(
    fresh_cloud: DebianCloud, rebuilt: Path, make_mirror, stock: str, later: str
) -> None:
    """Quick proofs of its parts: the host that is behind, below, takes the same steps; a mirror
    that is behind is refused in test_fit; a rebuilt package is taken in test_distribution.
    """
    cloud = fresh_cloud
    cloud.distribution_moves(stock, later)
    cloud.manage("upgrade")
    assert set(cloud.versions().values()) == {later}
    assert_refused_untouched(cloud, stock, later)
    cloud.use_mirror(make_mirror("for-later", rebuilt))
    swap_in(cloud)
    swap_back(cloud, later)


@pytest.fixture
def older(cloud_layers: tuple[Path, ...], stock: str, tmp_path: Path) -> list[Path]:
    """Debian's packages of an older version: those that the archive serves, else made ones."""
    served = [deb for layer in cloud_layers for deb in layer.glob("srv/older/*.deb")]
    if served:
        return served
    return [repack(deb, tmp_path, {stock: lab.earlier(stock)}) for deb in offered(cloud_layers)]


def test_a_host_one_update_behind_the_mirror(
    fresh_cloud: DebianCloud,
    older: list[Path],
    cloud_layers: tuple[Path, ...],
    built: Path,
    make_mirror,
    scratch: Path,
    stock: str,
) -> None:
    cloud = fresh_cloud
    before = field(control_of(named(older, "python3-nova")), "Version")
    cloud.distribution_serves(older)
    cloud.manage(f"--allow-downgrades install {' '.join(f'{name}={before}' for name in lab.STOCK)}")
    cloud.wait_for_api()
    assert set(cloud.versions().values()) == {before}
    assert_refused_untouched(cloud, before, stock)
    cloud.use_mirror(make_mirror("for-older", lab.for_version(built, before, scratch / "older")))
    swap_in(cloud)
    # Debian publishes, and the mirror has both builds: all go together
    cloud.distribution_serves(offered(cloud_layers))
    cloud.use_mirror(make_mirror("for-both", scratch / "older", built))
    cloud.manage("upgrade")
    versions = cloud.stock_versions()
    assert versions == dict.fromkeys(versions, stock)
    assert cloud.versions()["python3-nova-xloud"] == lab.version(built)
    assert cloud.stale() == []
    assert_runs_our_code(cloud)
    swap_back(cloud, stock)
