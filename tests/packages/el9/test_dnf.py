"""Scenarios that only dnf has: a refusal with its remedy, byte code, downgrades, swaps by name."""

from __future__ import annotations

from pathlib import Path

from tests.packages.checks import assert_only_the_running_were_restarted, assert_runs_our_code
from tests.packages.cloud import POLICY
from tests.packages.el9.cloud import RdoCloud


def test_a_plain_install_over_the_stock_library_says_what_to_do(
    cloud: RdoCloud, stock: str
) -> None:
    said = cloud.refused("install python3-nova-xloud")
    assert "conflicts with python3-nova" in said
    assert "--allowerasing" in said
    assert set(cloud.versions().values()) == {stock}


def test_the_services_run_the_byte_code_that_was_shipped(cloud: RdoCloud) -> None:
    cloud.swap_in()
    # with -v Python tells where each module comes from
    told = cloud.sh("python3.9 -v -c 'import nova.xloud.lifecycle' 2>&1 | grep 'code object from'")
    ours = [line for line in told.splitlines() if cloud.library in line]
    assert [line for line in ours if ".cpython-39.pyc'" not in line] == []
    assert any("nova/xloud/__pycache__/lifecycle" in line for line in ours)


def test_policies_are_shipped_as_nova_lists_them(cloud: RdoCloud) -> None:
    listed = cloud.sh("oslopolicy-sample-generator --namespace nova")
    rules = cloud.sh(f"cat {POLICY}").strip().split("\n\n")
    assert [rule for rule in rules if rule not in listed] == []
    assert cloud.sh("rpm -qc python3-nova-xloud") == f"{POLICY}\n"


def test_ours_cannot_be_taken_from_under_the_services(cloud: RdoCloud, version: str) -> None:
    said = cloud.container.run("rpm", "-e", "python3-nova-xloud", check=False).stdout
    assert "is needed by (installed) openstack-nova-common" in said
    asked = cloud.sh("dnf --assumeno remove python3-nova-xloud || true")
    assert "openstack-nova-common" in asked
    assert cloud.versions()["python3-nova-xloud"] == version


def test_going_back_to_the_version_before_restarts_once(
    cloud: RdoCloud, built: Path, newer: Path, make_mirror, version: str
) -> None:
    cloud.use_mirror(make_mirror("newer", built, newer))
    cloud.manage("upgrade")
    assert cloud.versions()["python3-nova-xloud"] != version
    cloud.mark()
    cloud.manage("downgrade python3-nova-xloud")
    assert cloud.versions()["python3-nova-xloud"] == version
    assert_only_the_running_were_restarted(cloud)


def test_swapping_back_has_left_nothing_behind(cloud: RdoCloud) -> None:
    cloud.swap_back()
    left = cloud.sh(
        "find / -xdev -iname '*xloud*' -not -path '/proc/*' -not -path '/srv/*' "
        "-not -path '/var/cache/dnf/*' -not -path '/var/lib/dnf/*' "
        "-not -path '/etc/yum.repos.d/*' -not -path '/etc/pki/*'; "
        "find /run -iname '*xloud*'; test ! -e /etc/nova/policy.d"
    )
    assert left == ""


def test_swapping_in_by_name_works_too(cloud: RdoCloud) -> None:
    cloud.mark()
    cloud.manage("swap python3-nova python3-nova-xloud")
    assert_only_the_running_were_restarted(cloud)
    assert_runs_our_code(cloud)


def test_on_a_host_without_nova_a_plain_install_does(cloud: RdoCloud, stock: str) -> None:
    cloud.manage("remove 'openstack-nova-*' python3-nova-xloud")
    assert cloud.versions() == {}
    cloud.manage("install python3-nova-xloud")
    assert set(cloud.versions()) == {"python3-nova-xloud", "openstack-nova-common"}
    cloud.manage("install openstack-nova-scheduler")
    assert set(cloud.versions()) == {
        *("python3-nova-xloud", "openstack-nova-common", "openstack-nova-scheduler")
    }
    cloud.sh("/usr/bin/nova-scheduler --version")
    cloud.manage("remove openstack-nova-scheduler openstack-nova-common python3-nova-xloud")
    assert cloud.versions() == {}
    assert cloud.sh(f"find {cloud.library} /etc/nova/policy.d 2>/dev/null || true") == ""
