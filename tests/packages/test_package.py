"""The packages by themselves: lintian, piuparts, the same bytes twice, rebuilt by hand."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_xloud import deb, root, targets
from nova_xloud.cache import sha256
from nova_xloud.cli import main
from tests.packages import container
from tests.packages.conftest import DIST, REPOSITORY
from tests.packages.debs import control_of, field, named

LINTIAN = root.Recipe("lintian-debian-13", container.SUITE, ("lintian",))


def relations(deb_file: Path, name: str) -> set[str]:
    """Return a relation field of a package, in its parts."""
    return set(field(control_of(deb_file), name).split(", "))


def test_the_library_stands_in_for_the_stock_one(
    debs: list[Path], cloud_layers: tuple[Path, ...], stock: str
) -> None:
    ours = named(debs, "python3-nova-xloud")
    theirs = named((cloud_layers[-1] / "srv/debian").glob("*.deb"), "python3-nova")
    assert relations(ours, "Provides") == {f"python3-nova (= {stock})"}
    assert field(control_of(theirs), "Version") == stock
    assert relations(ours, "Conflicts") == relations(theirs, "Conflicts") | {"python3-nova"}
    assert relations(ours, "Replaces") == {"python3-nova"}
    assert relations(theirs, "Depends") - relations(ours, "Depends") == set()


def test_the_library_has_every_file_of_the_stock_one(
    debs: list[Path], cloud_layers: tuple[Path, ...]
) -> None:
    ours = files_of(named(debs, "python3-nova-xloud"))
    theirs = files_of(named((cloud_layers[-1] / "srv/debian").glob("*.deb"), "python3-nova"))
    libraries = {path for path in theirs if path.startswith("./usr/lib/")}
    assert len(libraries) > 1500
    assert libraries - ours == set()
    assert {path for path in ours - theirs if path.startswith("./usr/lib/") and "xloud" in path}


def files_of(deb_file: Path) -> set[str]:
    """Return the paths in a package."""
    listing = subprocess.run(
        ["dpkg-deb", "--fsys-tarfile", deb_file], check=True, capture_output=True
    ).stdout
    names = subprocess.run(["tar", "-t"], input=listing, check=True, capture_output=True).stdout
    return set(names.decode().splitlines())


def test_lintian_has_nothing_to_say(built: Path, scratch: Path, tmp_path: Path) -> None:
    clean = root.make(LINTIAN)
    place = scratch / "lintian"
    with root.overlay([clean], place) as merged:
        shutil.copytree(built, merged / "srv/built")
        command = "lintian --allow-root --fail-on error,warning --info /srv/built/*.changes"
        failed = root.run_in(merged, ["sh", "-c", command], log=tmp_path / "log")
    root.remove_tree(place)
    assert failed == 0, (tmp_path / "log").read_text()


@pytest.fixture
def unpacked(built: Path, scratch: Path) -> Iterator[Path]:
    """A build root with our source package in /srv/source."""
    clean = deb.recipe(targets.get("debian-13"), REPOSITORY / "debian")
    place = scratch / "rebuild"
    with root.overlay([root.make(clean)], place) as merged:
        shutil.copytree(built, merged / "srv/source", ignore=shutil.ignore_patterns("*.deb"))
        yield merged
    root.remove_tree(place)


def test_the_source_package_builds_by_hand_and_gives_the_same_bytes(
    unpacked: Path, debs: list[Path], tmp_path: Path
) -> None:
    commands = (
        "cd /srv/source && dpkg-source -x *.dsc && cd nova-xloud-*/ && dpkg-buildpackage -b -us -uc"
    )
    failed = root.run_in(unpacked, ["sh", "-c", commands], log=tmp_path / "log")
    assert failed == 0, (tmp_path / "log").read_text()[-3000:]
    again = {each.name: sha256(each) for each in (unpacked / "srv/source").glob("*.deb")}
    assert again == {each.name: sha256(each) for each in debs}


def test_two_builds_give_the_same_bytes(built: Path, tmp_path: Path) -> None:
    revision = named(built.glob("*.deb"), "python3-nova-xloud").name.split("xloud")[2].split("_")[0]
    main(
        ["build", "debian-13", "--force", "--revision", revision, "--dist", str(tmp_path)],
        standalone_mode=False,
    )
    kept = ("*.deb", "*.dsc", "*.tar.*")
    first = {each.name: sha256(each) for kind in kept for each in built.glob(kind)}
    second = {
        each.name: sha256(each) for kind in kept for each in (tmp_path / "debian-13").glob(kind)
    }
    assert second == first


def test_nothing_changed_is_told_in_a_moment(built: Path, capsys: pytest.CaptureFixture) -> None:
    before = {each.name: each.stat().st_mtime_ns for each in built.iterdir()}
    main(["build", "debian-13", "--dist", str(DIST)], standalone_mode=False)
    assert "up to date" in capsys.readouterr().out
    assert {each.name: each.stat().st_mtime_ns for each in built.iterdir()} == before


def test_piuparts_installs_removes_and_purges(
    our_mirror: Path, tmp_path: Path, built: Path
) -> None:
    debs = [str(each) for each in sorted(built.glob("*.deb"))]
    done = subprocess.run(
        [
            *("piuparts", "--distribution", container.SUITE, "--no-upgrade-test"),
            "--keep-sources-list",
            *("--no-eatmydata", "--log-level=error", f"--log-file={tmp_path}/piuparts.log"),
            *("--basetgz", str(base_tarball()), *debs),
        ],
        capture_output=True,
        text=True,
    )
    log = (tmp_path / "piuparts.log").read_text(errors="replace")
    assert done.returncode == 0, log[-4000:]


def base_tarball() -> Path:
    """Return a minimal Debian 13 as a tarball for piuparts, made if the cache has none."""
    place = root.directory() / "piuparts-debian-13.tar.gz"
    if not place.exists():
        part = place.with_name(f".part-{place.name}")
        subprocess.run(
            ["mmdebstrap", "--variant=minbase", "--quiet", container.SUITE, part], check=True
        )
        part.rename(place)
    return place
