"""One cloud's life: stock, swapped in, reinstalled, upgraded, swapped back, in again, purged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nova_xloud.deb import upstream_version
from tests.packages.checks import (
    assert_only_the_running_were_restarted,
    assert_runs_our_code,
    assert_runs_stock_code,
)
from tests.packages.cloud import LIBRARY, RUNNING, Cloud, answers
from tests.packages.conftest import DIST
from tests.packages.debs import control_of, field, named

POLICY = "/etc/nova/policy.d/10-xloud.yaml"
RATE = 20


def stock_versions(cloud: Cloud) -> dict[str, str]:
    """Return the distribution's nova packages and how they are."""
    return {name: how for name, how in cloud.versions().items() if "xloud" not in name}


def test_stock_nova_knows_nothing_of_us(cloud: Cloud, stock: str) -> None:
    assert set(cloud.versions().values()) == {stock}
    assert_runs_stock_code(cloud)


def autoremoved(cloud: Cloud) -> list[str]:
    """Return the packages that apt would remove since nothing needs them."""
    lines = cloud.sh("apt-get -s autoremove | grep ^Remv || true").splitlines()
    return sorted(line.split()[1] for line in lines)


@pytest.fixture(scope="module")
def swapped(cloud: Cloud) -> dict[str, Any]:
    """What was seen while ``apt install python3-nova-xloud`` ran under load."""
    before = stock_versions(cloud)
    unneeded = autoremoved(cloud)
    cloud.mark()
    polling = cloud.start_polling(RATE)
    output = cloud.apt("install python3-nova-xloud")
    return {
        "before": before,
        "unneeded": unneeded,
        "output": output,
        "answers": answers(polling),
    }


def test_swapping_in_removes_the_stock_library_only(
    cloud: Cloud, swapped: dict[str, Any], version: str, stock: str
) -> None:
    before = swapped["before"]
    assert isinstance(before, dict)
    before.pop("python3-nova")
    assert stock_versions(cloud) == before == dict.fromkeys(before, stock)
    assert cloud.versions()["python3-nova-xloud"] == version
    assert cloud.versions()["nova-xloud-common"] == version


def test_each_running_service_is_restarted_once(cloud: Cloud, swapped: dict[str, Any]) -> None:
    assert_only_the_running_were_restarted(cloud)
    for unit in RUNNING:
        assert f"nova-xloud: {unit} re" in str(swapped["output"])


def test_no_request_is_refused_while_swapping(swapped: dict[str, Any]) -> None:
    polled = swapped["answers"]
    assert isinstance(polled, list)
    slowest = max(answer.seconds for answer in polled)
    print(f"{len(polled)} requests, slowest {slowest:.2f} s")
    (DIST / "reports").mkdir(exist_ok=True)
    (DIST / "reports/swap.json").write_text(
        json.dumps({"requests": len(polled), "rate": RATE, "slowest_s": round(slowest, 2)}) + "\n"
    )
    assert len(polled) > 5 * RATE
    assert [answer for answer in polled if answer.result != 401] == []


def test_the_api_and_the_services_run_our_code(cloud: Cloud, swapped: dict[str, Any]) -> None:
    assert swapped
    status, _ = cloud.request("POST", "/v2.1/os-xloud-adjust/5bc18ba9", '{"current_vcpus": 1}')
    assert status == 401
    assert_runs_our_code(cloud)


def test_policies_are_listed_and_at_their_defaults(cloud: Cloud, swapped: dict[str, Any]) -> None:
    assert swapped
    listed = cloud.sh("oslopolicy-sample-generator --namespace nova")
    shipped = cloud.sh(f"cat {POLICY}")
    for rule in ("os_compute_api:xloud:adjust", "os_compute_api:xloud:status"):
        assert f'#"{rule}":' in listed
        assert f'#"{rule}":' in shipped
    assert [line for line in shipped.splitlines() if line and line[0] != "#"] == []


def test_documents_are_in_place(cloud: Cloud, swapped: dict[str, Any], stock: str) -> None:
    assert swapped
    shipped = cloud.sh("dpkg -L nova-xloud-common python3-nova-xloud").splitlines()
    for name in ("release-notes.rst", "operator-deb.md", "copyright"):
        # debhelper compresses long ones
        path = f"/usr/share/doc/nova-xloud-common/{name}"
        assert {path, f"{path}.gz"} & set(shipped), name
    assert f"{LIBRARY}-{upstream_version(stock)}.egg-info/entry_points.txt" in shipped


def test_logs_are_free_of_tracebacks(cloud: Cloud, swapped: dict[str, Any]) -> None:
    assert swapped
    assert cloud.tracebacks() == ""


def test_autoremove_takes_nothing_more_away(cloud: Cloud, swapped: dict[str, Any]) -> None:
    assert autoremoved(cloud) == swapped["unneeded"]


def test_reinstalling_restarts_once(cloud: Cloud, version: str) -> None:
    cloud.mark()
    cloud.apt("install --reinstall python3-nova-xloud nova-xloud-common")
    assert_only_the_running_were_restarted(cloud)
    assert cloud.versions()["python3-nova-xloud"] == version


def test_upgrading_restarts_once(cloud: Cloud, newer: Path, make_mirror) -> None:
    cloud.use_mirror(make_mirror("newer", newer))
    cloud.mark()
    cloud.apt("upgrade")
    deb = named(newer.glob("*.deb"), "python3-nova-xloud")
    assert cloud.versions()["python3-nova-xloud"] == field(control_of(deb), "Version")
    assert_only_the_running_were_restarted(cloud)
    assert_runs_our_code(cloud)


def test_swapping_back_brings_the_stock_code_back(cloud: Cloud, stock: str) -> None:
    cloud.mark()
    polling = cloud.start_polling(RATE)
    cloud.apt("install python3-nova")
    assert [answer for answer in answers(polling) if answer.result != 401] == [], cloud.account()
    versions = stock_versions(cloud)
    assert versions == dict.fromkeys(versions, stock)
    assert "python3-nova" in versions
    assert_only_the_running_were_restarted(cloud)
    assert_runs_stock_code(cloud)
    assert cloud.tracebacks() == ""


def test_only_the_companion_is_left_to_remove(cloud: Cloud, swapped: dict[str, Any]) -> None:
    assert autoremoved(cloud) == sorted([*swapped["unneeded"], "nova-xloud-common"])


def test_swapping_in_again_works(cloud: Cloud) -> None:
    cloud.mark()
    cloud.apt("install python3-nova-xloud")
    assert_only_the_running_were_restarted(cloud)
    assert_runs_our_code(cloud)


def test_purging_all_at_once_ends_on_stock_code(cloud: Cloud, stock: str) -> None:
    cloud.mark()
    cloud.apt("purge python3-nova-xloud nova-xloud-common python3-nova+")
    # our trigger is gone by then: the restart comes when apt has ended
    cloud.sh("while systemctl -q is-active nova-xloud-restart; do sleep 0.5; done")
    assert_only_the_running_were_restarted(cloud)
    assert_runs_stock_code(cloud)
    versions = cloud.versions()
    assert versions == dict.fromkeys(versions, stock)


def test_purging_leaves_nothing_behind(cloud: Cloud) -> None:
    left = cloud.sh(
        "find / -xdev -iname '*xloud*' -not -path '/proc/*' -not -path '/srv/*' "
        "-not -path '/var/lib/apt/lists/*' -not -path '/var/cache/apt/*' "
        "-not -path '/etc/apt/sources.list.d/*' -not -path '/usr/share/keyrings/*'; "
        "find /run -iname '*xloud*'; "
        "dpkg-query -Wf '${Package} ${db:Status-Status}\\n' '*xloud*' 2>/dev/null "
        "| grep -v not-installed || true"
    )
    assert left == ""
