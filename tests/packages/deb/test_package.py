"""The packages by themselves: lintian, piuparts, the same bytes twice, rebuilt by hand."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_xloud.cli.main import main
from nova_xloud.ground import root
from nova_xloud.ground.cache import sha256
from nova_xloud.packages import deb, targets
from tests.packages.deb.conftest import offered
from tests.packages.deb.debs import control_of, field, index, named, repack


def relations(deb_file: Path, name: str) -> set[str]:
    """Return a relation field of a package, in its parts."""
    return set(field(control_of(deb_file), name).split(", "))


def test_the_library_stands_in_for_the_stock_one(
    debs: list[Path], cloud_layers: tuple[Path, ...], stock: str
) -> None:
    ours = named(debs, "python3-nova-xloud")
    theirs = named(offered(cloud_layers), "python3-nova")
    assert relations(ours, "Provides") == {f"python3-nova (= {stock})"}
    assert field(control_of(theirs), "Version") == stock
    assert relations(ours, "Conflicts") == relations(theirs, "Conflicts") | {"python3-nova"}
    assert relations(ours, "Replaces") == {"python3-nova"}
    assert relations(theirs, "Depends") - relations(ours, "Depends") == set()


def test_the_library_has_every_file_of_the_stock_one(
    debs: list[Path], cloud_layers: tuple[Path, ...]
) -> None:
    ours = files_of(named(debs, "python3-nova-xloud"))
    theirs = files_of(named(offered(cloud_layers), "python3-nova"))
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


def test_lintian_has_nothing_to_say(
    target: targets.Target, built: Path, scratch: Path, tmp_path: Path
) -> None:
    # the newest there is: it knows the policy that we follow, and all distributions' releases
    clean = root.make(root.Recipe("lintian-trixie", "trixie", ("lintian",)))
    profile = "ubuntu" if target.name.startswith("ubuntu") else "debian"
    place = scratch / "lintian"
    with root.overlay([clean], place) as merged:
        shutil.copytree(built, merged / "srv/built")
        options = f"--allow-root --fail-on error,warning --info --profile {profile}"
        if target.repository == f"{target.suite}-caracal":
            # a repository's name, not Debian's for a release
            options += " --suppress-tags bad-distribution-in-changes-file"
        command = f"lintian {options} /srv/built/*.changes"
        failed = root.run_in(merged, ["sh", "-c", command], log=tmp_path / "log")
    root.remove_tree(place)
    assert failed == 0, (tmp_path / "log").read_text()


@pytest.fixture
def unpacked(target: targets.Target, built: Path, scratch: Path) -> Iterator[Path]:
    """A build root with our source package in /srv/source."""
    clean = deb.recipe(target)
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
    ours = (each for each in debs if "nova-xloud" in each.name)
    assert again == {each.name: sha256(each) for each in ours}


@pytest.fixture(scope="module")
def command(target: targets.Target, built: Path, stock: str, scratch: Path) -> list[str]:
    """The command that builds the packages under test again, in another directory."""
    revision = named(built.glob("*.deb"), "python3-nova-xloud").name.split("xloud")[2].split("_")[0]
    told = [] if target.is_distributions() else ["--provides", stock]
    place = ["--dist", str(scratch / "dist")]
    return ["build", target.name, "--no-companions", "--revision", revision, *told, *place]


@pytest.fixture(scope="module")
def second_dist(target: targets.Target, built: Path, scratch: Path) -> Path:
    """Another directory of packages, with the packages under test, as their build has left it."""
    place = scratch / "dist"
    shutil.copytree(built, place / target.name)
    (place / f".{target.name}.lock").touch()
    return place


def test_a_build_with_nothing_changed_writes_nothing(
    command: list[str], second_dist: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {each.name: each.stat().st_mtime_ns for each in second_dist.rglob("*")}
    main(command, standalone_mode=False)
    assert "up to date" in capsys.readouterr().out
    assert {each.name: each.stat().st_mtime_ns for each in second_dist.rglob("*")} == before


def test_a_terminated_build_leaves_the_last_one_and_the_next_gives_the_same_bytes(
    target: targets.Target, command: list[str], second_dist: Path
) -> None:
    """The second build of this checkout, in another directory than the first."""
    place = second_dist / target.name
    before = {each.name: sha256(each) for each in place.iterdir()}
    forced = [sys.executable, "-m", "nova_xloud", *command, "--force"]
    killed = subprocess.Popen(forced)
    while not list(second_dist.glob(f".{target.name}.build-*/overlay/root/build/*")):
        assert killed.poll() is None
        time.sleep(0.1)
    second = subprocess.Popen(forced, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert second.stderr is not None
    # before that, the builder may warn of an archive that does not serve a file that it lists
    said = iter(second.stderr.readline, "")
    assert any(f"waiting for another build of {target.name}" in line for line in said)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert {each.name: sha256(each) for each in place.iterdir()} == before
    _, said = second.communicate()
    assert second.returncode == 0, said
    assert list(second_dist.glob(f".{target.name}.build-*")) == []
    # the other files tell of the time and the machine
    kept = [name for name in before if name.endswith((".deb", ".dsc")) or ".tar." in name]
    assert len(kept) >= 5
    assert {name: sha256(place / name) for name in kept} == {name: before[name] for name in kept}


def serve_stock(merged: Path, layers: tuple[Path, ...]) -> None:
    """Have apt in a root offer the stock packages of the lab.

    For a release that the Debian of the root has not, these are stand-ins: see standins.
    """
    place = merged / "srv/debian"
    place.mkdir()
    for deb_file in offered(layers):
        shutil.copy(deb_file, place)
    index(place)
    line = "deb [trusted=yes] file:/srv/debian ./\n"
    (merged / "etc/apt/sources.list.d/stock.list").write_text(line)


def test_the_installed_package_passes_its_own_tests(
    target: targets.Target,
    built: Path,
    stock: str,
    cloud_layers: tuple[Path, ...],
    scratch: Path,
    tmp_path: Path,
) -> None:
    """autopkgtest, as Debian's archive runs it, on a host that had the distribution's library."""
    debconf = "nova-common nova/configure_db boolean false"
    clean = root.Recipe(
        f"autopkgtest-{target.suite}",
        target.suite,
        ("autopkgtest", "dpkg-dev", "nova-common", "python3-oslo.policy"),
        (f'--essential-hook=echo {debconf} | chroot "$1" debconf-set-selections',),
    )
    place = scratch / "autopkgtest"
    with root.overlay([root.make(clean)], place) as merged:
        shutil.copytree(built, merged / "srv/built")
        serve_stock(merged, cloud_layers)
        commands = (
            "apt-get update && apt-get -y dist-upgrade && "
            "cd /srv/built && apt-get -y install ./*.deb && "
            f"dpkg-query -W nova-common | grep -F {stock} && "
            "dpkg-source -x *.dsc source && "
            "autopkgtest --no-built-binaries --output-dir=/srv/result ./source/ -- null"
        )
        failed = root.run_in(
            merged,
            ["sh", "-c", commands],
            log=tmp_path / "log",
            environment={"DEBIAN_FRONTEND": "noninteractive", "HOME": "/root"},
        )
        assert failed == 0, (tmp_path / "log").read_text()[-4000:]
        assert "installed-library    PASS" in (merged / "srv/result/summary").read_text()
    root.remove_tree(place)


@pytest.fixture
def for_piuparts(built: Path, debs: list[Path], stock: str, tmp_path: Path) -> list[str]:
    """The packages under test; the library conflicts with the stock one of its version only.

    piuparts conflicts with each package that the tested one conflicts with, unless it provides it.
    """
    library = named(debs, "python3-nova-xloud")
    exact = {"Conflicts: python3-cjson, python3-nova\n": f"Conflicts: python3-nova (= {stock})\n"}
    again = repack(library, tmp_path / "again", exact)
    return [str(again), *(str(each) for each in debs if each != library)]


@pytest.mark.slow
def test_piuparts_installs_removes_and_purges(
    target: targets.Target,
    our_mirror: Path,
    for_piuparts: list[str],
    cloud_layers: tuple[Path, ...],
    scratch: Path,
    tmp_path: Path,
) -> None:
    """The quick proofs are in test_apt: a purge leaves nothing behind on a running host."""
    # it removes all that came with a package; apt protects the one, sudo itself refuses to go
    bare = root.Recipe(f"piuparts-{target.suite}", target.suite, ("e2fsprogs", "sudo"))
    place = scratch / "piuparts"
    with root.overlay([root.make(bare)], place) as merged:
        # it installs the dependencies by apt, before our packages: ours depend on each other
        shutil.copytree(our_mirror, merged / "srv/mirror")
        line = f"deb [trusted=yes] file:/srv/mirror {target.repository} main\n"
        (merged / "etc/apt/sources.list.d/ours.list").write_text(line)
        if not target.is_distributions():
            serve_stock(merged, cloud_layers)
        # nova-common asks for the address of the host
        (merged / "etc/hosts").write_text(f"127.0.0.1 localhost {socket.gethostname()}\n")
        done = subprocess.run(
            [
                *("piuparts", "--distribution", target.suite, "--no-upgrade-test"),
                # files that systemd and others leave when they are purged are theirs
                *("--keep-sources-list", "--warn-on-others"),
                *("--no-eatmydata", "--log-level=error", f"--log-file={tmp_path}/piuparts.log"),
                *("--existing-chroot", str(merged), *for_piuparts),
            ],
            capture_output=True,
            text=True,
        )
    root.remove_tree(place)
    log = (tmp_path / "piuparts.log").read_text(errors="replace")
    assert done.returncode == 0, log[-4000:]
