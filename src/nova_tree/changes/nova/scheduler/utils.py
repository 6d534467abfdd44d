"""What a server that exists should have in Placement follows its size."""
from nova_xloud.weave import decorate

from nova.xloud import request as xloud_request


@decorate
@xloud_request.of_instance
def resources_from_flavor(instance, flavor): ...
