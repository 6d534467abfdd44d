"""Two routes: adjust a server, show its size.

Their resource comes from our module, as _create_controller's argument list
is Nova's business.
"""
from nova_xloud.weave import entries

from nova.api.openstack.compute import xloud_adjust

ROUTE_LIST = entries((
    ('/os-xloud-adjust/{server_id}', {
        'POST': [xloud_adjust.resource, 'adjust'],
    }),
    ('/servers/{server_id}/xloud-status', {
        'GET': [xloud_adjust.resource, 'status'],
    }),
))
