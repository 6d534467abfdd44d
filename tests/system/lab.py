"""A complete OpenStack in a booted container, as cached layers: the packages, and the cloud set up.

Everything is Debian 13's own: keystone, glance, placement, neutron's API, Nova, MariaDB, RabbitMQ,
libvirt and QEMU. A guest's kernel is Debian 12's: Linux 6.12 takes a QEMU without KVM for bare
metal and ignores the processors that are absent when it boots.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from nova_xloud.ground import root
from nova_xloud.ground.cache import sha256
from nova_xloud.ground.files import locked
from tests.packages.container import booted
from tests.system import install, settings

HERE = Path(__file__).parent
SUITE, KERNEL_SUITE = "trixie", "bookworm"
#: Debian's own Nova, as the container's distribution offers it for a swap back.
STOCK = (
    *("python3-nova", "nova-common", "nova-api", "nova-conductor", "nova-scheduler"),
    *("nova-compute", "nova-compute-qemu"),
)
_DEBCONF = "".join(
    f"{package} {question} boolean false\n"
    for package, question in (
        ("dbconfig-common", "dbconfig-common/dbconfig-install"),
        ("keystone", "keystone/configure_db"),
        ("keystone", "keystone/create-admin-tenant"),
        ("keystone", "keystone/register-endpoint"),
        ("glance-common", "glance/configure_db"),
        ("placement-common", "placement/configure_db"),
        ("nova-common", "nova/configure_db"),
        ("nova-common", "nova/configure_api_db"),
        ("neutron-common", "neutron/configure_db"),
    )
)
_DOWNLOAD = "apt-get download -q -o APT::Sandbox::User=root"
# Only unpacked: a guest starts it, the container never does.
_KERNEL = f"""
cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
    sed -n 's/ {SUITE} / {KERNEL_SUITE} /p' >/srv/kernel.list
mv /srv/kernel.list /etc/apt/sources.list.d/
apt-get update -q
mkdir -p /srv/guest && cd /srv/guest
{_DOWNLOAD} linux-image-cloud-amd64/{KERNEL_SUITE}
image=$(dpkg-deb -f linux-image-cloud-amd64_*.deb Depends | sed 's/[ ,].*//')
rm -f *.deb && {_DOWNLOAD} "$image"
dpkg-deb -x linux-image-*.deb kernel && rm -f *.deb
"""
_DISTRIBUTION = f"""
mkdir -p /srv/debian && cd /srv/debian
{_DOWNLOAD} {" ".join(STOCK)}
apt-ftparchive packages . >Packages && apt-ftparchive release . >Release
rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* /var/lib/apt/lists/*
echo 'deb [trusted=yes] file:/srv/debian ./' >/etc/apt/sources.list.d/debian.list
"""
# Nothing that has not been set up starts by itself, and libvirt makes no bridge.
_QUIET = """
cd /etc/systemd/system/multi-user.target.wants
rm -f nova-*.service neutron-*.service keystone.service glance-api.service placement-api.service
rm -f mariadb.service rabbitmq-server.service memcached.service
rm -f /etc/libvirt/qemu/networks/autostart/default.xml
"""

RECIPE = root.Recipe(
    name="system-debian-13",
    suite=SUITE,
    packages=(
        *("systemd", "systemd-sysv", "dbus", "iproute2", "procps", "curl", "apt-utils"),
        *("mariadb-server", "rabbitmq-server", "memcached", "ca-certificates"),
        *("keystone", "glance-api", "placement-api", "neutron-api"),
        *(*STOCK, "libvirt-daemon-system", "libvirt-clients", "qemu-system-x86", "qemu-utils"),
        *("python3-libvirt", "python3-openstacksdk", "python3-pymysql", "python3-memcache"),
        *("busybox-static", "cpio", "kmod", "xz-utils", "openssh-server", "openssh-client"),
    ),
    hooks=(
        f"--essential-hook=printf %s '{_DEBCONF}' | chroot \"$1\" debconf-set-selections",
        *(
            f"--customize-hook=chroot \"$1\" sh -euc '{script.replace(chr(39), chr(34))}'"
            for script in (_KERNEL, _DISTRIBUTION, _QUIET)
        ),
        '--customize-hook=echo controller >"$1/etc/hostname"',
    ),
)


def layers() -> tuple[Path, ...]:
    """Return the layers of a cloud of stock Nova, the uppermost first; made if the cache has none.

    :raises nova_xloud.ground.errors.RootError: the packages could not be installed
    :raises tests.packages.container.ContainerError: a step of the setting up failed
    """
    lower = root.make(RECIPE)
    told = hashlib.sha256()
    for file in sorted([*HERE.glob("guest/*"), *map(Path, (install.__file__, settings.__file__))]):
        told.update(sha256(file).encode())
    ready = lower.with_name(f"{lower.name}-ready-{told.hexdigest()[:12]}")
    with locked(lower.with_name(".system-debian-13-ready.lock"), "waiting for another lab"):
        if not ready.is_dir():
            scratch = Path(tempfile.mkdtemp(prefix=".system.", dir=lower.parent))
            try:
                with booted([lower], scratch) as container:
                    install.install(container, HERE / "guest")
                (scratch / "upper").rename(ready)
            finally:
                root.remove_tree(scratch)
    return ready, lower
