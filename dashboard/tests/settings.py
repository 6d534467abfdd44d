"""Horizon's settings for tests, with the panels that are enabled on this host."""

from openstack_dashboard import enabled
from openstack_dashboard.local import enabled as enabled_here
from openstack_dashboard.test.settings import *  # noqa: F403
from openstack_dashboard.test.settings import HORIZON_CONFIG, INSTALLED_APPS
from openstack_dashboard.utils import settings as horizon_settings

# the panels of this host come beside Horizon's own
for key in ("dashboards", "default_dashboard"):
    HORIZON_CONFIG.pop(key, None)
horizon_settings.update_dashboards([enabled, enabled_here], HORIZON_CONFIG, INSTALLED_APPS)
INSTALLED_APPS[:] = dict.fromkeys(INSTALLED_APPS)
