"""Debians with Nova really running, for each target of deb packages.

Two cached layers: the packages, and the cloud configured on them. A target of a release of Nova
that its Debian has not gets stand-ins of that release first; see standins.
"""

from __future__ import annotations

import hashlib
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from nova_xloud import root, targets
from nova_xloud.cache import sha256
from nova_xloud.files import locked
from tests.packages import standins
from tests.packages.container import Container, booted
from tests.packages.debs import index

STOCK = (
    *("python3-nova", "nova-common", "nova-api", "nova-conductor", "nova-scheduler"),
    "nova-consoleproxy",
)
HERE = Path(__file__).parent
SCRIPTS = (HERE / "configure.sh", HERE / "cloud.sh")

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

    def configure(container: Container) -> None:
        if target.provides:
            distribution = container.root / "srv/debian"
            standins.replace(distribution, target, built)
            index(distribution)
            container.sh("apt-get update && apt-get -y dist-upgrade")
        run_scripts(container, SCRIPTS)

    release = repr((target.base, target.provides, target.depends, target.backports))
    told = [release, *map(sha256, (*SCRIPTS, HERE / "debs.py", HERE / "standins.py"))]
    return configured(f"test-{target.name}", root.make(packages(target)), told, configure)


def configured(
    name: str, lower: Path, told: Sequence[str], configure: Callable[[Container], None]
) -> tuple[Path, Path]:
    """Return a layer with a configured cloud, and the root below it; made if the cache has none.

    :param name: of the lab
    :param told: differs when what is configured does
    :param configure: does it in a booted container: about five minutes
    """
    digest = hashlib.sha256("\0".join([lower.name, *told]).encode()).hexdigest()[:12]
    layer = lower.with_name(f"{name}-configured-{digest}")
    with locked(lower.with_name(f".{name}-configured.lock")):
        if not layer.is_dir():
            scratch = Path(tempfile.mkdtemp(prefix=".configured.", dir=lower.parent))
            try:
                with booted([lower], scratch) as container:
                    configure(container)
                (scratch / "upper").rename(layer)
            finally:
                root.remove_tree(scratch)
    return layer, lower


def run_scripts(container: Container, files: Iterable[Path]) -> None:
    """Copy files into a container's /root/lab, and run the configure.sh among them."""
    place = container.root / "root/lab"
    place.mkdir()
    for file in files:
        shutil.copy(file, place)
    container.run("bash", "/root/lab/configure.sh")
