"""Fixtures: the cloud, with our packages put over stock Nova's as it runs; servers; the report."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from nova_xloud.ground import root
from nova_xloud.mirrors import mirror, signing
from nova_xloud.packages import builds, companions, targets
from tests.packages.container import booted
from tests.packages.deb.cloud import use_mirror
from tests.packages.deb.lab import version as version_of
from tests.packages.evidence import (  # noqa: F401 pytest finds them here
    pytest_runtest_makereport,
    pytest_runtest_protocol,
)
from tests.system import debian, lab, machine, settings, swap
from tests.system.cloud import Cloud, Flavor, host_network
from tests.system.report import Report, reported
from tests.system.server import ROOMY, Server, create
from tests.system.together import Scenario, Servers, begun, made_servers
from tests.system.waiting import wait_for

REPOSITORY = Path(__file__).parents[2]
DIST = REPOSITORY / "dist"
REPORTS = DIST / "reports"
TARGET = targets.get("debian-13")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a wider run have the same scenarios with more of them."""
    parser.addoption("--walks", type=int, default=10, help="random walks of ten steps")
    parser.addoption("--cut", type=int, default=20, help="adjusts that a kill cuts")


@pytest.fixture(scope="session")
def built() -> Path:
    """The directory of the packages under test."""
    place = DIST / TARGET.name
    assert (place / builds.RECORD).exists(), f"no packages in {place}: run `make packages` first"
    return place


@pytest.fixture(scope="session")
def version(built: Path) -> str:
    """Their version."""
    return version_of(built)


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A directory on disk; everything in it goes at the end."""
    place = Path(tempfile.mkdtemp(prefix="nova-xloud-system-", dir="/var/tmp"))
    yield place
    root.remove_tree(place)


@pytest.fixture(scope="session")
def built_for_guests() -> Path:
    """The directory of the packages for guests, and for their operators."""
    place = DIST / companions.as_target(companions.known()["guest"], TARGET).name
    assert (place / builds.RECORD).exists(), f"no packages in {place}: run `make packages` first"
    return place


@pytest.fixture(scope="session")
def our_mirror(built: Path, built_for_guests: Path, scratch: Path) -> Iterator[Path]:
    """A signed mirror of the packages under test."""
    signer = signing.Signer(scratch / "gnupg", signing.signing_key(scratch / "gnupg"))
    place = scratch / "mirror"
    repository = mirror.Repository("deb", TARGET.repository)
    mirror.write(place, {repository: [built, built_for_guests]}, signer)
    yield place
    subprocess.run(["gpgconf", "--homedir", signer.home, "--kill", "all"], check=True)


@pytest.fixture(scope="session")
def layers() -> tuple[Path, ...]:
    """The cached layers of the cloud, with the Nova that Debian's archive serves today."""
    return lab.layers()


@pytest.fixture(scope="session")
def debians(request: pytest.FixtureRequest) -> tuple[Path, ...]:
    """The files of the Debian guests that the chosen tests boot; their archive serves them now."""
    is_slow = any(item.get_closest_marker("slow") for item in request.session.items)
    images = (debian.STOCK, debian.CLOUD_INIT) if is_slow else (debian.STOCK,)
    return tuple(debian.files(image.recipe) for image in images)


@pytest.fixture(scope="session")
def beside(request: pytest.FixtureRequest) -> dict[str, Path]:
    """The roots of the hosts beside the cloud, by the names of their recipes.

    The archive serves them now, and not when the network of the cloud is entered. A module of
    tests names the recipes of its hosts in ``BESIDE``.
    """
    modules = {item.module for item in request.session.items if isinstance(item, pytest.Function)}
    recipes = {each.name: each for module in modules for each in getattr(module, "BESIDE", ())}
    return {name: root.make(recipe) for name, recipe in sorted(recipes.items())}


@pytest.fixture(scope="session")
def stock_cloud(
    layers: tuple[Path, ...],
    debians: tuple[Path, ...],
    beside: dict[str, Path],
    scratch: Path,
) -> Iterator[Cloud]:
    """The cloud as it is booted, with stock Nova."""
    assert debians
    assert beside is not None
    with booted(layers, scratch / "controller") as container, host_network():
        cloud = Cloud(container)
        # else no flavor of the tests fits, and each create fails with "No valid host"
        assert cloud.inventory("VCPU")["max_unit"] == settings.CONTROLLER.cpus
        yield cloud
        cloud.disconnect()


@pytest.fixture(scope="session")
def swapped(stock_cloud: Cloud, our_mirror: Path) -> swap.Swapped:
    """The observations while our packages replaced stock Nova's under a running guest."""
    use_mirror(stock_cloud.container, our_mirror)
    # of before ours, with the whole of its flavor: its balloon is stock Nova's
    witness = create(stock_cloud, Flavor(vcpus=1, ram=256, minimum_memory=192))
    witness.booted()
    swapped = swap.watched(
        stock_cloud,
        witness,
        "install python3-nova-xloud",
        lambda: swap.adjusted_soon(witness, current_memory_mb=224),
    )
    witness.assert_agreed(1, 224)
    return swapped


@pytest.fixture(scope="session")
def cloud(stock_cloud: Cloud, swapped: swap.Swapped) -> Cloud:
    """The cloud with our packages."""
    assert "xloud" in swapped.version, swapped
    wait_for("the trait of hosts that adjust", lambda: stock_cloud.can_adjust, 60)
    return stock_cloud


@pytest.fixture(scope="session")
def report() -> Iterator[Report]:
    """The report of the run, which is written at the end."""
    with reported(REPORTS, "system") as report:
        yield report


@pytest.fixture(scope="session", autouse=True)
def _taken(report: Report, layers: tuple[Path, ...]) -> Iterator[None]:
    """Report the time and memory of the run, once its lab is there."""
    assert layers
    with machine.watched(report):
        yield


@pytest.fixture
def servers(cloud: Cloud) -> Iterator[Servers]:
    """Make servers that are gone after the test, at their floors: ``servers(flavor, image)``."""
    with made_servers(cloud) as servers:
        yield servers


@pytest.fixture(scope="session")
def background(
    cloud: Cloud, request: pytest.FixtureRequest
) -> Iterator[dict[Scenario, Future[None]]]:
    """The outcomes of the chosen scenarios; all begin when a test first needs one of them."""
    chosen = [
        item.callspec.params["scenario"]
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and {"background", "outcomes"} <= set(item.fixturenames)
    ]
    with begun(cloud, chosen) as outcomes:
        yield outcomes


@pytest.fixture(scope="module")
def outcomes(background: dict[Scenario, Future[None]]) -> dict[Scenario, Future[None]]:
    """The outcomes of a module's scenarios; a module may begin them in another way."""
    return background


@pytest.fixture(scope="module")
def shared(cloud: Cloud) -> Iterator[Server]:
    """One server for the tests of a module, each of which leaves it as large as it likes."""
    server = create(cloud, ROOMY)
    server.booted()
    server.assert_agreed(*ROOMY.floor)
    yield server
    cloud.delete_servers(server.id)
