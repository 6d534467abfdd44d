"""Fixtures: the built packages, mirrors of them, and clouds to install them on."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from nova_xloud.ground import root
from nova_xloud.mirrors import mirror, signing
from nova_xloud.packages import builds, targets
from tests.packages import container
from tests.packages.cloud import Cloud
from tests.packages.deb import lab as deb_lab
from tests.packages.deb.cloud import DebianCloud
from tests.packages.el9 import lab as el9_lab
from tests.packages.el9.cloud import RdoCloud
from tests.packages.evidence import (  # noqa: F401 pytest finds them here
    pytest_runtest_makereport,
    pytest_runtest_protocol,
)

HERE = Path(__file__).parent
REPOSITORY = Path(__file__).parents[2]
DIST = REPOSITORY / "dist"
LABS = {"deb": deb_lab, "rpm": el9_lab}
CLOUDS: dict[str, type[Cloud]] = {"deb": DebianCloud, "rpm": RdoCloud}
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
    """Let the scenarios run for any target."""
    parser.addoption("--target", default="debian-13", help="the target whose packages are tried")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the tests of another format, beside the scenarios that are of both."""
    format_ = targets.get(config.getoption("--target")).format
    others = [HERE / name for name in {"deb": ["el9"], "rpm": ["deb"]}[format_]]
    return True if collection_path in others else None


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
def lab(target: targets.Target) -> ModuleType:
    """Return the lab of a format, which also makes packages of packages."""
    return LABS[target.format]


@pytest.fixture(scope="session")
def version(lab: ModuleType, built: Path) -> str:
    """The version of the packages under test."""
    return lab.version(built)


@pytest.fixture(scope="session")
def stock(lab: ModuleType, built: Path) -> str:
    """The version of the distribution's nova that they stand in for."""
    return lab.stock(built)


@pytest.fixture(scope="session")
def later(lab: ModuleType, stock: str) -> str:
    """The version of the distribution's next update."""
    return lab.later(stock)


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
        mirror.write(
            place, {mirror.Repository(target.format, target.repository): directories}, signer
        )
        return place

    return make


@pytest.fixture(scope="session")
def our_mirror(make_mirror: Mirrors, built: Path) -> Path:
    """A mirror of the built packages."""
    return make_mirror("built", built)


@pytest.fixture(scope="session")
def newer(lab: ModuleType, built: Path, scratch: Path) -> Path:
    """The packages under test with the next revision, as a directory."""
    return lab.newer(built, scratch / "newer")


@pytest.fixture(scope="session")
def rebuilt(lab: ModuleType, built: Path, scratch: Path) -> Path:
    """The packages under test, standing in for the distribution's next update."""
    return lab.rebuilt(built, scratch / "rebuilt")


@pytest.fixture(scope="session")
def cloud_layers(lab: ModuleType, target: targets.Target, built: Path) -> tuple[Path, ...]:
    """The cached layers of a configured cloud."""
    return lab.layers(target, built)


@pytest.fixture(scope="session")
def boot_cloud(
    target: targets.Target, cloud_layers: tuple[Path, ...], scratch: Path, our_mirror: Path
) -> Clouds:
    """Boot clouds with the distribution's nova running and our mirror among their repositories."""

    @contextmanager
    def boot() -> Iterator[Cloud]:
        place = Path(tempfile.mkdtemp(prefix="cloud-", dir=scratch))
        try:
            with container.booted(cloud_layers, place) as booted:
                cloud = CLOUDS[target.format](booted)
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
