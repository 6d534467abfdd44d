"""What goes wrong on the way: a service that dies, a killed dpkg, a policy, no systemd."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from nova_xloud import root
from tests.packages.cloud import LIBRARY, RUNNING, Cloud


def test_a_service_that_does_not_come_back_is_reported(fresh_cloud: Cloud) -> None:
    cloud = fresh_cloud
    cloud.override("nova-scheduler", f"ExecStartPre=test ! -e {LIBRARY}/xloud")
    cloud.mark()
    output = cloud.apt("install python3-nova-xloud")
    reports = [line for line in output.splitlines() if "did not come back" in line]
    assert len(reports) == 1, output
    assert "nova-scheduler" in reports[0]
    assert "nova-scheduler did not come back" in cloud.said()
    states = cloud.states()
    assert (states["nova-api"], states["nova-conductor"]) == ("active", "active")


def test_an_api_that_cannot_load_the_new_code_is_reported(fresh_cloud: Cloud) -> None:
    cloud = fresh_cloud
    paste = cloud.container.root / "etc/nova/api-paste.ini"
    paste.write_text(paste.read_text().replace("nova.api.compute_req_id:", "nova.api.none:"))
    output = cloud.apt("install python3-nova-xloud")
    assert "nova-api runs, but could not load the new code" in output
    assert "/var/log/nova/nova-api.log" in output
    assert cloud.states()["nova-conductor"] == "active"


@pytest.mark.parametrize("moment", ["removed", "unpacking", "configuring"])
def test_a_swap_killed_in_the_middle_is_healed(fresh_cloud: Cloud, moment: str) -> None:
    cloud = fresh_cloud
    cloud.mark()
    apt = subprocess.Popen(
        cloud.container.inside("apt-get", "-y", "install", "python3-nova-xloud"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_for(moment, cloud.container.root, apt)
    cloud.sh("kill -9 $(pgrep -x apt-get) $(pgrep -x dpkg); sleep 1")
    apt.communicate()
    assert cloud.sh("dpkg --audit; dpkg -s python3-nova || true"), "it was killed too late"
    # a half-removed library may need the second step to get whole
    cloud.container.run("dpkg", "--configure", "-a", check=False)
    cloud.apt("install -f python3-nova-xloud")
    assert cloud.versions().get("python3-nova") is None
    assert cloud.stale() == []
    assert [cloud.states()[unit] for unit in RUNNING] == ["active"] * len(RUNNING)
    assert cloud.adjust()[0] == 400


def wait_for(moment: str, merged: Path, apt: subprocess.Popen[str]) -> None:
    """Return when a swap has come to a moment, seen from the files of the container."""
    library = merged / LIBRARY.lstrip("/")
    seen = {
        "removed": lambda: not (library / "__init__.py").exists(),
        "unpacking": lambda: any(
            name.endswith(".dpkg-new") for _, _, names in os.walk(library) for name in names
        ),
        "configuring": lambda: (library / "xloud/__pycache__").exists(),
    }[moment]
    deadline = time.monotonic() + 300
    while not seen():
        assert apt.poll() is None, f"apt ended before {moment}"
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_policy_rc_d_is_respected(fresh_cloud: Cloud) -> None:
    cloud = fresh_cloud
    policy = cloud.container.root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\ncase $1 in nova-conductor) exit 101 ;; *) exit 104 ;; esac\n")
    policy.chmod(0o755)
    cloud.mark()
    output = cloud.apt("install python3-nova-xloud")
    assert cloud.restarts() == {unit: 1 for unit in RUNNING if unit != "nova-conductor"}
    assert "nova-conductor: not restarted, policy-rc.d forbids it" in output


def test_what_systemd_is_about_to_restart_is_left_to_it(fresh_cloud: Cloud) -> None:
    cloud = fresh_cloud
    # as EL's scripts of a service's own package leave it, for the end of the transaction
    cloud.sh("systemctl set-property nova-conductor.service Markers=+needs-restart")
    cloud.mark()
    cloud.apt("install python3-nova-xloud")
    assert cloud.restarts() == {unit: 1 for unit in RUNNING if unit != "nova-conductor"}
    cloud.sh("systemctl reload-or-restart --marked")
    assert cloud.restarts() == dict.fromkeys(RUNNING, 1)
    assert cloud.stale() == []


def test_it_installs_where_no_systemd_runs(
    cloud_layers: tuple[Path, ...], debs: list[Path], scratch: Path, tmp_path: Path
) -> None:
    place = scratch / "chroot"
    with root.overlay(cloud_layers, place) as merged:
        for deb in debs:
            shutil.copy(deb, merged)
        log = tmp_path / "log"
        failed = root.run_in(merged, ["sh", "-c", "dpkg -i /*.deb && dpkg --audit"], log=log)
        assert failed == 0, log.read_text()
        assert "removing python3-nova in favour of python3-nova-xloud" in log.read_text()
        assert "restarted" not in log.read_text()
        assert (merged / LIBRARY.lstrip("/") / "xloud").is_dir()
    root.remove_tree(place)
