"""Our packages take stock Nova's place under a running guest and a polled API."""

from __future__ import annotations

import pytest

from tests.system.cloud import SERVICES
from tests.system.report import Report
from tests.system.swap import Swapped

pytestmark = pytest.mark.core


def test_ours_is_installed(swapped: Swapped, version: str) -> None:
    assert swapped.version == version


def test_the_guest_has_run_on(swapped: Swapped) -> None:
    assert swapped.guest_ran_on


def test_no_request_has_failed(swapped: Swapped, report: Report) -> None:
    assert swapped.answers
    assert not swapped.failed, f"{swapped.failed}\n{swapped.tracebacks}"
    slowest = max(answer.seconds for answer in swapped.answers)
    report.figure("slowest answer of the API during the swap", f"{slowest:.1f} s")
    report.figure("seconds of apt install", f"{swapped.seconds:.1f} s")


def test_each_service_was_restarted_once(swapped: Swapped) -> None:
    assert swapped.restarted == dict.fromkeys(SERVICES, 1)


def test_no_service_has_crashed(swapped: Swapped) -> None:
    assert not swapped.tracebacks, swapped.tracebacks
