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

"""The memory of this nova-compute of adjusts, until it is restarted."""

import collections
import contextlib
import threading
import time

from oslo_utils import timeutils

import nova.conf
from nova.xloud import intent as xloud_intent

CONF = nova.conf.CONF

# How many requests a host remembers: a message queue delivers at least once,
# and a copy of a message comes seconds after it.
_REMEMBERED = 1000

# The answers of Running.take_for
TAKEN = 'taken'
TAKEN_LATE = 'taken late'
KNOWN = 'known'
BUSY = 'busy'


class Running:
    """The servers at work, and the requests that this process knows."""

    def __init__(self):
        self._began = time.monotonic()
        self._running = set()
        self._accepted = collections.deque(maxlen=_REMEMBERED)
        self._abandoned = {}
        self._lock = threading.Condition()

    def take(self, instance_uuid):
        """Take a server, to work on it alone.

        :param instance_uuid: UUID of the server
        :returns: False when another works on the server
        """
        with self._lock:
            if instance_uuid in self._running:
                return False
            self._running.add(instance_uuid)
            return True

    def take_for(self, request_id, instance_uuid, seconds):
        """Take a server for a request, unless it was accepted before.

        :param request_id: id of the request
        :param instance_uuid: UUID of the server
        :param seconds: how long to wait for another's work on the server;
            that work may be on another copy of the message
        :returns: TAKEN; TAKEN_LATE if another had the server at first; KNOWN
            if the request was accepted before; BUSY if another works on the
            server all that time
        """
        def is_decided():
            return (request_id in self._accepted or
                    instance_uuid not in self._running)

        with self._lock:
            taken = TAKEN if is_decided() else TAKEN_LATE
            if not self._lock.wait_for(is_decided, seconds):
                return BUSY
            if request_id in self._accepted:
                return KNOWN
            self._running.add(instance_uuid)
            return taken

    def leave(self, instance_uuid):
        """Give up a server that was taken.

        :param instance_uuid: UUID of the server
        """
        with self._lock:
            self._running.discard(instance_uuid)
            self._lock.notify_all()

    @contextlib.contextmanager
    def hold(self, instance_uuid):
        """Keep adjusts of a server away, for a while.

        :param instance_uuid: UUID of the server
        :returns: context manager of a boolean: False when another works on
            the server
        """
        is_ours = self.take(instance_uuid)
        try:
            yield is_ours
        finally:
            if is_ours:
                self.leave(instance_uuid)

    def remember(self, request_id):
        """Remember a request that the host has accepted."""
        with self._lock:
            self._accepted.append(request_id)
            self._lock.notify_all()

    def disremember(self, request_id):
        """Forget a request whose work could not be started."""
        self._accepted.remove(request_id)

    def note_start(self):
        """Note that no adjust of before the start is unfinished any more."""
        self._began = time.monotonic()

    def may_be_late(self, instance):
        """Tell whether the state of the server in a message may be old.

        nova-api has saved the server just before it sent the message, and
        only this host ends the task state that it has since: after the time
        for which nova-api waits, or when it starts.

        :param instance: nova.objects.Instance as it came with the message
        """
        patience = CONF.rpc_response_timeout
        return (time.monotonic() - self._began < patience or
                timeutils.is_older_than(
                    instance.updated_at or instance.created_at, patience))

    def abandon(self, instance_uuid, request_id):
        """Note that the work on an adjust has ended without an outcome.

        :param instance_uuid: UUID of the server
        :param request_id: id of the request
        """
        self._abandoned[instance_uuid] = request_id

    def is_abandoned(self, instance):
        """Tell whether the work on an adjust has ended without an outcome.

        :param instance: nova.objects.Instance in task state xloud_adjusting
        """
        intent = xloud_intent.Intent.of(instance)
        # A reply that was lost may have hidden that the adjust had ended
        return (intent is not None and instance.uuid in self._abandoned and
                self._abandoned[instance.uuid] == intent.request_id)

    def forget(self, instance_uuid):
        """Forget that the work on a server was abandoned.

        :param instance_uuid: UUID of the server
        """
        self._abandoned.pop(instance_uuid, None)
