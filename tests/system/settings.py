"""The settings of every service of the lab, as the files that are written into its hosts.

The hosts are alone in network namespaces of their own; within them, services listen everywhere.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from configparser import RawConfigParser
from dataclasses import dataclass

PASSWORD = "lab"  # noqa: S105 no secret: of a cloud that lives for one test run
REGION = "RegionOne"
Settings = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True)
class Host:
    """A host of the cloud.

    :ivar name: the host's name
    :ivar address: the host's address in the cloud's own network
    :ivar cpus: the number of CPUs that libvirt believes the host has: the largest unit of VCPU in
        Placement, so no server on the host can have more vCPUs
    """

    name: str
    address: str
    cpus: int


CONTROLLER = Host("controller", "10.77.0.1", 128)
#: This host is too small for some flavors: Placement has room for their floors here.
SECOND = Host("compute2", "10.77.0.2", 15)
AT = CONTROLLER.address
#: The port of each service's API, and the path in its endpoint.
ENDPOINTS = {
    "keystone": ("identity", 5000, "/v3"),
    "glance": ("image", 9292, ""),
    "placement": ("placement", 8778, ""),
    "neutron": ("network", 9696, ""),
    "nova": ("compute", 8774, "/v2.1"),
}


def url(service: str) -> str:
    """Return the address of a service's API."""
    _, port, path = ENDPOINTS[service]
    return f"http://{AT}:{port}{path}"


def _database(user: str, name: str) -> str:
    return f"mysql+pymysql://{user}:{PASSWORD}@{AT}/{name}?charset=utf8"


def _account(user: str) -> dict[str, object]:
    return {
        "auth_type": "password",
        "auth_url": url("keystone"),
        "username": user,
        "password": PASSWORD,
        "project_name": "service",
        "user_domain_id": "default",
        "project_domain_id": "default",
        "region_name": REGION,
    }


def _tokens(user: str) -> dict[str, object]:
    return {
        **_account(user),
        "www_authenticate_uri": url("keystone"),
        "memcached_servers": f"{AT}:11211",
    }


#: The message bus of Nova and of Neutron.
QUEUE = f"rabbit://openstack:{PASSWORD}@{AT}:5672/"
_CACHE = {
    "enabled": "true",
    "backend": "dogpile.cache.memcached",
    "memcache_servers": f"{AT}:11211",
}

KEYSTONE: Settings = {
    "DEFAULT": {"log_dir": "/var/log/keystone"},
    "database": {"connection": _database("keystone", "keystone"), "max_pool_size": 3},
    "token": {"provider": "fernet", "expiration": 86400},
    "cache": _CACHE,
}
GLANCE: Settings = {
    "DEFAULT": {"log_dir": "/var/log/glance", "enabled_backends": "local:file"},
    "database": {"connection": _database("glance", "glance")},
    "glance_store": {"default_backend": "local"},
    "local": {"filesystem_store_datadir": "/var/lib/glance/images"},
    "os_glance_staging_store": {"filesystem_store_datadir": "/var/lib/glance/staging"},
    "os_glance_tasks_store": {"filesystem_store_datadir": "/var/lib/glance/tasks"},
    "paste_deploy": {"flavor": "keystone"},
    "oslo_concurrency": {"lock_path": "/var/lib/glance/lock"},
    "keystone_authtoken": _tokens("glance"),
}
PLACEMENT: Settings = {
    "DEFAULT": {"log_dir": "/var/log/placement"},
    "api": {"auth_strategy": "keystone"},
    "placement_database": {"connection": _database("placement", "placement")},
    "keystone_authtoken": _tokens("placement"),
}
NEUTRON: Settings = {
    "DEFAULT": {
        "log_dir": "/var/log/neutron",
        "state_path": "/var/lib/neutron",
        "core_plugin": "ml2",
        "service_plugins": "router,port_forwarding",
        "auth_strategy": "keystone",
        "notify_nova_on_port_status_changes": "false",
        "notify_nova_on_port_data_changes": "false",
        "transport_url": QUEUE,
    },
    "database": {"connection": _database("neutron", "neutron")},
    "oslo_concurrency": {"lock_path": "/var/lib/neutron/lock"},
    "keystone_authtoken": _tokens("neutron"),
}
ML2: Settings = {
    "ml2": {
        "type_drivers": "local,flat",
        "tenant_network_types": "local",
        "mechanism_drivers": "openvswitch",
        "extension_drivers": "port_security",
    }
}


def nova(host: Host) -> Settings:
    """Return nova.conf of a host.

    The periodic tasks run every half minute, so that a test need not wait long for them.
    """
    # a host that only computes has no business in them
    databases: Settings = {
        "api_database": {"connection": _database("nova", "nova_api")},
        "database": {"connection": _database("nova", "nova")},
    }
    return {
        "DEFAULT": {
            "host": host.name,
            "my_ip": host.address,
            "state_path": "/var/lib/nova",
            "log_dir": "/var/log/nova",
            "transport_url": QUEUE,
            "vif_plugging_is_fatal": "false",
            "vif_plugging_timeout": 0,
            "resume_guests_state_on_host_boot": "true",
            "osapi_compute_workers": 1,
            "report_interval": 5,
            "service_down_time": 30,
            # the requests that a killed nova-compute has got are given up as soon
            "rpc_response_timeout": PERIODIC,
            "update_resources_interval": PERIODIC,
            "cpu_allocation_ratio": 1.0,
            # an emulated guest takes only the memory that it touches
            "ram_allocation_ratio": 4.0,
            # a small disk that a test can fill counts as one for all its servers
            "disk_allocation_ratio": 64.0,
            "allow_resize_to_same_host": "true",
        },
        "api": {"auth_strategy": "keystone"},
        **(databases if host == CONTROLLER else {}),
        "cache": _CACHE,
        "conductor": {"workers": 1},
        "quota": {"instances": -1, "cores": -1, "ram": -1},
        "scheduler": {"workers": 1, "discover_hosts_in_cells_interval": 30},
        "filter_scheduler": {"shuffle_best_same_weighed_hosts": "false"},
        "glance": {"api_servers": url("glance")},
        "placement": _account("placement"),
        "neutron": _account("neutron"),
        "service_user": {"send_service_user_token": "true", **_account("nova")},
        "vnc": {"enabled": "false"},
        "spice": {"enabled": "false"},
        "libvirt": {
            "virt_type": "qemu",
            # the model that QEMU itself takes, named: then a guest's CPU can have features
            "cpu_mode": "custom",
            "cpu_models": "qemu64",
            "mem_stats_period_seconds": 2,
            "live_migration_scheme": "tcp",
            "live_migration_inbound_addr": host.address,
        },
        "workarounds": {
            "skip_cpu_compare_on_dest": "true",
            "skip_hypervisor_version_check_on_lm": "true",
        },
        "oslo_concurrency": {"lock_path": "/var/lib/nova/lock"},
        "keystone_authtoken": _tokens("nova"),
    }


#: Seconds between nova-compute's looks at its resources, after which all views must agree.
PERIODIC = 30

_MARIADB = """\
[mysqld]
bind-address = 0.0.0.0
max_connections = 400
innodb_flush_log_at_trx_commit = 0
innodb_buffer_pool_size = 128M
skip-name-resolve
"""
# cgroups, security labels and polkit are the host's business, which a container has no part in. A
# second host has the same directory of instances.
_QEMU = """\
security_driver = "none"
cgroup_controllers = [ ]
shared_filesystems = [ "/var/lib/nova/instances" ]
"""
_LIBVIRTD = """\
unix_sock_group = "libvirt"
unix_sock_rw_perms = "0770"
auth_unix_rw = "none"
auth_tcp = "none"
"""
_SHOW_CPUS = "/etc/lab/cpus:/sys/devices/system/cpu"
_ADDRESS = """\
[Unit]
Description=The host's address in the cloud's network
Before=network.target
DefaultDependencies=no
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/ip address replace {address}/32 dev lo
[Install]
WantedBy=sysinit.target
"""
# The first query of a fresh neutron fails unless SQLAlchemy's mappers are configured before it.
_NEUTRON_WSGI = """\
from neutron.cmd.server import main_api_uwsgi
from sqlalchemy.orm import configure_mappers

application = main_api_uwsgi()
configure_mappers()
"""


def render(settings: Settings) -> str:
    """Return settings as the text of a configuration file."""
    parser = RawConfigParser(default_section="", interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_dict({section: dict(values) for section, values in settings.items()})
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def files(host: Host) -> dict[str, str]:
    """Return {path: text} of what a host's settings are; all are the owner's and root's alone."""
    hosts = "".join(f"{each.address} {each.name}\n" for each in (CONTROLLER, SECOND))
    made = {
        "/etc/hostname": f"{host.name}\n",
        "/etc/hosts": f"127.0.0.1 localhost\n{hosts}",
        "/etc/systemd/system/lab-address.service": _ADDRESS.format(address=host.address),
        "/etc/nova/nova.conf": render(nova(host)),
        "/etc/libvirt/qemu.conf": _QEMU,
        "/etc/libvirt/libvirtd.conf": _LIBVIRTD,
        "/etc/lab/cpus": f"0-{host.cpus - 1}\n",
        "/etc/systemd/system/libvirtd.service.d/lab.conf": "[Service]\nBindReadOnlyPaths="
        f"{_SHOW_CPUS}/online {_SHOW_CPUS}/present\n",
    }
    if host == CONTROLLER:
        made |= {
            "/etc/keystone/keystone.conf": render(KEYSTONE),
            "/etc/glance/glance-api.conf": render(GLANCE),
            "/etc/placement/placement.conf": render(PLACEMENT),
            "/etc/neutron/neutron.conf": render(NEUTRON),
            "/etc/neutron/plugins/ml2/ml2_conf.ini": render(ML2),
            "/etc/mysql/mariadb.conf.d/99-lab.cnf": _MARIADB,
            "/etc/rabbitmq/rabbitmq-env.conf": "NODENAME=rabbit@localhost\n",
            "/etc/rabbitmq/rabbitmq.conf": "listeners.tcp.local = 0.0.0.0:5672\n",
            "/etc/lab/neutron_wsgi.py": _NEUTRON_WSGI,
        }
    return made
