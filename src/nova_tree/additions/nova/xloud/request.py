# xloud: part of nova-xloud
#
# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""What the scheduler asks Placement for.

A new server is asked for at its floor. For a server that exists, the request
spec carries its size: as extra specs of a copy of the flavor, because the
namespace ``xloud`` is closed to flavors, while scheduler hints come from
users.
"""

import functools

from nova.compute import task_states
from nova.xloud import size as xloud_size

_CARRIED = xloud_size.Size('xloud:current_vcpus', 'xloud:current_memory_mb')


def _image_policy(request_spec):
    image = request_spec.image if 'image' in request_spec else None
    if image is None or 'properties' not in image:
        return None
    return image.properties.get('hw_cpu_policy')


def _asked(request_spec):
    """Tell the Size to ask for; the flavor is known to have a floor."""
    flavor = request_spec.flavor
    asked = xloud_size.floor(flavor)
    carried = [flavor.extra_specs.get(name) for name in _CARRIED]
    if None not in carried:
        asked = xloud_size.fit(
            xloud_size.Size(*map(int, carried)), flavor)
    return xloud_size.counted(asked, flavor, _image_policy(request_spec))


def requested(function):
    """Decorate RequestSpec.vcpus and RequestSpec.memory_mb."""
    @functools.wraps(function)
    def wrapper(request_spec):
        if xloud_size.has_floor(request_spec.flavor):
            return getattr(_asked(request_spec), function.__name__)
        return function(request_spec)
    return wrapper


def at_size(flavor, size):
    """Make a copy of a flavor that asks for a size.

    :param flavor: nova.objects.Flavor; left as it is
    :param size: nova.xloud.size.Size
    :returns: nova.objects.Flavor; the same one if it has no floor
    """
    if not xloud_size.has_floor(flavor):
        return flavor
    flavor = flavor.obj_clone()
    flavor.extra_specs = dict(
        flavor.extra_specs,
        **{name: str(value) for name, value in zip(_CARRIED, size)})
    return flavor


def _size_to_carry(request_spec, instance):
    if request_spec.flavor.id != instance.flavor.id:
        return xloud_size.fit(
            xloud_size.recorded(instance), request_spec.flavor)
    if instance.task_state == task_states.MIGRATING:
        # the guest goes over as it is, and must be able to restart there
        return xloud_size.larger(
            xloud_size.live(instance), xloud_size.recorded(instance))
    return xloud_size.recorded(instance)


def carries_size(function):
    """Decorate RequestSpec.ensure_network_information(instance).

    Every move of a server calls it just before it asks the scheduler.
    """
    @functools.wraps(function)
    def wrapper(request_spec, instance):
        function(request_spec, instance)
        if 'flavor' in request_spec and xloud_size.has_floor(
                request_spec.flavor):
            request_spec.flavor = at_size(
                request_spec.flavor, _size_to_carry(request_spec, instance))
    return wrapper


def of_instance(function):
    """Decorate scheduler.utils.resources_from_flavor(instance, flavor).

    nova-manage placement heal_allocations asks it what a server should have.
    """
    @functools.wraps(function)
    def wrapper(instance, flavor):
        if xloud_size.has_floor(flavor):
            flavor = at_size(
                flavor, xloud_size.of_flavor(instance, flavor))
        return function(instance, flavor)
    return wrapper
