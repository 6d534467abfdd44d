"""Who may see a server also sees what an adjust of it has brought.

Nova shows the details of events to administrators only, by default.
"""
from nova_xloud.weave import before

from nova.xloud.api import hooks as xloud_hooks


class InstanceActionsController:
    @before("self.action_api.action_events_get")
    def show(req, context, instance, action, show_details):
        show_details = xloud_hooks.show_details(
            show_details, req, context, instance, action)
