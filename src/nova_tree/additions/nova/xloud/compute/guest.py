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

"""The running guest of a server: its size, and how it is changed.

A change makes the whole requested size or, as far as the guest takes it back,
none of it. The outcome tells truly which part the guest keeps.
"""

import collections

from oslo_log import log as logging

from nova.i18n import _
from nova.xloud import exception
from nova.xloud import record as xloud_record
from nova.xloud import size as xloud_size

LOG = logging.getLogger(__name__)

# The outcome of a change: the nova.xloud.size.Size that the guest has; the
# reason why it is not the size in the request, None if it is; and the number
# of vCPUs that the guest says that it uses, None if nobody has asked it or its
# vCPUs were left alone
Outcome = collections.namedtuple('Outcome', 'size reason online_vcpus')


class _Step:
    """One resource of a running guest that is to change."""

    def __init__(self, name, change, instance, old, new):
        self.name = name
        self.grows = new > old
        self._change = change
        self._instance = instance
        self._old = old
        self._new = new
        self.answer = None

    def is_done(self, has):
        """Tell whether a guest has the value that it was to get.

        :param has: nova.xloud.size.GuestSize, None without a running guest
        """
        return has is not None and getattr(has, self.name) == self._new

    def says_what_it_has(self, has):
        """Tell whether the figure of a guest without balloon driver counts.

        Its memory does not: it may be booting, with all of it for the moment.
        """
        return self.name != 'memory_mb' or self.is_done(has)

    def take(self):
        """Make the change; the driver's answer is kept."""
        self.answer = self._change(self._instance, self._new)

    def take_back(self):
        """Take the change back; False if the guest keeps it."""
        try:
            self._change(self._instance, self._old)
        except Exception as error:
            self.log_refusal(error)
            return False
        return True

    def log_refusal(self, error):
        words = {'name': self.name, 'error': exception.in_words(error)}
        if isinstance(error, exception.AdjustError):
            # A guest may refuse: that is no error of the host
            LOG.warning('The guest has not taken the change of %(name)s: '
                        '%(error)s', words, instance=self._instance)
        else:
            LOG.exception('The guest has not taken the change of %(name)s: '
                          '%(error)s', words, instance=self._instance)


def size(driver, instance):
    """Ask the hypervisor for the figures of a server's guest.

    :param driver: nova.virt.driver.ComputeDriver
    :param instance: nova.objects.Instance
    :returns: nova.xloud.size.GuestSize, None without a running guest
    :raises: AdjustNotSupported if the driver cannot tell
    """
    try:
        return driver.get_current_size(instance)
    except NotImplementedError:
        raise exception.AdjustNotSupported(
            reason=_('its hypervisor driver cannot'))


def change(driver, instance, vcpus, memory_mb):
    """Change the running guest of a server.

    :param driver: nova.virt.driver.ComputeDriver
    :param instance: nova.objects.Instance with the live size of before
    :param vcpus: number of vCPUs, or None to leave them alone
    :param memory_mb: memory in MiB, or None to leave it alone
    :returns: Outcome
    """
    old = xloud_record.live(instance)
    taken = []
    for step in _steps(driver, instance, old, vcpus, memory_mb):
        try:
            step.take()
        except Exception as error:
            step.log_refusal(error)
            if (not isinstance(error, exception.AdjustUnused) and
                    step.is_done(size(driver, instance))):
                # The refusal was wrong: libvirt may have been restarted
                taken.append(step)
                continue
            kept = [step] + [each for each in taken if not each.take_back()]
            return Outcome(
                _left(driver, instance, old, kept), _reason(error), None)
        taken.append(step)
    online = next(
        (step.answer for step in taken if step.name == 'vcpus'), None)
    return Outcome(xloud_size.replaced(old, vcpus, memory_mb), None, online)


def take_back(driver, instance, vcpus, memory_mb):
    """Bring a guest back to its size of before an adjust.

    :param driver: nova.virt.driver.ComputeDriver
    :param instance: nova.objects.Instance with the live size of before
    :param vcpus: number of vCPUs in the request, None if it has none
    :param memory_mb: MiB in the request, None if it has none
    :returns: nova.xloud.size.Size that the guest has then, if it refuses
    """
    old = xloud_record.live(instance)
    return change(
        driver, instance, None if vcpus is None else old.vcpus,
        None if memory_mb is None else old.memory_mb).size


def end_vcpus(driver, instance, vcpus):
    """Ask a guest again for the number of vCPUs that it was asked for before.

    It may have given vCPUs up when nobody listened any more, and the
    hypervisor's own count may only follow the next request. Nobody has heard
    whether it uses those that it was given. Its size shows those it keeps.

    :param driver: nova.virt.driver.ComputeDriver
    :param instance: nova.objects.Instance with the live size of before
    :param vcpus: number of vCPUs that it was to have, None if it was not
        asked for any
    :returns: tuple of a boolean, False if it does not use the vCPUs that it
        was given, and the number of vCPUs that it says that it uses, None if
        it was not asked
    """
    has = size(driver, instance)
    if has is None or vcpus is None:
        return True, None
    was_given = has.vcpus == vcpus > xloud_record.live(instance).vcpus
    if not was_given and has.vcpus <= vcpus:
        return True, None
    step = _Step('vcpus', driver.set_current_vcpus, instance, has.vcpus, vcpus)
    try:
        step.take()
    except Exception as error:
        step.log_refusal(error)
        return not isinstance(error, exception.AdjustUnused), None
    return True, step.answer


def online_vcpus(driver, instance):
    """Ask a running guest how many of its vCPUs it uses.

    :param driver: nova.virt.driver.ComputeDriver
    :param instance: nova.objects.Instance
    :returns: the number; None if the guest cannot be asked
    """
    try:
        return driver.get_guest_vcpus(instance)
    except Exception as error:
        LOG.warning('The guest could not be asked for its vCPUs: %s',
                    exception.in_words(error), instance=instance)
        return None


def _steps(driver, instance, old, vcpus, memory_mb):
    """List the changes, those that are hard to take back first."""
    memory = []
    cpus = []
    if memory_mb is not None:
        memory.append(_Step('memory_mb', driver.set_current_memory_mb,
                            instance, old.memory_mb, memory_mb))
    if vcpus is not None:
        cpus.append(_Step('vcpus', driver.set_current_vcpus,
                          instance, old.vcpus, vcpus))
    # A guest may refuse to give up a vCPU; giving one is safe.
    if cpus and not cpus[0].grows:
        return cpus + memory
    return memory + cpus


def _left(driver, instance, old, kept):
    """Tell the Size that a change that has failed leaves.

    :param old: Size before
    :param kept: the steps that may have changed the guest
    """
    has = size(driver, instance)
    if has is None:
        # It has died of it, and starts again as it was.
        return old
    return old._replace(
        **{step.name: getattr(has, step.name) for step in kept
           if has.balloon_driver_active or step.says_what_it_has(has)})


def _reason(error):
    """Return the reason of a failure in words for everybody."""
    if not isinstance(error, exception.AdjustError):
        # The words of libvirt, or of another service below
        error = exception.AdjustRefused()
    return error.format_message()
