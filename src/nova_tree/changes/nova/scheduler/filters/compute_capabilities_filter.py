"""A floor is no condition on the capabilities of hosts."""
from nova_xloud.weave import decorate

from nova.xloud import scheduling as xloud_scheduling


class ComputeCapabilitiesFilter:
    @decorate
    @xloud_scheduling.ignores_floors
    def host_passes(self, host_state, spec_obj): ...
