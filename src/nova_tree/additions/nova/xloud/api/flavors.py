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

"""Floors in flavors: whether they are sound, and how quota counts them.

The sizes that a server has are in nova.xloud.record.
"""

import re

from oslo_utils import strutils

from nova import utils
from nova.xloud import exception
from nova.xloud import record
from nova.xloud import size as xloud_size

MINIMUM_CPU = 'minimum_cpu'
MINIMUM_MEMORY = 'minimum_memory'

# extra spec -> (the flavor's maximum of it, its unit)
FLOORS = {
    MINIMUM_CPU: ('vcpus', 'vCPUs'),
    MINIMUM_MEMORY: ('memory_mb', 'MiB'),
}

RESERVED_NAMESPACE = 'xloud:'

# Extra spec -> image property: guest memory is pinned when one is true.
# Realtime CPUs: the libvirt driver locks the memory of such guests.
_PINNING_SWITCHES = {
    'hw:locked_memory': 'hw_locked_memory',
    'hw:mem_encryption': 'hw_mem_encryption',
    'hw:cpu_realtime': None,
}

# The one model of encrypted memory that leaves the state of the vCPUs alone;
# a guest that names no model gets it.
_PLAIN_MODEL = 'amd-sev'

# A guest whose kernel does not recognise a hypervisor counts the CPUs of its
# map when it boots (Linux 6.12, x2apic): a vCPU that is added later never
# arrives.
_HYPERVISOR_HIDDEN = {
    'hide_hypervisor_id': 'img_hide_hypervisor_id',
    'hw:hide_hypervisor_id': None,
}

# Image properties that name the architecture or the machine of a guest, and
# the values with which QEMU plugs no vCPU: see nova.virt.libvirt.xloud_xml.
_ARCHITECTURES = ('hw_architecture', 'architecture',
                  'hw_emulation_architecture')
_MACHINE = 'hw_machine_type'
_FIXED_MACHINES = ('isapc', 'microvm', 'none')

# Devices that are passed through pin all of the guest's memory (VFIO).
_PINNING_DEVICES = ('pci_passthrough:alias', 'accel:device_profile')
_PINNING_RESOURCES = ('VGPU', 'MEM_ENCRYPTION_CONTEXT')

_FILE_BACKED = 'COMPUTE_MEM_BACKING_FILE'

_OVERRIDES = {MINIMUM_CPU: 'VCPU', MINIMUM_MEMORY: 'MEMORY_MB'}


def _resource_specs(specs, resources):
    """Find the extra specs that ask Placement for some resource classes.

    :param specs: dict of extra specs
    :param resources: names of resource classes
    :returns: sorted list of extra spec names, granular groups included,
        whatever their values
    """
    pattern = re.compile(
        'resources[^:]*:(%s)' % '|'.join(resources))
    return sorted(filter(pattern.fullmatch, specs))


def _memory_pins(specs, properties):
    """Find the properties that pin the memory of a guest.

    :param specs: dict of the flavor's extra specs
    :param properties: dict of the image's properties
    :returns: list of 'name=value', empty when nothing pins it
    """
    pins = []
    for name, source in (('hw:mem_page_size', specs),
                         ('hw_mem_page_size', properties)):
        # 'any' lets the host choose huge pages; an explicit size may be one,
        # depending on the host's architecture
        if source.get(name, 'small') != 'small':
            pins.append('%s=%s' % (name, source[name]))
    for spec, image_property in _PINNING_SWITCHES.items():
        if strutils.bool_from_string(specs.get(spec)):
            pins.append('%s=%s' % (spec, specs[spec]))
        if strutils.bool_from_string(properties.get(image_property)):
            pins.append(
                '%s=%s' % (image_property, properties[image_property]))
    pins.extend('%s=%s' % (name, specs[name])
                for name in _PINNING_DEVICES if specs.get(name))
    pins.extend('%s=%s' % (name, specs[name])
                for name in _resource_specs(specs, _PINNING_RESOURCES)
                if str(specs[name]) != '0')
    for source in (specs, properties):
        pins.extend(
            '%s=%s' % (name, value) for name, value in source.items()
            if re.fullmatch('trait[^:]*:' + _FILE_BACKED, name) and
            value == 'required')
    return pins


def _is_encrypted(specs, properties):
    return (strutils.bool_from_string(specs.get('hw:mem_encryption')) or
            strutils.bool_from_string(properties.get('hw_mem_encryption')))


def _vcpu_locks(specs, properties):
    """Find the properties that fix the vCPUs of a guest at its launch.

    SEV-ES, SEV-SNP and TDX measure and encrypt the state of the vCPUs at the
    launch: none can be added later. The same holds for every model that Nova
    is yet to learn.

    :param specs: dict of the flavor's extra specs
    :param properties: dict of the image's properties
    :returns: list of 'name=value', empty when nothing does
    """
    locks = []
    # Nova reads the model of a guest with encrypted memory only
    if _is_encrypted(specs, properties):
        locks += [
            (name, source[name])
            for name, source in (('hw:mem_encryption_model', specs),
                                 ('hw_mem_encryption_model', properties))
            if source.get(name, _PLAIN_MODEL) != _PLAIN_MODEL]
    for spec, image_property in _HYPERVISOR_HIDDEN.items():
        locks += [
            (name, source[name])
            for name, source in ((spec, specs), (image_property, properties))
            if strutils.bool_from_string(source.get(name))]
    for name in _ARCHITECTURES:
        if not xloud_size.plugs_vcpus(properties.get(name)):
            locks.append((name, properties[name]))
    machine = str(properties.get(_MACHINE, ''))
    if machine in _FIXED_MACHINES:
        locks.append((_MACHINE, machine))
    return ['%s=%s' % lock for lock in locks]


def _needs_memory(flavor, image):
    """Check a floor against the memory that an image says it needs.

    :param flavor: nova.objects.Flavor with a memory floor
    :param image: dict of the image, as Glance gives it; may be empty
    :raises: nova.exception.ValidationError (HTTP 400)
    """
    needed = int((image or {}).get('min_ram') or 0)
    floor = xloud_size.floor(flavor).memory_mb
    if floor < needed:
        raise exception.FloorBelowImage(
            spec=MINIMUM_MEMORY, floor=floor, needed=needed,
            flavor=flavor.name)


def _check(flavor, specs, properties):
    """Check the floors of a flavor against it and an image.

    :param flavor: nova.objects.Flavor, for its name and maxima
    :param specs: dict of its extra specs, as they are or would be
    :param properties: dict of the image's properties
    :raises: nova.exception.ValidationError (HTTP 400)
    """
    for name in specs:
        if name.startswith(RESERVED_NAMESPACE):
            raise exception.ReservedExtraSpec(spec=name)
    for name, (attribute, unit) in FLOORS.items():
        if name not in specs:
            continue
        value = str(specs[name])
        if not re.fullmatch('[0-9]+', value) or int(value) < 1:
            raise exception.FloorInvalid(spec=name, value=value)
        maximum = getattr(flavor, attribute)
        if int(value) > maximum:
            raise exception.FloorAboveMaximum(
                spec=name, floor=int(value), maximum=maximum, unit=unit,
                flavor=flavor.name)
        for override in _resource_specs(specs, (_OVERRIDES[name],)):
            raise exception.FloorOverridden(
                spec=name, override=override, flavor=flavor.name)
    if MINIMUM_CPU in specs:
        locks = _vcpu_locks(specs, properties)
        if locks:
            raise exception.FloorVcpusLocked(reasons=', '.join(locks))
    if MINIMUM_MEMORY in specs:
        pins = _memory_pins(specs, properties)
        if pins:
            raise exception.FloorMemoryPinned(reasons=', '.join(pins))


def check_specs(flavor, new_specs):
    """Check extra specs that are about to be set on a flavor.

    The extra specs of a flavor without a floor are left to Nova's checks.

    :param flavor: nova.objects.Flavor with its present extra specs
    :param new_specs: dict of the extra specs to be added or replaced
    :raises: nova.exception.ValidationError (HTTP 400)
    """
    _check(flavor, dict(flavor.extra_specs, **new_specs), {})


def check_create(flavor, image):
    """Check the floors of a flavor that a server is made or rebuilt with.

    :param flavor: nova.objects.Flavor
    :param image: dict of the image, as Glance gives it; may be empty
    :raises: nova.exception.ValidationError (HTTP 400)
    """
    if 'extra_specs' in flavor:
        _check(flavor, flavor.extra_specs,
               (image or {}).get('properties') or {})
        if xloud_size.has_memory_floor(flavor):
            _needs_memory(flavor, image)


def check_resize(instance, flavor, same_flavor):
    """Check the floors of a flavor that a server is resized to.

    :param instance: nova.objects.Instance
    :param flavor: nova.objects.Flavor, the new one
    :param same_flavor: True for a migration, which must not fail for a
        flavor that the server has already
    :raises: nova.exception.ValidationError (HTTP 400)
    """
    if not same_flavor:
        check_create(flavor, utils.get_image_from_system_metadata(
            instance.system_metadata))


def _stand_in(flavor, size):
    """Make a flavor of the size that quota is to count.

    :param flavor: nova.objects.Flavor, left as it is
    :param size: nova.xloud.size.Size that is held
    :returns: nova.objects.Flavor without a floor
    """
    copy = xloud_size.without_floors(flavor)
    copy.vcpus, copy.memory_mb = size
    return copy


def at_floor(flavor, image_policy=None):
    """Make the flavor that quota is to count for a new server.

    :param flavor: nova.objects.Flavor
    :param image_policy: the image property hw_cpu_policy, if any
    :returns: nova.objects.Flavor; the same one if it has no floor
    """
    if not xloud_size.has_floor(flavor):
        return flavor
    return _stand_in(flavor, xloud_size.to_hold(
        xloud_size.floor(flavor), flavor, image_policy))


def held(instance, flavor):
    """Make the flavor that quota is to count for a server that exists.

    :param instance: nova.objects.Instance
    :param flavor: nova.objects.Flavor; the server's, or the one that it is
        being resized to or has been resized from
    :returns: nova.objects.Flavor; the same one if it has no floor
    """
    if not xloud_size.has_floor(flavor):
        return flavor
    return _stand_in(flavor, record.held_with(instance, flavor))


def held_at_create(flavor, image):
    """Make the flavor that quota is to count for a server with pinned vCPUs.

    Nova's check of the quota knows the flavor, and not the image: only here
    a policy of the image is known, which pins the vCPUs.

    :param flavor: nova.objects.Flavor
    :param image: dict of the image, as Glance gives it; may be empty
    :returns: nova.objects.Flavor; without its floors if it or the image pins
        the vCPUs, which are then counted at their maximum
    """
    policy = ((image or {}).get('properties') or {}).get('hw_cpu_policy')
    if (xloud_size.has_cpu_floor(flavor) and
            xloud_size.pins_cpus(flavor, policy)):
        return at_floor(flavor, policy)
    return flavor
