"""Trouble on the way with dnf: a service that hangs, a killed dnf."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest

from tests.packages.checks import assert_runs_our_code
from tests.packages.el9.cloud import RdoCloud
from tests.packages.killing import kill_at


def test_a_service_that_hangs_in_its_start_does_not_hang_the_transaction(
    fresh_cloud: RdoCloud,
) -> None:
    cloud = fresh_cloud
    hangs = f"ExecStartPre=sh -c 'test ! -e {cloud.library}/xloud || sleep infinity'"
    cloud.override("openstack-nova-conductor", hangs)
    output = cloud.swap_in()
    assert "openstack-nova-conductor did not come back" in output
    assert "nova-xloud: openstack-nova-scheduler restarted" in output
    states = cloud.states()
    assert [states[unit] for unit in cloud.running] == ["active", "activating", "active"]


@pytest.mark.parametrize("moment", ["unpacking", "unpacked", "recorded", "restarting"])
def test_a_swap_killed_in_the_middle_is_healed(fresh_cloud: RdoCloud, moment: str) -> None:
    cloud = fresh_cloud
    root = cloud.container.root

    def inside(*command: str) -> bool:
        return cloud.container.run(*command, check=False).returncode == 0

    seen: Callable[[], bool] = {
        # rpm's name of a file until it is whole
        "unpacking": lambda: any(
            ";" in name for _, _, names in os.walk(root / cloud.library[1:]) for name in names
        ),
        "unpacked": (root / "usr/share/nova-xloud/restart-services").exists,
        "recorded": lambda: inside("rpm", "-q", "python3-nova-xloud"),
        # as the kernel shortens the name of the restart script
        "restarting": lambda: inside("pgrep", "-x", "restart-service"),
    }[moment]
    again = "install --allowerasing python3-nova-xloud"
    kill_at(cloud, again, seen, ("dnf", "restart-service"))
    assert cloud.stale() or "python3-nova" in cloud.versions(), "it was killed too late"
    # as the guide says: a second later the same again; if ours is there by then, by reinstall
    time.sleep(1)
    said = cloud.sh(f"{cloud.manager} {again}")
    assert ("is already installed" in said) == (moment in ("recorded", "restarting")), said
    if "is already installed" in said:
        cloud.manage("reinstall --allowerasing python3-nova-xloud")
    cloud.assert_sane()
    assert {"python3-nova", "python3-nova-xloud"} & set(cloud.versions()) == {"python3-nova-xloud"}
    assert cloud.stale() == []
    assert [cloud.states()[unit] for unit in cloud.running] == ["active"] * len(cloud.running)
    assert_runs_our_code(cloud)
