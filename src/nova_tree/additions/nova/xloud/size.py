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

"""How large a server may be, is, and counts.

Pure bookkeeping on flavors and instances: no hypervisor, no Placement, no
database calls of its own. All figures are vCPUs and MiB.

The record lives in the system metadata of the instance, which no user can
edit. An instance without a record (made before nova-xloud, or with a flavor
without a floor) has its flavor's maximum, whatever its flavor says.
"""

import collections
import contextlib
import re

Size = collections.namedtuple('Size', 'vcpus memory_mb')

Bounds = collections.namedtuple(
    'Bounds', 'min_vcpus max_vcpus min_memory_mb max_memory_mb')

# What a host sees of a running guest; see ComputeDriver.get_current_size.
GuestSize = collections.namedtuple(
    'GuestSize', 'vcpus memory_mb balloon_driver_active attached_dimms_mb '
                 'has_virtiomem may_boot', defaults=(False,))

_FLOORS = Size('minimum_cpu', 'minimum_memory')

_RECORDED = Size('xloud_current_vcpus', 'xloud_current_memory_mb')
_LIVE = Size('xloud_live_vcpus', 'xloud_live_memory_mb')
_OLD = Size('xloud_old_vcpus', 'xloud_old_memory_mb')


def _extra_specs(flavor):
    return flavor.extra_specs if 'extra_specs' in flavor else {}


def _floor_of(flavor, spec):
    """Read a floor; None without one.

    Bad values are refused where they are set: one that a flavor has had
    since before nova-xloud is none, and must not break the hosts.
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
    """Tell the Size that a server of a flavor starts at."""
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


def counted(size, flavor, image_policy=None):
    """Turn a size into what Placement, tracker and quota count for it.

    :param size: Size
    :param flavor: nova.objects.Flavor
    :param image_policy: the image property hw_cpu_policy, if any
    :returns: Size
    """
    if pins_cpus(flavor, image_policy):
        return size._replace(vcpus=flavor.vcpus)
    return size


def _image_policy(instance):
    return instance.system_metadata.get('image_hw_cpu_policy')


def has_pinned_cpus(instance):
    """Tell whether a server has vCPUs pinned; see :func:`pins_cpus`."""
    return pins_cpus(instance.flavor, _image_policy(instance))


def _read(instance, keys):
    """Read a size from the system metadata, None unless it is complete."""
    values = [instance.system_metadata.get(key) for key in keys]
    if None in values:
        return None
    return Size(*map(int, values))


def _write(instance, keys, size):
    for key, value in zip(keys, size):
        instance.system_metadata[key] = str(value)


def _drop(instance, keys):
    for key in keys:
        instance.system_metadata.pop(key, None)


def has_record(instance):
    """Tell whether the instance has a recorded size."""
    return _read(instance, _RECORDED) is not None


def has_live(instance):
    """Tell whether the guest is said to differ from the recorded size."""
    return _read(instance, _LIVE) is not None


def recorded(instance):
    """Tell the Size that the server has after its next cold start.

    :param instance: nova.objects.Instance
    """
    size = _read(instance, _RECORDED)
    if size is None:
        return maximum(instance.flavor)
    return fit(size, instance.flavor)


def live(instance):
    """Tell the Size that the running guest was last known to have.

    Differs from the recorded size after an adjust with 'persist': false, and
    where a guest has not kept to it.

    :param instance: nova.objects.Instance
    """
    return _read(instance, _LIVE) or recorded(instance)


def reserved(instance):
    """Tell the Size that Placement, tracker and quota count for the server.

    The larger of live and recorded for each resource, so that neither a
    restart nor the running guest can be without its share.

    :param instance: nova.objects.Instance
    """
    return counted(
        larger(live(instance), recorded(instance)), instance.flavor,
        _image_policy(instance))


def replaced(size, vcpus, memory_mb):
    """Replace the figures of a size that are not None."""
    return Size(size.vcpus if vcpus is None else vcpus,
                size.memory_mb if memory_mb is None else memory_mb)


def would_reserve(instance, vcpus, memory_mb, persist):
    """Tell what would count for the server after an adjust.

    :param instance: nova.objects.Instance, left as it is
    :param vcpus: vCPUs asked for or None
    :param memory_mb: MiB asked for or None
    :param persist: False when only the running guest is to change
    :returns: Size
    """
    kept = recorded(instance)
    if persist:
        kept = replaced(kept, vcpus, memory_mb)
    return counted(
        larger(replaced(live(instance), vcpus, memory_mb), kept),
        instance.flavor, _image_policy(instance))


def record(instance, kept, now=None):
    """Write the size of a server, and what counts for it, into the instance.

    :param instance: nova.objects.Instance, to be saved by the caller
    :param kept: Size after the next cold start
    :param now: Size of the running guest; None when it is the same
    """
    _write(instance, _RECORDED, kept)
    record_live(instance, now or kept)


def record_live(instance, now):
    """Write the size that the running guest has into the instance.

    :param instance: nova.objects.Instance, to be saved by the caller
    :param now: Size
    """
    if now == recorded(instance):
        _drop(instance, _LIVE)
    else:
        _write(instance, _LIVE, now)
    hold_for_quota(instance, reserved(instance))


def hold_for_quota(instance, size):
    """Have a server count with a size for quota.

    :param instance: nova.objects.Instance, to be saved by the caller
    :param size: Size
    """
    # Nova's database quota sums these columns
    instance.vcpus, instance.memory_mb = size


def forget_live(instance):
    """Note that the guest was made anew from the recorded size.

    :param instance: nova.objects.Instance, to be saved by the caller
    """
    if has_live(instance):
        record_live(instance, recorded(instance))


def forget_live_of_floor(instance):
    """Note that the guest of a server with a floor is gone.

    :param instance: nova.objects.Instance, to be saved by the caller; nothing
        of one without a floor is read
    """
    if has_floor(instance.flavor):
        forget_live(instance)


def start_late(instance):
    """Record the floor of a server that has no record yet.

    :param instance: nova.objects.Instance, to be saved by the caller
    :returns: True if it must be saved
    """
    if not has_floor(instance.flavor) or has_record(instance):
        return False
    start_at_floor(instance, instance.flavor)
    return True


def start_at_floor(instance, flavor):
    """Record the size of a server that is about to be made.

    Does nothing for a flavor without a floor.

    :param instance: nova.objects.Instance with its system metadata
    :param flavor: nova.objects.Flavor of the server
    """
    if has_floor(flavor):
        size = floor(flavor)
        _write(instance, _RECORDED, size)
        instance.vcpus, instance.memory_mb = counted(
            size, flavor, _image_policy(instance))


def stashed(instance):
    """Tell the Size that a revert of the resize in progress brings back.

    :param instance: nova.objects.Instance
    :returns: Size or None
    """
    return _read(instance, _OLD)


def forget_stashed(instance):
    """Forget the size that a revert would bring back.

    :param instance: nova.objects.Instance, to be saved by the caller
    """
    _drop(instance, _OLD)


# Flavors are compared as Nova does: one that was deleted, and made anew with
# the same flavorid, is another.
def _is_old_flavor(instance, flavor):
    old = instance.old_flavor if 'old_flavor' in instance else None
    return old is not None and old.id == flavor.id


@contextlib.contextmanager
def following(instance, flavor):
    """Have the size of a server follow, while its flavor is set.

    A resize brings the size within the new flavor's bounds and stashes the
    old one; a revert, or a resize that has failed, brings it back.

    :param instance: nova.objects.Instance, to be saved by the caller; its
        flavor is the new one when the context ends
    :param flavor: nova.objects.Flavor, the new one
    """
    if not (has_floor(flavor) or has_floor(instance.flavor) or
            has_record(instance)):
        yield
        return
    before = recorded(instance)
    old = stashed(instance)
    is_resize = instance.flavor.id != flavor.id
    is_revert = old is not None and _is_old_flavor(instance, flavor)
    yield
    _drop(instance, _LIVE)
    _drop(instance, _OLD)
    if is_resize and is_revert:
        before = old
    elif is_resize:
        _write(instance, _OLD, before)
    # Else it comes back from a cold migration; what may be stashed is of a
    # resize that has ended elsewhere.
    record(instance, fit(before, flavor))


def of_flavor(instance, flavor):
    """Tell what counts for a server with its present or another flavor.

    :param instance: nova.objects.Instance
    :param flavor: nova.objects.Flavor; the instance's, the one that it is
        being resized to, or the one that it was resized from
    :returns: Size
    """
    if flavor.id == instance.flavor.id:
        return reserved(instance)
    old = stashed(instance)
    if old is None or not _is_old_flavor(instance, flavor):
        old = recorded(instance)
    return counted(fit(old, flavor), flavor, _image_policy(instance))
