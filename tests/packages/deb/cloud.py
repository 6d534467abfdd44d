"""A cloud of Debian's packages as the scenarios see it, by dpkg and apt."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from tests.packages.cloud import Cloud
from tests.packages.container import Container
from tests.packages.deb.debs import index, repack


def use_mirror(container: Container, mirror: Path) -> None:
    """Put a mirror of ours into a container and its apt's sources, as its guide says.

    :param mirror: as it lies on the host
    """
    root = container.root
    shutil.rmtree(root / "srv/mirror", ignore_errors=True)
    shutil.copytree(mirror, root / "srv/mirror")
    shutil.copy(mirror / "nova-xloud.gpg", root / "usr/share/keyrings")
    (told,) = mirror.glob("*/nova-xloud.sources")
    sources = told.read_text().replace(f"file:{mirror}", "file:/srv/mirror")
    (root / "etc/apt/sources.list.d/nova-xloud.sources").write_text(sources)
    container.sh("apt-get update")


class DebianCloud(Cloud):
    """A container with Nova running from Debian's packages, or from stand-ins of their shape."""

    manager: ClassVar[str] = "apt-get -y -o Dpkg::Use-Pty=0"
    library: ClassVar[str] = "/usr/lib/python3/dist-packages/nova"
    prefix: ClassVar[str] = "nova-"
    running: ClassVar[tuple[str, ...]] = ("nova-api", "nova-conductor", "nova-scheduler")
    resting: ClassVar[tuple[str, ...]] = (
        *("nova-serialproxy", "nova-novncproxy", "nova-api-metadata", "nova-spicehtml5proxy"),
    )
    simple: ClassVar[tuple[str, ...]] = ("nova-api", "nova-api-metadata")
    ours: ClassVar[tuple[str, ...]] = ("python3-nova-xloud", "nova-xloud-common")
    documents: ClassVar[tuple[str, ...]] = ("release-notes.rst", "operator-deb.md", "copyright")
    upgrades: ClassVar[tuple[str, ...]] = ("upgrade", "dist-upgrade")
    unwanted: ClassVar[str] = "install nova-common"

    def assert_sane(self) -> None:
        """Check that no package is broken, half installed or waiting for a trigger."""
        assert not self.sh("dpkg --audit")
        self.sh("apt-get check")

    def use_mirror(self, mirror: Path) -> None:
        """Make a mirror of ours, as it lies on the host, the one the container installs from."""
        use_mirror(self.container, mirror)

    def versions(self) -> dict[str, str]:
        """Return the version of each package about Nova, or how it is if not fully installed."""
        listed = self.sh(
            "dpkg-query -W -f '${Package} ${db:Status-Abbrev} ${Version}\\n' "
            "'*nova*' | grep -v -e ' un ' -e novaclient"
        )
        rows = (line.split() for line in listed.splitlines())
        return {name: version if state == "ii" else state for name, state, version in rows}

    def swap_in(self) -> str:
        """Install ours over the distribution's library; return the output."""
        return self.manage("install python3-nova-xloud")

    def reinstall(self) -> str:
        """Install ours again; return the output."""
        return self.manage("install --reinstall python3-nova-xloud nova-xloud-common")

    def swap_back(self) -> str:
        """Install the distribution's library over ours; return the output."""
        return self.manage("install python3-nova")

    def shipped(self) -> list[str]:
        """Return the paths that our packages have brought; debhelper compresses long documents."""
        listed = self.sh("dpkg -L nova-xloud-common python3-nova-xloud").splitlines()
        return [path.removesuffix(".gz") for path in listed]

    def distribution_moves(self, stock: str, later: str) -> None:
        """Have the distribution publish its packages at a newer version."""
        repository = self.container.root / "srv/debian"
        for deb in sorted(repository.glob("*nova*.deb")):
            repack(deb, repository, {stock: later})
        index(repository)
        self.sh("apt-get update")

    def distribution_serves(self, debs: Iterable[Path]) -> None:
        """Have the distribution serve these packages of nova and no others."""
        repository = self.container.root / "srv/debian"
        for deb in repository.glob("*nova*.deb"):
            deb.unlink()
        for deb in debs:
            shutil.copy(deb, repository)
        index(repository)
        self.sh("apt-get update")

    def try_what_is_unwanted(self) -> str:
        """Have apt's guard refuse the unwanted command; return its words."""
        return self.refused(self.unwanted)
