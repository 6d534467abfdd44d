"""The distribution publishes a newer nova: with ours not rebuilt yet, and with ours rebuilt."""

from __future__ import annotations

from pathlib import Path

from tests.packages.checks import assert_runs_our_code
from tests.packages.cloud import Cloud


def test_nova_stays_until_ours_is_rebuilt(
    cloud: Cloud, stock: str, later: str, version: str
) -> None:
    cloud.swap_in()
    before = cloud.stock_versions()
    cloud.distribution_moves(stock, later)
    cloud.mark()
    cloud.manage(cloud.upgrades[0])
    for command in cloud.upgrades:
        # apt's internal solver would go to the stock library on dist-upgrade, and is refused
        cloud.leaves_all(command)
    assert cloud.stock_versions() == before == dict.fromkeys(before, stock)
    assert cloud.versions()["python3-nova-xloud"] == version
    assert cloud.restarts() == {}


def test_nothing_takes_ours_away_by_accident(cloud: Cloud, stock: str, version: str) -> None:
    output = cloud.try_what_is_unwanted()
    assert set(cloud.stock_versions().values()) == {stock}, output
    assert cloud.versions()["python3-nova-xloud"] == version
    assert cloud.restarts() == {}


def test_all_upgrade_together_when_ours_is_rebuilt(
    cloud: Cloud, rebuilt: Path, make_mirror, later: str, lab
) -> None:
    cloud.use_mirror(make_mirror("rebuilt", rebuilt))
    installed = cloud.stock_versions()
    cloud.mark()
    cloud.manage("upgrade")
    assert cloud.stock_versions() == dict.fromkeys(installed, later)
    assert cloud.versions()["python3-nova-xloud"] == lab.version(rebuilt)
    # the distribution's own scripts have restarted them (nova-api even twice): ours has not again
    assert set(cloud.restarts()) == set(cloud.running)
    assert cloud.said() == ""
    assert cloud.stale() == []
    assert cloud.states()[cloud.resting[-1]] == "inactive", "a masked one was started"
    assert_runs_our_code(cloud)
