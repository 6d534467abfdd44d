"""The dashboards in the field: the bytes that they send, and the answers that they read."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.printed import program
from tests.system.client import environment, openstack
from tests.system.cloud import Cloud, Flavor
from tests.system.server import Server, Size

pytestmark = [pytest.mark.core, pytest.mark.usefixtures("background")]
#: The body of each request, and the size afterwards. No header of a microversion is sent with them.
HORIZON = (
    ({"current_vcpus": 2}, Size(2, 256)),
    ({"current_memory_mb": 320}, Size(2, 320)),
    ({"current_vcpus": 3, "persist": True}, Size(3, 320)),
    ({"current_vcpus": 2, "current_memory_mb": 384, "persist": True}, Size(2, 384)),
    ({"current_vcpus": "3", "current_memory_mb": "400"}, Size(3, 400)),
    ({"current_vcpus": 4, "current_memory_mb": 320}, Size(4, 320)),
    ({"current_memory_mb": 368, "persist": True}, Size(4, 368)),
)
#: A form in GiB that rounds to MiB.
SKYLINE = (
    ({"current_vcpus": 2, "current_memory_mb": round(0.33 * 1024), "persist": True}, Size(2, 338)),
    ({"current_memory_mb": round(0.4 * 1024), "persist": True}, Size(2, 410)),
)


@pytest.mark.parametrize(("body", "size"), HORIZON + SKYLINE, ids=str)
def test_a_payload_is_understood(shared: Server, body: object, size: Size) -> None:
    answer = shared.post(body, microversion=None)
    assert answer.expect(202) == {}
    assert shared.ended(answer)["result"] == "Success"
    shared.assert_agreed(size.vcpus, size.memory_mb)


def test_without_persist_only_the_guest_changes(shared: Server) -> None:
    kept = {"record": shared.record.kept}
    now = shared.held
    for body, size in (
        ({"current_vcpus": now.vcpus + 1}, Size(now.vcpus + 1, now.memory_mb)),
        ({"current_memory_mb": 448}, Size(now.vcpus + 1, 448)),
        ({"current_vcpus": 5, "current_memory_mb": 480}, Size(5, 480)),
    ):
        answer = shared.post({**body, "persist": False}, microversion=None)
        answer.expect(202)
        assert shared.ended(answer)["result"] == "Success"
        shared.assert_agreed(size.vcpus, size.memory_mb, but=kept)


def test_the_status_is_wrapped_and_has_all_their_names(cloud: Cloud, shared: Server) -> None:
    path = f"/servers/{shared.id}/xloud-status"
    told = cloud.owner.request("GET", path, microversion=None).expect(200)
    assert list(told) == ["xloud_status"]
    assert {name: type(value) for name, value in told["xloud_status"].items()} == {
        **dict.fromkeys(
            (
                *("current_vcpus", "current_memory_mb", "min_vcpus", "min_memory_mb"),
                *("max_vcpus", "max_memory_mb", "attached_dimms_mb"),
            ),
            int,
        ),
        **dict.fromkeys(("balloon_driver_active", "has_virtiomem"), bool),
        # no guest agent
        "guest_online_vcpus": type(None),
    }


def test_the_program_of_the_docs_does_what_they_say(cloud: Cloud, shared: Server) -> None:
    """The program names the server web1: so does this one, for a moment."""
    name = shared.about["name"]

    def rename(to: str) -> None:
        cloud.owner.request("PUT", f"/servers/{shared.id}", {"server": {"name": to}}).expect(200)

    text = program("client.md").replace("3,", "6,", 1).replace("2048", "352")
    rename("web1")
    try:
        with cloud.policy("os_compute_api:xloud:adjust", "role:member"):
            done = subprocess.run(
                [sys.executable, "-c", text],
                env=environment("owner", "demo"),
                capture_output=True,
                text=True,
            )
    finally:
        rename(name)
    assert (done.stdout, done.stderr, done.returncode) == ("6 vCPUs, 352 MiB\n", "", 0)
    shared.assert_agreed(6, 352)


def test_a_floor_that_is_refused_is_a_failure_of_the_command(cloud: Cloud) -> None:
    """The client's own command ends well without the floor; ours does not."""
    flavor = cloud.flavor(Flavor(vcpus=2, ram=256))
    wrong = openstack("flavor", "xloud", "set", flavor, "--minimum-cpu", 3)
    assert (wrong.code, wrong.out) == (1, "")
    assert "(HTTP 400)" in wrong.err
    assert "3" in wrong.err
    path = f"/flavors/{flavor}/os-extra_specs"
    assert cloud.admin.get(path)["extra_specs"] == {}
    right = openstack("flavor", "xloud", "set", flavor, "--minimum-cpu", 1)
    assert right.code == 0, right.err
    assert right.told["minimum_cpu"] == "1"
    assert cloud.admin.get(path)["extra_specs"] == {"minimum_cpu": "1"}
    cloud.admin.request("DELETE", f"{path}/minimum_cpu").expect(200)
