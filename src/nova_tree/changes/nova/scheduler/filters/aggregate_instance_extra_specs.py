"""A floor is no condition on the metadata of aggregates."""
from nova_xloud.weave import decorate

from nova.xloud.scheduler import hooks as xloud_hooks


class AggregateInstanceExtraSpecsFilter:
    @decorate
    @xloud_hooks.host_passes
    def host_passes(self, host_state, spec_obj): ...
