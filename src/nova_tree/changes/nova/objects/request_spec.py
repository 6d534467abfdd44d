"""The scheduler is asked for a server's size, not for its maximum."""
from nova_xloud.weave import decorate

from nova.xloud import request as xloud_request


class RequestSpec:
    @decorate(kind="property")
    @xloud_request.requested
    def vcpus(self): ...

    @decorate(kind="property")
    @xloud_request.requested
    def memory_mb(self): ...

    @decorate
    @xloud_request.carries_size
    def ensure_network_information(self, instance): ...
