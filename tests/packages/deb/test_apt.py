"""The scenarios that only apt has: no request refused, autoremove, a purge of all at once."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from nova_xloud.bases.apt import upstream_version
from tests.packages.checks import assert_only_the_running_were_restarted, assert_runs_stock_code
from tests.packages.cloud import Cloud, answers
from tests.packages.conftest import DIST

RATE = 20


def autoremoved(cloud: Cloud) -> list[str]:
    """Return the packages that apt would remove since nothing needs them."""
    lines = cloud.sh("apt-get -s autoremove | grep ^Remv || true").splitlines()
    return sorted(line.split()[1] for line in lines)


@pytest.fixture(scope="module")
def unneeded(cloud: Cloud) -> list[str]:
    """The packages that apt would remove at first."""
    return autoremoved(cloud)


def test_no_request_is_refused_while_swapping_in(cloud: Cloud, unneeded: list[str]) -> None:
    polling = cloud.start_polling(RATE)
    cloud.swap_in()
    polled = answers(polling)
    slowest = max(answer.seconds for answer in polled)
    print(f"{len(polled)} requests, slowest {slowest:.2f} s")
    (DIST / "reports").mkdir(exist_ok=True)
    (DIST / "reports/swap.json").write_text(
        json.dumps({"requests": len(polled), "rate": RATE, "slowest_s": round(slowest, 2)}) + "\n"
    )
    assert len(polled) > 5 * RATE
    assert [answer for answer in polled if answer.result != 401] == [], cloud.account()
    assert autoremoved(cloud) == unneeded, "less is needed than with the stock library"


def test_the_metadata_is_where_the_stock_librarys_is(cloud: Cloud, stock: str) -> None:
    metadata = f"{cloud.library}-{upstream_version(stock)}.egg-info/entry_points.txt"
    assert metadata in cloud.shipped()


def test_what_runs_old_code_is_restarted_when_the_kernel_has_forgotten_its_inodes(
    cloud: Cloud,
) -> None:
    """The times of files in /proc are those of the first look at them, and change at each."""
    cloud.wait_for_api()
    cloud.sh(f"touch {cloud.library}/version.py")
    time.sleep(1)
    # a host does this by itself when memory is short
    Path("/proc/sys/vm/drop_caches").write_text("2")
    cloud.mark()
    cloud.sh("/usr/share/nova-xloud/restart-services")
    assert_only_the_running_were_restarted(cloud)


def test_no_request_is_refused_while_swapping_back(cloud: Cloud, unneeded: list[str]) -> None:
    polling = cloud.start_polling(RATE)
    cloud.swap_back()
    assert [answer for answer in answers(polling) if answer.result != 401] == [], cloud.account()
    assert autoremoved(cloud) == sorted([*unneeded, "nova-xloud-common"])


def test_purging_all_at_once_ends_on_stock_code(cloud: Cloud, stock: str) -> None:
    cloud.swap_in()
    cloud.mark()
    cloud.manage("purge python3-nova-xloud nova-xloud-common python3-nova+")
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
