"""Apply and roll back: every byte comes back, whatever happens on the way."""

from __future__ import annotations

import fcntl
import os
import py_compile
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from nova_xloud.ground.errors import (
    AnchorError,
    BusyTreeError,
    DirectoryError,
    ForeignTreeError,
    HalfTreeError,
    MarkedLineError,
    NoSpaceError,
    UnsupportedReleaseError,
)
from nova_xloud.installed import journal, work
from nova_xloud.installed.places import Place
from tests.unit.installed import small

#: The calls to the kernel that change a file or a directory.
WRITES = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.chown"}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path / "venv/lib/python3.11/site-packages"


@pytest.fixture
def place(site: Path) -> Place:
    return small.install(site)


def quiet(_: str) -> None:
    """Say nothing."""


def applied(place: Place, version: str = "1.0.0") -> int:
    return work.apply(place, small.ours(version), "", quiet)


def manager(place: Place) -> str:
    return (place.code / "nova/compute/manager.py").read_text()


def test_an_apply_writes_all_that_is_ours(place: Place) -> None:
    assert work.check(place, small.ours()) == applied(place)
    assert "        os.getppid()  # xloud\n" in manager(place)
    assert (place.code / small.ADDED).read_text() == "# xloud\nSIZE = '1.0.0'\n"
    entry_points = (place.metadata / "entry_points.txt").read_text()
    assert "minimum = nova.api.validation.extra_specs.minimum\n" in entry_points
    record = (place.metadata / "RECORD").read_bytes().decode()
    for path in ("nova/compute/manager.py", small.ADDED, "nova-29.4.0.dist-info/entry_points.txt"):
        assert small.record_row(path, (place.code / path).read_bytes()) in record
    told = (place.code / "nova/compute/manager.py").stat()
    assert told.st_mode & 0o777 == 0o640
    assert not (place.code / ".nova-xloud/new").exists()


def test_python_runs_the_new_code_at_once(place: Place) -> None:
    applied(place)
    (cached,) = (place.code / "nova/compute/__pycache__").glob("manager.*.pyc")
    assert b"getppid" in cached.read_bytes()


def test_byte_code_that_python_would_not_check_is_replaced(place: Place) -> None:
    file = place.code / "nova/compute/manager.py"
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    made = Path(py_compile.compile(str(file), invalidation_mode=unchecked, doraise=True))
    before = small.content(place.code)
    applied(place)
    assert b"getppid" in made.read_bytes()
    work.rollback(place, quiet)
    assert small.content(place.code) == before


def test_a_rollback_restores_bytes_modes_owners_and_times(place: Place) -> None:
    if os.geteuid() == 0:
        os.chown(place.code / "nova/compute/manager.py", 12345, 54321)
    before = small.content(place.code)
    inode = (place.code / "nova/compute/manager.py").stat().st_ino
    applied(place)
    told = (place.code / "nova/compute/manager.py").stat()
    assert (told.st_uid, told.st_gid) == before["nova/compute/manager.py"][2:4]
    work.rollback(place, quiet)
    assert small.content(place.code) == before
    assert (place.code / "nova/compute/manager.py").stat().st_ino == inode
    assert not (place.code / "nova/xloud").exists()
    assert not (place.code / journal.NAME).exists()


def test_a_backup_directory_on_another_file_system(place: Place, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", str(other)], check=True)
    try:
        before = small.content(place.code)
        work.apply(place, small.ours(), str(other), quiet)
        assert list(other.glob("nova-xloud-29.4.0-*/nova/compute/manager.py"))
        work.rollback(place, quiet)
        assert small.content(place.code) == before
        assert list(other.iterdir()) == []
    finally:
        subprocess.run(["umount", str(other)], check=True)


def test_twice_is_once(place: Place) -> None:
    applied(place)
    before = small.content(place.code)
    assert applied(place) == 0
    assert small.content(place.code) == before


def test_another_version_of_ours_replaces_the_first(place: Place) -> None:
    before = small.content(place.code)
    work.apply(place, small.ours("1.0.0", nova__xloud__gone="GONE = 1\n"), "", quiet)
    assert (place.code / "nova/xloud/gone.py").exists()
    assert applied(place, "2.0.0") > 0
    assert not (place.code / "nova/xloud/gone.py").exists()
    assert "2.0.0" in (place.code / small.ADDED).read_text()
    work.rollback(place, quiet)
    assert small.content(place.code) == before


def test_what_somebody_else_has_changed_since_is_named_and_left(place: Place) -> None:
    applied(place)
    file = place.code / "nova/compute/manager.py"
    file.write_text(file.read_text() + "# by hand\n")
    before = small.content(place.code)
    for act in (lambda: applied(place, "2.0.0"), lambda: work.rollback(place, quiet)):
        with pytest.raises(ForeignTreeError, match=r"nova/compute/manager\.py"):
            act()
        assert small.content(place.code) == before


def test_a_nova_that_pip_has_put_in_its_place_is_noticed(place: Place) -> None:
    applied(place)
    for file in (place.code / "nova").rglob("*"):
        if file.is_file():
            file.unlink()
    shutil.rmtree(place.metadata)
    shutil.rmtree(place.code / "nova")
    other = small.install(place.code.parent / "other")
    for each in other.code.iterdir():
        shutil.move(str(each), str(place.code))
    before = small.content(place.code)
    told: list[str] = []
    assert work.apply(place, small.ours(), "", told.append) > 0
    assert any("pip has replaced this Nova" in line for line in told)
    work.rollback(place, quiet)
    kept = {path: each for path, each in before.items() if not path.startswith(journal.NAME)}
    assert small.content(place.code) == kept


def test_a_hand_patched_tree_is_refused_and_the_page_is_named(place: Place) -> None:
    file = place.code / "nova/compute/manager.py"
    file.write_text(file.read_text() + "FORK = 1  # xloud\n")
    before = small.content(place.code)
    with pytest.raises(MarkedLineError, match=r"docs/hand-patched\.md"):
        applied(place)
    assert small.content(place.code) == before


def test_files_of_ours_without_a_journal_are_refused(place: Place) -> None:
    (place.code / small.ADDED).parent.mkdir()
    (place.code / small.ADDED).write_text("# xloud\nSIZE = '1.0.0'\n")
    with pytest.raises(DirectoryError, match="If pip has installed our wheel there"):
        applied(place)
    (place.code / small.ADDED).write_text("another\n")
    with pytest.raises(DirectoryError, match=r"docs/hand-patched\.md"):
        applied(place)


def test_a_missing_anchor_or_file_stops_before_anything_is_written(place: Place) -> None:
    file = place.code / "nova/compute/manager.py"
    file.write_text("X = 1\n")
    before = small.content(place.code)
    with pytest.raises(AnchorError, match="Manager"):
        applied(place)
    file.unlink()
    with pytest.raises(DirectoryError, match="half-copied"):
        applied(place)
    file.write_text("X = 1\n")
    assert small.content(place.code).keys() == before.keys()


def test_another_series_is_refused(place: Place) -> None:
    with pytest.raises(UnsupportedReleaseError, match="26 to 34"):
        work.apply(place._replace(version="25.0.0"), small.ours(), "", quiet)


def test_a_second_run_is_refused_while_the_first_one_works(place: Place) -> None:
    opened = os.open(place.code, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        with pytest.raises(BusyTreeError):
            applied(place)
        with pytest.raises(BusyTreeError):
            work.rollback(place, quiet)
    finally:
        os.close(opened)
    assert applied(place) > 0


def test_a_rollback_without_an_apply_says_so(place: Place) -> None:
    with pytest.raises(DirectoryError, match="has no changes"):
        work.rollback(place, quiet)


def test_a_damaged_backup_is_told_before_anything_is_put_back(place: Place) -> None:
    applied(place)
    (place.code / journal.NAME / "base/nova/compute/manager.py").write_text("damaged\n")
    before = small.content(place.code)
    with pytest.raises(DirectoryError, match="install the release anew"):
        work.rollback(place, quiet)
    assert small.content(place.code) == before


def test_an_error_in_the_middle_says_how_to_finish(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(kept: Path, file: Path) -> None:
        raise OSError(5, "Input/output error", str(file))

    before = small.content(place.code)
    with monkeypatch.context() as broken:
        broken.setattr(journal, "put_back", fails)
        with pytest.raises(HalfTreeError, match="`apply` completes"):
            applied(place)
    work.rollback(place, quiet)
    assert small.content(place.code) == before


def killed_at(moment: int, act: Callable[[], object]) -> bool:
    """Run something in a process that dies before its write of a number.

    :returns: whether it died; else it has ended before
    """
    child = os.fork()
    if child == 0:
        writes = 0

        def count(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal writes
            is_write = event in WRITES or (
                event == "open" and isinstance(arguments[1], str) and arguments[1][0] in "wx"
            )
            if is_write:
                if writes == moment:
                    os._exit(137)
                writes += 1

        code = 1
        try:
            sys.addaudithook(count)
            act()
            code = 0
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 137), f"moment {moment}: exit {code}"
    return code == 137


def moments(site: Path, act: Callable[[Place], object], prepared: Callable[[Place], object]) -> int:
    """Kill an act at each of its writes, each time in a new tree; then finish it in both ways.

    :returns: how many moments there were
    """
    moment = 0
    while True:
        top = site.parent / str(moment)
        place = small.install(top)
        before = small.content(top)
        prepared(place)
        died = killed_at(moment, lambda place=place: act(place))
        # every file is whole: Nova's or ours
        assert manager(place) in (small.MANAGER, woven(place))
        twin = site.parent / f"{moment}-twin"
        shutil.copytree(top, twin, symlinks=True)
        for each, ends in ((top, True), (twin, False)):
            here = place._replace(code=each, metadata=each / place.metadata.name)
            store = journal.Store(here)
            if store.journal():
                assert not work.strangers(store, store.journal())
            if ends:
                work.apply(here, small.ours("2.0.0"), "", quiet)
                assert applied(here, "2.0.0") == 0
                assert "2.0.0" in (each / small.ADDED).read_text()
            if store.journal():
                work.rollback(here, quiet)
            after = small.content(each)
            left = {path for path in after if path.startswith(journal.NAME)}
            if not ends:  # a killed run may leave its copies
                for path in left:
                    after.pop(path)
            assert after == before, f"moment {moment}"
            assert not (each / "nova/xloud").exists()
        if not died:
            return moment
        moment += 1


def woven(place: Place) -> str:
    start = "    def start(self):\n"
    return small.MANAGER.replace(start, f"{start}        os.getppid()  # xloud\n")


def test_an_apply_killed_at_any_write_can_be_finished_and_rolled_back(site: Path) -> None:
    assert moments(site, applied, quiet_place) > 20


def test_a_rollback_killed_at_any_write_can_be_finished(site: Path) -> None:
    assert moments(site, lambda place: work.rollback(place, quiet), applied) > 10


def test_an_upgrade_of_ours_killed_at_any_write_can_be_finished(site: Path) -> None:
    assert moments(site, lambda place: applied(place, "2.0.0"), applied) > 10


def quiet_place(_: Place) -> None:
    """Prepare nothing."""


def test_a_full_disk_leaves_the_tree_as_it_was(tmp_path: Path) -> None:
    small_disk = tmp_path / "disk"
    small_disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "none", str(small_disk)]
    subprocess.run(mount, check=True)
    try:
        place = small.install(small_disk / "site")
        filled = small_disk / "filled"
        with filled.open("wb", buffering=0) as opened:
            try:
                while True:
                    opened.write(b"x" * 4096)
            except OSError:
                pass
        before = small.content(place.code)
        with pytest.raises(NoSpaceError):
            applied(place)
        assert small.content(place.code) == before
        filled.unlink()
        assert applied(place) > 0
    finally:
        subprocess.run(["umount", str(small_disk)], check=True)


def test_a_tree_that_cannot_be_written_is_left(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", str(disk)], check=True)
    try:
        place = small.install(disk / "site")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(DirectoryError, match="Read-only file system"):
            applied(place)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
