"""Trouble on the way with apt: a killed dpkg, a policy, an API that does not load."""

from __future__ import annotations

import os

import pytest

from tests.packages.cloud import Cloud
from tests.packages.killing import kill_at


def test_an_api_that_cannot_load_the_new_code_is_reported(fresh_cloud: Cloud) -> None:
    cloud = fresh_cloud
    paste = cloud.container.root / "etc/nova/api-paste.ini"
    paste.write_text(paste.read_text().replace("nova.api.compute_req_id:", "nova.api.none:"))
    output = cloud.swap_in()
    assert "nova-api runs, but was not seen to serve the new code: it answers 500 on" in output
    assert "/var/log/nova/nova-api.log" in output
    assert cloud.states()["nova-conductor"] == "active"


@pytest.mark.parametrize(
    "moment", ["removed", pytest.param("unpacking", marks=pytest.mark.slow), "configuring"]
)
def test_a_swap_killed_in_the_middle_is_healed(fresh_cloud: Cloud, moment: str) -> None:
    """The quick proof for the time of the unpacking is in test_killed: the end of that time."""
    cloud = fresh_cloud
    library = cloud.container.root / cloud.library[1:]
    seen = {
        "removed": lambda: not (library / "__init__.py").exists(),
        "unpacking": lambda: any(
            name.endswith(".dpkg-new") for _, _, names in os.walk(library) for name in names
        ),
        "configuring": lambda: (library / "xloud/__pycache__").exists(),
    }[moment]
    kill_at(cloud, "install python3-nova-xloud", seen, ("apt-get", "dpkg"))
    assert cloud.sh("dpkg --audit; dpkg -s python3-nova || true"), "it was killed too late"
    # a half-removed library may need the second step to get whole
    cloud.container.run("dpkg", "--configure", "-a", check=False)
    cloud.manage("install -f python3-nova-xloud")
    # killed between the last file and the record, dpkg has still to forget a removed library
    assert cloud.versions().get("python3-nova") in (None, "pc")
    cloud.sh("dpkg --purge --pending")
    cloud.assert_sane()
    assert cloud.versions().get("python3-nova") is None
    assert cloud.stale() == []
    assert [cloud.states()[unit] for unit in cloud.running] == ["active"] * len(cloud.running)
    assert cloud.adjust()[0] == 400


@pytest.mark.slow
def test_policy_rc_d_is_respected(fresh_cloud: Cloud) -> None:
    """The quick proof is in test_reload: the same policy, asked without a swap."""
    cloud = fresh_cloud
    policy = cloud.container.root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\ncase $1 in nova-conductor) exit 101 ;; *) exit 104 ;; esac\n")
    policy.chmod(0o755)
    cloud.mark()
    output = cloud.swap_in()
    assert cloud.restarts() == {unit: 1 for unit in cloud.running if unit != "nova-conductor"}
    assert "nova-conductor: not restarted, policy-rc.d forbids it" in output


def test_what_systemd_is_about_to_restart_is_left_to_it(fresh_cloud: Cloud) -> None:
    cloud = fresh_cloud
    # as EL's scripts of a service's own package leave it, for the end of the transaction
    cloud.sh("systemctl set-property nova-conductor.service Markers=+needs-restart")
    cloud.mark()
    cloud.swap_in()
    assert cloud.restarts() == {unit: 1 for unit in cloud.running if unit != "nova-conductor"}
    cloud.sh("systemctl reload-or-restart --marked")
    assert cloud.restarts() == dict.fromkeys(cloud.running, 1)
    assert cloud.stale() == []
