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

"""The domain XML of guests that start at a floor and change live.

Nothing here asks libvirt; see nova.virt.libvirt.xloud for that.
"""

import collections
import functools
import inspect

from lxml import etree
import os_traits
from oslo_utils import units

import nova.conf
from nova.objects import fields
from nova.xloud import record as xloud_record
from nova.xloud import size as xloud_size

CONF = nova.conf.CONF

# CPU features with which a guest can have guests of its own. The kernel of a
# guest that sees one loads KVM.
_NESTING = ('vmx', 'svm')

# The traits by which a flavor or an image asks for them. Nova has two for
# each feature: see nova.virt.libvirt.utils.CPU_TRAITS_MAPPING.
_NESTING_TRAITS = frozenset((
    os_traits.HW_CPU_X86_VMX, os_traits.HW_CPU_X86_INTEL_VMX,
    os_traits.HW_CPU_X86_SVM, os_traits.HW_CPU_X86_AMD_SVM))

# The vCPUs of a guest: how many are online, how many of them always are
Vcpus = collections.namedtuple('Vcpus', 'online permanent')


def has_sizes():
    """Tell whether guests of the host's [libvirt] virt_type have sizes."""
    return CONF.libvirt.virt_type in ('kvm', 'qemu')


def can_adjust():
    """Tell whether the host can adjust servers of any flavor.

    Memory that is backed by files is not given back by a balloon.
    """
    return (has_sizes() and not CONF.libvirt.file_backed_memory and
            xloud_size.plugs_vcpus(fields.Architecture.from_host()))


def sizes_guest(function):
    """Decorate LibvirtDriver._get_guest_config: give guests their size.

    A guest whose flavor has no floor is left as it is.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        guest = function(*args, **kwargs)
        arguments = signature.bind(*args, **kwargs).arguments
        instance = arguments['instance']
        if has_sizes() and xloud_size.has_floor(instance.flavor):
            if not arguments.get('rescue') and xloud_record.has_live(instance):
                # A guest made anew has the recorded size
                xloud_record.forget_live(instance)
                instance.save()
            _size_guest(guest, instance)
            if xloud_size.has_cpu_floor(instance.flavor):
                _hide_nesting(guest, instance, arguments['image_meta'])
        return guest
    return wrapper


def _size_guest(guest, instance):
    flavor = instance.flavor
    size = xloud_record.live(instance)
    if xloud_size.has_cpu_floor(flavor):
        guest.xloud_vcpus = Vcpus(
            online=size.vcpus, permanent=xloud_size.floor(flavor).vcpus)
    if xloud_size.has_memory_floor(flavor):
        guest.xloud_current_memory = size.memory_mb * units.Ki
        _watch_memory(guest)


def _hide_nesting(guest, instance, image_meta):
    """Hide that a guest could have guests of its own, unless it is to.

    A guest that has loaded KVM cannot use a vCPU that it gets after a live
    migration: "Inconsistent VMCS config", in its kernel's log.

    :param guest: nova.virt.libvirt.config.LibvirtConfigGuest
    :param instance: nova.objects.Instance whose flavor has a floor of vCPUs
    :param image_meta: nova.objects.ImageMeta
    """
    cpu = guest.cpu
    if (cpu is None or not _takes_features(cpu) or
            _wants_nesting(instance.flavor, image_meta) or
            fields.Architecture.from_host() not in (
                fields.Architecture.X86_64, fields.Architecture.I686)):
        return
    # The module imports this one
    from nova.virt.libvirt import config
    cpu.features = {each for each in cpu.features
                    if each.name not in _NESTING}
    for name in _NESTING:
        cpu.add_feature(
            config.LibvirtConfigGuestCPUFeature(name, policy='disable'))
    # Nova has noted the CPU that a migration's destination must have
    model = instance.vcpu_model if 'vcpu_model' in instance else None
    if model is not None and 'features' in model:
        model.features = [each for each in model.features
                          if each.name not in _NESTING]


def _takes_features(cpu):
    """Tell whether libvirt takes features for a CPU: it must have a model.

    A CPU of another architecture than the host's has no mode.
    """
    return cpu.mode is not None and (
        cpu.mode != 'custom' or cpu.model is not None)


def _wants_nesting(flavor, image_meta):
    """Tell whether a flavor or an image requires one of the features."""
    required = {name.rpartition(':')[2]
                for name, value in flavor.extra_specs.items()
                if name.startswith('trait') and value == 'required'}
    required.update(image_meta.properties.get('traits_required', ()))
    return not required.isdisjoint(_NESTING_TRAITS)


def _watch_memory(guest):
    """Give a guest a balloon that reports statistics and keeps its target."""
    balloon = next((device for device in guest.devices
                    if device.root_name == 'memballoon'), None)
    if balloon is None:
        # [libvirt] mem_stats_period_seconds is 0, and Nova 26 leaves the
        # device to libvirt then. The module imports this one.
        from nova.virt.libvirt import config
        balloon = config.LibvirtConfigMemoryBalloon()
        balloon.model = 'none'
        guest.add_device(balloon)
    balloon.xloud_keeps_target = True
    if balloon.model == 'none':
        balloon.model = 'virtio'
        balloon.period = CONF.xloud.balloon_stats_period


def formats_balloon(function):
    """Decorate LibvirtConfigMemoryBalloon.format_dom().

    Nova 32 and later write autodeflate='on': under pressure the guest then
    takes all memory above its target, which no quota and no claim has
    allowed. A guest with a memory floor gives nothing back by itself; its own
    OOM killer works instead.
    """
    @functools.wraps(function)
    def wrapper(config):
        element = function(config)
        if config.xloud_keeps_target:
            element.set('autodeflate', 'off')
        return element
    return wrapper


def formats_size(function):
    """Decorate LibvirtConfigGuest._format_basic_props(root)."""
    @functools.wraps(function)
    def wrapper(config, root):
        function(config, root)
        if config.xloud_current_memory is not None:
            current = etree.Element('currentMemory')
            current.text = str(config.xloud_current_memory)
            root.find('memory').addnext(current)
        if config.xloud_vcpus is not None:
            vcpu = root.find('vcpu')
            vcpu.set('current', str(config.xloud_vcpus.online))
            vcpu.addnext(_format_vcpus(config.vcpus, config.xloud_vcpus))
    return wrapper


def _format_vcpus(total, vcpus):
    """Say of each vCPU whether it is online and whether it can come and go.

    libvirt wants vCPU 0 and those that stay at the beginning, an order for
    all that are online once one has an order, and none for the others. Only
    those that are hotpluggable when the guest starts can be unplugged later.
    """
    element = etree.Element('vcpus')
    for number in range(total):
        online = number < vcpus.online
        stays = number < vcpus.permanent
        vcpu = etree.SubElement(
            element, 'vcpu', id=str(number),
            enabled='yes' if online else 'no',
            hotpluggable='no' if stays else 'yes')
        if online:
            vcpu.set('order', str(number + 1))
    return element
