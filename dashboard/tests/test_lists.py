"""The lists of both panels: their contents, and the number of requests they cost."""

from __future__ import annotations

import time
from typing import Any
from unittest import mock

from keystoneauth1 import exceptions as ksa_exceptions
from keystoneauth1 import session
from openstack_dashboard import api
from xloud_dashboard import compute, views

from tests.cloud import OTHER, SERVER, STATUS, refusal, server
from tests.helpers import AdminTest, ProjectTest

LIST, ALL = "GET /servers/detail", "GET /servers/detail?all_tenants=1"
HYPERVISORS = "GET /os-hypervisors/detail"
FIXED = {"vcpus": 1, "ram": 512, "original_name": "m1.tiny", "extra_specs": {}}


def hypervisor(host: str, vcpus: int, memory_mb: int) -> dict[str, Any]:
    """Return a hypervisor, as the API tells it; it has 64 CPUs and 128 GiB."""
    return {
        "service": {"host": host},
        "vcpus": 64,
        "memory_mb": 131072,
        "vcpus_used": vcpus,
        "memory_mb_used": memory_mb,
    }


class ProjectListTest(ProjectTest):
    """The list of a project."""

    def test_servers_are_shown_with_their_bounds(self) -> None:
        fixed = server(2, name="old", flavor=FIXED)
        self.cloud.answers[LIST] = (200, {"servers": [fixed, server(1)]})
        text = self.page("/project/xloud/")
        assert "web1 ACTIVE grow … 1 to 4 … 1024 to 4096 Size and history" in text, text
        assert "old ACTIVE m1.tiny … fixed … fixed" in text, text
        # those that can be adjusted come first
        assert text.index("web1") < text.index("old")

    def test_two_hundred_servers_cost_one_request_and_less_than_two_seconds(self) -> None:
        servers = [server(number) for number in range(1, 201)]
        self.cloud.answers[LIST] = (200, {"servers": servers})
        self.page("/project/xloud/")  # loads the templates
        self.cloud.asked.clear()
        begun = time.monotonic()
        assert self.page("/project/xloud/").count("web") >= 200
        assert time.monotonic() - begun < 2
        (asked,) = self.cloud.asked
        assert asked.path == "/servers/detail"
        assert asked.token == self.token.id
        assert asked.version == "compute 2.84"

    def test_all_pages_of_a_long_list_are_read(self) -> None:
        first, second = server(1), server(2)
        link = {"rel": "next", "href": "..."}
        self.cloud.answers[LIST] = (200, {"servers": [first], "servers_links": [link]})
        self.cloud.answers[f"{LIST}?marker={first['id']}"] = (200, {"servers": [second]})
        text = self.page("/project/xloud/")
        assert "web1" in text
        assert "web2" in text

    def test_a_server_of_a_cell_that_is_down_is_shown(self) -> None:
        self.cloud.answers[LIST] = (200, {"servers": [{"id": SERVER, "status": "UNKNOWN"}]})
        assert f"{SERVER} UNKNOWN not told not told" in self.page("/project/xloud/")

    def test_a_floor_that_is_no_number_is_none(self) -> None:
        flavor = {**FIXED, "extra_specs": {"minimum_cpu": "x"}}
        self.cloud.answers[LIST] = (200, {"servers": [server(flavor=flavor)]})
        assert "web0 ACTIVE m1.tiny … fixed … fixed" in self.page("/project/xloud/")

    def test_a_name_with_markup_stays_text(self) -> None:
        self.cloud.answers[LIST] = (200, {"servers": [server(name="<b>{{ 1 }}</b>")]})
        self.page("/project/xloud/")
        assert "<b>" not in self.html.partition("xloud-servers")[2]

    def test_a_refusal_is_told_in_the_words_of_the_api(self) -> None:
        self.cloud.answers[LIST] = refusal(403, "forbidden", "Policy does not allow that.")
        assert "Policy does not allow that." in self.page("/project/xloud/")

    def test_a_service_that_does_not_answer_is_told(self) -> None:
        self.cloud.close()
        with self.assertLogs(compute.__name__) as logged:
            text = self.page("/project/xloud/")
        assert text.endswith(
            "The Compute service does not show this. The Compute service does not answer."
        ), text
        assert "no answer to GET /servers/detail" in logged.output[0]

    def test_the_address_of_the_service_is_in_the_log_alone(self) -> None:
        address = "https://192.0.2.1:8774"
        error = ksa_exceptions.SSLError()
        # Horizon's tests replace the constructor
        error.message = f"SSL exception connecting to {address}"
        refused = mock.patch.object(session.Session, "request", side_effect=error)
        with refused, self.assertLogs(compute.__name__) as logged:
            text = self.page("/project/xloud/")
        assert address in logged.output[0], logged.output
        assert text.endswith("The Compute service does not answer."), text
        assert "192.0.2.1" not in self.html

    def test_an_ended_session_leads_to_the_login(self) -> None:
        self.cloud.answers[LIST] = refusal(401, "unauthorized", "no")
        answer = self.client.get("/project/xloud/")
        assert answer.status_code == 302
        assert "/auth/l" in answer["location"]


class SizesTest(ProjectTest):
    """What the script of a list asks for."""

    def test_sizes_are_asked_for_one_by_one(self) -> None:
        self.cloud.answers[f"GET /servers/{SERVER}/xloud-status"] = (200, {"xloud_status": STATUS})
        self.cloud.answers[f"GET /servers/{OTHER}/xloud-status"] = refusal(409, "conflict", "down")
        told = self.told(f"/project/xloud/sizes?id={SERVER}&id={OTHER}")
        assert told == {SERVER: STATUS, OTHER: {"message": "down"}}
        assert {each.version for each in self.cloud.asked} == {""}

    def test_no_more_than_twenty_are_asked_for_at_once(self) -> None:
        ids = [server(number)["id"] for number in range(1, 50)]
        told = self.told("/project/xloud/sizes?" + "&".join(f"id={each}" for each in ids))
        assert list(told) == ids[:20]
        assert len(self.cloud.asked) == 20

    def test_only_servers_are_asked_for(self) -> None:
        assert self.told("/project/xloud/sizes?id=../flavors") == {}
        assert self.cloud.asked == []

    def test_no_more_are_asked_for_after_one_without_an_answer(self) -> None:
        self.cloud.silent = True
        ids = [server(number)["id"] for number in range(1, 21)]
        path = "/project/xloud/sizes?" + "&".join(f"id={each}" for each in ids)
        assert views.SIZE_TIMEOUT == 10
        with mock.patch.object(views, "SIZE_TIMEOUT", 0.5), self.assertLogs(compute.__name__):
            told = self.told(path)
        asked = {each.path.split("/")[2] for each in self.cloud.asked}
        assert 1 <= len(asked) <= compute.AT_ONCE
        words = {each: told[each]["message"] for each in ids}
        assert {words[each] for each in asked} == {"The Compute service does not answer."}
        assert all("Not asked for" in words[each] for each in set(ids) - asked)

    def test_a_failure_for_one_server_does_not_hide_the_others(self) -> None:
        ids = [server(number)["id"] for number in range(1, 21)]
        for each in ids:
            self.cloud.answers[f"GET /servers/{each}/xloud-status"] = (
                200,
                {"xloud_status": STATUS},
            )
        failed = refusal(503, "serviceUnavailable", "A cell is down.")
        self.cloud.answers[f"GET /servers/{ids[0]}/xloud-status"] = failed
        told = self.told("/project/xloud/sizes?" + "&".join(f"id={each}" for each in ids))
        assert told == {ids[0]: {"message": "A cell is down."}, **dict.fromkeys(ids[1:], STATUS)}

    def test_unmodified_nova_is_named(self) -> None:
        told = self.told(f"/project/xloud/sizes?id={SERVER}")
        assert "does not offer live vertical resize" in told[SERVER]["message"]


class AdminListTest(AdminTest):
    """The list of administrators."""

    def setUp(self) -> None:
        super().setUp()
        patch = mock.patch.object(api.keystone, "tenant_list")
        self.projects = patch.start()
        self.projects.return_value = ([mock.Mock(id="1")], False)
        self.projects.return_value[0][0].name = "demo"
        self.addCleanup(patch.stop)
        servers = [
            server(1),
            server(2, tenant_id="unknown"),
            server(3, flavor=FIXED),
            server(4, **{"OS-EXT-SRV-ATTR:host": "compute2"}),
            server(5, **{"OS-EXT-SRV-ATTR:host": None}),
        ]
        self.cloud.answers[ALL] = (200, {"servers": servers})
        self.cloud.answers[HYPERVISORS] = (
            200,
            {"hypervisors": [hypervisor("compute1", 5, 4000), hypervisor("compute3", 0, 512)]},
        )

    def test_servers_with_a_floor_are_shown_by_host(self) -> None:
        text = self.page("/admin/xloud/")
        hosts = ("No host", "compute1", "compute2", "compute3")
        none, first, second, third = (text.partition(f"{name} ")[2] for name in hosts)
        assert none.startswith("1 server with a floor")
        assert first.startswith("2 servers with a floor, 1 without")
        assert "vCPUs 2 … 8 5 64 Memory, MiB 2048 … 8192 4000 131072" in first, first
        assert "web1 demo ACTIVE" in first
        assert "web2 unknown ACTIVE" in first
        assert "web3" not in text
        # no hypervisor of that name
        assert "vCPUs 1 … 4 not told not told" in second
        assert third.startswith("0 servers with a floor")
        assert "vCPUs 0 0 0 0 64 Memory, MiB 0 0 0 512 131072" in third, third

    def test_it_costs_two_requests_to_compute(self) -> None:
        self.page("/admin/xloud/")
        assert [each.path for each in self.cloud.asked] == [
            "/servers/detail?all_tenants=1",
            "/os-hypervisors/detail",
        ]

    def test_who_may_not_see_hosts_or_projects_sees_servers(self) -> None:
        self.cloud.answers[HYPERVISORS] = refusal(403, "forbidden", "Not you.")
        self.projects.side_effect = RuntimeError
        text = self.page("/admin/xloud/")
        assert "does not tell what hosts hold: Not you." in text
        assert "web1 1 ACTIVE" in text

    def test_a_service_that_fails_for_hosts_still_shows_servers(self) -> None:
        for status in (409, 500, 503):
            self.cloud.answers[HYPERVISORS] = refusal(status, "fault", "A cell is down.")
            text = self.page("/admin/xloud/")
            assert "does not tell what hosts hold: A cell is down." in text, text
            assert "web1 demo ACTIVE" in text

    def test_a_session_that_ends_between_both_lists_leads_to_the_login(self) -> None:
        self.cloud.answers[HYPERVISORS] = refusal(401, "unauthorized", "no")
        answer = self.client.get("/admin/xloud/")
        assert answer.status_code == 302
        assert "/auth/l" in answer["location"]

    def test_all_pages_of_hypervisors_are_read(self) -> None:
        first, second = (
            {**hypervisor(host, 5, 4000), "id": host} for host in ("compute1", "compute2")
        )
        link = {"rel": "next", "href": "..."}
        told = {"hypervisors": [first], "hypervisors_links": [link]}
        self.cloud.answers[HYPERVISORS] = (200, told)
        self.cloud.answers[f"{HYPERVISORS}?marker=compute1"] = (200, {"hypervisors": [second]})
        _none, _first, text = self.page("/admin/xloud/").partition("compute2 ")
        assert "vCPUs 1 … 4 5 64" in text, text
