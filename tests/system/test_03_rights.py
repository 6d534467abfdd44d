"""Who may adjust, and who may look."""

from __future__ import annotations

import pytest

from tests.system.cloud import Cloud
from tests.system.server import ROOMY, Server, Size

pytestmark = [pytest.mark.core, pytest.mark.usefixtures("background")]
WISH = {"current_vcpus": 2}


@pytest.mark.parametrize("account", ["owner", "reader"])
def test_its_project_may_look_but_not_adjust(cloud: Cloud, shared: Server, account: str) -> None:
    api = getattr(cloud, account)
    shared.post(WISH, api=api).expect(403)
    told = api.get(f"/servers/{shared.id}/xloud-status")["xloud_status"]
    assert Size(told["current_vcpus"], told["current_memory_mb"]) == Size(*ROOMY.floor)


def test_another_project_finds_nothing(cloud: Cloud, shared: Server) -> None:
    shared.post(WISH, api=cloud.stranger).expect(404)
    path = f"/servers/{shared.id}/xloud-status"
    cloud.stranger.request("GET", path).expect(404)


def test_an_overridden_policy_takes_effect(cloud: Cloud, shared: Server) -> None:
    with cloud.policy("os_compute_api:xloud:adjust", "role:member"):
        answer = shared.post(WISH, api=cloud.owner)
        answer.expect(202)
        assert shared.ended(answer)["result"] == "Success"
        shared.assert_agreed(2, ROOMY.minimum_memory)
        shared.post(WISH, api=cloud.reader).expect(403)
    shared.post({"current_vcpus": 1}, api=cloud.owner).expect(403)
    shared.assert_agreed(2, ROOMY.minimum_memory)


def test_what_is_refused_has_changed_nothing(shared: Server) -> None:
    before = shared.views()
    above = ROOMY.vcpus + 1
    for body, said in (
        ({}, f"1 to {ROOMY.vcpus}"),
        ([], ""),
        ({"current_vcpus": 0}, f"1 to {ROOMY.vcpus}"),
        ({"current_vcpus": above}, f"1 to {ROOMY.vcpus}"),
        ({"vcpus": 2}, "vcpus"),
        ({"current_vcpus": 2, "persist": 1}, "persist"),
    ):
        told = shared.post(body).expect(400)
        message = told["badRequest"]["message"]
        assert message
        assert said in message
    assert shared.views() == before
