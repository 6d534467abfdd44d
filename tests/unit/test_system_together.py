"""Which of the system's scenarios begin again, without a cloud: those whose guest QEMU has lost."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.system import together
from tests.system.cloud import Flavor
from tests.system.server import Server
from tests.system.together import LostByQemuError, Servers, begun

ASSERTION = "iotlb_to_section: Assertion `section_index < d->map.sections_nb' failed."


class FakeServer(SimpleNamespace):
    """A server whose guest answers at once."""

    def booted(self) -> None:
        """Say that it has booted."""

    def assert_agreed(self, *size: int) -> None:
        """Say that all agree."""


@pytest.fixture
def lost() -> list[bool]:
    """Whether QEMU loses the guest of the first server, of the second, and so on."""
    return []


@pytest.fixture
def deleted() -> list[str]:
    """Which servers were deleted."""
    return []


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, lost: list[bool], deleted: list[str]) -> SimpleNamespace:
    """A cloud whose servers are numbers."""
    numbers = iter(range(9))

    def create(*_: object) -> FakeServer:
        number = next(numbers)
        return FakeServer(id=str(number), lost_by_qemu=lost[number])

    monkeypatch.setattr(together, "create", create)
    return SimpleNamespace(delete_servers=lambda *ids: deleted.extend(ids))


def fails_if_lost(servers: Servers) -> None:
    """Fail as a scenario whose guest is gone."""
    assert not servers().lost_by_qemu, "all views differ"


def fails(servers: Servers) -> None:
    """Fail for a reason of its own."""
    servers()
    raise AssertionError("all views differ")


def test_a_scenario_whose_guest_qemu_lost_begins_again(
    cloud: SimpleNamespace, lost: list[bool], deleted: list[str]
) -> None:
    lost += [True, False]
    again = pytest.warns(UserWarning, match="fails_if_lost begins again: all views differ")
    with again, begun(cloud, [fails_if_lost]) as outcomes:
        outcomes[fails_if_lost].result()
    assert deleted == ["0", "1"]


def test_it_begins_again_only_once(
    cloud: SimpleNamespace, lost: list[bool], deleted: list[str]
) -> None:
    lost += [True, True]
    again, fails_then = pytest.warns(UserWarning, match="again"), pytest.raises(LostByQemuError)
    with again, begun(cloud, [fails_if_lost]) as outcomes, fails_then:
        outcomes[fails_if_lost].result()
    assert deleted == ["0", "1"]


def test_a_failure_of_another_kind_stays_one(
    cloud: SimpleNamespace, lost: list[bool], deleted: list[str]
) -> None:
    lost.append(False)
    with begun(cloud, [fails]) as outcomes, pytest.raises(AssertionError, match="views differ"):
        outcomes[fails].result()
    assert deleted == ["0"]


@pytest.mark.parametrize(
    ("said", "lost"),
    [(ASSERTION, True), ("terminating on signal 15", False)],
    ids=["lost", "ended"],
)
def test_what_qemu_has_logged_tells(tmp_path: Path, said: str, lost: bool) -> None:
    logs = tmp_path / "var/log/libvirt/qemu"
    logs.mkdir(parents=True)
    (logs / "instance-1.log").write_text(f"-uuid mine \\\n{said}\n")
    (logs / "instance-2.log").write_text("-uuid other \\\n")
    cloud = SimpleNamespace(container=SimpleNamespace(seen=tmp_path))
    mine, other = (Server(cloud, name, Flavor(1, 128), None) for name in ("mine", "other"))
    assert mine.lost_by_qemu is lost
    assert other.lost_by_qemu is False
