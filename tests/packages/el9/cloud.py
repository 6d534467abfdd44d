"""The lab's cloud: what the scenarios ask of it, by rpm and dnf."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import ClassVar

from tests.packages.cloud import Cloud

KEY = "etc/pki/rpm-gpg/RPM-GPG-KEY-nova-xloud"
REPOSITORY = "etc/yum.repos.d/nova-xloud.repo"
#: What the lab has changed after it was installed.
CONFIGURED = ("/etc/nova/nova.conf", "/etc/nova/api-paste.ini")


class RdoCloud(Cloud):
    """A container with Nova running from RDO-shaped RPMs."""

    library: ClassVar[str] = "/usr/lib/python3.9/site-packages/nova"
    prefix: ClassVar[str] = "openstack-nova-"
    running: ClassVar[tuple[str, ...]] = tuple(
        f"openstack-nova-{name}" for name in ("api", "conductor", "scheduler")
    )
    resting: ClassVar[tuple[str, ...]] = tuple(
        f"openstack-nova-{name}"
        for name in ("serialproxy", "novncproxy", "metadata-api", "spicehtml5proxy")
    )
    simple: ClassVar[tuple[str, ...]] = ()

    def dnf(self, arguments: str) -> str:
        """Run dnf, and check that it leaves nothing half done; return its output."""
        output = self.sh(f"dnf -y --refresh {arguments}")
        self.assert_sane()
        return output

    def refused(self, arguments: str) -> str:
        """Run dnf, which must fail; return its output."""
        done = self.container.run("sh", "-euc", f"dnf -y --refresh {arguments}", check=False)
        assert done.returncode, done.stdout
        self.assert_sane()
        return done.stdout

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

    def rdo_moves(self) -> None:
        """Have RDO publish its next update."""
        self.sh("sed -i s,/srv/rdo$,/srv/rdo-later, /etc/yum.repos.d/rdo.repo")

    def versions(self) -> dict[str, str]:
        """Return the version of each installed package about Nova."""
        format_ = "%{name} %{epoch}:%{version}-%{release}\\n"
        listed = self.sh(f"rpm -qa --qf '{format_}' '*nova*'")
        return dict(line.split() for line in listed.splitlines())
