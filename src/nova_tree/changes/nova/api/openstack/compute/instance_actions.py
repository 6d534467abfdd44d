"""Who may see a server also sees why an adjust of it has failed.

Nova shows the details of events to administrators only, by default.
"""
from nova_xloud.weave import before

from nova.xloud import details as xloud_details


class InstanceActionsController:
    @before("self.action_api.action_events_get")
    def show(req, context, instance, action, show_details):
        show_details = show_details or xloud_details.may_see(
            req, context, instance, action)
