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

"""How libvirt is asked about the size of a running guest, and to change it.

Times are seconds; memory is KiB where libvirt counts and MiB where Nova does.
"""

import contextlib
import threading
import time

from lxml import etree
from oslo_log import log as logging
from oslo_utils import excutils
from oslo_utils import units

from nova.compute import power_state
import nova.conf
from nova import exception as nova_exception
from nova.i18n import _
from nova.virt.libvirt import guest as libvirt_guest
from nova.virt.libvirt import xloud_agent
from nova.virt.libvirt import xloud_boots
from nova.xloud import exception
from nova.xloud import size as xloud_size

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

# libvirt tells these at once, and will not change its mind
_FINAL_ERRORS = ('VIR_ERR_OPERATION_INVALID', 'VIR_ERR_OPERATION_UNSUPPORTED',
                 'VIR_ERR_CONFIG_UNSUPPORTED', 'VIR_ERR_INVALID_ARG',
                 'VIR_ERR_NO_SUPPORT', 'VIR_ERR_NO_DOMAIN')

# Most seconds between two looks at a guest. A balloon mostly follows within a
# tenth of a second, so the first looks come sooner.
_PAUSE = 0.5
_FIRST_PAUSE = 0.05

# Calls at a time that ask guests for vCPUs. libvirt waits five seconds in one,
# and eventlet makes all libvirt calls of nova-compute in twenty threads: a
# build and a live migration must find a free one.
_UNPLUGS_AT_ONCE = 8
_unplugs = threading.Semaphore(_UNPLUGS_AT_ONCE)

_NO_BALLOON = _('it is paused or asleep, and the balloon of such a guest '
                'stands still')
_NO_UNPLUG = _('it is paused or asleep, and such a guest gives up no vCPU')

# Statistics that only a balloon driver in the guest can give
_DRIVER_STATISTICS = frozenset(('available', 'unused', 'usable'))


def get_size(host, instance):
    """Ask libvirt for the figures of a server's guest.

    :param host: nova.virt.libvirt.host.Host
    :param instance: nova.objects.Instance
    :returns: nova.xloud.size.GuestSize, None without a running guest
    """
    try:
        guest = host.get_guest(instance)
    except nova_exception.InstanceNotFound:
        return None
    if not guest.is_active():
        return None
    statistics = guest.get_memory_stats()
    dimms, virtio_mem = _memory_devices(guest)
    return xloud_size.GuestSize(
        vcpus=guest.get_current_vcpus(),
        memory_mb=_to_mib(statistics['actual']),
        balloon_driver_active=_has_driver(statistics),
        attached_dimms_mb=dimms,
        has_virtiomem=virtio_mem,
        may_boot=xloud_boots.may_boot(guest.uuid, CONF.xloud.boot_timeout))


def get_guest_vcpus(host, instance):
    """Ask the agent of a server's guest how many vCPUs the guest uses.

    :param host: nova.virt.libvirt.host.Host
    :param instance: nova.objects.Instance
    :returns: the number; None where no agent answers
    """
    try:
        guest = host.get_guest(instance)
    except nova_exception.InstanceNotFound:
        return None
    return _agent(guest, host).online_vcpus()


def _agent(guest, host):
    return xloud_agent.Agent(guest, is_asked=not _stands_still(guest, host))


def _to_mib(kib):
    return -(-kib // units.Ki)


def _has_driver(statistics):
    return not _DRIVER_STATISTICS.isdisjoint(statistics)


def _memory_devices(guest):
    """Tell the MiB of the DIMMs that a guest has, and whether virtio-mem."""
    root = etree.fromstring(guest.get_xml_desc())
    kib = sum(int(size.text) for size in root.iterfind(
        "./devices/memory[@model='dimm']/target/size"))
    virtio_mem = root.find("./devices/memory[@model='virtio-mem']")
    return _to_mib(kib), virtio_mem is not None


def check_can_adjust(host, instance, memory_mb):
    """Check the fact that only the host knows: is the memory pinned?

    :param host: nova.virt.libvirt.host.Host
    :param instance: nova.objects.Instance
    :param memory_mb: memory asked for in MiB, None if it is to be left alone
    :raises: AdjustNotSupported
    """
    if memory_mb is None:
        return
    try:
        guest = host.get_guest(instance)
    except nova_exception.InstanceNotFound:
        # Stopped, and its domain with it; it is checked when it runs again.
        return
    root = etree.fromstring(guest.get_xml_desc())
    for path, what in (
            ('./memoryBacking/hugepages', _('huge pages')),
            ('./memoryBacking/locked', _('locked memory')),
            ("./memoryBacking/source[@type='file']", _('memory in a file')),
            ('./devices/hostdev', _('a device passed through')),
            ("./devices/interface[@type='hostdev']",
             _('a network device passed through')),
            ("./devices/interface[@type='vdpa']", _('a vDPA device')),
            ('./launchSecurity', _('encrypted memory'))):
        if root.find(path) is not None:
            raise exception.AdjustNotSupported(
                reason=_('the guest has %s, which pins its memory') % what)


class _Patience:
    """Bounds a wait: for progress, and altogether."""

    def __init__(self, stall):
        """Start to wait.

        :param stall: seconds to wait for progress
        """
        self._stall = stall
        self._end = time.monotonic() + CONF.xloud.change_timeout
        self.start_anew()

    def start_anew(self):
        """Wait for progress anew; the time altogether stays the same."""
        self._figure = None
        self._since = None

    def is_over(self, figure):
        """Look at the figure that is waited for.

        :param figure: anything that differs when there is progress
        :returns: True when it has been the same for too long, or there is no
            time left
        """
        now = time.monotonic()
        if self._since is None or figure != self._figure:
            self._figure = figure
            self._since = now
        return now - self._since >= self._stall or now >= self._end


def _stands_still(guest, host):
    """Tell whether libvirt says that a guest does not run at the moment.

    Nova's own state may differ: libvirt pauses a guest by itself too, after an
    I/O error for instance. A guest may suspend itself, and one that has
    crashed may be kept.
    """
    return guest.get_power_state(host) != power_state.RUNNING


def set_vcpus(guest, host, vcpus):
    """Bring a running guest to a number of vCPUs that it uses.

    A guest whose agent answers is asked to put vCPUs out of use before they
    are unplugged, and to use those that were plugged. If it does not use
    them, they are taken back.

    :param guest: nova.virt.libvirt.guest.Guest
    :param host: nova.virt.libvirt.host.Host
    :param vcpus: number of vCPUs
    :returns: number of vCPUs that the guest says that it uses; None where no
        agent answers
    :raises: AdjustIncomplete if the guest has another number afterwards
    :raises: AdjustUnused if it has got vCPUs that it does not use
    """
    before = guest.get_current_vcpus()
    agent = _agent(guest, host)
    if vcpus < before:
        agent.give_up(vcpus)
    try:
        _plug(guest, host, vcpus)
    except exception.AdjustIncomplete:
        with excutils.save_and_reraise_exception():
            agent.use(guest.get_current_vcpus())
    used = agent.use(vcpus)
    if used is None or used >= vcpus or vcpus < before:
        return used
    if vcpus > before:
        _take_back(guest, host, agent, before)
    raise exception.AdjustUnused(asked=vcpus, used=used)


def _take_back(guest, host, agent, vcpus):
    """Unplug vCPUs again that a guest does not use.

    :param vcpus: number of vCPUs of before
    """
    agent.give_up(vcpus)
    try:
        _plug(guest, host, vcpus)
    except exception.AdjustIncomplete as error:
        LOG.warning('Guest %(guest)s keeps vCPUs that it does not use: '
                    '%(error)s', {'guest': guest.uuid, 'error': error})


def _plug(guest, host, vcpus):
    """Bring a running guest to a number of vCPUs, used or not.

    libvirt waits five seconds for a guest to give up a vCPU and then reports
    an error, although the guest may have done so, or do so later. To ask
    again brings libvirt's own count up to date and moves on to the next one.

    :param guest: nova.virt.libvirt.guest.Guest
    :param host: nova.virt.libvirt.host.Host
    :param vcpus: number of vCPUs
    :raises: AdjustIncomplete if the guest has another number afterwards
    """
    patience = _Patience(CONF.xloud.unplug_timeout)
    now = guest.get_current_vcpus()
    if vcpus < now and _stands_still(guest, host):
        # It would give the vCPU up when it runs again, and nobody waits then
        raise exception.AdjustIncomplete(
            asked=vcpus, unit=_('vCPUs'), reason=_NO_UNPLUG)
    while now != vcpus:
        refusal = ''
        is_final = False
        try:
            with _unplugs if vcpus < now else contextlib.nullcontext():
                guest.set_current_vcpus(vcpus)
        except libvirt_guest.libvirt.libvirtError as error:
            refusal = error.get_error_message()
            is_final = vcpus > now or _is_final(error)
            LOG.debug('libvirt has not set %s vCPUs: %s', vcpus, refusal)
        now = guest.get_current_vcpus()
        if now != vcpus:
            if is_final or patience.is_over(now):
                _keep(guest.set_current_vcpus, now, guest)
                raise exception.AdjustIncomplete(
                    asked=vcpus, unit=_('vCPUs'), internal=refusal,
                    reason=_why_not_vcpus(guest, now, vcpus, is_final))
            time.sleep(_PAUSE)
    _keep(guest.set_current_vcpus, vcpus, guest)


def _why_not_vcpus(guest, now, vcpus, is_refused):
    """Say in words for everybody why a guest has not the vCPUs asked for.

    :param now: number of vCPUs that it has
    :param is_refused: True if libvirt has refused at once
    """
    if not is_refused:
        return _('it has not given up its vCPUs in time')
    root = etree.fromstring(guest.get_xml_desc())
    removable = root.findall(
        "./vcpus/vcpu[@enabled='yes'][@hotpluggable='yes']")
    if len(removable) < now - vcpus:
        # Stock Nova has started it, or it was made before its flavor's floor
        return _('it was started without vCPUs that can be removed; after a '
                 'hard reboot they can')
    return _('the hypervisor has refused')


def _is_final(error):
    return error.get_error_code() in [
        getattr(libvirt_guest.libvirt, name, None)
        for name in _FINAL_ERRORS]


def _keep(change, value, guest):
    """Have a soft reboot start the guest with its present size.

    :param change: method of the guest that takes the value
    """
    try:
        change(value, live=False)
    except libvirt_guest.libvirt.libvirtError as error:
        LOG.warning('The configuration of guest %(guest)s keeps its old '
                    'size until its next hard reboot: %(error)s',
                    {'guest': guest.uuid, 'error': error})


def set_memory(guest, host, memory_mb, before_mb):
    """Bring a running guest to an amount of memory, by its balloon.

    :param guest: nova.virt.libvirt.guest.Guest
    :param host: nova.virt.libvirt.host.Host
    :param memory_mb: memory in MiB
    :param before_mb: the target of before, in MiB
    :raises: AdjustIncomplete if the guest has another amount afterwards
    """
    target = memory_mb * units.Ki
    if _stands_still(guest, host):
        raise _memory_incomplete(guest, memory_mb, before_mb, _NO_BALLOON)
    try:
        guest.set_current_memory(target)
    except libvirt_guest.libvirt.libvirtError as error:
        raise _memory_incomplete(guest, memory_mb, before_mb,
                                 _('the hypervisor has refused'),
                                 error.get_error_message())
    _wait_for_memory(guest, host, memory_mb, before_mb)
    _keep(guest.set_current_memory, target, guest)


def _is_booting(guest, statistics):
    """Tell whether the balloon driver of a guest may still come up."""
    return not _has_driver(statistics) and xloud_boots.may_boot(
        guest.uuid, CONF.xloud.boot_timeout)


def _wait_for_memory(guest, host, memory_mb, before_mb):
    patience = _Patience(CONF.xloud.balloon_timeout)
    driver_patience = _Patience(CONF.xloud.balloon_driver_timeout)
    pause = _FIRST_PAUSE
    while True:
        statistics = guest.get_memory_stats()
        actual = statistics['actual']
        if _to_mib(actual) == memory_mb:
            return
        if _is_booting(guest, statistics):
            patience.start_anew()
            driver_patience.start_anew()
        reason = None
        is_driver_overdue = driver_patience.is_over(actual)
        if patience.is_over(actual):
            reason = _('it has not moved any more')
        if is_driver_overdue and not _has_driver(statistics):
            reason = _('it has no working balloon driver')
        if reason is not None:
            if _stands_still(guest, host):
                reason = _NO_BALLOON
            raise _memory_incomplete(guest, memory_mb, before_mb, reason)
        time.sleep(min(pause, _PAUSE))
        pause *= 2


def _memory_incomplete(guest, memory_mb, before_mb, reason, refusal=''):
    """Leave a guest at the memory that it has.

    A guest that boots has all its memory until its balloon driver is up. The
    driver will find the target of before.

    :param reason: why it has not followed, in words for everybody
    :param refusal: libvirt's own words
    :returns: AdjustIncomplete
    """
    statistics = guest.get_memory_stats()
    actual = statistics['actual']
    target = actual if _has_driver(statistics) else before_mb * units.Ki
    try:
        # Or it would go on giving memory that nobody waits for any more
        guest.set_current_memory(target)
    except libvirt_guest.libvirt.libvirtError as error:
        LOG.warning('The balloon of guest %(guest)s keeps its target of '
                    '%(memory)s MiB: %(error)s',
                    {'guest': guest.uuid, 'memory': memory_mb,
                     'error': error})
    _keep(guest.set_current_memory, target, guest)
    return exception.AdjustIncomplete(
        asked=memory_mb, unit=_('MiB'), reason=reason, internal=refusal)
