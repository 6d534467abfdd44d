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

"""The amounts that the scheduler asks Placement for.

A new server is asked for at its floor. For a server that exists, the request
spec carries its size: as extra specs of a copy of the flavor, because the
namespace ``xloud`` is closed to flavors, while scheduler hints come from
users.
"""

from nova.compute import task_states
from nova.xloud import record
from nova.xloud import size as xloud_size

_CARRIED = xloud_size.Size('xloud:current_vcpus', 'xloud:current_memory_mb')


def _image_policy(request_spec):
    image = request_spec.image if 'image' in request_spec else None
    if image is None or 'properties' not in image:
        return None
    return image.properties.get('hw_cpu_policy')


def pins_cpus(request_spec):
    """Tell whether the server of a request spec will have vCPUs pinned.

    :param request_spec: nova.objects.RequestSpec
    """
    return xloud_size.pins_cpus(
        request_spec.flavor, _image_policy(request_spec))


def requested(request_spec):
    """Tell the Size that a request spec asks Placement for.

    :param request_spec: nova.objects.RequestSpec of a flavor with a floor
    """
    flavor = request_spec.flavor
    size = xloud_size.floor(flavor)
    carried = [flavor.extra_specs.get(name) for name in _CARRIED]
    if None not in carried:
        size = xloud_size.fit(
            xloud_size.Size(*map(int, carried)), flavor)
    return xloud_size.to_hold(size, flavor, _image_policy(request_spec))


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
            record.recorded(instance), request_spec.flavor)
    if instance.task_state == task_states.MIGRATING:
        # The guest moves as it is, and must be able to restart there
        return xloud_size.larger(
            record.live(instance), record.recorded(instance))
    return record.recorded(instance)


def carry_size(request_spec, instance):
    """Make a request spec carry the size of a server, if it has a floor.

    :param request_spec: nova.objects.RequestSpec, changed
    :param instance: nova.objects.Instance
    """
    if 'flavor' in request_spec and xloud_size.has_floor(request_spec.flavor):
        request_spec.flavor = at_size(
            request_spec.flavor, _size_to_carry(request_spec, instance))


def of_instance(instance, flavor):
    """Make the flavor that asks for the size that is held for a server.

    :param instance: nova.objects.Instance
    :param flavor: nova.objects.Flavor, the server's or the one of a resize
    :returns: nova.objects.Flavor; the same one if it has no floor
    """
    if not xloud_size.has_floor(flavor):
        return flavor
    return at_size(flavor, record.held_with(instance, flavor))
