"""One cloud's life: stock, swapped in, reinstalled, upgraded, swapped back, in again."""

from __future__ import annotations

from pathlib import Path

from tests.packages.checks import (
    assert_only_the_running_were_restarted,
    assert_runs_our_code,
    assert_runs_stock_code,
)
from tests.packages.cloud import POLICY, Cloud


def test_stock_nova_knows_nothing_of_us(cloud: Cloud, stock: str) -> None:
    assert set(cloud.versions().values()) == {stock}
    assert_runs_stock_code(cloud)


def test_an_upgrade_does_not_swap_by_itself(cloud: Cloud, stock: str) -> None:
    for command in cloud.upgrades:
        cloud.manage(command)
    assert set(cloud.versions().values()) == {stock}


def test_swapping_in_removes_the_stock_library_only(cloud: Cloud, version: str, stock: str) -> None:
    before = cloud.versions()
    cloud.mark()
    output = cloud.swap_in()
    before.pop("python3-nova")
    assert cloud.versions() == {**before, **dict.fromkeys(cloud.ours, version)}
    assert_only_the_running_were_restarted(cloud)
    for unit in cloud.running:
        assert f"nova-xloud: {unit} re" in output
    assert "not found" not in output, "a script of a package has failed"


def test_no_service_starts_while_another_stops(cloud: Cloud) -> None:
    """The units share a directory in /run: the end of one removes it under the start of another."""
    told = cloud.stops_and_starts()
    assert told, "no service was restarted"
    for stopping, starting, started in zip(told[::3], told[1::3], told[2::3], strict=True):
        unit = stopping.partition(" ")[2]
        assert [stopping, starting, started] == [
            f"{what} {unit}" for what in ("Stopping", "Starting", "Started")
        ], told


def test_the_api_and_the_services_run_our_code(cloud: Cloud) -> None:
    cloud.wait_for_api()
    status, _ = cloud.request("POST", "/v2.1/os-xloud-adjust/5bc18ba9", '{"current_vcpus": 1}')
    assert status == 401
    assert_runs_our_code(cloud)


def test_policies_are_listed_and_at_their_defaults(cloud: Cloud) -> None:
    listed = cloud.sh("oslopolicy-sample-generator --namespace nova")
    shipped = cloud.sh(f"cat {POLICY}")
    for rule in (
        "os_compute_api:xloud:adjust",
        "os_compute_api:xloud:adjust:details",
        "os_compute_api:xloud:status",
    ):
        assert f'#"{rule}":' in listed
        assert f'#"{rule}":' in shipped
    assert [line for line in shipped.splitlines() if line and line[0] != "#"] == []


def test_documents_are_in_place(cloud: Cloud) -> None:
    shipped = {Path(path).name for path in cloud.shipped()}
    assert set(cloud.documents) - shipped == set()


def test_logs_are_free_of_tracebacks(cloud: Cloud) -> None:
    assert cloud.tracebacks() == ""


def test_reinstalling_restarts_once(cloud: Cloud, version: str) -> None:
    cloud.mark()
    cloud.reinstall()
    assert_only_the_running_were_restarted(cloud)
    assert cloud.versions()["python3-nova-xloud"] == version


def test_upgrading_restarts_once_and_keeps_the_policy(
    cloud: Cloud, built: Path, newer: Path, make_mirror, lab
) -> None:
    rule = '"os_compute_api:xloud:status": "role:reader"'
    cloud.sh(f"echo '{rule}' >>{POLICY}")
    cloud.use_mirror(make_mirror("newer", built, newer))
    cloud.mark()
    cloud.sh(f"{cloud.manager} upgrade")
    assert cloud.versions()["python3-nova-xloud"] == lab.version(newer)
    assert_only_the_running_were_restarted(cloud)
    assert rule in cloud.sh(f"cat {POLICY}")
    assert_runs_our_code(cloud)
    cloud.sh(f"sed -i '$d' {POLICY}")


def test_swapping_back_brings_the_stock_code_back(cloud: Cloud, stock: str) -> None:
    cloud.mark()
    cloud.swap_back()
    versions = cloud.stock_versions()
    assert versions == dict.fromkeys(versions, stock)
    assert "python3-nova" in versions
    assert "python3-nova-xloud" not in cloud.versions()
    assert_only_the_running_were_restarted(cloud)
    assert_runs_stock_code(cloud)
    assert cloud.tracebacks() == ""


def test_an_upgrade_leaves_the_stock_library_in_place(cloud: Cloud, stock: str) -> None:
    for command in cloud.upgrades:
        cloud.manage(command)
    assert cloud.versions()["python3-nova"] == stock


def test_swapping_in_again_works(cloud: Cloud) -> None:
    cloud.mark()
    cloud.swap_in()
    assert_only_the_running_were_restarted(cloud)
    assert_runs_our_code(cloud)
