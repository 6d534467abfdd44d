"""The page of a server, and what its script asks for."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from openstack_auth import policy as auth_policy
from openstack_dashboard import policy
from xloud_dashboard import compute

from tests.cloud import REQUEST, SERVER, STATUS, action, event, refusal, server
from tests.helpers import ProjectTest

PAGE = f"/project/xloud/{SERVER}/"
ACTIONS = f"GET /servers/{SERVER}/os-instance-actions"


class ServerTest(ProjectTest):
    """The page."""

    def setUp(self) -> None:
        super().setUp()
        self.cloud.answers[f"GET /servers/{SERVER}"] = (200, {"server": server()})
        self.status({})
        patch = mock.patch.object(policy, "check", return_value=True)
        self.may = patch.start()
        self.addCleanup(patch.stop)

    def status(self, more: dict[str, Any]) -> None:
        """Have xloud-status answer something else."""
        told = {"xloud_status": {**STATUS, **more}}
        self.cloud.answers[f"GET /servers/{SERVER}/xloud-status"] = (200, told)

    def test_size_and_bounds_are_shown_with_sliders(self) -> None:
        text = self.page(PAGE)
        assert "vCPUs 2 now floor 1 maximum 4" in text, text
        assert "Memory 1536 MiB now floor 1024 maximum 4096" in text
        assert '<input type="range" min="1024" max="4096" value="1536"' in self.html
        assert "No guest agent" in text
        assert "<title>Live Resize: web0" in self.html.replace("\n", "")

    def test_the_guest_is_quoted(self) -> None:
        self.status({"guest_online_vcpus": 2})
        assert "The guest says that it uses 2 vCPUs." in self.page(PAGE)

    def test_a_resource_without_a_floor_has_no_slider(self) -> None:
        self.status({"current_vcpus": 4, "min_vcpus": 4})
        assert "Fixed at 4 : the flavor has no floor for it." in self.page(PAGE)
        assert self.html.count('type="range"') == 1

    def test_who_may_not_adjust_sees_no_slider(self) -> None:
        self.may.side_effect = lambda rules, *_: "xloud" not in rules[0][1]
        text = self.page(PAGE)
        assert "lets you see the size, not change it" in text
        assert 'type="range"' not in self.html

    def test_a_server_that_is_not_there_is_told(self) -> None:
        words = f"Instance {SERVER} could not be found."
        self.cloud.answers[f"GET /servers/{SERVER}"] = refusal(404, "itemNotFound", words)
        assert words in self.page(PAGE)

    def test_unmodified_nova_is_named(self) -> None:
        del self.cloud.answers[f"GET /servers/{SERVER}/xloud-status"]
        assert "does not offer live vertical resize" in self.page(PAGE)


class PolicyTest(ProjectTest):
    """Horizon's own reading of the rule that docs/dashboard.md prints."""

    def sees_sliders(self, roles: list[str], project: str) -> bool:
        """Return whether a user of these roles may adjust, by the file of an operator.

        :param project: the id of the server's project
        """
        self.cloud.answers[f"GET /servers/{SERVER}"] = (
            200,
            {"server": server(tenant_id=project)},
        )
        status = (200, {"xloud_status": STATUS})
        self.cloud.answers[f"GET /servers/{SERVER}/xloud-status"] = status
        self.setActiveUser(
            id=self.user.id,
            token=self.token,
            username=self.user.name,
            tenant_id=self.tenant.id,
            service_catalog=self.service_catalog,
            roles=[{"name": each} for each in roles],
        )
        self.page(PAGE)
        return 'type="range"' in self.html

    def test_the_printed_rule_lets_members_adjust_and_nobody_else(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        rule = "rule:context_is_admin or (role:member and project_id:%(project_id)s)"
        Path(directory.name, "xloud.yaml").write_text(f'"os_compute_api:xloud:adjust": "{rule}"\n')
        self.addCleanup(auth_policy.reset)
        auth_policy.reset()
        with self.settings(
            POLICY_CHECK_FUNCTION="openstack_auth.policy.check",
            POLICY_DIRS={"compute": [directory.name]},
        ):
            seen = {
                (role, project): self.sees_sliders([role], project)
                for role in ("admin", "member", "reader")
                for project in (self.tenant.id, "another")
            }
        assert seen == {
            ("admin", self.tenant.id): True,
            ("admin", "another"): True,
            ("member", self.tenant.id): True,
            ("member", "another"): False,
            ("reader", self.tenant.id): False,
            ("reader", "another"): False,
        }


class AdjustTest(ProjectTest):
    """Adjusts."""

    PATH = f"/os-xloud-adjust/{SERVER}"

    def adjust(self, wish: Any, status: int) -> Any:
        """Send what a browser sends; return the answer to the browser."""
        answer = self.client.post(f"{PAGE}adjust", wish, content_type="application/json")
        assert answer.status_code == status, answer.content
        return json.loads(answer.content)

    def test_the_wish_reaches_the_api_as_it_is(self) -> None:
        self.cloud.answers[f"POST {self.PATH}"] = (202, {})
        wish = {"current_vcpus": 3, "current_memory_mb": 2048, "persist": False}
        assert self.adjust(wish, 200) == {"request_id": REQUEST}
        (asked,) = self.cloud.asked
        assert (asked.method, asked.path, asked.body) == ("POST", self.PATH, wish)
        assert (asked.token, asked.version) == (self.token.id, "")

    def test_a_refusal_has_the_words_and_the_code_of_the_api(self) -> None:
        for status, kind in ((400, "badRequest"), (403, "forbidden"), (404, "itemNotFound")):
            self.cloud.answers[f"POST {self.PATH}"] = refusal(status, kind, f"since {kind}")
            told = self.adjust({"current_vcpus": 9}, status)
            assert told == {"message": f"since {kind}", "refused": True, "unchanged": True}

    def test_a_conflict_does_not_promise_that_nothing_changes(self) -> None:
        """The host may have got the request, and its answer be late."""
        words = "The adjust may still happen: the server action will tell."
        self.cloud.answers[f"POST {self.PATH}"] = refusal(409, "conflictingRequest", words)
        told = self.adjust({"current_vcpus": 3}, 409)
        assert told == {"message": words, "refused": True, "unchanged": False}

    def test_the_older_header_has_the_id_of_the_request_too(self) -> None:
        self.cloud.answers[f"POST {self.PATH}"] = (202, {})
        self.cloud.names = ("x-compute-request-id",)
        assert self.adjust({"current_vcpus": 3}, 200) == {"request_id": REQUEST}

    def test_an_answer_without_an_id_has_none(self) -> None:
        self.cloud.answers[f"POST {self.PATH}"] = (202, {})
        self.cloud.names = ()
        assert self.adjust({"current_vcpus": 3}, 200) == {"request_id": ""}

    def test_a_silent_service_is_told_without_its_address(self) -> None:
        self.cloud.close()
        with self.assertLogs(compute.__name__):
            told = self.adjust({"current_vcpus": 3}, 502)
        assert told == {
            "message": "The Compute service does not answer.",
            "refused": False,
            "unchanged": False,
        }

    def test_a_failing_service_is_not_called_a_refusal(self) -> None:
        self.cloud.answers[f"POST {self.PATH}"] = refusal(500, "computeFault", "Unexpected.")
        assert self.adjust({"current_vcpus": 3}, 502) == {
            "message": "Unexpected.",
            "refused": False,
            "unchanged": False,
        }

    def test_what_is_no_json_is_not_sent(self) -> None:
        assert self.adjust("{", 400)["refused"]
        assert self.cloud.asked == []

    def test_a_form_of_another_site_is_not_sent(self) -> None:
        client = self.client_class(enforce_csrf_checks=True)
        answer = client.post(f"{PAGE}adjust", {}, content_type="application/json")
        assert answer.status_code in (302, 403)
        assert self.cloud.asked == []


class ProgressTest(ProjectTest):
    """The way of an adjust."""

    def progress(self, answer: tuple[int, Any], missing: object = 0) -> Any:
        """Return the answer to the browser.

        :param missing: the looks that found no action, as the browser counts them
        """
        self.cloud.answers[f"{ACTIONS}/{REQUEST}"] = answer
        self.cloud.answers[f"GET /servers/{SERVER}/xloud-status"] = (200, {"xloud_status": STATUS})
        return self.told(f"{PAGE}progress/{REQUEST}?missing={missing}")

    def test_it_goes_on(self) -> None:
        for events in ((), (event(None),), (event("Success"), event(None))):
            assert self.progress((200, {"instanceAction": action(*events)})) == {"result": ""}

    def test_it_ends_with_the_words_of_the_action_and_the_size(self) -> None:
        for result in ("Success", "Error"):
            told = self.progress((200, {"instanceAction": action(event(result, "so it is"))}))
            assert told == {
                "result": result,
                "details": "so it is",
                "seconds": 2.5,
                "size": STATUS,
            }

    def test_an_adjust_to_the_same_size_leaves_no_action(self) -> None:
        told = self.progress(refusal(404, "itemNotFound", "no action"), missing=2)
        assert told == {"result": "Unchanged", "size": STATUS}

    def test_an_action_that_is_late_is_looked_for_three_times(self) -> None:
        nothing = refusal(404, "itemNotFound", "no action")
        assert self.progress(nothing) == {"result": "", "missing": 1}
        assert self.progress(nothing, missing=1) == {"result": "", "missing": 2}
        assert self.progress((200, {"instanceAction": action()}), missing=2) == {"result": ""}
        assert self.progress(nothing, missing="x") == {"result": "", "missing": 1}

    def test_a_server_that_is_gone_is_told(self) -> None:
        words = f"Instance {SERVER} could not be found."
        gone = refusal(404, "itemNotFound", words)
        ended = (200, {"instanceAction": action(event("Error", "deleted"))})
        for answer in (gone, ended):
            self.cloud.answers[f"{ACTIONS}/{REQUEST}"] = answer
            self.cloud.answers[f"GET /servers/{SERVER}/xloud-status"] = gone
            told = self.told(f"{PAGE}progress/{REQUEST}?missing=2")
            assert told == {"result": "Gone", "details": words}

    def test_a_path_that_the_service_does_not_know_is_no_server_that_is_gone(self) -> None:
        self.cloud.answers[f"{ACTIONS}/{REQUEST}"] = refusal(404, "itemNotFound", "no action")
        told = self.told(f"{PAGE}progress/{REQUEST}?missing=2", 404)
        assert told["refused"]
        assert "does not offer live vertical resize" in told["message"]


class HistoryTest(ProjectTest):
    """The history."""

    def test_the_last_ten_adjusts_are_shown_and_nothing_else(self) -> None:
        ids = [f"req-{number:08d}-bbbb-cccc-dddd-eeeeeeeeeeee" for number in range(12)]
        listed = [action(request_id=each) for each in ids]
        listed.insert(0, {"action": "reboot", "request_id": "req-r"})
        self.cloud.answers[ACTIONS] = (200, {"instanceActions": listed})
        for number, each in enumerate(ids):
            ended = event("Error" if number else None, f"reason {number}")
            told = {"instanceAction": action(ended, request_id=each)}
            self.cloud.answers[f"{ACTIONS}/{each}"] = (200, told)
        answer = self.client.get(f"{PAGE}history")
        html = answer.content.decode()
        assert html.count("<tr data-request") == 10
        assert html.count("data-running") == 1
        assert "under way" in html
        assert "reason 9" in html
        assert "2.5 s" in html
        assert "2026-11-27 12:00:00 UTC" in html
        assert len(self.cloud.asked) == 11
        assert answer["Cache-Control"] == "no-store"

    def test_no_adjust_is_said(self) -> None:
        self.cloud.answers[ACTIONS] = (200, {"instanceActions": []})
        assert b"No adjust of this server" in self.client.get(f"{PAGE}history").content
