"""Giving a flavor its floor."""

from __future__ import annotations

import json

import pytest

from .cloud import FLAVOR, Cloud
from .conftest import Run

SET = ("flavor", "xloud", "set")
FLOOR = ("--minimum-cpu", "1", "--minimum-memory", "1024")


@pytest.mark.parametrize("name", ["grow", FLAVOR])
def test_a_floor_is_set_checked_and_shown(cloud: Cloud, openstack: Run, name: str) -> None:
    done = openstack(*SET, name, *FLOOR, "-f", "json")
    assert done.code == 0, done.err
    specs = {"minimum_cpu": "1", "minimum_memory": "1024"}
    path = f"/flavors/{FLAVOR}/os-extra_specs"
    assert cloud.posts == [(path, "2.86", {"extra_specs": specs})]
    figures = {"id": FLAVOR, "name": "grow", "vcpus": 4, "ram": 4096}
    assert json.loads(done.out) == {**figures, **specs}


def test_one_value_leaves_the_other_alone(cloud: Cloud, openstack: Run) -> None:
    cloud.specs = {"minimum_memory": "2048"}
    told = json.loads(openstack(*SET, "grow", "--minimum-cpu", "2", "-f", "json").out)
    assert (told["minimum_cpu"], told["minimum_memory"]) == ("2", "2048")


def test_a_floor_that_is_refused_is_a_failure(cloud: Cloud, openstack: Run) -> None:
    message = "minimum_cpu 9 is above the 4 vCPUs of the flavor."
    cloud.refusal = (400, "badRequest", message)
    done = openstack(*SET, "grow", "--minimum-cpu", "9")
    assert done.code == 1
    assert f"{message} (HTTP 400)" in done.err


def test_stock_nova_gets_no_floor_that_has_no_effect(cloud: Cloud, openstack: Run) -> None:
    cloud.is_xloud = False
    done = openstack(*SET, "grow", *FLOOR)
    assert done.code == 1
    assert "does not offer live vertical resize" in done.err
    assert cloud.posts == []


def test_a_floor_that_is_not_there_afterwards_is_a_failure(cloud: Cloud, openstack: Run) -> None:
    cloud.keeps_specs = False
    done = openstack(*SET, "grow", *FLOOR)
    assert done.code == 1
    assert "minimum_cpu, minimum_memory" in done.err


@pytest.mark.parametrize(("words", "said"), [(("grow",), "--minimum-cpu"), (("x", *FLOOR), "x")])
def test_nothing_is_set_in_vain(
    cloud: Cloud, openstack: Run, words: tuple[str, ...], said: str
) -> None:
    done = openstack(*SET, *words)
    assert done.code == 1
    assert said in done.err
    assert cloud.posts == []
