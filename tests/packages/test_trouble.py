"""Trouble on the way: a service that dies, no systemd."""

from __future__ import annotations

import shutil
from pathlib import Path

from nova_xloud.ground import root
from tests.packages.cloud import Cloud
from tests.packages.conftest import CLOUDS


def test_a_service_that_does_not_come_back_is_reported(fresh_cloud: Cloud) -> None:
    cloud = fresh_cloud
    *others, unit = cloud.running
    cloud.override(unit, f"Restart=no\nExecStartPre=test ! -e {cloud.library}/xloud")
    cloud.mark()
    output = cloud.swap_in()
    reports = [line for line in output.splitlines() if "did not come back" in line]
    assert len(reports) == 1, output
    assert unit in reports[0]
    assert f"{unit} did not come back" in cloud.said()
    states = cloud.states()
    assert [states[each] for each in others] == ["active"] * len(others)
    assert states[unit] == "failed"


def test_it_installs_where_no_systemd_runs(
    target, cloud_layers: tuple[Path, ...], our_mirror: Path, lab, scratch: Path, tmp_path: Path
) -> None:
    place = scratch / "chroot"
    with root.overlay(cloud_layers, place) as merged:
        shutil.copytree(our_mirror, merged / "srv/mirror")
        log = tmp_path / "log"
        command = ["sh", "-c", lab.OFFLINE]
        failed = root.run_in(merged, command, log=log, environment={"HOME": "/root"})
        assert failed == 0, log.read_text()
        assert "restarted" not in log.read_text()
        assert (merged / CLOUDS[target.format].library[1:] / "xloud").is_dir()
    root.remove_tree(place)
