"""Debians with Nova really running, for each target of deb packages.

Two cached layers: the packages, and the cloud configured on them. A target of a release of Nova
that its Debian has not gets stand-ins of that release first; see standins.
"""

from __future__ import annotations

import hashlib
import shlex
import shutil
import tempfile
from pathlib import Path

from nova_xloud import root, targets
from nova_xloud.cache import sha256
from nova_xloud.files import locked
from tests.packages import standins
from tests.packages.container import booted
from tests.packages.debs import index

STOCK = (
    *("python3-nova", "nova-common", "nova-api", "nova-conductor", "nova-scheduler"),
    "nova-consoleproxy",
)
HERE = Path(__file__).parent

_DEBCONF = """\
nova-common nova/configure_db boolean false
nova-api novaapi/configure_db boolean false
nova-common nova/configure_ksat boolean false
nova-common nova/my-ip string 127.0.0.1
"""


def packages(target: targets.Target) -> root.Recipe:
    """Return what a target's lab is made of: its Debian, with Debian's own Nova."""
    return root.Recipe(
        name=f"test-{target.suite}",
        suite=target.suite,
        packages=(
            *("systemd", "systemd-sysv", "dbus", "iproute2", "procps", "curl", "apt-utils"),
            *("dpkg-dev", "mariadb-server", "rabbitmq-server", "python3-oslo.policy"),
            *("needrestart", *STOCK),
        ),
        hooks=(
            f"--essential-hook=printf %s {shlex.quote(_DEBCONF)} | "
            'chroot "$1" debconf-set-selections',
            '--customize-hook=mkdir -p "$1/srv/debian"',
            '--customize-hook=chroot "$1" sh -c "cd /srv/debian && apt-get download -q '
            f"-o APT::Sandbox::User=root {' '.join(STOCK)} && apt-ftparchive packages . >Packages "
            '&& apt-ftparchive release . >Release"',
            # the containers have no network: the distribution is what lies in /srv/debian
            '--customize-hook=rm -f "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/*',
            '--customize-hook=echo "deb [trusted=yes] file:/srv/debian ./" '
            '>"$1/etc/apt/sources.list.d/debian.list"',
            # nothing unconfigured starts by itself
            '--customize-hook=rm -f "$1"/etc/systemd/system/multi-user.target.wants/nova-*.service',
            '--customize-hook=echo nova-test >"$1/etc/hostname"',
            '--customize-hook=printf "127.0.0.1 localhost nova-test\\n" >"$1/etc/hosts"',
        ),
    )


def layers(target: targets.Target, built: Path) -> tuple[Path, ...]:
    """Return the layers of a configured cloud, the uppermost first; made if the cache has none.

    :param built: the target's packages, with the libraries that its release needs newer
    """
    lower = root.make(packages(target))
    told = hashlib.sha256(repr(target).encode())
    for name in ("configure.sh", "debs.py", "standins.py"):
        told.update(sha256(HERE / name).encode())
    configured = lower.with_name(f"test-{target.name}-configured-{told.hexdigest()[:12]}")
    with locked(lower.with_name(f".test-{target.name}-configured.lock")):
        if not configured.is_dir():
            scratch = Path(tempfile.mkdtemp(prefix=".configured.", dir=lower.parent))
            try:
                with booted([lower], scratch) as container:
                    if target.provides:
                        distribution = container.root / "srv/debian"
                        standins.replace(distribution, target, built)
                        index(distribution)
                        container.sh("apt-get update && apt-get -y dist-upgrade")
                    shutil.copy(HERE / "configure.sh", container.root / "root")
                    container.run("bash", "/root/configure.sh")
                (scratch / "upper").rename(configured)
            finally:
                root.remove_tree(scratch)
    return configured, lower
