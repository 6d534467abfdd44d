"""What a server that exists should have in Placement follows its size.

A host that a move is forced to is checked, as the scheduler checks others.
"""
from nova_xloud.weave import decorate

from nova.xloud.scheduler import hooks as xloud_hooks


@decorate
@xloud_hooks.resources_from_flavor
def resources_from_flavor(instance, flavor): ...


@decorate
@xloud_hooks.claim_resources_on_destination
def claim_resources_on_destination(
    context, reportclient, instance, source_node, dest_node
): ...
