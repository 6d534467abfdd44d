"""Live Resize, as the members of a project see it."""

import horizon
from django.utils.translation import gettext_lazy as _


class LiveResize(horizon.Panel):
    """Servers of the project, their size and their bounds."""

    name = _("Live Resize")
    slug = "xloud"
    permissions = ("openstack.services.compute",)
