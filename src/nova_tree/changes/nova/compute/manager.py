"""nova-compute adjusts servers, and keeps their sizes together.

It answers the RPC namespace ``xloud``, takes the size of a server through
resizes, and reconciles at the end of its resource periodic. A guest that has
ended, or was made anew, is accounted for before its new state is saved. A new
server begins at its floor, also if an older nova-api has let it in. Where
stock Nova replaces it, the host's trait goes with it.
"""
from nova_xloud.weave import after, append, before, decorate, prepend

from nova.xloud import adjust as xloud_adjust
from nova.xloud import endpoint as xloud_endpoint
from nova.xloud import leaving as xloud_leaving
from nova.xloud import reconcile as xloud_reconcile
from nova.xloud import size as xloud_size


class ComputeManager:
    @append
    def __init__(self):
        self.xloud = xloud_adjust.Adjuster(self)
        self.additional_endpoints.append(
            xloud_endpoint.Endpoint(self))

    @decorate
    @xloud_leaving.drops_trait
    def cleanup_host(self): ...

    @before("instance.vm_state")
    def stop_instance(self, context, instance):
        xloud_reconcile.settle_stopped(self, context, instance)

    @before("instance.vm_state")
    def _shelve_instance(self, context, instance):
        xloud_reconcile.settle_stopped(self, context, instance)

    @before("instance.vm_state")
    def _shelve_offload_instance(self, context, instance):
        xloud_reconcile.settle_stopped(self, context, instance)

    @prepend
    def _build_and_run_instance(self, context, instance):
        xloud_reconcile.settle_new(self, context, instance)

    @before("instance.vm_state")
    def _reboot_instance(self, context, instance):
        xloud_reconcile.settle(self, context, instance)

    @after("self._update_instance_after_spawn")
    def _do_rebuild_instance(self, context, instance):
        xloud_reconcile.settle(self, context, instance)

    @decorate
    @xloud_reconcile.settles_revert
    def _revert_allocation(self): ...

    @decorate
    @xloud_size.forget_stashed
    def _delete_stashed_flavor_info(self): ...

    @decorate
    @xloud_size.follows_flavor
    def _set_instance_info(): ...

    @decorate
    @xloud_reconcile.after_update
    def update_available_resource(self): ...
