"""What a server that exists should have in Placement follows its size."""
from nova_xloud.weave import decorate

from nova.xloud.scheduler import hooks as xloud_hooks


@decorate
@xloud_hooks.resources_from_flavor
def resources_from_flavor(instance, flavor): ...
