"""Servers with a floor are counted by their size, and again when it changes."""
from nova_xloud.weave import append, decorate

from nova.xloud import tracker as xloud_tracker


class ResourceTracker:
    @append
    def __init__(self):
        self.xloud_counted = {}
        self.xloud_instances = {}

    @decorate
    @xloud_tracker.counts_size
    def _get_usage_dict(self): ...

    @decorate
    @xloud_tracker.follows_size
    def _update_usage_from_instance(self): ...

    @decorate
    @xloud_tracker.notes_instances
    def _update_usage_from_instances(self): ...

    @utils.synchronized(COMPUTE_RESOURCE_SEMAPHORE, fair=True)
    def xloud_count(self, context, instance):
        xloud_tracker.count(self, context, instance)

    @utils.synchronized(COMPUTE_RESOURCE_SEMAPHORE, fair=True)
    def xloud_save(self, nodename):
        xloud_tracker.save(self, nodename)
