"""One cloud's life: RDO's, swapped in, reinstalled, upgraded, swapped back, in again, erased."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.packages.checks import (
    assert_only_the_running_were_restarted,
    assert_runs_our_code,
    assert_runs_stock_code,
)
from tests.packages.el9.cloud import RdoCloud

POLICY = "/etc/nova/policy.d/10-xloud.yaml"


def rdo(cloud: RdoCloud) -> dict[str, str]:
    """Return RDO's nova packages and their versions."""
    return {name: how for name, how in cloud.versions().items() if "xloud" not in name}


def test_stock_nova_knows_nothing_of_us(cloud: RdoCloud, stock: str) -> None:
    assert set(cloud.versions().values()) == {stock}
    assert_runs_stock_code(cloud)


def test_an_upgrade_does_not_swap_by_itself(cloud: RdoCloud, stock: str) -> None:
    cloud.dnf("upgrade")
    assert set(cloud.versions().values()) == {stock}


def test_a_plain_install_over_the_stock_library_says_what_to_do(
    cloud: RdoCloud, stock: str
) -> None:
    said = cloud.refused("install python3-nova-xloud")
    assert "conflicts with python3-nova" in said
    assert "--allowerasing" in said
    assert set(cloud.versions().values()) == {stock}


@pytest.fixture(scope="module")
def swapped(cloud: RdoCloud) -> dict[str, object]:
    """What was seen while ``dnf install --allowerasing python3-nova-xloud`` ran."""
    before = rdo(cloud)
    cloud.mark()
    output = cloud.dnf("install --allowerasing python3-nova-xloud")
    return {"before": before, "output": output}


def test_swapping_in_removes_the_stock_library_only(
    cloud: RdoCloud, swapped: dict[str, object], version: str, stock: str
) -> None:
    before = swapped["before"]
    assert isinstance(before, dict)
    before.pop("python3-nova")
    assert rdo(cloud) == before == dict.fromkeys(before, stock)
    assert cloud.versions()["python3-nova-xloud"] == version


def test_each_running_service_is_restarted_once(
    cloud: RdoCloud, swapped: dict[str, object]
) -> None:
    assert_only_the_running_were_restarted(cloud)
    for unit in cloud.running:
        assert f"nova-xloud: {unit} restarted" in str(swapped["output"])


def test_the_api_and_the_services_run_our_code(cloud: RdoCloud, swapped: dict[str, object]) -> None:
    assert swapped
    cloud.wait_for_api()
    status, _ = cloud.request("POST", "/v2.1/os-xloud-adjust/5bc18ba9", '{"current_vcpus": 1}')
    assert status == 401
    assert_runs_our_code(cloud)


def test_the_services_run_the_byte_code_that_was_shipped(
    cloud: RdoCloud, swapped: dict[str, object]
) -> None:
    assert swapped
    # with -v Python tells where each module comes from
    told = cloud.sh("python3.9 -v -c 'import nova.xloud.adjust' 2>&1 | grep 'code object from'")
    ours = [line for line in told.splitlines() if cloud.library in line]
    assert [line for line in ours if ".cpython-39.pyc'" not in line] == []
    assert any("nova/xloud/__pycache__/adjust" in line for line in ours)


def test_policies_are_shipped_as_nova_lists_them(
    cloud: RdoCloud, swapped: dict[str, object]
) -> None:
    assert swapped
    listed = cloud.sh("oslopolicy-sample-generator --namespace nova")
    shipped = cloud.sh(f"cat {POLICY}")
    for rule in shipped.strip().split("\n\n"):
        assert rule in listed
    for name in ("os_compute_api:xloud:adjust", "os_compute_api:xloud:status"):
        assert f'#"{name}":' in shipped
    assert [line for line in shipped.splitlines() if line and line[0] != "#"] == []


def test_documents_are_in_place(cloud: RdoCloud, swapped: dict[str, object]) -> None:
    assert swapped
    documents = cloud.sh("rpm -qd python3-nova-xloud; rpm -qL python3-nova-xloud")
    for name in ("release-notes.rst", "operator-rpm.md", "LICENSE"):
        assert f"/{name}\n" in documents
    assert cloud.sh("rpm -qc python3-nova-xloud") == f"{POLICY}\n"


def test_logs_are_free_of_tracebacks(cloud: RdoCloud, swapped: dict[str, object]) -> None:
    assert swapped
    assert cloud.tracebacks() == ""


def test_ours_cannot_be_taken_from_under_the_services(cloud: RdoCloud, version: str) -> None:
    said = cloud.container.run("rpm", "-e", "python3-nova-xloud", check=False).stdout
    assert "is needed by (installed) openstack-nova-common" in said
    asked = cloud.sh("dnf --assumeno remove python3-nova-xloud || true")
    assert "openstack-nova-common" in asked
    assert cloud.versions()["python3-nova-xloud"] == version


def test_reinstalling_restarts_once(cloud: RdoCloud, version: str) -> None:
    cloud.mark()
    cloud.dnf("reinstall python3-nova-xloud")
    assert_only_the_running_were_restarted(cloud)
    assert cloud.versions()["python3-nova-xloud"] == version


def test_upgrading_restarts_once_and_keeps_the_policy(
    cloud: RdoCloud, built: Path, newer: Path, make_mirror
) -> None:
    rule = '"os_compute_api:xloud:status": "role:reader"'
    (cloud.container.root / POLICY[1:]).open("a").write(f"{rule}\n")
    cloud.use_mirror(make_mirror("newer", built, newer))
    cloud.mark()
    cloud.sh("dnf -y --refresh upgrade")
    assert "+xloud2." in cloud.versions()["python3-nova-xloud"]
    assert_only_the_running_were_restarted(cloud)
    assert rule in cloud.sh(f"cat {POLICY}")
    cloud.wait_for_api()
    assert_runs_our_code(cloud)
    cloud.sh(f"sed -i '$d' {POLICY}")


def test_going_back_to_the_version_before_restarts_once(cloud: RdoCloud, version: str) -> None:
    cloud.mark()
    cloud.dnf("downgrade python3-nova-xloud")
    assert cloud.versions()["python3-nova-xloud"] == version
    assert_only_the_running_were_restarted(cloud)


def test_swapping_back_brings_the_stock_code_back(cloud: RdoCloud, stock: str) -> None:
    cloud.mark()
    cloud.dnf("swap python3-nova-xloud python3-nova")
    versions = cloud.versions()
    assert versions == dict.fromkeys(versions, stock)
    assert "python3-nova" in versions
    assert_only_the_running_were_restarted(cloud)
    cloud.wait_for_api()
    assert_runs_stock_code(cloud)
    assert cloud.tracebacks() == ""


def test_erasing_has_left_nothing_behind(cloud: RdoCloud) -> None:
    left = cloud.sh(
        "find / -xdev -iname '*xloud*' -not -path '/proc/*' -not -path '/srv/*' "
        "-not -path '/var/cache/dnf/*' -not -path '/var/lib/dnf/*' "
        "-not -path '/etc/yum.repos.d/*' -not -path '/etc/pki/*'; "
        "find /run -iname '*xloud*'; test ! -e /etc/nova/policy.d"
    )
    assert left == ""


def test_an_upgrade_leaves_the_stock_library_in_place(cloud: RdoCloud, stock: str) -> None:
    cloud.dnf("upgrade")
    assert set(cloud.versions().values()) == {stock}


def test_swapping_in_by_name_works_too(cloud: RdoCloud) -> None:
    cloud.mark()
    cloud.dnf("swap python3-nova python3-nova-xloud")
    assert_only_the_running_were_restarted(cloud)
    cloud.wait_for_api()
    assert_runs_our_code(cloud)


def test_on_a_host_without_nova_a_plain_install_does(cloud: RdoCloud, stock: str) -> None:
    cloud.dnf("remove 'openstack-nova-*' python3-nova-xloud")
    assert cloud.versions() == {}
    cloud.dnf("install python3-nova-xloud")
    assert list(cloud.versions()) == ["python3-nova-xloud"]
    cloud.dnf("install openstack-nova-scheduler")
    assert set(cloud.versions()) == {
        *("python3-nova-xloud", "openstack-nova-common", "openstack-nova-scheduler")
    }
    cloud.sh("/usr/bin/nova-scheduler --version")
    cloud.dnf("remove openstack-nova-scheduler openstack-nova-common python3-nova-xloud")
    assert cloud.versions() == {}
    assert cloud.sh(f"find {cloud.library} /etc/nova/policy.d 2>/dev/null || true") == ""
