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

"""Values: how large a server of a flavor may be.

Nothing here knows an instance, a hypervisor, Placement or the database; the
sizes that a server has are in nova.xloud.record. All figures are vCPUs and
MiB.
"""

import collections
import re

Size = collections.namedtuple('Size', 'vcpus memory_mb')

Bounds = collections.namedtuple(
    'Bounds', 'min_vcpus max_vcpus min_memory_mb max_memory_mb')

# The host's view of a guest; see ComputeDriver.get_current_size. The
# guest itself tells how many vCPUs are online, None if it was not asked.
GuestSize = collections.namedtuple(
    'GuestSize', 'vcpus memory_mb balloon_driver_active attached_dimms_mb '
                 'has_virtiomem may_boot online_vcpus',
    defaults=(False, None))

_FLOORS = Size('minimum_cpu', 'minimum_memory')


def _extra_specs(flavor):
    return flavor.extra_specs if 'extra_specs' in flavor else {}


def _floor_of(flavor, spec):
    """Read a floor; None without one.

    Bad values are refused where they are set. A bad value from before
    nova-xloud is no floor, and must not break the hosts.
    """
    value = str(_extra_specs(flavor).get(spec, ''))
    if not re.fullmatch('[0-9]+', value) or int(value) < 1:
        return None
    return int(value)


def bounds(flavor):
    """Tell how small and how large servers of a flavor can be.

    :param flavor: nova.objects.Flavor
    :returns: Bounds; minimum and maximum are equal without a floor
    """
    floors = [
        min(_floor_of(flavor, spec) or most, most)
        for spec, most in zip(_FLOORS, maximum(flavor))]
    return Bounds(floors[0], flavor.vcpus, floors[1], flavor.memory_mb)


def floor(flavor):
    """Tell the Size at which a server of a flavor starts."""
    limits = bounds(flavor)
    return Size(limits.min_vcpus, limits.min_memory_mb)


def maximum(flavor):
    """Tell the Size that a server of a flavor can grow to."""
    return Size(flavor.vcpus, flavor.memory_mb)


def has_cpu_floor(flavor):
    """Tell whether the flavor names a floor for its vCPUs."""
    return _floor_of(flavor, _FLOORS.vcpus) is not None


def has_memory_floor(flavor):
    """Tell whether the flavor names a floor for its memory."""
    return _floor_of(flavor, _FLOORS.memory_mb) is not None


def has_floor(flavor):
    """Tell whether the flavor names a floor for any resource."""
    return has_cpu_floor(flavor) or has_memory_floor(flavor)


def without_floors(flavor):
    """Make a copy of a flavor that names no floor.

    :param flavor: nova.objects.Flavor; left as it is
    """
    flavor = flavor.obj_clone()
    flavor.extra_specs = {name: value
                          for name, value in flavor.extra_specs.items()
                          if name not in _FLOORS}
    return flavor


def fit(size, flavor):
    """Bring a size within the bounds of a flavor.

    :param size: Size
    :param flavor: nova.objects.Flavor
    :returns: Size; the maximum for a resource without a floor
    """
    limits = bounds(flavor)
    return Size(
        min(max(size.vcpus, limits.min_vcpus), limits.max_vcpus),
        min(max(size.memory_mb, limits.min_memory_mb), limits.max_memory_mb))


def plugs_vcpus(architecture):
    """Tell whether QEMU can plug and unplug vCPUs of running guests.

    QEMU plugs none on aarch64; on s390x it adds them, but takes none back
    ("CPU hot unplug not supported on this machine").

    :param architecture: a name as in nova.objects.fields.Architecture; None
        where nobody names one
    """
    return architecture is None or str(architecture) in (
        'x86_64', 'i686', 'ppc64', 'ppc64le')


def larger(one, other):
    """Take the larger figure of two sizes, for each resource."""
    return Size(*map(max, one, other))


def pins_cpus(flavor, image_policy=None):
    """Tell whether servers of a flavor have vCPUs pinned to host CPUs.

    Such CPUs stay reserved for the maximum, however many vCPUs are online:
    the guest is pinned to all of them.

    :param flavor: nova.objects.Flavor
    :param image_policy: the image property hw_cpu_policy, if any
    """
    specs = _extra_specs(flavor)
    policies = (specs.get('hw:cpu_policy'), image_policy)
    return 'dedicated' in policies or 'mixed' in policies or any(
        re.fullmatch('resources[^:]*:PCPU', name) for name in specs)


def to_hold(size, flavor, image_policy=None):
    """Tell the Size that Placement, tracker and quota hold for a size.

    :param size: Size
    :param flavor: nova.objects.Flavor
    :param image_policy: the image property hw_cpu_policy, if any
    :returns: Size
    """
    if pins_cpus(flavor, image_policy):
        return size._replace(vcpus=flavor.vcpus)
    return size


def replaced(size, vcpus, memory_mb):
    """Replace the figures of a size that are not None."""
    return Size(size.vcpus if vcpus is None else vcpus,
                size.memory_mb if memory_mb is None else memory_mb)
