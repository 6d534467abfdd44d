"""A host of Debian's own Horizon with our plugin, and a browser on it, beside the cloud.

The host is a container with a root of its own, so the cloud's layers know nothing of it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nova_xloud.ground import root
from tests.packages.container import Container
from tests.packages.deb.cloud import use_mirror
from tests.printed import commands
from tests.system import settings
from tests.system.beside import host_beside
from tests.system.browser import Browser, opened
from tests.system.cloud import Cloud
from tests.system.waiting import wait_for

_ADDRESS, _DRIVER = "10.77.0.3", 9515
#: What the packages ask an operator: Horizon has Apache's port 80, and this name.
_DEBCONF = f"""\
openstack-dashboard horizon/allowed-hosts string {_ADDRESS}
openstack-dashboard-apache horizon/activate_vhost boolean true
openstack-dashboard-apache horizon/use_ssl boolean false
"""
RECIPE = root.Recipe(
    name="system-dashboard-debian-13",
    suite="trixie",
    packages=(
        *("systemd", "systemd-sysv", "dbus", "iproute2", "procps", "curl", "ca-certificates"),
        *("openstack-dashboard", "openstack-dashboard-apache"),
        *("chromium", "chromium-driver", "fonts-dejavu-core"),
    ),
    hooks=(
        f"--essential-hook=printf %s '{_DEBCONF}' | chroot \"$1\" debconf-set-selections",
        '--customize-hook=echo dashboard >"$1/etc/hostname"',
        '--customize-hook=echo "127.0.0.1 localhost dashboard" >"$1/etc/hosts"',
    ),
)
PACKAGE = "python3-xloud-dashboard"
# What an operator of Debian's Horizon sets besides: where Identity is, and a cache that the
# processes of Apache share, which has the sessions.
_SETTINGS = f"""
OPENSTACK_KEYSTONE_URL = "{settings.url("keystone")}"
CACHES = {{
    "default": {{
        "BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache",
        "LOCATION": "{settings.AT}:11211",
    }}
}}
"""
# The cryptography of Debian 13 works in one interpreter of a process only.
_APACHE = "WSGIApplicationGroup %{GLOBAL}\n"


class Dashboard:
    """The host, and its addresses."""

    def __init__(self, container: Container, browser: Browser) -> None:
        self.container = container
        self.browser = browser

    @staticmethod
    def url(path: str = "") -> str:
        """Return the address of a page, for the browser on the same host."""
        return f"http://{_ADDRESS}/{path}"

    def sign_in(self, user: str) -> None:
        """Sign a person in, who may have been somebody else before."""
        self.browser.open(self.url("auth/logout/"))
        self.browser.open(self.url("auth/login/"))
        self.browser.type("#id_username", user)
        self.browser.type("#id_password", settings.PASSWORD)
        self.browser.click("#loginBtn")
        wait_for(
            f"the dashboard of {user}",
            lambda: "/auth/" not in self.browser.address,
            60,
            seen=lambda: self.browser.texts(".alert"),
        )


@contextmanager
def dashboard_host(cloud: Cloud, lower: Path, mirror: Path, scratch: Path) -> Iterator[Dashboard]:
    """Boot the host, install our plugin from the mirror as docs/dashboard.md says, open a browser.

    :param lower: the host's root, of the recipe
    :param mirror: of our packages
    """
    with host_beside(cloud, lower, _ADDRESS, "dash", scratch) as container:
        settings_of_site = "etc/openstack-dashboard/local_settings.d/_9000_site.py"
        (container.root / settings_of_site).write_text(_SETTINGS)
        (container.root / "etc/apache2/conf-enabled/site.conf").write_text(_APACHE)
        # the container has no other network: all that the plugin needs is there
        container.sh("rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*")
        use_mirror(container, mirror)
        container.sh("systemctl restart apache2")
        for command in commands("dashboard.md", "Install"):
            container.sh(command.replace("apt install", "apt-get -y install"))
        command = container.inside(
            *("chromedriver", f"--port={_DRIVER}", "--allowed-ips=", "--allowed-origins=*")
        )
        driver = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            with opened(f"http://{_ADDRESS}:{_DRIVER}") as browser:
                yield Dashboard(container, browser)
        finally:
            # chromedriver itself ends with the host
            driver.kill()
            driver.wait()
