"""nova-compute adjusts servers, and keeps their sizes together.

It answers the RPC namespace ``xloud``, takes the size of a server through
resizes, and reconciles at the end of its resource periodic.
"""
from nova_xloud.weave import append, decorate

from nova.xloud import adjust as xloud_adjust
from nova.xloud import endpoint as xloud_endpoint
from nova.xloud import reconcile as xloud_reconcile
from nova.xloud import size as xloud_size


class ComputeManager:
    @append
    def __init__(self):
        self.xloud = xloud_adjust.Adjuster(self)
        self.additional_endpoints.append(
            xloud_endpoint.Endpoint(self))

    @decorate
    @xloud_reconcile.settles
    def stop_instance(self): ...

    @decorate
    @xloud_reconcile.settles
    def reboot_instance(self): ...

    @decorate
    @xloud_reconcile.settles
    def rebuild_instance(self): ...

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
