"""Notifications tell the current size of a server with a floor."""
from nova_xloud.weave import after

from nova.xloud import payloads as xloud_payloads


class InstancePayload:
    @after("self.flavor")
    def __init__(self, instance):
        xloud_payloads.tell_current(self.flavor, instance)
