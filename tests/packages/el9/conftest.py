"""Fixtures: the RPMs that were built, later ones, mirrors of them, and clouds to install on."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from nova_xloud import builds, mirror, root, signing, targets
from nova_xloud.cli import main
from tests.packages.conftest import DIST, Mirrors
from tests.packages.container import booted
from tests.packages.el9 import container
from tests.packages.el9.cloud import RdoCloud

Clouds = Callable[[], AbstractContextManager[RdoCloud]]
TARGET = targets.get("el9")


@pytest.fixture(scope="session")
def stock() -> str:
    """The version of RDO's nova that ours stands in for."""
    return TARGET.provides


@pytest.fixture(scope="session")
def later(stock: str) -> str:
    """The version of RDO's next update."""
    return stock.replace("-1.", "-2.")


@pytest.fixture(scope="session")
def built() -> Path:
    """The directory of the packages under test."""
    place = DIST / TARGET.name
    assert (place / builds.RECORD).exists(), f"no packages in {place}: run `make packages` first"
    return place


@pytest.fixture(scope="session")
def version(built: Path) -> str:
    """Their version."""
    (package,) = built.glob("python3-nova-xloud-[0-9]*.rpm")
    return "1:" + package.name.removeprefix("python3-nova-xloud-").removesuffix(".noarch.rpm")


def run_build(dist: Path, *options: str) -> int | None:
    """Run ``nova-xloud build el9`` with options; return its exit code."""
    arguments = ["build", TARGET.name, "--dist", str(dist), *options]
    return main(arguments, standalone_mode=False)


def build(dist: Path, *options: str) -> Path:
    """Build the target with options; return the directory of the packages."""
    assert run_build(dist, *options) in (None, 0)
    return dist / TARGET.name


@pytest.fixture(scope="session")
def newer(scratch: Path) -> Path:
    """Packages of the next revision, standing in for the same version."""
    return build(scratch / "newer-rpm", "--revision", "2")


@pytest.fixture(scope="session")
def rebuilt(scratch: Path, later: str) -> Path:
    """Packages of the next revision, standing in for RDO's next update."""
    return build(scratch / "rebuilt-rpm", "--revision", "2", "--provides", later)


@pytest.fixture(scope="session")
def make_mirror(scratch: Path, signer: signing.Signer) -> Mirrors:
    """Make signed mirrors: ``make_mirror(name, directory...)``."""

    def make(name: str, *directories: Path) -> Path:
        place = scratch / f"mirror-rpm-{name}"
        mirror.write(place, {mirror.Repository("rpm", TARGET.repository): directories}, signer)
        return place

    return make


@pytest.fixture(scope="session")
def cloud_layers() -> tuple[Path, ...]:
    """The cached layers of a configured cloud."""
    return container.layers()


@pytest.fixture(scope="session")
def boot_cloud(cloud_layers: tuple[Path, ...], scratch: Path, our_mirror: Path) -> Clouds:
    """Boot clouds with RDO's nova running and our mirror among their repositories."""

    @contextmanager
    def boot() -> Iterator[RdoCloud]:
        place = Path(tempfile.mkdtemp(prefix="cloud-", dir=scratch))
        try:
            with booted(cloud_layers, place) as running:
                cloud = RdoCloud(running)
                cloud.use_mirror(our_mirror)
                yield cloud
        finally:
            root.remove_tree(place)

    return boot
