"""An EL 9 lab: RPMs of Nova really running, in a Debian that has the rpm and the Python of EL 9.

Debian 11, to be exact. Below Nova, a package without files stands for the platform; the Python
libraries are those that Nova's release is tested with, by pip.
"""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from nova_xloud import bases
from nova_xloud.cli.main import main
from nova_xloud.ground import root
from nova_xloud.ground.cache import sha256
from nova_xloud.packages import rpm, targets
from tests.packages import labs
from tests.packages.container import Container

TARGET = "el9"
BASE = targets.get(TARGET).base
#: Installs the packages in /srv/mirror where no service runs, and checks that all is well.
OFFLINE = (
    "rpm --import /srv/mirror/RPM-GPG-KEY-nova-xloud && dnf -y install --allowerasing "
    "/srv/mirror/pool/el9/*/python3-nova-xloud-[0-9]*.rpm && dnf check"
)
HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
PINS = REPOSITORY / f"tests/nova/pins/{BASE.partition('.')[0]}.txt"
MACROS = REPOSITORY / "rpm/el9.macros"
#: The files that configure the lab, in the container.
SCRIPTS = (
    *(HERE / name for name in ("configure.sh", "platform.py", "rdo.spec")),
    HERE.with_name("cloud.sh"),
)


def packages() -> root.Recipe:
    """Return the recipe of the root below the configured layer.

    The libraries are the dependencies of Nova, and those of its services in this lab. The recipe
    names no path of the host's checkout: another checkout shall find the same root.
    """
    libraries = [*rpm.dependencies(bases.fetch(BASE)[0]), "PyMySQL", "python-memcached"]
    pip = "python3 -m pip install -q --no-cache-dir -c /root/pins.txt"
    hooks = (
        # how the host trusts and finds the package index
        'cp -L /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"',
        'if [ -e /etc/pip.conf ]; then cp /etc/pip.conf "$1/etc/"; fi',
        f'printf %s {shlex.quote(PINS.read_text())} >"$1/root/pins.txt"',
        f'chroot "$1" env PIP_FIND_LINKS= {pip} {" ".join(libraries)}',
        'echo nova-test >"$1/etc/hostname"',
        'printf "127.0.0.1 localhost nova-test\\n" >"$1/etc/hosts"',
    )
    return root.Recipe(
        name="test-el9",
        suite="bullseye",
        packages=(
            *("systemd", "systemd-sysv", "dbus", "iproute2", "procps", "curl", "sudo"),
            *("mariadb-server", "rabbitmq-server", "rpm", "dnf", "createrepo-c", "gnupg", "patch"),
            *("python3-pip", "python3-pbr", "python3-setuptools", "python3-wheel"),
            "python3-packaging",
        ),
        hooks=tuple(f"--customize-hook={hook}" for hook in hooks),
    )


def layers(target: targets.Target, built: Path) -> tuple[Path, ...]:
    """Return the layers of a configured cloud, made if the cache has none: about ten minutes.

    The cloud below ours is the same for all builds.
    """
    lower = root.make(packages())

    def configure(container: Container) -> None:
        shutil.copy(bases.fetch(BASE)[0], container.root / "root/nova.tar.gz")
        labs.run_scripts(container, [*SCRIPTS, MACROS])

    told = [sha256(each) for each in (*SCRIPTS, MACROS)]
    return labs.configured("test-el9", lower, told, configure)


def version(built: Path) -> str:
    """Return the version of packages of ours."""
    (package,) = built.glob("python3-nova-xloud-[0-9]*.rpm")
    return "1:" + package.name.removeprefix("python3-nova-xloud-").removesuffix(".noarch.rpm")


def stock(built: Path) -> str:
    """Return the version of RDO's nova that packages of ours stand in for."""
    return targets.get(built.name).provides


def later(stock: str) -> str:
    """Return the version of RDO's next update."""
    return stock.replace("-1.", "-2.")


def newer(built: Path, into: Path) -> Path:
    """Build packages of the next revision, standing in for the same version."""
    return build(into, "--revision", "2")


def rebuilt(built: Path, into: Path) -> Path:
    """Build packages of the next revision, standing in for RDO's next update."""
    return build(into, "--revision", "2", "--provides", later(stock(built)))


def run_build(dist: Path, *options: str) -> int | None:
    """Run ``nova-xloud build el9`` with options; return its exit code."""
    arguments = ["build", TARGET, "--no-companions", "--dist", str(dist), *options]
    return main(arguments, standalone_mode=False)


def build(dist: Path, *options: str) -> Path:
    """Build the target with options; return the directory of the packages."""
    assert run_build(dist, *options) in (None, 0)
    return dist / TARGET
