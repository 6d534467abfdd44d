"""Servers with a floor go to hosts that can hold the maximum of the flavor."""
from nova_xloud.weave import decorate

from nova.xloud import scheduling as xloud_scheduling


class SchedulerManager:
    @decorate
    @xloud_scheduling.holds_maximum
    def _get_all_host_states(self, context, spec_obj, provider_summaries): ...
