"""The page of a server, and what its script asks for."""

from __future__ import annotations

import json
from typing import Any
from unittest import mock

from openstack_dashboard import policy

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
        for status, kind in ((400, "badRequest"), (403, "forbidden"), (409, "conflictingRequest")):
            self.cloud.answers[f"POST {self.PATH}"] = refusal(status, kind, f"since {kind}")
            told = self.adjust({"current_vcpus": 9}, status)
            assert told == {"message": f"since {kind}", "refused": True}

    def test_a_failing_service_is_not_called_a_refusal(self) -> None:
        self.cloud.answers[f"POST {self.PATH}"] = refusal(500, "computeFault", "Unexpected.")
        assert self.adjust({"current_vcpus": 3}, 502) == {
            "message": "Unexpected.",
            "refused": False,
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

    def progress(self, answer: tuple[int, Any]) -> Any:
        """Return the answer to the browser."""
        self.cloud.answers[f"{ACTIONS}/{REQUEST}"] = answer
        self.cloud.answers[f"GET /servers/{SERVER}/xloud-status"] = (200, {"xloud_status": STATUS})
        return self.told(f"{PAGE}progress/{REQUEST}")

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
        told = self.progress(refusal(404, "itemNotFound", "no action"))
        assert told == {"result": "Unchanged", "size": STATUS}


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
