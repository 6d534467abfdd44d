"""Servers with a floor are counted by their size, and again when it changes."""
from nova_xloud.weave import append, decorate

from nova.xloud.compute import hooks as xloud_hooks


class ResourceTracker:
    @append
    def __init__(self):
        xloud_hooks.start_tracker(self)

    @decorate
    @xloud_hooks.get_usage_dict
    def _get_usage_dict(self, object_or_dict, instance): ...

    @decorate
    @xloud_hooks.update_usage_from_instance
    def _update_usage_from_instance(
            self, context, instance, nodename, is_removed): ...

    @decorate
    @xloud_hooks.update_usage_from_instances
    def _update_usage_from_instances(
            self, context, instances, nodename): ...
