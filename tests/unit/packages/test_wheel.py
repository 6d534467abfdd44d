"""The sources of a wheel; a wheel that lacks a part of ours is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from packaging.utils import parse_wheel_filename

from nova_xloud.bases.base import GIT, Base
from nova_xloud.ground.patches import Patch
from nova_xloud.packages import targets, wheel
from nova_xloud.trees.patched import Tree

TARGET = targets.get("29.4.0-wheel")


@pytest.fixture
def area(tmp_path: Path) -> Path:
    """The area of a build of a tiny release with two patches."""
    sdist = tmp_path / "nova-29.4.0.tar.gz"
    sdist.write_bytes(b"sdist")
    patches = [Patch("xloud/two.patch", b"two\n"), Patch("xloud/one.patch", b"one\n")]
    wheel.assemble(wheel.Sources("29.4.0", 1, 1, sdist, patches, []), tmp_path / "area")
    return tmp_path / "area"


def test_the_patches_lie_beside_the_release_in_their_order(area: Path) -> None:
    assert (area / "nova.tar.gz").read_bytes() == b"sdist"
    assert (area / "series").read_text() == "xloud/two.patch\nxloud/one.patch\n"
    assert (area / "patches/xloud/one.patch").read_text() == "one\n"
    assert list((area / "out").iterdir()) == []


def test_a_clone_is_the_tree_and_git_tells_its_version(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    (clone / ".git").mkdir(parents=True)
    (clone / ".git/HEAD").write_text("a commit")
    (clone / "link").symlink_to("nowhere")
    base = Base(str(clone), "29.4.0-2-g1a2b3c4", 29, 1, form=GIT)
    added = frozenset({"nova/xloud/size.py", "releasenotes/notes/x.yaml", "tools/xloud/x.py"})
    sources = wheel.prepare(Tree(base, (), added), TARGET)
    assert sources.version == ""
    assert sources.modules == ["nova/xloud/size.py"]
    wheel.assemble(sources, tmp_path / "area")
    assert (tmp_path / "area/tree/.git/HEAD").read_text() == "a commit"
    assert (tmp_path / "area/tree/link").is_symlink()
    assert not (tmp_path / "area/nova.tar.gz").exists()


def test_pip_takes_ours_before_the_release_and_a_later_revision_before_an_earlier() -> None:
    names = ["29.4.0", *(f"29.4.0-{wheel.build_number(revision)}" for revision in (1, 2, 10))]
    parsed = [parse_wheel_filename(f"nova-{name}-py3-none-any.whl") for name in names]
    assert {str(version) for _, version, _, _ in parsed} == {"29.4.0"}
    builds = [build for _, _, build, _ in parsed]
    assert builds == sorted(builds)
    assert len(set(builds)) == len(builds)


def made(place: Path, files: dict[str, str]) -> Path:
    """Write a wheel of some files."""
    with zipfile.ZipFile(place / "nova.whl", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return place / "nova.whl"


MODULES = ["nova/virt/libvirt/xloud.py", "nova/xloud/__init__.py"]
WHOLE = {
    "nova/__init__.py": "",
    "nova/virt/libvirt/xloud.py": "",
    "nova/xloud/__init__.py": "",
    "nova-29.4.0.dist-info/entry_points.txt": "x = nova.api.validation.extra_specs.minimum\n",
}


def test_a_whole_wheel_lacks_nothing(tmp_path: Path) -> None:
    assert wheel.missing(made(tmp_path, WHOLE), MODULES) == []


@pytest.mark.parametrize("name", [*MODULES, "/entry_points.txt"])
def test_what_is_not_in_it_is_told(tmp_path: Path, name: str) -> None:
    files = {path: text for path, text in WHOLE.items() if not path.endswith(name)}
    assert wheel.missing(made(tmp_path, files), MODULES) == [name]


def test_an_entry_point_that_was_lost_is_told(tmp_path: Path) -> None:
    files = dict.fromkeys(WHOLE, "")
    assert wheel.missing(made(tmp_path, files), MODULES) == ["/entry_points.txt"]
