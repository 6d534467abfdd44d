"""Fixtures: what was built, mirrors of it, and clouds to install it on."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from nova_xloud import builds, mirror, root, signing, targets
from tests.packages import container, labs
from tests.packages.cloud import Cloud
from tests.packages.debs import control_of, field, named, repack

REPOSITORY = Path(__file__).parents[2]
DIST = REPOSITORY / "dist"
#: When the key was made that can be expired: signatures of today are later than its end.
THEN = ("--faked-system-time", "20200101T000000")
Mirrors = Callable[..., Path]
Clouds = Callable[[], AbstractContextManager[Cloud]]


@pytest.fixture(scope="session", autouse=True)
def dev_null() -> Iterator[None]:
    """Containers must leave the host's /dev/null as they found it."""
    yield
    assert Path("/dev/null").stat().st_mode & 0o777 == 0o666


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the deb scenarios run for any target of that format."""
    parser.addoption("--target", default="debian-13", help="the target whose packages are tried")


@pytest.fixture(scope="session")
def target(pytestconfig: pytest.Config) -> targets.Target:
    """The target whose packages are tried."""
    return targets.get(pytestconfig.getoption("--target"))


@pytest.fixture(scope="session")
def built(target: targets.Target) -> Path:
    """The directory of the packages under test."""
    place = DIST / target.name
    assert (place / builds.RECORD).exists(), f"no packages in {place}: run `make packages` first"
    return place


@pytest.fixture(scope="session")
def debs(built: Path) -> list[Path]:
    """The binary packages under test."""
    return sorted(built.glob("*.deb"))


@pytest.fixture(scope="session")
def version(debs: list[Path]) -> str:
    """Their version, ending in ``+xloudN``."""
    return field(control_of(named(debs, "python3-nova-xloud")), "Version")


@pytest.fixture(scope="session")
def stock(debs: list[Path]) -> str:
    """The version of the distribution's nova that they stand in for."""
    provided = field(control_of(named(debs, "python3-nova-xloud")), "Provides")
    return provided.split("(= ")[1].rstrip(")")


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A directory on disk; everything in it goes at the end."""
    place = Path(tempfile.mkdtemp(prefix="nova-xloud-test-", dir="/var/tmp"))
    yield place
    root.remove_tree(place)


@pytest.fixture(scope="session")
def signer(scratch: Path) -> Iterator[signing.Signer]:
    """A GnuPG directory and the fingerprint of its key."""
    home = scratch / "gnupg"
    yield signing.Signer(home, signing.signing_key(home))
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True)


@pytest.fixture(scope="session")
def make_mirror(scratch: Path, signer: signing.Signer, target: targets.Target) -> Mirrors:
    """Make signed mirrors: ``make_mirror(name, directory...)``."""

    def make(name: str, *directories: Path) -> Path:
        place = scratch / f"mirror-{name}"
        mirror.write(place, {mirror.Repository("deb", target.repository): directories}, signer)
        return place

    return make


@pytest.fixture(scope="session")
def our_mirror(make_mirror: Mirrors, built: Path) -> Path:
    """A mirror of what was built."""
    return make_mirror("built", built)


@pytest.fixture(scope="session")
def newer(debs: list[Path], version: str, scratch: Path) -> Path:
    """The packages under test with a higher revision, as a directory."""
    higher = f"{version.rsplit('xloud', 1)[0]}xloud{int(version.rsplit('xloud', 1)[1]) + 1}"
    changes = {f"Version: {version}": f"Version: {higher}"}
    for package in debs:
        repack(package, scratch / "newer", changes if "nova" in package.name else {})
    return scratch / "newer"


@pytest.fixture(scope="session")
def cloud_layers(target: targets.Target, built: Path) -> tuple[Path, ...]:
    """The cached layers of a configured cloud."""
    return labs.layers(target, built)


@pytest.fixture(scope="session")
def boot_cloud(cloud_layers: tuple[Path, ...], scratch: Path, our_mirror: Path) -> Clouds:
    """Boot clouds with Debian's own nova running and our mirror in their sources."""

    @contextmanager
    def boot() -> Iterator[Cloud]:
        place = Path(tempfile.mkdtemp(prefix="cloud-", dir=scratch))
        try:
            with container.booted(cloud_layers, place) as booted:
                cloud = Cloud(booted)
                cloud.use_mirror(our_mirror)
                yield cloud
        finally:
            root.remove_tree(place)

    return boot


@pytest.fixture(scope="module")
def cloud(boot_cloud: Clouds) -> Iterator[Cloud]:
    """One cloud for all tests of a module, which tell a story in their order."""
    with boot_cloud() as booted:
        yield booted


@pytest.fixture
def fresh_cloud(boot_cloud: Clouds) -> Iterator[Cloud]:
    """A cloud for one test."""
    with boot_cloud() as booted:
        yield booted


@pytest.fixture(scope="session")
def distribution(cloud_layers: tuple[Path, ...], scratch: Path) -> Path:
    """The distribution's own packages, as a directory that may be written."""
    place = scratch / "distribution"
    place.mkdir()
    for deb in offered(cloud_layers):
        shutil.copy(deb, place)
    return place


def offered(layers: tuple[Path, ...]) -> list[Path]:
    """Return the distribution's own packages, of the uppermost layer that has some.

    What is removed in a layer is a device there.
    """
    found = ((layer / "srv/debian").glob("*.deb") for layer in layers)
    debs = ([deb for deb in layer if deb.is_file()] for layer in found)
    return next(each for each in debs if each)


@pytest.fixture
def late(tmp_path: Path) -> Iterator[signing.Signer]:
    """Another key, of six years ago."""
    home = tmp_path / "late"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--passphrase", ""]
    make = ["--quick-generate-key", "late", "rsa3072", "sign", "never"]
    subprocess.run([*gpg, *THEN, *make], check=True)
    yield signing.Signer(home, signing.signing_key(home))
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True)


def expire(key: signing.Signer) -> None:
    """Have a key of six years ago end a year later."""
    gpg = ["gpg", "--homedir", str(key.home), "--batch", "--quiet"]
    subprocess.run([*gpg, *THEN, "--quick-set-expire", key.key, "20210101T000000"], check=True)
