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

"""How a guest is asked, through its agent, which of its vCPUs it uses.

An agent is a program of the guest: it may hang, answer late, or say anything.
Each question costs a bounded time. An agent that has once not answered, or has
given an impossible answer, counts as none for the rest of an adjust.
"""

import contextlib
import threading
import time

from lxml import etree
from oslo_log import log as logging

import nova.conf
from nova.virt.libvirt import guest as libvirt_guest

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

# libvirt tells of a running guest whether its agent has opened this channel
_CHANNEL = ("./devices/channel/target[@name='org.qemu.guest_agent.0']"
            "[@state='connected']")

# Conversations with agents at a time. An agent that hangs holds a thread, and
# eventlet makes all libvirt calls of nova-compute in twenty threads.
_AT_ONCE = 8

# Seconds between two questions to a guest that is to use its vCPUs
_PAUSE = 0.5
_FIRST_PAUSE = 0.05


class _Turns:
    """One conversation at a time with each agent, and few altogether.

    The time that libvirt waits for an agent is a property of the guest, so
    two conversations would change it under each other.
    """

    def __init__(self):
        self._busy = set()
        self._lock = threading.Condition()

    @contextlib.contextmanager
    def take(self, uuid, seconds):
        """Wait for a turn.

        :param uuid: UUID of the guest
        :param seconds: how long to wait
        :returns: context manager of a boolean: False without a turn
        """
        with self._lock:
            is_ours = self._lock.wait_for(
                lambda: uuid not in self._busy and len(self._busy) < _AT_ONCE,
                seconds)
            if is_ours:
                self._busy.add(uuid)
        try:
            yield is_ours
        finally:
            if is_ours:
                with self._lock:
                    self._busy.discard(uuid)
                    self._lock.notify_all()


_turns = _Turns()


def _count(numbers):
    """Count the vCPUs in a list of libvirt's, like "0-2,5".

    :raises: ValueError, TypeError, AttributeError for anything else
    """
    total = 0
    for part in numbers.split(','):
        first, dash, last = part.partition('-')
        total += int(last if dash else first) - int(first) + 1
    return total


def is_connected(guest):
    """Tell whether the agent of a guest has opened its channel.

    :param guest: nova.virt.libvirt.guest.Guest
    """
    return etree.fromstring(guest.get_xml_desc()).find(_CHANNEL) is not None


class Agent:
    """The agent of a running guest, for the time of one adjust or one look."""

    def __init__(self, guest, is_asked=True):
        """Look for the agent of a guest; it is not asked yet.

        :param guest: nova.virt.libvirt.guest.Guest
        :param is_asked: False for a guest that cannot answer now
        """
        self._guest = guest
        self._answers = is_asked and is_connected(guest)

    def online_vcpus(self):
        """Ask how many of its vCPUs the guest uses.

        :returns: the number; None where no agent answers
        """
        with self._conversation() as is_ours:
            return self._online_vcpus() if is_ours else None

    def give_up(self, vcpus):
        """Have the guest put vCPUs out of use, before they are unplugged.

        A guest that does not is asked by its firmware alone, as one without
        an agent.

        :param vcpus: number of vCPUs that the guest is to use afterwards
        """
        with self._conversation() as is_ours:
            if is_ours:
                online = self._online_vcpus()
                if online is not None and online > vcpus:
                    self._set(vcpus)

    def use(self, vcpus):
        """Have the guest use its vCPUs, and wait until it says that it does.

        :param vcpus: number of vCPUs that the guest has
        :returns: number of those that it uses in the end; None where no
            agent answers
        """
        with self._conversation() as is_ours:
            if not is_ours:
                return None
            end = time.monotonic() + CONF.xloud.guest_online_timeout
            pause = _FIRST_PAUSE
            while True:
                online = self._online_vcpus()
                if (online is None or online >= vcpus or
                        time.monotonic() >= end):
                    return online
                # Refused until the guest has seen the new vCPUs
                self._set(vcpus)
                time.sleep(min(pause, _PAUSE))
                pause *= 2

    @contextlib.contextmanager
    def _conversation(self):
        """Bound the time of each question; False if none is to be asked."""
        if not self._answers:
            yield False
            return
        with _turns.take(
                self._guest.uuid, CONF.xloud.agent_timeout) as is_ours:
            if not is_ours:
                self._give_up_on('it has not been free for a question in time')
                yield False
                return
            try:
                self._guest.set_agent_timeout(CONF.xloud.agent_timeout)
            except libvirt_guest.libvirt.libvirtError as error:
                self._give_up_on(error)
                yield False
                return
            try:
                yield True
            finally:
                self._wait_as_before()

    def _wait_as_before(self):
        # Nova's own calls of the agent, a freeze for one, may take long
        try:
            self._guest.set_agent_timeout(
                libvirt_guest.libvirt.VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK)
        except libvirt_guest.libvirt.libvirtError as error:
            LOG.warning('libvirt waits %(seconds)s seconds for the agent of '
                        'guest %(guest)s from now on: %(error)s',
                        {'seconds': CONF.xloud.agent_timeout,
                         'guest': self._guest.uuid, 'error': error})

    def _online_vcpus(self):
        try:
            told = self._guest.get_guest_vcpus()
            online = _count(told['online'])
        except libvirt_guest.libvirt.libvirtError as error:
            return self._give_up_on(error)
        except (ValueError, TypeError, AttributeError, KeyError):
            return self._give_up_on('it does not tell a number of vCPUs')
        has = self._guest.get_current_vcpus()
        if not 1 <= online <= has:
            return self._give_up_on(
                'it tells of %d vCPUs, and the guest has %d' % (online, has))
        return online

    def _set(self, vcpus):
        try:
            self._guest.set_guest_vcpus(vcpus)
        except libvirt_guest.libvirt.libvirtError as error:
            # The next count of the vCPUs in use decides
            LOG.debug('The agent of guest %(guest)s has not set %(vcpus)s '
                      'vCPUs: %(error)s',
                      {'guest': self._guest.uuid, 'vcpus': vcpus,
                       'error': error})

    def _give_up_on(self, reason):
        self._answers = False
        LOG.warning('The agent of guest %(guest)s counts as none: %(reason)s',
                    {'guest': self._guest.uuid, 'reason': reason})
