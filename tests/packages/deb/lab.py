"""Debians with Nova really running, for each target of deb packages.

Two cached layers: the packages, and the cloud configured on them. A target of a release of Nova
that its Debian has not gets stand-ins of that release first; see standins.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from nova_xloud.ground import root
from nova_xloud.ground.cache import sha256
from nova_xloud.packages import targets
from tests.packages import labs
from tests.packages.container import Container
from tests.packages.deb import standins
from tests.packages.deb.debs import control_of, field, index, named, repack

STOCK = (
    *("python3-nova", "nova-common", "nova-api", "nova-conductor", "nova-scheduler"),
    "nova-consoleproxy",
)
HERE = Path(__file__).parent
SCRIPTS = (HERE / "configure.sh", HERE.with_name("cloud.sh"))
#: Installs the packages in /srv/mirror where no service runs, and checks that all is well.
OFFLINE = "dpkg -i /srv/mirror/pool/*/*/*.deb && dpkg --audit"

#: The answers to the questions of the packages at their installation.
DEBCONF = """\
nova-common nova/configure_db boolean false
nova-api novaapi/configure_db boolean false
nova-common nova/configure_ksat boolean false
nova-common nova/my-ip string 127.0.0.1
"""


#: Fetches the oldest version of Debian's nova that the archive serves, if that is not the newest.
_OLDER = f"""
cd /srv/older
oldest=$(apt-cache madison python3-nova | grep Packages | tail -n 1 | cut -d "|" -f 2 | tr -d " ")
[ "$oldest" = "$(dpkg-query -W -f "\\${{Version}}" python3-nova)" ] ||
    apt-get download -q -o APT::Sandbox::User=root $(printf "%s=$oldest " {" ".join(STOCK)})
"""


def packages(target: targets.Target) -> root.Recipe:
    """Return the recipe of a target's lab: its Debian, with Debian's own Nova as served today."""
    return root.Recipe(
        name=f"test-{target.suite}",
        suite=target.suite,
        packages=(
            *("systemd", "systemd-sysv", "dbus", "iproute2", "procps", "curl", "apt-utils"),
            *("dpkg-dev", "mariadb-server", "rabbitmq-server", "python3-oslo.policy"),
            *("needrestart", "apache2", "libapache2-mod-wsgi-py3", *STOCK),
        ),
        hooks=(
            f"--essential-hook=printf %s {shlex.quote(DEBCONF)} | "
            'chroot "$1" debconf-set-selections',
            '--customize-hook=mkdir -p "$1/srv/debian" "$1/srv/older"',
            '--customize-hook=chroot "$1" sh -c "cd /srv/debian && apt-get download -q '
            f"-o APT::Sandbox::User=root {' '.join(STOCK)} && apt-ftparchive packages . >Packages "
            '&& apt-ftparchive release . >Release"',
            f'--customize-hook=chroot "$1" sh -euc {shlex.quote(_OLDER)}',
            # the containers have no network: the distribution lies in /srv/debian
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
        labs.run_scripts(container, SCRIPTS)

    release = repr((target.base, target.provides, target.depends, target.backports))
    told = [release, *map(sha256, (*SCRIPTS, HERE / "debs.py", HERE / "standins.py"))]
    lower = root.make(packages(target))
    return labs.configured(f"test-{target.name}", lower, told, configure)


def version(built: Path) -> str:
    """Return the version of packages of ours, ending in ``+xloudN``."""
    return field(control_of(named(built.glob("*.deb"), "python3-nova-xloud")), "Version")


def stock(built: Path) -> str:
    """Return the version of the distribution's nova that packages of ours stand in for."""
    provided = field(control_of(named(built.glob("*.deb"), "python3-nova-xloud")), "Provides")
    return provided.split("(= ")[1].rstrip(")")


def later(stock: str) -> str:
    """Return the version of the distribution's next update: its last number is one higher."""
    return re.sub(r"[0-9]+$", lambda number: str(int(number[0]) + 1), stock)


def earlier(stock: str) -> str:
    """Return the version of the distribution's last update: its last number is one lower."""
    return re.sub(r"[0-9]+$", lambda number: str(int(number[0]) - 1), stock)


def newer(built: Path, into: Path) -> Path:
    """Write packages of ours again with the next revision; return their directory."""
    ours = version(built)
    before, _, revision = ours.rpartition("xloud")
    return _again(built, {f"Version: {ours}": f"Version: {before}xloud{int(revision) + 1}"}, into)


def rebuilt(built: Path, into: Path) -> Path:
    """Write packages of ours again, standing in for the distribution's next update."""
    return for_version(built, later(stock(built)), into)


def for_version(built: Path, version: str, into: Path) -> Path:
    """Write packages of ours again, standing in for another version of the distribution's nova."""
    return _again(built, {stock(built): version}, into)


def _again(built: Path, changes: dict[str, str], into: Path) -> Path:
    for package in built.glob("*.deb"):
        repack(package, into, changes if "nova" in package.name else {})
    return into
