"""Live Resize, as administrators see it."""

import horizon
from django.utils.translation import gettext_lazy as _


class LiveResize(horizon.Panel):
    """All servers with a floor, host by host."""

    name = _("Live Resize")
    slug = "xloud"
    permissions = ("openstack.services.compute",)
