"""A floor is no condition on the metadata of aggregates."""
from nova_xloud.weave import decorate

from nova.xloud import scheduling as xloud_scheduling


class AggregateInstanceExtraSpecsFilter:
    @decorate
    @xloud_scheduling.ignores_floors
    def host_passes(self, host_state, spec_obj): ...
