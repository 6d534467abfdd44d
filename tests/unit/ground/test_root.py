"""Recipes and clean-up of roots; making one is tested in tests/packages."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_xloud.ground import archive, commands, root
from nova_xloud.ground.errors import (
    ArchiveError,
    MissingToolError,
    NetworkError,
    NotRootError,
    RootError,
    TimeLimitError,
)
from tests.archives import Archive, Key

RECIPE = root.Recipe("test", "trixie", ("a", "b"), ("--hook",))

needs_root = pytest.mark.usefixtures("as_root")


def test_a_root_is_made_anew_when_its_recipe_changes() -> None:
    for other in (
        root.Recipe("test", "forky", RECIPE.packages, RECIPE.hooks),
        root.Recipe("test", "trixie", ("a", "c"), RECIPE.hooks),
        root.Recipe("test", "trixie", RECIPE.packages, ("--other-hook",)),
    ):
        assert other.digest != RECIPE.digest
    assert root.Recipe("test", "trixie", ("b", "a"), RECIPE.hooks).digest == RECIPE.digest


def test_who_is_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(NotRootError, match="building packages needs root"):
        root.require_root("building packages")


def test_a_tree_is_removed(tmp_path: Path) -> None:
    (tmp_path / "tree/below").mkdir(parents=True)
    root.remove_tree(tmp_path / "tree")
    assert not (tmp_path / "tree").exists()


MMDEBSTRAP = """\
#!/bin/sh
for word; do case $word in
    */root)
        etc=$word/etc/apt; mkdir -p "$etc/apt.conf.d"
        echo 'Acquire::http::Proxy "http://of.this.host";' >"$etc/apt.conf.d/99mmdebstrap" ;;
    */sources) cp "$word" "$etc/sources.list" ;;
esac; done
"""
INSTALLED = {"nova/__init__.py": b""}


@pytest.fixture
def debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    """An archive, and a stand-in for mmdebstrap; the real one is in tests/bases."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "mmdebstrap").write_text(MMDEBSTRAP)
    (tools / "mmdebstrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setattr(root, "_held", {})
    archive.forget()
    key = Key(tmp_path / "gnupg")
    with Archive(tmp_path / "archive", key, "trixie") as made:
        made.add_binary("1-1", INSTALLED, name="tiny")
        made.publish()
        monkeypatch.setenv(archive.VARIABLE, str(made.sources))
        yield made
    for handle in root._held.values():
        os.close(handle)
    key.end()
    archive.forget()


def change(debian: Archive) -> None:
    """Publish another package."""
    debian.add_binary(f"1-{debian.top.stat().st_mtime_ns}", INSTALLED, name="tiny")
    debian.publish()
    archive.forget()


def release() -> None:
    """Give the locks free, as the end of a process does."""
    for handle in root._held.values():
        os.close(handle)
    root._held.clear()


@needs_root
def test_a_root_comes_from_the_archive_that_is_configured(debian: Archive) -> None:
    made = root.make(RECIPE)
    line = f"deb [signed-by={debian.key.public}] {debian.address} trixie main\n"
    assert (made / "etc/apt/sources.list").read_text() == line


@needs_root
def test_a_root_is_made_anew_when_a_package_of_its_archive_has_changed(debian: Archive) -> None:
    first = root.make(RECIPE)
    release()
    layer = first.with_name(f"{first.name}-ready-1")
    layer.mkdir()
    (first.parent / "another-recipe").mkdir()
    change(debian)
    second = root.make(RECIPE)
    assert second != first
    assert {each.name for each in root.directory().iterdir() if each.is_dir()} == {
        second.name,
        "another-recipe",
    }


@needs_root
def test_a_release_file_that_is_only_signed_again_changes_nothing(debian: Archive) -> None:
    first = root.make(RECIPE)
    debian.publish(Description="signed again")
    archive.forget()
    assert root.make(RECIPE) == first


@needs_root
def test_a_root_that_is_in_use_stays_until_its_user_ends(debian: Archive) -> None:
    first = root.make(RECIPE)
    release()
    user = subprocess.Popen(
        [sys.executable, "-c", "import sys; from pathlib import Path; "
         "from nova_xloud.ground import root; root.hold(Path(sys.argv[1])); print(flush=True); "
         "sys.stdin.read()", str(first)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert user.stdout
    user.stdout.readline()
    change(debian)
    second = root.make(RECIPE)
    assert first.is_dir()
    user.communicate()
    assert root.make(RECIPE) == second
    assert not first.exists()


@needs_root
def test_without_network_the_root_made_before_serves_and_that_is_told(
    debian: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    first = root.make(RECIPE)
    debian.stop()
    archive.forget()
    assert root.make(RECIPE) == first
    assert "the clean root test is the one made before" in caplog.text
    with pytest.raises(NetworkError):
        root.make(root.Recipe("other", "trixie", ()))


@needs_root
def test_the_settings_of_this_hosts_apt_do_not_stay_in_a_root(debian: Archive) -> None:
    assert list(root.make(RECIPE).glob("etc/apt/apt.conf.d/*")) == []


@needs_root
def test_an_archive_is_asked_once_for_all_roots_of_a_suite(debian: Archive) -> None:
    root.make(RECIPE)
    asked = len(debian.asked)
    root.make(RECIPE)
    root.make(root.Recipe("other", "trixie", ()))
    assert len(debian.asked) == asked


@needs_root
def test_an_archive_without_the_suite_is_told(debian: Archive) -> None:
    with pytest.raises(ArchiveError, match="names no archive of Debian bullseye"):
        root.make(root.Recipe("old", "bullseye", ()))


@needs_root
def test_a_mmdebstrap_that_fails_leaves_nothing(debian: Archive, tmp_path: Path) -> None:
    (tmp_path / "tools/mmdebstrap").write_text('#!/bin/sh\nmkdir "$root/x"; exit 1\n')
    with pytest.raises(RootError, match="mmdebstrap ended with 1, see "):
        root.make(RECIPE)
    assert not [each for each in root.directory().iterdir() if each.is_dir()]


#: Names that mean something to mount, overlayfs, systemd-nspawn or the kernel's list of mounts.
NAMES = [
    "plain",
    "a b",
    "a:b",
    "a,b",
    "a\\b",
    "a\\:b",
    "a\\054b",
    "\u00e9",
    "a%b",
    "a\tb",
    "a\nb",
    "a\rb",
]


@contextlib.contextmanager
def bound(there: Path, host: Path) -> Iterator[None]:
    """Show a directory of the host in another place."""
    subprocess.run(["mount", "--bind", host, there], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", there], check=True)


@needs_root
@pytest.mark.parametrize("name", NAMES)
def test_nothing_behind_a_mount_is_removed_whatever_its_name(tmp_path: Path, name: str) -> None:
    tree = tmp_path / "tree"
    for place in (tree / "below" / name, tmp_path / name / "below"):
        place.mkdir(parents=True)
        host = tmp_path / "host"
        host.mkdir(exist_ok=True)
        (host / "file").write_text("of the host")
        with bound(place, host):
            for top in (place.parent, place):
                with pytest.raises(RootError, match="is mounted"):
                    root.remove_tree(top)
        assert (host / "file").read_text() == "of the host"
        root.remove_tree(place.parent)
        assert not place.parent.exists()


@needs_root
@pytest.mark.parametrize("name", NAMES)
def test_layers_are_mounted_whatever_their_names(tmp_path: Path, name: str) -> None:
    layers = [tmp_path / name / each for each in ("over", "under")]
    for layer in layers:
        layer.mkdir(parents=True)
        (layer / layer.name).write_text("")
        (layer / "both").write_text(layer.name)
    scratch = tmp_path / name / "scratch"
    with root.overlay(layers, scratch) as merged:
        assert {each.name for each in merged.iterdir()} == {"over", "under", "both"}
        assert (merged / "both").read_text() == "over"
        (merged / "new").write_text("new")
        with pytest.raises(RootError, match="is mounted"):
            root.remove_tree(scratch)
    assert (scratch / "upper/new").read_text() == "new"
    root.remove_tree(tmp_path / name)
    assert not (tmp_path / name).exists()


@needs_root
@pytest.mark.parametrize("name", NAMES)
def test_what_a_killed_build_left_mounted_goes_whatever_its_name(tmp_path: Path, name: str) -> None:
    left = tmp_path / name / "build"
    (tmp_path / "layer").mkdir()
    die = (
        "import os, pathlib, sys; from nova_xloud.ground import root\n"
        "with root.overlay([pathlib.Path(sys.argv[1])], pathlib.Path(sys.argv[2])): os._exit(9)"
    )
    killed = subprocess.run([sys.executable, "-c", die, tmp_path / "layer", left / "overlay"])
    assert killed.returncode == 9
    assert (left / "overlay/root").is_mount()
    root.remove_abandoned(left)
    assert not left.exists()


def hosts_programs(lower: Path) -> Path:
    """Make a root with the host's programs, once its /usr is bound there."""
    for directory in ("etc", "usr", "proc", "sys", "dev", "run", "tmp", "root", "var"):
        (lower / directory).mkdir(parents=True)
    for link in ("bin", "lib", "lib64", "sbin"):
        (lower / link).symlink_to(f"usr/{link}")
    (lower / "etc/os-release").write_text("ID=test\n")
    return lower


@needs_root
@pytest.mark.parametrize("name", [each for each in NAMES if each.isprintable()])
def test_a_root_is_entered_whatever_its_name(tmp_path: Path, name: str) -> None:
    """The root has the host's programs, read through a bind mount."""
    lower = hosts_programs(tmp_path / name / "lower")
    given = tmp_path / name / "given"
    given.mkdir()
    log = tmp_path / name / "log"
    with root.overlay([lower], tmp_path / name / "scratch") as merged:
        command = ["sh", "-c", "echo seen >/srv/given/file"]
        binds = {Path("/usr"): "/usr", given: "/srv/given"}
        assert root.run_in(merged, command, log=log, binds=binds) == 0, log.read_text()
    assert (given / "file").read_text() == "seen\n"


@needs_root
def test_a_root_that_cannot_be_entered_is_not_a_failed_build(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RootError, match="does not enter"):
        root.run_in(tmp_path / "empty", ["true"], log=tmp_path / "log")


@needs_root
def test_who_may_not_mount_is_told_so(tmp_path: Path) -> None:
    """As in a container that has not all capabilities."""
    mount = (
        "import pathlib, sys; from nova_xloud.ground import root\n"
        "with root.overlay([pathlib.Path(sys.argv[1])], pathlib.Path(sys.argv[1]) / 's'): pass"
    )
    command = ["setpriv", "--bounding-set", "-sys_admin", sys.executable, "-c", mount, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "RootError: the kernel mounts no overlay" in done.stderr
    assert "That needs root with all capabilities" in done.stderr


def test_a_missing_program_is_named_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(MissingToolError, match="mmdebstrap is not installed"):
        root.make(RECIPE)
    with pytest.raises(MissingToolError, match="systemd-nspawn is not installed"):
        root.run_in(tmp_path, ["true"], log=tmp_path / "log")
    assert not list(tmp_path.iterdir())


@needs_root
def test_a_command_in_a_root_that_does_not_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "_LOOK", 0.1)
    monkeypatch.setenv(commands.TIME_LIMIT_VARIABLE, "0.03")
    log = tmp_path / "log"
    with root.overlay([hosts_programs(tmp_path / "lower")], tmp_path / "scratch") as merged:
        with pytest.raises(TimeLimitError, match=f"sh in a clean root, log: {log}"):
            root.run_in(
                merged,
                ["sh", "-c", "echo begun; sleep 98765"],
                log=log,
                binds={Path("/usr"): "/usr"},
            )
        assert "begun" in log.read_text()
        lines = [each / "cmdline" for each in Path("/proc").glob("[0-9]*")]
        running = [each.read_bytes() for each in lines if each.exists()]
        assert b"sleep\x0098765\x00" not in running
    root.remove_tree(tmp_path / "scratch")
    assert not (tmp_path / "scratch").exists()
