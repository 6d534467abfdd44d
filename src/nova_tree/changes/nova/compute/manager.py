"""nova-compute adjusts servers, and keeps their sizes together.

It answers the RPC namespace ``xloud``, takes the size of a server through
resizes, and reconciles at the end of its resource periodic. A guest that has
ended, or was made anew, is accounted for before its new state is saved. A new
server begins at its floor, also if an older nova-api has let it in. Where
stock Nova replaces it, the host's trait goes with it.
"""
from nova_xloud.weave import after, append, before, decorate, prepend

from nova.xloud.compute import hooks as xloud_hooks


class ComputeManager:
    @append
    def __init__(self):
        xloud_hooks.start(self)

    @decorate
    @xloud_hooks.cleanup_host
    def cleanup_host(self): ...

    @before("instance.vm_state", despite="nested")
    def stop_instance(self, context, instance):
        xloud_hooks.guest_is_off(self, context, instance)

    @before("instance.vm_state")
    def _shelve_instance(self, context, instance):
        xloud_hooks.guest_is_off(self, context, instance)

    @before("instance.vm_state")
    def _shelve_offload_instance(self, context, instance):
        xloud_hooks.guest_is_off(self, context, instance)

    @prepend
    def _build_and_run_instance(self, instance):
        xloud_hooks.server_is_new(instance)

    @before("instance.vm_state")
    def _reboot_instance(self, context, instance):
        xloud_hooks.guest_is_new(self, context, instance)

    @after("self._update_instance_after_spawn")
    def _do_rebuild_instance(self, context, instance):
        xloud_hooks.guest_is_new(self, context, instance)

    @before("instance.vm_state")
    def rescue_instance(self, context, instance):
        xloud_hooks.guest_is_another(instance)

    @before("instance.vm_state")
    def unrescue_instance(self, context, instance):
        xloud_hooks.guest_is_another(instance)

    @decorate
    @xloud_hooks.revert_allocation
    def _revert_allocation(self, context, instance, migration): ...

    @decorate
    @xloud_hooks.delete_stashed_flavor_info
    def _delete_stashed_flavor_info(self, instance): ...

    @decorate(kind="staticmethod")
    @xloud_hooks.set_instance_info
    def _set_instance_info(instance, flavor): ...

    @decorate
    @xloud_hooks.update_available_resource
    def update_available_resource(self, context, startup): ...
