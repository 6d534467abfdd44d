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

"""Adjust a server on its host: all that the request names, or nothing.

Growth is claimed in Placement before the hypervisor is asked, and surplus is
released last. nova-api has saved the figures of the request with the instance,
so that :mod:`nova.xloud.compute.reconcile` can finish an adjust that a killed
nova-compute has left half done.
"""

import contextlib

import futurist
from oslo_log import log as logging
from oslo_utils import excutils

from nova.compute import task_states
import nova.conf
from nova import exception as nova_exception
from nova.i18n import _
from nova.xloud.compute import executors
from nova.xloud.compute import guest
from nova.xloud.compute import running as xloud_running
from nova.xloud import exception
from nova.xloud import intent as xloud_intent
from nova.xloud import lifecycle
from nova.xloud import record as xloud_record
from nova.xloud import rpcapi
from nova.xloud import size as xloud_size

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

# Adjusts at a time on a host, and how many more may wait for one to end: in
# the order in which they came. A server has one at a time.
_AT_ONCE = 100
_WAITING = 100

# Calls of the conductor at a time, beside those of the adjusts' own threads.
# None waits for a guest.
_CALLS = 30


class Adjuster:
    """Takes on the adjusts of one compute host."""

    def __init__(self, host, driver, accounting, running, notifier):
        """Work for a compute host.

        :param host: name of the host
        :param driver: nova.virt.driver.ComputeDriver
        :param accounting: nova.xloud.accounting.Accounting
        :param running: nova.xloud.compute.running.Running
        :param notifier: nova.xloud.notifications.Notifier
        """
        self._host = host
        self._driver = driver
        self._accounting = accounting
        self._running = running
        self._notifier = notifier
        self._work = executors.make('xloud adjusts', _AT_ONCE, _WAITING)
        self._calls = executors.make('xloud calls', _CALLS)

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
            AdjustNotAllocated, AdjustAccountingFailed, AdjustBusy
        """
        # The periodic task keeps adjusts of a server away while it corrects
        # the record of the server. On a busy host the task waits for the
        # tracker then. Half of nova-api's own patience is for all the rest.
        taken = self._running.take_for(
            ctxt.request_id, instance.uuid, CONF.rpc_response_timeout / 2)
        if taken == xloud_running.KNOWN:
            LOG.info('The message of the request has come before; the work '
                     'is done once.', instance=instance)
            return
        if taken == xloud_running.BUSY:
            raise exception.AdjustNotSupported(
                reason=_('it is at work on another adjust of the server'))
        try:
            if (taken == xloud_running.TAKEN_LATE or
                    self._running.may_be_late(instance)):
                instance = lifecycle.read_again(ctxt, instance)
            intent = xloud_intent.Intent(
                vcpus, memory_mb, persist, ctxt.request_id)
            self._check(instance, intent)
            with self._claim(ctxt, instance, intent):
                self._start(ctxt, instance, intent)
        except BaseException:
            self._running.leave(instance.uuid)
            raise

    def _check(self, instance, intent):
        if (instance.vm_state not in rpcapi.STATES or
                instance.task_state != task_states.XLOUD_ADJUSTING or
                not lifecycle.is_of(
                    instance, self._host, intent.request_id)):
            raise exception.AdjustNotSupported(
                reason=_('the server has been taken over by another '
                         'operation'))
        if not self._driver.capabilities.get('supports_xloud_adjust', False):
            raise exception.AdjustNotSupported(
                reason=_('its hypervisor driver cannot'))
        try:
            self._driver.check_can_adjust(
                instance, intent.vcpus, intent.memory_mb)
            has_guest = guest.size(self._driver, instance) is not None
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
        """Claim the growth of an adjust; give it back if no work starts."""
        before = xloud_record.held(instance)
        after = xloud_record.would_hold(
            instance, intent.vcpus, intent.memory_mb, intent.persist)
        claim = xloud_size.larger(before, after)
        if claim != before:
            self._accounting.hold(ctxt, instance, claim)
        try:
            yield
        except Exception:
            with excutils.save_and_reraise_exception():
                if claim != before:
                    self._accounting.give_back(ctxt, instance, before)

    def _start(self, ctxt, instance, intent):
        # Before the thread can end and another copy of the message comes
        self._running.remember(ctxt.request_id)
        try:
            executors.submit(self._work, self._run, ctxt, instance, intent)
        except BaseException as error:
            self._running.disremember(ctxt.request_id)
            if isinstance(error, futurist.RejectedSubmission):
                raise exception.AdjustBusy()
            raise

    def _run(self, ctxt, instance, intent):
        """Do the work of an adjust that has begun; the thread's function.

        Calls of the conductor that need not wait for each other go side by
        side: each takes half a second where oslo.messaging (16 and 17) looks
        for replies so rarely. The writes keep the order of lifecycle.LIFE.
        """
        begun = executors.submit(
            self._calls, lifecycle.begin_event, ctxt, instance, self._host,
            self._notifier)
        try:
            settled, failure = self._adjust(ctxt, instance, intent)
            begun.result()
            counted = executors.submit(
                self._calls, self._accounting.settle_tracker, settled)
            read = self._read_beside(ctxt, settled)
            lifecycle.tell_end(ctxt, settled, failure)
            counted.result()
            lifecycle.end_read(ctxt, read.result(), intent.request_id,
                               self._notifier, failure)
            self._running.forget(instance.uuid)
        except nova_exception.InstanceNotFound:
            LOG.info('The server was deleted while it was adjusted.',
                     instance=instance)
        except exception.AdjustTakenOver as error:
            LOG.warning('The server was taken over by another operation, or '
                        'evacuated, while it was adjusted. What has become '
                        'of its guest here is not recorded.',
                        instance=instance)
            self._write_failure(ctxt, instance, begun, error)
        except Exception:
            LOG.exception('The adjust has failed; the next periodic task '
                          'will end it.', instance=instance)
            self._running.abandon(instance.uuid, intent.request_id)
            self._write_failure(
                ctxt, instance, begun, exception.AdjustAbandoned())
        finally:
            self._running.leave(instance.uuid)

    def _write_failure(self, ctxt, instance, begun, error):
        try:
            begun.result()
            lifecycle.tell_end(ctxt, instance, error)
        except Exception:
            LOG.exception('The end of the adjust could not be written.',
                          instance=instance)

    def _settled(self, instance, online_vcpus):
        """Look at a guest that was adjusted; see nova.xloud.record.settled.

        :param online_vcpus: number of vCPUs that the guest says that it uses
        """
        try:
            seen = guest.size(self._driver, instance)
        except Exception as error:
            LOG.info('The guest could not be looked at after the adjust: %s',
                     error, instance=instance)
            return None
        if seen is not None:
            seen = seen._replace(online_vcpus=online_vcpus)
        return xloud_record.settled(seen, xloud_record.live(instance))

    def _read_beside(self, ctxt, instance):
        return executors.submit(
            self._calls, lifecycle.read_again, ctxt, instance)

    def _adjust(self, ctxt, instance, intent):
        """Adjust, record, and have Placement hold the size that counts now.

        :returns: tuple of the nova.objects.Instance with the outcome, and
            AdjustFailed if the guest has not followed, else None
        """
        reason = online_vcpus = None
        read = self._read_beside(ctxt, instance)
        has_guest = guest.size(self._driver, instance) is not None
        if has_guest:
            outcome, reason, online_vcpus = guest.change(
                self._driver, instance, intent.vcpus, intent.memory_mb)
            if read.done():
                # Others may have saved the server since. An answer that is
                # still on its way is as new as that of another call.
                read = self._read_beside(ctxt, instance)
            instance = read.result()
            lifecycle.check_own(instance, self._host, intent.request_id)
        else:
            instance = read.result()
            lifecycle.check_own(instance, self._host, intent.request_id)
            # Its live size ends with it: the next guest has the recorded one
            xloud_record.forget_live(instance)
            outcome = xloud_size.replaced(
                xloud_record.live(instance), intent.vcpus, intent.memory_mb)
        known = xloud_record.guest(instance)
        if intent.vcpus is None and known is not None:
            # Its vCPUs were left alone
            online_vcpus = known.online_vcpus
        elif has_guest:
            # The saved one also has the size of before
            xloud_intent.Intent.of(instance).confirm(instance, online_vcpus)
        intent.record(instance, outcome)
        if reason is None:
            xloud_record.write_guest(
                instance, self._settled(instance, online_vcpus))
        lifecycle.settle(instance)
        self._accounting.settle_placement(ctxt, instance)
        if reason is None:
            return instance, None
        failure = exception.AdjustFailed(reason=reason, **outcome._asdict())
        LOG.warning('The adjust has failed: %s', failure, instance=instance)
        return instance, failure
