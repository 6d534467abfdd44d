from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result
from click_man.core import write_man_pages
from conftest import NOVA_FILE, PATH

from nova_xloud import bases
from nova_xloud.cli import main as cli
from nova_xloud.ground import errors
from nova_xloud.packages import targets
from nova_xloud.trees import tree


def run(*words: object) -> Result:
    return CliRunner().invoke(cli.main, [str(each) for each in words])


def test_tree_says_what_happened_and_where_it_is(nova: Path, ours: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    first = run("tree", nova, target)
    assert first.exit_code == 0
    assert "Nova 34.9.0: 1 files added, 2 changed." in first.output
    assert f"The tree is in {target}" in first.output
    second = run("tree", nova, target)
    assert second.exit_code == 0
    assert second.output == f"{target} is woven already: nothing has changed.\n"


def test_a_missing_anchor_stops_with_file_anchor_and_release(
    nova: Path, ours: Path, tmp_path: Path
) -> None:
    (nova / PATH).write_text(NOVA_FILE.replace("def start", "def begin"))
    result = run("tree", nova, tmp_path / "out")
    assert result.exit_code == errors.AnchorError.exit_code
    assert f"{PATH}: ComputeManager.start: not found (Nova 34.9.0)" in result.output
    assert "(no tree was written)" in result.output
    assert not (tmp_path / "out").exists()


def test_what_fits_is_written_to_work_on_the_rest(nova: Path, ours: Path, tmp_path: Path) -> None:
    (nova / PATH).write_text(NOVA_FILE.replace("def start", "def begin"))
    result = run("tree", nova, tmp_path / "out", "--keep-going")
    assert result.exit_code == 1
    assert "It is not complete: 1 files do not fit." in result.output
    assert (tmp_path / "out/nova/xloud/size.py").exists()


def test_diff_prints_patches_that_patch_applies(nova: Path, ours: Path, tmp_path: Path) -> None:
    result = run("diff", nova)
    assert result.exit_code == 0
    patched = tmp_path / "patched"
    shutil.copytree(nova, patched)
    subprocess.run(
        ["patch", "-F0", "-p1", "--directory", patched],
        input=result.stdout_bytes,
        check=True,
        stdout=subprocess.PIPE,
    )
    files, _ = tree.compose(bases.describe(nova), nova)
    assert [(patched / each.path).read_bytes() for each in files] == [
        each.content for each in files
    ]


def test_files_lists_what_tree_writes(nova: Path, ours: Path, tmp_path: Path) -> None:
    run("tree", nova, tmp_path / "out")
    result = run("files", nova, "--as", "json")
    assert result.exit_code == 0
    rows = json.loads(result.output)
    assert {(row["path"], row["kind"]) for row in rows} >= {
        (PATH, "changed"),
        ("nova/xloud/size.py", "added"),
    }
    for row in rows:
        written = tmp_path / "out" / row["path"]
        assert row["sha256"] == hashlib.sha256(written.read_bytes()).hexdigest()
        assert row["bytes"] == written.stat().st_size
        assert f"{written.stat().st_mode & 0o7777:04o}" == row["mode"]
        assert row["source"].endswith(f"s/{row['path']}")
    csv_ = run("files", nova, "--as", "csv").output.splitlines()
    assert csv_[0] == "path,kind,source,bytes,mode,sha256"
    assert len(csv_) == len(rows) + 1
    assert f"{PATH}  " in run("files", nova).output


def test_diff_prints_no_half_series(nova: Path, ours: Path) -> None:
    (ours / "changes" / "setup.cfg").unlink()
    result = run("diff", nova)
    assert result.exit_code == errors.IncompleteError.exit_code
    assert result.stdout_bytes == b""


def test_check_tells_each_base_and_file(nova: Path, ours: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(nova, broken)
    (broken / PATH).write_text(NOVA_FILE + "\n\ndef start():\n    pass\n" + NOVA_FILE)
    result = run("check", "--jobs", "1", nova, broken)
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert f"{nova} (Nova 34.9.0): 3 files, all fit" in lines[0].rpartition(",")[0]
    assert lines[1].startswith(f"{broken}: {PATH}: ComputeManager: ambiguous: defined on lines")
    assert f"{broken} (Nova 34.9.0): 2 files, 1 do not fit" in lines[2]


def test_check_of_what_fits_exits_0(nova: Path, ours: Path) -> None:
    assert run("check", nova).exit_code == 0


def test_check_counts_a_base_that_cannot_be_had(ours: Path) -> None:
    result = run("check", "29.9.9")
    assert result.exit_code == 1
    assert "29.9.9: no such base: 29.9.9: known are" in result.output


def test_an_unknown_base_has_its_own_exit_code(tmp_path: Path) -> None:
    result = run("tree", "29.9.9", tmp_path / "out")
    assert result.exit_code == errors.UnknownBaseError.exit_code
    assert "nova-xloud: no such base: 29.9.9: known are 26.2.2" in result.output
    assert "A directory or an sdist of Nova is a base, too" in result.output


@pytest.mark.parametrize("version", ["25.3.0", "35.0.0", "12.0.0"])
def test_an_unsupported_nova_is_refused_by_name_and_by_directory_alike(
    nova: Path, ours: Path, tmp_path: Path, version: str
) -> None:
    (nova / "PKG-INFO").write_text(f"Name: nova\nVersion: {version}\n")
    told = f"this Nova is not supported: Nova {version}: nova-xloud supports Nova 26 to 34."
    for base in (version, nova):
        for words in (["tree", base, tmp_path / "out"], ["diff", base]):
            result = run(*words)
            assert result.exit_code == errors.UnsupportedReleaseError.exit_code
            assert told in result.stderr
            assert result.stdout == ""
        result = run("check", base)
        assert result.exit_code == 1
        assert told in result.output
    assert not (tmp_path / "out").exists()
    assert run("check", nova, "--unsupported").exit_code == 0
    assert run("tree", nova, tmp_path / "out", "--unsupported").exit_code == 0


def test_a_version_is_for_one_source_of_the_users(nova: Path, ours: Path) -> None:
    for words in (["29.4.0"], [nova, nova], []):
        result = run("check", *words, "--version", "29.4.0")
        assert result.exit_code == 2
        assert "--version is for one base, which is a directory or an sdist" in result.output
    (nova / "PKG-INFO").unlink()
    result = run("check", nova)
    assert "nothing in it tells the version of Nova: give --version X.Y.Z" in result.output
    result = run("check", nova, "--version", "34.9.0")
    assert result.exit_code == 0
    assert f"{nova} (Nova 34.9.0): 3 files, all fit" in result.output


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (NOVA_FILE.replace("\n", "\r\n").encode(), "line 1: has a carriage return"),
        (b"\xef\xbb\xbf" + NOVA_FILE.encode(), "line 1: begins with a byte order mark"),
        (NOVA_FILE.replace("Manages", "G\u00e8re").encode("latin-1"), "line 7: is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    nova: Path, ours: Path, tmp_path: Path, content: bytes, told: str
) -> None:
    (nova / PATH).write_bytes(content)
    for words in (["tree", nova, tmp_path / "out"], ["diff", nova], ["diff", nova, "--for", "git"]):
        result = run(*words)
        assert result.exit_code == errors.AnchorError.exit_code
        assert f"{PATH}: {told}" in result.stderr
        assert "(Nova 34.9.0)" in result.stderr
    assert (nova / PATH).read_bytes() == content
    assert not (tmp_path / "out").exists()


def test_the_series_of_an_sdist_says_what_it_is_for(nova: Path, ours: Path) -> None:
    assert "Note: these patches fit the sdist." in run("diff", nova).stderr
    assert "Nova's repository should have" in run("diff", nova, "--for", "git").stderr


def test_the_source_of_a_distribution_has_no_series_for_git(nova: Path, ours: Path) -> None:
    (nova / "debian").mkdir()
    (nova / "debian/changelog").write_text(
        "nova (2:34.9.0-1) sid; urgency=low\n\n -- A <a@b.c>  Mon, 01 Jan 2024 00:00:00 +0000\n"
    )
    assert run("diff", nova).exit_code == 0
    result = run("diff", nova, "--for", "git")
    assert result.exit_code == 2
    assert "is the source package of a distribution" in result.stderr


def test_patches_that_may_not_be_applied_are_told(nova: Path, ours: Path) -> None:
    (nova / "PKG-INFO").unlink()
    (nova / "debian/patches").mkdir(parents=True)
    (nova / "debian/changelog").write_text(
        "nova (2:34.9.0-1) sid; urgency=low\n\n -- A <a@b.c>  Mon, 01 Jan 2024 00:00:00 +0000\n"
    )
    (nova / "debian/patches/series").write_text("# first\n\nb.patch # second\nc.patch\n")
    assert "series names 2 patches, and nothing tells" in run("diff", nova).stderr
    (nova / ".pc").mkdir()
    (nova / ".pc/applied-patches").write_text("b.patch\nc.patch\n")
    assert run("diff", nova).stderr == ""


def test_a_place_that_cannot_be_written_to_is_named(nova: Path, ours: Path) -> None:
    result = run("tree", nova, nova / "setup.cfg" / "out")
    assert result.exit_code == 1
    assert result.output.endswith(f": {nova}/setup.cfg\n")


def test_bases_are_listed_for_people_and_for_programs() -> None:
    assert "29.4.0" in run("bases").output
    rows = json.loads(run("bases", "--json").output)
    assert {row["name"]: row["state"] for row in rows}["debian:trixie"] == "not fetched"


@pytest.mark.parametrize("columns", ["10", "40", "80"])
def test_no_name_to_type_is_cut_in_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert set(targets.known()) <= set(run("build", "--list").output.split())
    assert set(bases.known()) <= set(run("bases").output.split())


def test_it_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nova_xloud", "--help"], capture_output=True, text=True, check=True
    )
    for word in ("bases", "tree", "diff", "check", "build", "mirror"):
        assert f"\n  {word} " in done.stdout


def test_a_killed_check_leaves_no_worker_behind() -> None:
    script = """
import os, time
from concurrent.futures import ProcessPoolExecutor
from nova_xloud.cli.main import end_with_parent
pool = ProcessPoolExecutor(1, initializer=end_with_parent)
print(pool.submit(os.getpid).result(), flush=True)
time.sleep(60)
"""
    command = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert command.stdout is not None
    worker = int(command.stdout.readline())
    command.kill()
    command.wait()
    until = time.monotonic() + 10
    while _runs(worker) and time.monotonic() < until:
        time.sleep(0.1)
    assert not _runs(worker)


def _runs(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


@pytest.mark.parametrize(
    ("words", "begun", "completed"),
    [
        ([], "bui", ["build"]),
        (["build"], "debian-1", [each for each in targets.known() if each.startswith("debian-1")]),
        (["build"], "--rev", ["--revision"]),
        (["tree"], "29", ["29.4.0"]),
    ],
)
def test_a_shell_completes_commands_options_targets_and_bases(
    words: list[str], begun: str, completed: list[str]
) -> None:
    complete = ShellComplete(cli.main, {}, "nova-xloud", "_NOVA_XLOUD_COMPLETE")
    assert [each.value for each in complete.get_completions(words, begun)] == completed


def test_every_command_has_a_man_page_with_every_option(tmp_path: Path) -> None:
    """click-man writes a page of the version of click that is installed."""
    write_man_pages("nova-xloud", cli.main, target_dir=str(tmp_path))
    for name, command in cli.main.commands.items():
        page = (tmp_path / f"nova-xloud-{name}.1").read_text().replace("\\-", "-")
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.opts[0] in page
        assert f"nova-xloud-{name}(1)" in (tmp_path / "nova-xloud.1").read_text()
