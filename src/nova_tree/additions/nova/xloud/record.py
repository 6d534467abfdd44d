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

"""The record of a server: its sizes, as they are written with its instance.

This module is the only reader, and the only writer, of the keys of the system
metadata below, and of the columns that quota sums. No user can edit them. An
instance without a record (made before nova-xloud, or with a flavor without a
floor) has its flavor's maximum, whatever its flavor says.

*Recorded* is the size after the next cold start. *Live* is the size that the
running guest has. *Held* is the size that Placement, the tracker and quota
count. The *guest* has the figures that the host saw when it last looked. All
figures are vCPUs and MiB.
"""

import contextlib

from oslo_serialization import jsonutils

from nova.xloud import size as xloud_size

_RECORDED = xloud_size.Size('xloud_current_vcpus', 'xloud_current_memory_mb')
_LIVE = xloud_size.Size('xloud_live_vcpus', 'xloud_live_memory_mb')
_OLD = xloud_size.Size('xloud_old_vcpus', 'xloud_old_memory_mb')
_GUEST = 'xloud_guest'


def _image_policy(instance):
    return instance.system_metadata.get('image_hw_cpu_policy')


def has_pinned_cpus(instance, flavor=None):
    """Tell whether a server has pinned vCPUs; see size.pins_cpus.

    :param instance: nova.objects.Instance
    :param flavor: nova.objects.Flavor; None for the instance's own
    """
    return xloud_size.pins_cpus(
        flavor or instance.flavor, _image_policy(instance))


def _read(instance, keys):
    """Read a size from the system metadata, None unless it is complete."""
    values = [instance.system_metadata.get(key) for key in keys]
    if None in values:
        return None
    return xloud_size.Size(*map(int, values))


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
        return xloud_size.maximum(instance.flavor)
    return xloud_size.fit(size, instance.flavor)


def live(instance):
    """Tell the Size that the running guest was last known to have.

    It differs from the recorded size after an adjust with 'persist': false,
    and where a guest has not kept to its size.

    :param instance: nova.objects.Instance
    """
    return _read(instance, _LIVE) or recorded(instance)


def held(instance):
    """Tell the Size that Placement, tracker and quota hold for the server.

    It is the larger of live and recorded for each resource. So neither a
    restart nor the running guest can be without its share.

    :param instance: nova.objects.Instance
    """
    return xloud_size.to_hold(
        xloud_size.larger(live(instance), recorded(instance)), instance.flavor,
        _image_policy(instance))


def would_hold(instance, vcpus, memory_mb, persist):
    """Tell the Size that would be held for the server after an adjust.

    :param instance: nova.objects.Instance, left as it is
    :param vcpus: number of vCPUs in the request, or None
    :param memory_mb: MiB in the request, or None
    :param persist: False when only the running guest is to change
    :returns: Size
    """
    kept = recorded(instance)
    if persist:
        kept = xloud_size.replaced(kept, vcpus, memory_mb)
    return xloud_size.to_hold(
        xloud_size.larger(
            xloud_size.replaced(live(instance), vcpus, memory_mb), kept),
        instance.flavor, _image_policy(instance))


def write(instance, kept, now=None):
    """Write the sizes of a server into its instance, the held one too.

    :param instance: nova.objects.Instance, to be saved by the caller
    :param kept: Size after the next cold start
    :param now: Size of the running guest; None when it is the same
    """
    _write(instance, _RECORDED, kept)
    write_live(instance, now or kept)


def write_live(instance, now):
    """Write the size that the running guest has into the instance.

    :param instance: nova.objects.Instance, to be saved by the caller
    :param now: Size
    """
    if now == recorded(instance):
        _drop(instance, _LIVE)
    else:
        _write(instance, _LIVE, now)
    forget_guest(instance)
    hold_for_quota(instance, held(instance))


def guest(instance):
    """Return the figures that the host of a server last saw of its guest.

    The host writes it after an adjust and in its periodic task, when the
    guest has settled at the live size. A note of any other size says nothing.

    :param instance: nova.objects.Instance
    :returns: nova.xloud.size.GuestSize; None where the host must be asked
    """
    try:
        figures = jsonutils.loads(instance.system_metadata.get(_GUEST, '{}'))
        # Another release may have written more figures
        seen = xloud_size.GuestSize(**{
            name: figures[name]
            for name in xloud_size.GuestSize._fields if name != 'may_boot'})
    except (ValueError, LookupError, TypeError):
        return None
    return seen if seen[:2] == live(instance) else None


def settled(seen, size):
    """Tell which figures of a guest stand until the next look at it.

    :param seen: nova.xloud.size.GuestSize, None without a running guest
    :param size: Size that is the live one of the server
    :returns: GuestSize; None for a guest that is off its size, or may boot
    """
    if (seen is None or seen[:2] != size or
            (seen.may_boot and not seen.balloon_driver_active)):
        return None
    return seen._replace(may_boot=False)


def write_guest(instance, seen):
    """Write the figures that the host has seen into the instance.

    :param instance: nova.objects.Instance with its live size, to be saved by
        the caller
    :param seen: nova.xloud.size.GuestSize as :func:`settled` returns it
    """
    forget_guest(instance)
    if seen is not None:
        figures = seen._asdict()
        del figures['may_boot']
        instance.system_metadata[_GUEST] = jsonutils.dumps(
            figures, sort_keys=True)


def forget_guest(instance):
    """Forget the figures that the host has seen of a guest.

    :param instance: nova.objects.Instance, to be saved by the caller
    """
    _drop(instance, (_GUEST,))


def hold_for_quota(instance, size):
    """Make quota count a server with a size.

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
        write_live(instance, recorded(instance))


def forget_live_of_floor(instance):
    """Note that the guest of a server with a floor is gone.

    :param instance: nova.objects.Instance, to be saved by the caller; nothing
        of one without a floor is read
    """
    if xloud_size.has_floor(instance.flavor):
        forget_live(instance)
        forget_guest(instance)


def forget_guest_of_floor(instance):
    """Note that a server with a floor has another guest, which boots.

    :param instance: nova.objects.Instance, to be saved by the caller; nothing
        of one without a floor is read
    """
    if xloud_size.has_floor(instance.flavor):
        forget_guest(instance)


def start_late(instance):
    """Record the floor of a server that has no record yet.

    :param instance: nova.objects.Instance, to be saved by the caller
    :returns: True if it must be saved
    """
    if not xloud_size.has_floor(instance.flavor) or has_record(instance):
        return False
    start_at_floor(instance, instance.flavor)
    return True


def start_at_floor(instance, flavor):
    """Record the size of a server that is about to be made.

    Does nothing for a flavor without a floor.

    :param instance: nova.objects.Instance with its system metadata
    :param flavor: nova.objects.Flavor of the server
    """
    if xloud_size.has_floor(flavor):
        size = xloud_size.floor(flavor)
        _write(instance, _RECORDED, size)
        instance.vcpus, instance.memory_mb = xloud_size.to_hold(
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
    if not (xloud_size.has_floor(flavor) or
            xloud_size.has_floor(instance.flavor) or has_record(instance)):
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
    # Else the server comes back from a cold migration: a stashed size is of
    # a resize that has ended elsewhere.
    write(instance, xloud_size.fit(before, flavor))


def held_with(instance, flavor):
    """Tell the Size held for a server with its present or another flavor.

    :param instance: nova.objects.Instance
    :param flavor: nova.objects.Flavor; the instance's, the one that it is
        being resized to, or the one that it was resized from
    :returns: Size
    """
    if flavor.id == instance.flavor.id:
        return held(instance)
    old = stashed(instance)
    if old is None or not _is_old_flavor(instance, flavor):
        old = recorded(instance)
    return xloud_size.to_hold(
        xloud_size.fit(old, flavor), flavor, _image_policy(instance))
