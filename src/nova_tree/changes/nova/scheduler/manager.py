"""Servers with a floor go to hosts that can hold the maximum of the flavor."""
from nova_xloud.weave import decorate

from nova.xloud.scheduler import hooks as xloud_hooks


class SchedulerManager:
    @decorate
    @xloud_hooks.get_all_host_states
    def _get_all_host_states(self, context, spec_obj, provider_summaries): ...
