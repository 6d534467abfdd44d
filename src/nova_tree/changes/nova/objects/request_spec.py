"""The scheduler is asked for a server's size, not for its maximum."""
from nova_xloud.weave import decorate

from nova.xloud.scheduler import hooks as xloud_hooks


class RequestSpec:
    @decorate(kind="property")
    @xloud_hooks.requested
    def vcpus(self): ...

    @decorate(kind="property")
    @xloud_hooks.requested
    def memory_mb(self): ...

    @decorate
    @xloud_hooks.ensure_network_information
    def ensure_network_information(self, instance): ...
