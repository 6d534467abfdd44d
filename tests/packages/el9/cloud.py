"""The lab's cloud as the scenarios see it, by rpm and dnf."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import ClassVar

from tests.packages.cloud import Cloud

KEY = "etc/pki/rpm-gpg/RPM-GPG-KEY-nova-xloud"
REPOSITORY = "etc/yum.repos.d/nova-xloud.repo"
#: Files that the lab has changed after their installation.
CONFIGURED = ("/etc/nova/nova.conf", "/etc/nova/api-paste.ini")


class RdoCloud(Cloud):
    """A container with Nova running from RDO-shaped RPMs."""

    manager: ClassVar[str] = "dnf -y --refresh"
    library: ClassVar[str] = "/usr/lib/python3.9/site-packages/nova"
    prefix: ClassVar[str] = "openstack-nova-"
    running: ClassVar[tuple[str, ...]] = tuple(
        f"openstack-nova-{name}" for name in ("api", "conductor", "scheduler")
    )
    resting: ClassVar[tuple[str, ...]] = tuple(
        f"openstack-nova-{name}"
        for name in ("serialproxy", "novncproxy", "metadata-api", "spicehtml5proxy")
    )
    ours: ClassVar[tuple[str, ...]] = ("python3-nova-xloud",)
    documents: ClassVar[tuple[str, ...]] = ("release-notes.rst", "operator-rpm.md", "LICENSE")
    upgrades: ClassVar[tuple[str, ...]] = ("upgrade",)
    unwanted: ClassVar[str] = "upgrade --best --allowerasing --disablerepo=nova-xloud"

    def assert_sane(self) -> None:
        """Check that all relations hold, and that every file is as its package brought it."""
        self.sh("dnf check")
        verified = self.sh("rpm -qa '*nova*' | xargs -r rpm -V || true").splitlines()
        assert [line for line in verified if not line.endswith(CONFIGURED)] == []

    def use_mirror(self, mirror: Path) -> None:
        """Make a mirror of ours, as it lies on the host, the one the container installs from."""
        root = self.container.root
        shutil.rmtree(root / "srv/mirror", ignore_errors=True)
        shutil.copytree(mirror, root / "srv/mirror")
        (root / KEY).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(mirror / "RPM-GPG-KEY-nova-xloud", root / KEY)
        told = (mirror / "el9/nova-xloud.repo").read_text()
        assert f"file://{mirror}" in told
        (root / REPOSITORY).write_text(told.replace(f"file://{mirror}", "file:///srv/mirror"))

    def swap_in(self) -> str:
        """Install ours over RDO's library; return the output."""
        return self.manage("install --allowerasing python3-nova-xloud")

    def reinstall(self) -> str:
        """Install ours again; return the output."""
        return self.manage("reinstall python3-nova-xloud")

    def swap_back(self) -> str:
        """Install RDO's library over ours; return the output."""
        return self.manage("swap python3-nova-xloud python3-nova")

    def shipped(self) -> list[str]:
        """Return the paths that our package has brought."""
        return self.sh("rpm -ql python3-nova-xloud").splitlines()

    def distribution_moves(self, stock: str, later: str) -> None:
        """Have RDO publish its next update, which the lab has ready."""
        self.sh("sed -i s,/srv/rdo$,/srv/rdo-later, /etc/yum.repos.d/rdo.repo")

    def versions(self) -> dict[str, str]:
        """Return the version of each installed package about Nova."""
        format_ = "%{name} %{epoch}:%{version}-%{release}\\n"
        listed = self.sh(f"rpm -qa --qf '{format_}' '*nova*'")
        return dict(line.split() for line in listed.splitlines())

    def try_what_is_unwanted(self) -> str:
        """Have dnf refuse the unwanted command, our library being protected; return its words."""
        asked = self.sh(f"dnf --assumeno --refresh {self.unwanted} || true")
        assert "python3-nova-xloud" in asked.partition("Removing")[2], "the advice is needless"
        self.sh("echo python3-nova-xloud >/etc/dnf/protected.d/nova-xloud.conf")
        output = self.refused(self.unwanted)
        self.sh("rm /etc/dnf/protected.d/nova-xloud.conf")
        return output
