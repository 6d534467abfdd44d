"""Adjusting a server and showing its size."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

from .cloud import FOREIGN, REQUEST, SERVER, STATUS, Cloud, event
from .conftest import Run

ADJUST = ("server", "xloud", "adjust", "web1")
SHOW = ("server", "xloud", "show")


@pytest.mark.parametrize("name", ["web1", SERVER])
def test_show_has_the_figures_of_the_api(openstack: Run, name: str) -> None:
    done = openstack(*SHOW, name, "-f", "json")
    assert done.code == 0, done.err
    assert json.loads(done.out) == {"id": SERVER, "name": "web1", **STATUS}


def test_show_has_figures_that_a_later_api_adds(cloud: Cloud, openstack: Run) -> None:
    cloud.status["guest_online_vcpus"] = None
    done = openstack(*SHOW, "web1", "-f", "json")
    assert json.loads(done.out)["guest_online_vcpus"] is None


def test_show_makes_a_table(openstack: Run) -> None:
    rows = openstack(*SHOW, "web1").out.splitlines()
    assert any(row.split() == ["|", "max_memory_mb", "|", "4096", "|"] for row in rows), rows


@pytest.mark.parametrize(
    ("options", "body"),
    [
        (("--vcpus", "3"), {"current_vcpus": 3}),
        (("--memory", "2048"), {"current_memory_mb": 2048}),
        (
            ("--vcpus", "3", "--memory", "2048", "--no-persist"),
            {"current_vcpus": 3, "current_memory_mb": 2048, "persist": False},
        ),
    ],
)
def test_adjust_asks_for_what_it_is_told(
    cloud: Cloud, openstack: Run, options: tuple[str, ...], body: dict[str, object]
) -> None:
    done = openstack(*ADJUST, *options, "-f", "json")
    assert done.code == 0, done.err
    assert [(path, told) for path, _, told in cloud.posts] == [(f"/os-xloud-adjust/{SERVER}", body)]
    told = json.loads(done.out)
    assert told["result"] == "accepted"
    assert told["request_id"] == REQUEST
    asked = {name.replace("current", "asked"): value for name, value in body.items()}
    asked.pop("persist", None)
    assert {name: told[name] for name in told if name.startswith("asked")} == asked


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (ADJUST, "give --vcpus, --memory, or both"),
        ((*ADJUST[:3], "nobody", "--vcpus", "2"), "nobody"),
        ((*ADJUST[:3], "db1", "--vcpus", "2"), "db1"),
        ((*SHOW, "nobody"), "nobody"),
    ],
)
def test_nothing_is_asked_for_in_vain(
    cloud: Cloud, openstack: Run, words: tuple[str, ...], said: str
) -> None:
    done = openstack(*words)
    assert done.code == 1
    assert said in done.err
    assert cloud.posts == []


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", ""])
def test_a_size_that_is_none_is_a_wrong_usage(openstack: Run, cloud: Cloud, value: str) -> None:
    done = openstack(*ADJUST, f"--vcpus={value}")
    assert done.code not in (0, 1, 3)
    assert "no integer from 1" in done.err
    assert cloud.posts == []


def test_an_administrator_names_servers_of_other_projects(cloud: Cloud, openstack: Run) -> None:
    cloud.is_admin = True
    done = openstack(*ADJUST[:3], "db1", "--vcpus", "2")
    assert done.code == 0, done.err
    assert cloud.posts[0][0] == f"/os-xloud-adjust/{FOREIGN}"


@pytest.mark.parametrize("name", ["web1", "db1"])
def test_a_name_of_several_servers_is_none(cloud: Cloud, openstack: Run, name: str) -> None:
    cloud.is_admin = cloud.has_twins = True
    done = openstack(*ADJUST[:3], name, "--vcpus", "2")
    assert done.code == 1
    assert f"More than one server has the name {name}" in done.err
    assert cloud.posts == []


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        (400, "badRequest", "current_vcpus must be 1 to 4, not 9."),
        (403, "forbidden", "Policy doesn't allow os_compute_api:xloud:adjust to be performed."),
        (403, "forbidden", "Quota exceeded for cores: Requested 2, but already used 9 of 10 cores"),
        (404, "itemNotFound", "Instance 1111 could not be found."),
        (409, "conflictingRequest", "Instance 1111 is locked"),
        (503, "serviceUnavailable", "Placement cannot be asked."),
    ],
)
@pytest.mark.parametrize("wait", [(), ("--wait",)], ids=["", "wait"])
def test_a_refusal_is_in_the_words_of_the_api(
    cloud: Cloud, openstack: Run, code: int, kind: str, message: str, wait: tuple[str, ...]
) -> None:
    cloud.refusal = (code, kind, message)
    done = openstack(*ADJUST, "--vcpus", "9", *wait)
    assert done.code == 1
    assert f"{message} (HTTP {code})" in " ".join(done.err.split())
    assert done.out == ""


@pytest.mark.parametrize("words", [(*ADJUST, "--vcpus", "2"), (*SHOW, "web1")])
def test_a_cloud_of_stock_nova_is_told_from_a_server_that_is_none(
    cloud: Cloud, openstack: Run, words: tuple[str, ...]
) -> None:
    cloud.is_xloud = False
    done = openstack(*words)
    assert done.code == 1
    assert "does not offer live vertical resize" in done.err


def test_wait_shows_the_size_that_came_of_it(cloud: Cloud, openstack: Run) -> None:
    cloud.actions = [[], [event(None)], [event(None)], [event("Success", "vCPUs 1 to 3")]]
    cloud.status["current_vcpus"] = 3
    done = openstack(*ADJUST, "--vcpus", "3", "--wait", "-f", "json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told["result"] == "Success"
    assert told["details"] == "vCPUs 1 to 3"
    assert told["current_vcpus"] == 3
    assert "web1: adjusting, 0 s" in done.err
    assert cloud.ended < done.ended < cloud.ended + 1


def test_wait_leaves_a_server_that_can_be_adjusted_again(cloud: Cloud, openstack: Run) -> None:
    cloud.actions = [[event("Success")]]
    cloud.busy = 4
    assert openstack(*ADJUST, "--vcpus", "3", "--wait").code == 0
    assert cloud.busy < 0


def test_wait_says_why_an_adjust_failed(cloud: Cloud, openstack: Run) -> None:
    reason = "The guest gave back 0 of 2 vCPUs in 30 s."
    cloud.actions = [[event(None)], [event("Error", reason)]]
    cloud.status["current_vcpus"] = 3
    done = openstack(*ADJUST, "--vcpus", "1", "--wait", "-f", "json")
    assert done.code == 3
    assert json.loads(done.out)["result"] == "Error"
    assert f"The adjust of web1 failed: {reason}" in done.err
    assert "3 vCPUs and 1024 MiB" in done.err


def test_wait_ends_at_once_where_there_is_nothing_to_do(cloud: Cloud, openstack: Run) -> None:
    cloud.actions = [404]
    done = openstack(*ADJUST, "--vcpus", "1", "--wait", "-f", "json")
    assert done.code == 0
    assert json.loads(done.out)["details"] == "the server has this size already"


def test_wait_outlives_a_restart_of_the_service(cloud: Cloud, openstack: Run) -> None:
    cloud.actions = [[event(None)], 500, 503, [event("Success")]]
    assert openstack(*ADJUST, "--vcpus", "2", "--wait").code == 0


def test_wait_ends_where_the_user_may_not_look(cloud: Cloud, openstack: Run) -> None:
    cloud.actions = [[event(None)], 403, [event("Success")]]
    done = openstack(*ADJUST, "--vcpus", "2", "--wait")
    assert done.code == 1
    assert "no such action" in done.err


def test_wait_gives_up_a_service_that_stays_away(
    cloud: Cloud, openstack: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openstackclient_xloud.waiting.PATIENCE", 1.0)
    cloud.actions = [[event(None)], 503]
    done = openstack(*ADJUST, "--vcpus", "2", "--wait")
    assert done.code == 1
    assert f"2.84 server event show {SERVER} {REQUEST}" in " ".join(done.err.split())


def test_wait_tells_of_a_server_that_is_deleted_meanwhile(cloud: Cloud, openstack: Run) -> None:
    cloud.actions = [[event(None)], 404]
    done = openstack(*ADJUST, "--vcpus", "2", "--wait")
    assert done.code == 1
    assert "has been deleted" in done.err


def test_quiet_is_quiet(cloud: Cloud, openstack: Run) -> None:
    cloud.actions = [[event(None)], [event("Success")]]
    done = openstack("--quiet", *ADJUST, "--vcpus", "2", "--wait")
    assert done.code == 0
    assert "adjusting" not in done.err


def test_who_interrupts_a_wait_is_told_where_to_look(cloud: Cloud) -> None:
    """The command as a process: with the signal of a terminal."""
    cloud.actions = [[event(None)]]
    command = [sys.executable, "-m", "openstackclient.shell", *ADJUST, "--vcpus", "2", "--wait"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = process.stderr.readline()
    assert "adjusting" in said
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=20)
    assert process.returncode != 0
    assert f"2.84 server event show {SERVER} {REQUEST}" in rest


def test_completion_has_the_commands(openstack: Run) -> None:
    begun = time.monotonic()
    done = openstack("complete")
    assert done.code == 0, (done.err, time.monotonic() - begun)
    assert "cmds_server_xloud='adjust show'" in done.out
    assert "--no-persist" in done.out
    assert "cmds_flavor_xloud='set'" in done.out
