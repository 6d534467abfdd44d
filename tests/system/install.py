"""Sets a cloud up in a booted container that has the packages: ``install(container, guest)``.

One step per function, in the order in which they need each other. Services run under Debian's own
uwsgi settings but for address, number of processes, the queue and the buffer of request bodies.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from tests.packages.container import Container, ContainerError
from tests.system import settings
from tests.system.settings import AT, CONTROLLER, PASSWORD

#: {unit: (Debian's uwsgi settings, the WSGI file, more settings)}
_APIS = {
    "keystone": ("keystone/keystone-uwsgi.ini", "/usr/bin/keystone-wsgi-public", ""),
    "glance-api": ("glance/glance-api-uwsgi.ini", "/usr/bin/glance-wsgi-api", ""),
    "placement-api": ("placement/placement-api-uwsgi.ini", "/usr/bin/placement-api", ""),
    "nova-api": ("nova/nova-api-uwsgi.ini", "/usr/bin/nova-api-wsgi", ""),
    "neutron-api": (
        "neutron/neutron-api-uwsgi.ini",
        "/etc/lab/neutron_wsgi.py",
        "pyargv = --config-file=/etc/neutron/neutron.conf "
        "--config-file=/etc/neutron/plugins/ml2/ml2_conf.ini\n",
    ),
}
#: xloud-status waits for libvirt as long as that unplugs a vCPU: seconds, without KVM.
_PROCESSES = {"nova": 4}
_OURS = ("processes", "threads", "http-socket", "wsgi-file", "listen")
#: {database: its owner}
_DATABASES = {
    **dict.fromkeys(("nova", "nova_api", "nova_cell0"), "nova"),
    **{name: name for name in ("keystone", "glance", "placement", "neutron")},
}
_UNITS = ("placement-api", "glance-api", "neutron-api", "nova-api", "nova-conductor")
#: What a compute host needs a moment for before it takes work.
_PATIENCE = 180


def install(container: Container, guest: Path) -> None:
    """Set up the cloud: databases, queue, accounts, services, guest images.

    :param guest: the directory of what a guest's images are made of
    :raises ContainerError: a step failed; the text has its output
    """
    _host(container)
    _apis(container)
    _directories(container)
    _backends(container)
    _identity(container)
    _schemas(container)
    _images(container, guest)
    _services(container)


def write_files(inside: Path, host: settings.Host) -> None:
    """Write a host's settings into its file system, whose root is ``inside``."""
    for path, text in settings.files(host).items():
        file = inside / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def _host(container: Container) -> None:
    """Have the settings of the host itself, and libvirt's, take effect."""
    write_files(container.root, CONTROLLER)
    container.sh(
        # it would wait minutes for guests that hear no power button
        "systemctl -q disable libvirt-guests; "
        "systemctl daemon-reload; systemctl enable -q --now lab-address; "
        "systemctl stop libvirtd.service libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket; "
        "systemctl enable -q --now libvirtd-tcp.socket libvirtd.socket; "
        "systemctl start libvirtd.service"
    )


def _apis(container: Container) -> None:
    """Write the uwsgi settings: Debian's own but for what a small lab needs otherwise."""
    for unit, (debians, wsgi, more) in _APIS.items():
        service = unit.removesuffix("-api")
        _, port, _ = settings.ENDPOINTS[service]
        theirs = (container.root / "etc" / debians).read_text().splitlines()
        kept = [line for line in theirs if line.partition("=")[0].strip() not in _OURS]
        ini = container.root / f"etc/lab/{unit}.ini"
        ini.write_text(
            "\n".join(kept) + f"\nhttp-socket = 0.0.0.0:{port}\nwsgi-file = {wsgi}\n"
            f"processes = {_PROCESSES.get(service, 2)}\nthreads = 1\nlisten = 100\n"
            # else an answer can be lost that was given before the request's body was read
            f"post-buffering = 8192\n{more}"
        )
        drop_in = container.root / f"etc/systemd/system/{unit}.service.d"
        drop_in.mkdir(exist_ok=True)
        start = f"ExecStart=\nExecStart=/usr/bin/uwsgi_python3 --ini /etc/lab/{unit}.ini\n"
        (drop_in / "lab.conf").write_text(f"[Service]\n{start}")
    container.sh("systemctl daemon-reload")


def _directories(container: Container) -> None:
    for user in settings.ENDPOINTS:
        places = " ".join(f"/var/{kind}/{user}" for kind in ("lib", "log"))
        container.sh(
            f"install -d -o {user} -g {user} {places} /var/lib/{user}/lock; "
            f"find /etc/{user} -name '*.conf' -exec chgrp {user} '{{}}' + -exec chmod 640 '{{}}' +"
        )
    container.sh("cd /var/lib/glance; install -d -o glance -g glance images staging tasks")


def _backends(container: Container) -> None:
    container.sh("systemctl enable -q --now mariadb rabbitmq-server")
    for name, owner in _DATABASES.items():
        container.run(
            "mariadb",
            "-e",
            f"CREATE DATABASE {name}; "
            f"GRANT ALL ON {name}.* TO '{owner}'@'%' IDENTIFIED BY '{PASSWORD}'",
        )
    container.sh(
        f"rabbitmqctl -q add_user openstack {PASSWORD}; "
        "rabbitmqctl -q set_permissions openstack '.*' '.*' '.*'; "
        "sed -i 's/^-l .*/-l 0.0.0.0/' /etc/memcached.conf; "
        "systemctl enable -q memcached; systemctl restart memcached"
    )


def _identity(container: Container) -> None:
    address = settings.url("keystone")
    container.sh(
        f"{_as('keystone', 'keystone-manage db_sync')}; "
        "for what in fernet credential; do keystone-manage ${what}_setup "
        "--keystone-user keystone --keystone-group keystone; done; "
        f"keystone-manage bootstrap --bootstrap-password {PASSWORD} "
        f"--bootstrap-region-id {settings.REGION} --bootstrap-public-url {address} "
        f"--bootstrap-internal-url {address} --bootstrap-admin-url {address}; "
        "systemctl enable -q keystone; systemctl restart keystone"
    )
    shutil.copy(Path(__file__).with_name("accounts.py"), container.root / "root")
    wanted = [
        f"{service}={kind}={settings.url(service)}"
        for service, (kind, _, _) in settings.ENDPOINTS.items()
        if service != "keystone"
    ]
    container.run("python3", "/root/accounts.py", PASSWORD, settings.url("keystone"), *wanted)


def _schemas(container: Container) -> None:
    neutron = "--config-file /etc/neutron/neutron.conf --config-file "
    neutron += "/etc/neutron/plugins/ml2/ml2_conf.ini"
    connection = settings.nova(CONTROLLER)["database"]["connection"]
    cell0 = str(connection).replace("/nova?", "/nova_cell0?")
    script = "; ".join(
        (
            _as("placement", "placement-manage db sync"),
            _as("glance", "glance-manage db_sync"),
            _as("neutron", f"neutron-db-manage {neutron} upgrade heads"),
            _as("nova", "nova-manage api_db sync"),
            _as("nova", f"nova-manage cell_v2 map_cell0 --database_connection '{cell0}'"),
            _as("nova", "nova-manage db sync"),
            _as("nova", "nova-manage cell_v2 create_cell --name cell1"),
        )
    )
    container.sh(script)


def _images(container: Container, guest: Path) -> None:
    shutil.copytree(guest, container.root / "root/guest")
    container.sh("systemctl enable -q glance-api; systemctl start glance-api")
    container.run("sh", "/root/guest/make.sh", "/srv/guest/kernel", "/srv/guest")
    container.run(
        *("python3", "/root/guest/upload.py", PASSWORD, settings.url("keystone"), "/srv/guest")
    )


def _services(container: Container) -> None:
    container.sh(f"systemctl enable -q {' '.join(_UNITS)} nova-scheduler nova-compute")
    container.sh(f"systemctl restart {' '.join(_UNITS)} nova-scheduler")
    container.sh("systemctl start nova-compute")
    wait_for_compute(container, CONTROLLER)
    # The very first start of nova-compute, which has no record yet, hears no events of guests.
    container.sh("systemctl restart nova-compute")
    wait_for_compute(container, CONTROLLER)
    container.sh(_as("nova", "nova-manage cell_v2 discover_hosts"))


def wait_for_compute(container: Container, host: settings.Host, controller: str = AT) -> None:
    """Wait for the next heartbeat of a nova-compute that has been started: it listens by then.

    :raises ContainerError: it does not come
    """
    query = (
        "SET time_zone='+00:00'; SELECT UNIX_TIMESTAMP(MAX(updated_at)) FROM nova.services "
        f"WHERE deleted=0 AND topic='compute' AND host='{host.name}'"
    )
    since = time.time()
    command = ["mariadb", f"-h{controller}", "-unova", f"-p{PASSWORD}", "-N", "-e", query]
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        beat = container.run(*command).stdout.strip()
        if beat not in ("", "NULL") and float(beat) > since:
            return
        time.sleep(0.5)
    raise ContainerError(f"nova-compute of {host.name} gave no sign in {_PATIENCE} s")


def _as(user: str, command: str) -> str:
    return f"setpriv --reuid {user} --regid {user} --init-groups -- {command}"
