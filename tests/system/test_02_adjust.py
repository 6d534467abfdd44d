"""Growing and shrinking a running guest: all views equal after each step."""

from __future__ import annotations

import pytest

from tests.system.client import openstack
from tests.system.server import ROOMY, Server, Size

# which is a time in which scenarios of other modules wait for their guests
pytestmark = [pytest.mark.core, pytest.mark.usefixtures("background")]


def test_a_server_boots_at_its_floor(shared: Server) -> None:
    shared.assert_agreed(*ROOMY.floor)
    assert shared.status == {
        "current_vcpus": ROOMY.minimum_cpu,
        "current_memory_mb": ROOMY.minimum_memory,
        "min_vcpus": ROOMY.minimum_cpu,
        "min_memory_mb": ROOMY.minimum_memory,
        "max_vcpus": ROOMY.vcpus,
        "max_memory_mb": ROOMY.ram,
        "balloon_driver_active": True,
        "attached_dimms_mb": 0,
        "has_virtiomem": False,
        "guest_online_vcpus": None,
    }


def test_a_reader_sees_the_same_by_the_command(shared: Server) -> None:
    done = openstack("server", "xloud", "show", shared.id, user="reader", project="demo")
    assert done.code == 0, done.err
    about = {"id": shared.id, "name": shared.about["name"]}
    assert done.told == {**about, **shared.status}


def test_every_vcpu_above_the_floor_can_be_unplugged(shared: Server) -> None:
    assert shared.figures["hotpluggable"] == list(range(ROOMY.minimum_cpu, ROOMY.vcpus))


@pytest.mark.parametrize("size", [Size(3, 256), Size(3, 448), Size(2, 320), Size(2, 256)], ids=str)
def test_both_values_and_either(shared: Server, size: Size) -> None:
    """As an administrator does it: by the command, which waits for the end."""
    wish = ("--vcpus", size.vcpus, "--memory", size.memory_mb)
    done = openstack("server", "xloud", "adjust", shared.id, *wish, "--wait")
    assert done.code == 0, done.err
    assert done.told["result"] == "Success"
    assert Size(done.told["current_vcpus"], done.told["current_memory_mb"]) == size
    shared.assert_held(vcpus=size.vcpus, memory_mb=size.memory_mb)
    assert shared.is_free
    shared.assert_agreed(size.vcpus, size.memory_mb)


def test_the_command_tells_what_is_refused_and_changes_nothing(shared: Server) -> None:
    before = shared.views()
    adjust = ("server", "xloud", "adjust", shared.id)
    above = openstack(*adjust, "--vcpus", ROOMY.vcpus + 1, "--wait")
    assert (above.code, above.out) == (1, "")
    assert f"1 to {ROOMY.vcpus}" in above.err
    assert "(HTTP 400)" in above.err
    member = openstack(*adjust, "--vcpus", 2, user="owner", project="demo")
    assert member.code == 1
    assert "(HTTP 403)" in member.err
    stranger = openstack(*adjust, "--vcpus", 2, user="stranger", project="other")
    assert stranger.code == 1
    assert f"No server with a name or ID of '{shared.id}' exists" in stranger.err
    assert shared.views() == before


def test_the_command_does_nothing_where_there_is_nothing_to_do(shared: Server) -> None:
    before, held = shared.actions(), shared.held
    wish = ("--vcpus", held.vcpus, "--memory", held.memory_mb)
    done = openstack("server", "xloud", "adjust", shared.id, *wish, "--wait")
    assert done.code == 0, done.err
    assert done.told["details"] == "the server has this size already"
    assert shared.actions() == before


def test_one_value_leaves_the_other_alone(shared: Server) -> None:
    before = shared.held
    shared.adjust(vcpus=before.vcpus + 1)
    shared.assert_agreed(before.vcpus + 1, before.memory_mb)
    shared.adjust(memory_mb=before.memory_mb + 64)
    shared.assert_agreed(before.vcpus + 1, before.memory_mb + 64)


def test_the_event_list_tells_of_each(shared: Server) -> None:
    before = shared.actions()
    event = shared.adjust(memory_mb=400)
    (action, *older) = shared.actions()
    assert older == before
    assert event["start_time"] <= event["finish_time"] <= action["updated_at"]
    assert action["message"] is None
    assert event["result"] == "Success"


def test_equal_to_current_does_nothing(shared: Server) -> None:
    before, held = shared.actions(), shared.held
    body = {"current_vcpus": held.vcpus, "current_memory_mb": held.memory_mb}
    assert shared.post(body).expect(202) == {}
    assert shared.actions() == before
    shared.assert_agreed(held.vcpus, held.memory_mb)
