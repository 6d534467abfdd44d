"""A floor is no condition on the capabilities of hosts."""
from nova_xloud.weave import decorate

from nova.xloud.scheduler import hooks as xloud_hooks


class ComputeCapabilitiesFilter:
    @decorate
    @xloud_hooks.host_passes
    def host_passes(self, host_state, spec_obj): ...
