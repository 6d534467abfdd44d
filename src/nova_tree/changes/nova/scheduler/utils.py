"""What a server that exists should have in Placement follows its size.

A host that a move is forced to is checked, as the scheduler checks others.
"""
from nova_xloud.weave import decorate

from nova.xloud import request as xloud_request
from nova.xloud import scheduling as xloud_scheduling


@decorate
@xloud_request.of_instance
def resources_from_flavor(instance, flavor): ...


@decorate
@xloud_scheduling.checks_destination
def claim_resources_on_destination(
    context, reportclient, instance, source_node, dest_node
): ...
