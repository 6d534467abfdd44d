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

"""Looks at guests: one at a time for each guest, and no caller waits for long.

A QEMU that hangs holds up libvirt, and every caller of libvirt with it. So a
look has a thread of its own, all who ask meanwhile share the look, and each
caller gives up after a time. The look itself stays until libvirt returns.

A guest's agent is asked in the same way, apart from the hypervisor: an agent
that hangs hides none of the hypervisor's figures.
"""

from concurrent import futures
import threading
import time

from nova.xloud.compute import executors
from nova.xloud.compute import guest as xloud_guest
from nova.xloud import exception

# Most looks at a time on a host. A look that hangs keeps its thread.
_AT_ONCE = 64

# Seconds that a look may wait for the agent of a guest. Agents mostly answer
# within a tenth of a second.
_AGENT_PATIENCE = 1


class Looks:
    """Looks at the guests of one compute host."""

    def __init__(self, driver):
        """Look by means of a driver.

        :param driver: nova.virt.driver.ComputeDriver
        """
        self._driver = driver
        self._threads = executors.make('xloud looks', _AT_ONCE)
        self._under_way = {}
        self._lock = threading.Lock()

    def size(self, instance, patience, since=None):
        """Ask the hypervisor for the figures of a server's guest.

        A caller shares a look that is under way, and the time that the look
        has taken already counts. So a second caller gives up at once where
        the first one has waited in vain.

        :param instance: nova.objects.Instance
        :param patience: seconds that a look may take
        :param since: time.monotonic() before which no look may have begun;
            None to share whichever is under way
        :returns: nova.xloud.size.GuestSize, None without a running guest; the
            number of vCPUs that it uses is None where no agent answers soon
        :raises: AdjustGuestSilent if the hypervisor does not answer in time
        :raises: AdjustNotSupported if the driver cannot tell
        """
        began, look = self._share(xloud_guest.size, instance)
        size = self._wait_for(look, began + patience, instance)
        if since is not None and began < since:
            began, look = self._share(xloud_guest.size, instance)
            size = self._wait_for(look, began + patience, instance)
        # Another operation may talk with the agent, to freeze disks for one
        if size is None or instance.task_state is not None:
            return size
        return size._replace(online_vcpus=self._online_vcpus(instance))

    def _online_vcpus(self, instance):
        began, look = self._share(xloud_guest.online_vcpus, instance)
        try:
            return self._wait_for(look, began + _AGENT_PATIENCE, instance)
        except exception.AdjustGuestSilent:
            return None

    def _wait_for(self, look, end, instance):
        try:
            return look.result(max(0, end - time.monotonic()))
        except futures.TimeoutError:
            raise exception.AdjustGuestSilent(server=instance.uuid)
        finally:
            if look.done():
                self._forget(look)

    def _share(self, function, instance):
        """Begin a look at a guest, unless one is under way.

        :param function: xloud_guest.size or xloud_guest.online_vcpus
        :returns: tuple of the time when the look began and its future
        """
        key = (function.__name__, instance.uuid)
        with self._lock:
            shared = self._under_way.get(key)
            if shared is None or shared[1].done():
                shared = (time.monotonic(), executors.submit(
                    self._threads, function, self._driver, instance))
                self._under_way[key] = shared
            return shared

    def _forget(self, look):
        with self._lock:
            for key, shared in list(self._under_way.items()):
                if shared[1] is look:
                    del self._under_way[key]
