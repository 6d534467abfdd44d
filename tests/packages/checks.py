"""Claims that hold after every change of the library, by any package manager."""

from __future__ import annotations

from tests.packages.cloud import Cloud


def assert_only_the_running_were_restarted(cloud: Cloud) -> None:
    """Each running service once; none that was stopped, disabled or masked; none on old code."""
    assert cloud.restarts() == dict.fromkeys(cloud.running, 1), cloud.account()
    states = cloud.states()
    assert {unit: states[unit] for unit in cloud.running} == dict.fromkeys(cloud.running, "active")
    assert {unit: states[unit] for unit in cloud.resting} == dict.fromkeys(
        cloud.resting, "inactive"
    )
    assert cloud.stale() == []


def assert_runs_our_code(cloud: Cloud) -> None:
    """The API routes our request, the others have our options."""
    cloud.wait_for_api()
    status, body = cloud.adjust()
    assert status == 400, body + cloud.account()
    assert "badRequest" in body
    for unit in cloud.running[1:]:
        assert cloud.knows_option(unit), unit


def assert_runs_stock_code(cloud: Cloud) -> None:
    """The API has no route for our request, the others have none of our options."""
    cloud.wait_for_api()
    status, body = cloud.adjust()
    assert status == 404, body + cloud.account()
    for unit in cloud.running[1:]:
        assert not cloud.knows_option(unit), unit


def assert_all_is_well(cloud: Cloud, way: str) -> None:
    """The services run on one whole library, those that rested rest, the API answers.

    :param way: ``in`` for our library, ``back`` for the stock one
    """
    states = cloud.states()
    assert {unit: states[unit] for unit in cloud.running} == dict.fromkeys(cloud.running, "active")
    assert {states[unit] for unit in cloud.resting} == {"inactive"}
    assert cloud.stale() == []
    assert_runs_our_code(cloud) if way == "in" else assert_runs_stock_code(cloud)
    assert not cloud.sh("ls /run/nova-xloud/due 2>/dev/null || true")
