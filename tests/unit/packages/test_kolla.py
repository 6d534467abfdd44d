"""The files of `nova-xloud kolla`: settings, patches, source; and the cases it refuses."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import NOVA_FILE, PATH, git

from nova_xloud import bases
from nova_xloud.cli import main as cli
from nova_xloud.ground import errors
from nova_xloud.packages import kolla
from nova_xloud.trees import tree


def run(*words: object) -> Result:
    return CliRunner().invoke(cli.main, ["kolla", *map(str, words)])


def settings(file: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(file)
    return parser


def content(top: Path) -> dict[str, bytes]:
    return {
        str(each.relative_to(top)): each.read_bytes() for each in top.rglob("*") if each.is_file()
    }


def install(nova: Path, image: Path) -> Path:
    """Put the modules of Nova where Kolla's image has them."""
    site = image / kolla.SITE
    shutil.copytree(nova / "nova", site / "nova")
    return site


def test_the_patches_apply_in_the_root_directory_of_an_image(
    nova: Path, ours: Path, tmp_path: Path
) -> None:
    result = run(nova, tmp_path / "out")
    assert result.exit_code == 0, result.output
    image = tmp_path / "image"
    site = install(nova, image)
    place = tmp_path / "out/patches/nova-base"
    for name in (place / "series").read_text().split():
        command = ["patch", "-p0", "--fuzz=0", "--ignore-whitespace"]
        subprocess.run(command, cwd=image, input=(place / name).read_bytes(), check=True)
    source = tmp_path / "out/source/nova-34.9.0"
    assert content(site / "nova") == content(source / "nova")
    assert "xloud" in (site / PATH).read_text()
    (points,) = site.glob("nova_xloud-*.dist-info/entry_points.txt")
    assert "[nova.api.extra_spec_validators]\nminimum = nova." in points.read_text()
    assert not list(image.rglob("setup.cfg"))


def test_the_settings_name_the_source_that_the_patches_fit(
    nova: Path, ours: Path, tmp_path: Path
) -> None:
    sdist = tmp_path / "nova-34.9.0.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        archive.add(nova, nova.name)
    out = tmp_path / "of $HOME"
    result = run(sdist, out)
    assert result.exit_code == 0, result.output
    written = str(out).replace("$", "$$")  # oslo.config replaces $HOME
    found = settings(out / "patches.conf")
    assert found["DEFAULT"]["patches_path"] == f"{written}/patches"
    assert found["nova-base"]["type"] == "local"
    assert found["nova-base"]["location"] == f"{written}/nova-34.9.0.tar.gz"
    assert (out / "nova-34.9.0.tar.gz").read_bytes() == sdist.read_bytes()
    source = settings(out / "source.conf")
    assert "patches_path" not in source["DEFAULT"]
    assert source["nova-base"]["location"] == f"{written}/source/nova-34.9.0"
    assert "# xloud" in (out / "source/nova-34.9.0/setup.cfg").read_text()


def test_kolla_applies_no_patches_before_openstack_2025_1(
    nova: Path, ours: Path, tmp_path: Path
) -> None:
    result = run(nova, tmp_path / "out", "--version", "29.4.0")
    assert result.exit_code == 0, result.output
    assert "Kolla 18" in result.output
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == ["source", "source.conf"]


def test_of_a_checkout_kolla_takes_the_files_as_they_are(
    checkout: Path, ours: Path, tmp_path: Path
) -> None:
    git(checkout, "tag", "34.9.0")
    result = run(checkout, tmp_path / "out")
    assert result.exit_code == 0, result.output
    found = settings(tmp_path / "out/patches.conf")
    assert found["nova-base"]["location"] == str(checkout)
    names = sorted(each.name for each in (tmp_path / "out").iterdir())
    assert names == ["patches", "patches.conf"]


def test_no_name_of_a_patch_is_a_part_of_another(nova: Path, ours: Path) -> None:
    """kolla_patch takes a patch whose name is a part of one that is applied for applied."""
    for path in ("nova/api.py", "nova/compute/api.py", "nova/compute/my_api.py"):
        (nova / path).write_text(NOVA_FILE)
        (ours / "changes" / path).write_text((ours / "changes" / PATH).read_text())
    files, failures = tree.compose(bases.describe(nova), nova)
    assert not failures
    names = [each.name for each in kolla.patches(files)]
    assert len(names) == 6
    assert all(re.fullmatch(r"[\w.-]+", name) for name in names)
    assert not [(one, two) for one in names for two in names if one != two and one in two]


@pytest.mark.parametrize("make", ["woven", "plain", "distribution", "old checkout"])
def test_a_base_that_kolla_cannot_build_from_is_refused(
    make: str, checkout: Path, ours: Path, tmp_path: Path
) -> None:
    told = {
        "woven": "has the changes already",
        "plain": "is no sdist and no git checkout",
        "distribution": "is no sdist and no git checkout",
        "old checkout": "Kolla 18 applies no patches: see docs/kolla.md",
    }
    version = "29.4.0" if make == "old checkout" else "34.9.0"
    if make == "woven":
        files = tree.compose(bases.describe(checkout, version), checkout).files
        for each in files:
            (checkout / each.path).parent.mkdir(exist_ok=True)
            (checkout / each.path).write_bytes(each.content)
    elif make != "old checkout":
        shutil.rmtree(checkout / ".git")
    if make == "distribution":
        (checkout / "debian").mkdir()
        entry = "nova (2:34.9.0-1) sid; urgency=low\n\n  * x\n\n"
        signed = " -- Me <me@example.org>  Thu, 01 Jan 2026 00:00:00 +0000\n"
        (checkout / "debian/changelog").write_text(entry + signed)
    result = run(checkout, tmp_path / "out", "--version", version)
    assert result.exit_code == errors.DirectoryError.exit_code, result.output
    assert told[make] in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["mine", "source.conf", "globals.yml", "patches"])
def test_a_directory_with_anything_else_stays_as_it_is(
    nova: Path, ours: Path, tmp_path: Path, name: str
) -> None:
    """A file of the operator's may have one of our names, or stand beside our files."""
    out = tmp_path / "out"
    if name == "globals.yml":
        assert run(nova, out).exit_code == 0
    out.mkdir(exist_ok=True)
    (out / name).write_text("mine")
    before = content(out)
    result = run(nova, out)
    assert result.exit_code == errors.DirectoryError.exit_code
    assert f"has {name}, which `nova-xloud kolla` does not write" in result.stderr
    assert content(out) == before
    result = run(nova, out / name)
    assert result.exit_code == 2, "click tells a file from a directory"


def test_twice_gives_the_same_bytes_in_the_place_of_the_first(
    nova: Path, ours: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    assert run(nova, out).exit_code == 0
    first = content(out)
    (out / "patches/nova-base/nova-xloud-99-old.patch").write_text("of another version")
    assert run(nova, out).exit_code == 0
    assert content(out) == first
    assert sorted(each.name for each in tmp_path.glob(".out*")) == [".out.lock"]


def test_a_full_disk_leaves_the_last_files(
    nova: Path, ours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert run(nova, out).exit_code == 0
    first = content(out)

    def full(*args: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tree, "write", full)
    result = run(nova, out)
    assert result.exit_code == errors.NoSpaceError.exit_code
    assert content(out) == first
    assert not list(tmp_path.glob(".out.kolla-*"))


_SLOW = """
import sys, time
from pathlib import Path
from nova_xloud import bases
from nova_xloud.packages import kolla
from nova_xloud.trees import tree

tree.sources = lambda: Path(sys.argv[1])
tree.REQUIRED = ()
write = tree.write
def slow(*args):
    Path(sys.argv[4]).touch()
    time.sleep(float(sys.argv[5]))
    return write(*args)
tree.write = slow
nova = Path(sys.argv[2])
base = bases.describe(nova)
kolla.write(base, nova, tree.compose(base, nova).files, Path(sys.argv[3]))
"""


def begin(ours: Path, nova: Path, out: Path, begun: Path, pause: float) -> subprocess.Popen[bytes]:
    words = [ours, nova, out, begun, pause]
    return subprocess.Popen([sys.executable, "-c", _SLOW, *map(str, words)])


def test_a_killed_run_leaves_the_last_files_and_the_next_one_cleans_up(
    nova: Path, ours: Path, tmp_path: Path
) -> None:
    out, begun = tmp_path / "out", tmp_path / "begun"
    assert run(nova, out).exit_code == 0
    first = content(out)
    running = begin(ours, nova, out, begun, 60)
    while not begun.exists():
        assert running.poll() is None
        time.sleep(0.05)
    running.kill()
    running.wait()
    assert content(out) == first
    assert list(tmp_path.glob(".out.kolla-*"))
    assert run(nova, out).exit_code == 0
    assert content(out) == first
    assert not list(tmp_path.glob(".out.kolla-*"))


def test_two_at_once_take_turns(nova: Path, ours: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    both = [begin(ours, nova, out, tmp_path / f"begun-{each}", 0.3) for each in range(2)]
    assert [each.wait(60) for each in both] == [0, 0]
    first = content(out)
    assert run(nova, out).exit_code == 0
    assert content(out) == first
