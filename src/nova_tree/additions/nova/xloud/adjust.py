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

"""Adjust a server on its host: all that was asked for, or nothing.

Growth is claimed in Placement before the hypervisor is asked, and what is
left over is released last. The figures asked for were saved with the instance
by nova-api, so that :mod:`nova.xloud.reconcile` can finish what a killed
nova-compute has left half done.
"""

import collections
import contextlib
import threading
import time

from oslo_log import log as logging
from oslo_utils import excutils
from oslo_utils import timeutils

from nova.compute import task_states
from nova.compute import utils as compute_utils
import nova.conf
from nova import exception as nova_exception
from nova.i18n import _
from nova import objects
from nova.xloud import exception
from nova.xloud import guest
from nova.xloud import intent as xloud_intent
from nova.xloud import placement
from nova.xloud import rpcapi
from nova.xloud import size as xloud_size
from nova.xloud import tracker
from nova.xloud import worker

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

EVENT = 'compute_xloud_adjust'

# How many requests a host remembers: a message queue delivers at least once,
# and a copy of a message comes seconds after it.
_REMEMBERED = 1000


class Adjuster:
    """The adjusts of one compute host."""

    def __init__(self, manager):
        """Work for a compute manager.

        :param manager: nova.compute.manager.ComputeManager; its driver,
            resource tracker and clients are looked up when they are needed
        """
        self.manager = manager
        self._began = time.monotonic()
        self._running = set()
        self._accepted = collections.deque(maxlen=_REMEMBERED)
        self._abandoned = {}
        self._drifts = {}
        self._lock = threading.Condition()

    def _take(self, instance_uuid, seconds=0):
        with self._lock:
            if not self._lock.wait_for(
                    lambda: instance_uuid not in self._running, seconds):
                return False
            self._running.add(instance_uuid)
            return True

    def _leave(self, instance_uuid):
        with self._lock:
            self._running.discard(instance_uuid)
            self._lock.notify_all()

    @contextlib.contextmanager
    def hold(self, instance_uuid):
        """Keep adjusts of a server away, for a while.

        :param instance_uuid: UUID of the server
        :returns: context manager of a boolean: False when an adjust of the
            server is running already
        """
        is_ours = self._take(instance_uuid)
        try:
            yield is_ours
        finally:
            if is_ours:
                self._leave(instance_uuid)

    def note_start(self):
        """Note that no adjust of before the start is unfinished any more."""
        self._began = time.monotonic()

    def _may_be_late(self, instance):
        """Tell whether a message may say what does not hold any more.

        nova-api has saved the server just before it sent the message, and
        only this host ends the task state that it has since: after the time
        for which nova-api waits, or when it starts.

        :param instance: nova.objects.Instance as it came with the message
        """
        patience = CONF.rpc_response_timeout
        return (time.monotonic() - self._began < patience or
                timeutils.is_older_than(
                    instance.updated_at or instance.created_at, patience))

    def is_abandoned(self, instance):
        """Tell whether the work on an adjust has ended without an outcome.

        :param instance: nova.objects.Instance in task state xloud_adjusting
        """
        intent = xloud_intent.Intent.of(instance)
        # A reply that was lost may have hidden that the adjust had ended
        return (intent is not None and instance.uuid in self._abandoned and
                self._abandoned[instance.uuid] == intent.request_id)

    def note_drift(self, instance_uuid, drift, looks=1):
        """Note by how many MiB a guest is off what it should have.

        :param instance_uuid: UUID of the server
        :param drift: MiB, 0 when it is not or cannot be asked
        :param looks: how often in a row it must be seen to count
        :returns: True when it was off by the same so many times in a row
        """
        last, seen = self._drifts.get(instance_uuid, (0, 0))
        seen = seen + 1 if drift == last else 1
        self._drifts[instance_uuid] = (drift, seen)
        return drift != 0 and seen >= looks

    def forget_drifts(self, present):
        """Forget the drifts of servers that are not there any more.

        :param present: set of UUIDs of those that are
        """
        for uuid in set(self._drifts) - present:
            del self._drifts[uuid]

    def assign(self, ctxt, instance, size, must_hold=False):
        """Make Placement hold a size for a server of this host.

        :param ctxt: nova.context.RequestContext
        :param instance: nova.objects.Instance
        :param size: nova.xloud.size.Size
        :param must_hold: True for a claim, which the server must not do
            without
        :raises: AdjustNoCapacity, AdjustNotAllocated, AdjustAccountingFailed
        """
        node = self.manager.rt.compute_nodes.get(instance.node)
        if node is None:
            raise exception.AdjustAccountingFailed(
                internal=_('Node %s is not known here.') % instance.node)
        placement.assign(
            self.manager.reportclient, ctxt, instance, node.uuid, size,
            must_hold)

    def account(self, ctxt, instance):
        """Bring Placement and the tracker to the size of a server.

        :param ctxt: nova.context.RequestContext
        :param instance: nova.objects.Instance with its size
        """
        self.account_to_placement(ctxt, instance)
        if tracker.is_counted(self.manager.rt, instance):
            # Its periodic task may have it locked for long
            return
        try:
            tracker.update_usage(self.manager.rt, ctxt, instance)
        except Exception:
            # It counts anew, and saves, in its next periodic task
            LOG.exception('The tracker could not be updated.',
                          instance=instance)

    def account_to_placement(self, ctxt, instance):
        """Bring Placement to the size of a server.

        A Placement that cannot be asked, or has no room for the amount that
        the guest has taken already, is left for the next periodic task. One
        resource without room does not keep the other from being corrected.

        :param ctxt: nova.context.RequestContext
        :param instance: nova.objects.Instance with its size
        """
        size = xloud_size.reserved(instance)
        try:
            try:
                self.assign(ctxt, instance, size)
            except exception.AdjustNoCapacity:
                with excutils.save_and_reraise_exception():
                    self._assign_each(ctxt, instance, size)
        except exception.AdjustError as error:
            LOG.warning('Placement does not hold the size of the server; '
                        'the next periodic task will try again: %s',
                        error.for_admin(), instance=instance)

    def _assign_each(self, ctxt, instance, size):
        """Make Placement hold each resource of a size that there is room for.

        :param size: nova.xloud.size.Size, too large as a whole
        """
        for name in size._fields:
            with contextlib.suppress(exception.AdjustNoCapacity):
                self.assign(ctxt, instance, xloud_size.Size(
                    *(value if field == name else None
                      for field, value in size._asdict().items())))

    def begin(self, ctxt, instance, vcpus, memory_mb, persist):
        """Check and claim an adjust, and start the work.

        Nothing has changed when it raises. A request that this host has
        accepted before is accepted again, and nothing is done: its message
        was delivered twice, or its first answer was lost.

        :param ctxt: nova.context.RequestContext of the request
        :param instance: nova.objects.Instance in task state xloud_adjusting
        :param vcpus: number of vCPUs, or None to leave them alone
        :param memory_mb: memory in MiB, or None to leave it alone
        :param persist: False to adjust the running guest only
        :raises: AdjustNotSupported, AdjustNoGuest, AdjustNoCapacity,
            AdjustNotAllocated, AdjustAccountingFailed
        """
        if ctxt.request_id in self._accepted:
            LOG.info('The request has come before; it is done once.',
                     instance=instance)
            return
        is_first = self._take(instance.uuid)
        # The periodic task keeps adjusts of a server away while it corrects
        # what is known of it; on a busy host it stands in line for the
        # tracker then. Half of nova-api's own patience is for all the rest.
        if not is_first and not self._take(
                instance.uuid, CONF.rpc_response_timeout / 2):
            raise exception.AdjustNotSupported(
                reason=_('it is at work on another adjust of the server'))
        try:
            if not is_first or self._may_be_late(instance):
                instance = objects.Instance.get_by_uuid(
                    ctxt, instance.uuid,
                    expected_attrs=['flavor', 'info_cache', 'metadata',
                                    'system_metadata'])
            intent = xloud_intent.Intent(
                vcpus, memory_mb, persist, ctxt.request_id)
            self._check(instance, intent)
            with self._claim(ctxt, instance, intent):
                worker.spawn(self._run, ctxt, instance, intent)
            self._accepted.append(ctxt.request_id)
        except BaseException:
            self._leave(instance.uuid)
            raise

    def _check(self, instance, intent):
        noted = xloud_intent.Intent.of(instance)
        if (instance.host != self.manager.host or
                instance.vm_state not in rpcapi.STATES or
                instance.task_state != task_states.XLOUD_ADJUSTING or
                noted is None or noted.request_id != intent.request_id):
            raise exception.AdjustNotSupported(
                reason=_('the server has been taken over by another '
                         'operation'))
        driver = self.manager.driver
        if not driver.capabilities.get('supports_xloud_adjust', False):
            raise exception.AdjustNotSupported(
                reason=_('its hypervisor driver cannot'))
        try:
            driver.check_can_adjust(instance, intent.vcpus, intent.memory_mb)
            has_guest = guest.size(driver, instance) is not None
        except exception.AdjustError:
            raise
        except Exception as error:
            LOG.exception('The hypervisor cannot be asked about the server.',
                          instance=instance)
            raise exception.AdjustNotSupported(
                reason=_('its hypervisor cannot be asked'),
                internal=error)
        if not has_guest and not intent.persist:
            raise exception.AdjustNoGuest(server=instance.uuid)

    @contextlib.contextmanager
    def _claim(self, ctxt, instance, intent):
        """Claim what an adjust needs; given back if the work cannot start."""
        before = xloud_size.reserved(instance)
        after = xloud_size.would_reserve(
            instance, intent.vcpus, intent.memory_mb, intent.persist)
        claim = xloud_size.larger(before, after)
        if claim != before:
            self.assign(ctxt, instance, claim, must_hold=True)
        try:
            yield
        except Exception:
            with excutils.save_and_reraise_exception():
                if claim != before:
                    self.assign(ctxt, instance, before)

    def _run(self, ctxt, instance, intent):
        """Do the work of an adjust that has begun; the thread's function."""
        try:
            self._adjust_and_tell(ctxt, instance, intent)
            self.let_go(instance)
        except nova_exception.InstanceNotFound:
            LOG.info('The server was deleted while it was adjusted.',
                     instance=instance)
        except exception.AdjustTakenOver:
            LOG.warning('The server was taken over by another operation, or '
                        'evacuated, while it was adjusted. What has become '
                        'of its guest here is not recorded.',
                        instance=instance)
        except Exception:
            LOG.exception('The adjust has failed; the next periodic task '
                          'will end it.', instance=instance)
            self._abandoned[instance.uuid] = intent.request_id
        finally:
            self._leave(instance.uuid)

    def _adjust_and_tell(self, ctxt, instance, intent):
        """Adjust, and end the server action with the result.

        Its event begins beside the work: a call of the conductor takes half
        a second where oslo.messaging (16 and 17) looks for replies so rarely.
        """
        event = compute_utils.EventReporter(
            ctxt, EVENT, self.manager.host, instance.uuid,
            graceful_exit=True)

        def begin_event():
            try:
                event.__enter__()
            except Exception:
                LOG.exception('The begin of the adjust could not be told.',
                              instance=instance)

        # Not one of the pool's, which may all be waiting here
        telling = threading.Thread(target=begin_event, daemon=True)
        telling.start()
        try:
            with contextlib.ExitStack() as in_the_end:
                in_the_end.push(event.__exit__)
                in_the_end.callback(telling.join)
                self._adjust(ctxt, instance, intent)
        except exception.AdjustFailed as error:
            LOG.warning('The adjust has failed: %s', error,
                        instance=instance)

    def _adjust(self, ctxt, instance, intent):
        driver = self.manager.driver
        failure = None
        if guest.size(driver, instance) is not None:
            outcome, failure = guest.change(
                driver, instance, intent.vcpus, intent.memory_mb)
            self._read_own(instance, intent)
        else:
            self._read_own(instance, intent)
            # Whatever it had, the next one has the recorded size
            xloud_size.forget_live(instance)
            outcome = xloud_size.replaced(
                xloud_size.live(instance), intent.vcpus, intent.memory_mb)
        intent.record(instance, outcome)
        self.finish(ctxt, instance)
        if failure is not None:
            raise exception.AdjustFailed(
                reason=failure, vcpus=outcome.vcpus,
                memory_mb=outcome.memory_mb)

    def take_back(self, instance, intent):
        """Bring a guest back to what it had before an adjust.

        :param instance: nova.objects.Instance with a running guest
        :param intent: Intent of an adjust that was interrupted
        :returns: nova.xloud.size.Size that it has then, if it refuses
        """
        old = xloud_size.live(instance)
        has, _refusal = guest.change(
            self.manager.driver, instance,
            None if intent.vcpus is None else old.vcpus,
            None if intent.memory_mb is None else old.memory_mb)
        return has

    @staticmethod
    def read_again(instance):
        """Read what others may have saved with a server during the work.

        Its system metadata is saved as a whole, and also has what a user
        gives as the reason of a lock, or a guest as its password.

        :param instance: nova.objects.Instance without unsaved changes
        """
        instance.refresh()

    def _read_own(self, instance, intent):
        """Read a server again before the outcome of an adjust is recorded.

        A host that was forced down may come back to its work when the server
        has been evacuated, or when another has ended the adjust.

        :raises: AdjustTakenOver if the server is not this host's any more,
            or the adjust has ended
        """
        self.read_again(instance)
        noted = xloud_intent.Intent.of(instance)
        if (instance.host != self.manager.host or noted is None or
                noted.request_id != intent.request_id):
            raise exception.AdjustTakenOver()

    def finish(self, ctxt, instance):
        """Save the outcome of an adjust, and account for it.

        :param ctxt: nova.context.RequestContext
        :param instance: nova.objects.Instance with its outcome recorded
        """
        self._save(instance)
        self.account(ctxt, instance)

    def let_go(self, instance):
        """Give a server back to its users when all views of it agree.

        Comes after the end of the server action: until then a restart finds
        by what is given up here that the action is still to be ended.

        :param instance: nova.objects.Instance
        """
        self.read_again(instance)
        xloud_intent.Intent.drop(instance)
        instance.task_state = None
        self._save(instance)
        self._abandoned.pop(instance.uuid, None)

    @staticmethod
    def _save(instance):
        try:
            instance.save(
                expected_task_state=[task_states.XLOUD_ADJUSTING, None])
        except nova_exception.UnexpectedTaskStateError:
            # Deleted, or taken over, meanwhile: the size stays true, the
            # task state is not ours.
            instance.obj_reset_changes(['task_state'])
            instance.save()
