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

"""Bring guest, record, Placement and tracker of a server together again.

Runs after the resource tracker's periodic task and at the start of
nova-compute, for the servers that have a floor. It never touches a server
that this process is adjusting, nor one that another operation has.
"""

import collections
import time

from futurist import waiters
from oslo_log import log as logging
from oslo_utils import timeutils

from nova.compute import task_states
from nova.compute import vm_states
import nova.conf
from nova import exception as nova_exception
from nova.i18n import _
from nova import objects
from nova.xloud.compute import executors
from nova.xloud.compute import guest as xloud_guest
from nova.xloud import exception
from nova.xloud import intent as xloud_intent
from nova.xloud import lifecycle
from nova.xloud import record as xloud_record
from nova.xloud import size as xloud_size

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

# A guest that boots has all its memory until its balloon driver is up: the
# figure must stay for so many looks to count.
_LOOKS = 2
_LOOKS_WITHOUT_DRIVER = 5

# Servers at a time: most of the time goes into replies of the conductor, half
# a second each where oslo.messaging (16 and 17) looks so rarely.
_AT_ONCE = 10

# Seconds that all servers together may take of the start, or of the periodic
# task, of nova-compute. The rest goes on beside: a host that starts is not
# there for its users before, and Nova's periodic tasks wait for each other.
_PATIENCE = 10

# Seconds that a hypervisor may take to tell the size of one guest.
_LOOK_PATIENCE = 5

# The next guest has the recorded size.
_OFF = (vm_states.STOPPED, vm_states.SHELVED, vm_states.SOFT_DELETED)

# The server is settled on this host.
_SETTLED = _OFF + (vm_states.ACTIVE, vm_states.RESCUED, vm_states.PAUSED,
                   vm_states.SUSPENDED)


class _Drifts:
    """By how many MiB guests are off, and for how many looks in a row."""

    def __init__(self):
        self._drifts = {}

    def note(self, instance_uuid, drift, looks=1):
        """Note by how many MiB a guest is off the size noted for it.

        :param instance_uuid: UUID of the server
        :param drift: MiB; 0 when the guest is not off, or cannot be asked
        :param looks: how often in a row it must be seen to count
        :returns: True when it was off by the same so many times in a row
        """
        last, seen = self._drifts.get(instance_uuid, (0, 0))
        seen = seen + 1 if drift == last else 1
        self._drifts[instance_uuid] = (drift, seen)
        return drift != 0 and seen >= looks

    def keep(self, present):
        """Forget the drifts of servers that are not there any more.

        :param present: set of UUIDs of those that are
        """
        for uuid in set(self._drifts) - present:
            del self._drifts[uuid]


class Reconciler:
    """Reconciles the servers with a floor on one compute host."""

    def __init__(self, host, driver, looks, accounting, running, notifier):
        """Work for a compute host.

        :param host: name of the host
        :param driver: nova.virt.driver.ComputeDriver
        :param looks: nova.xloud.compute.looks.Looks
        :param accounting: nova.xloud.accounting.Accounting
        :param running: nova.xloud.compute.running.Running
        :param notifier: nova.xloud.notifications.Notifier
        """
        self._host = host
        self._driver = driver
        self._looks = looks
        self._accounting = accounting
        self._running = running
        self._notifier = notifier
        self._drifts = _Drifts()
        self._helpers = executors.make('xloud reconciliation', _AT_ONCE)
        self._begun = {}

    def reconcile(self, context, startup=False):
        """Reconcile the servers with a floor on this host.

        Never raises: a server that could not be reconciled is looked at
        again the next time. Servers that take too long go on beside.

        :param context: nova.context.RequestContext, an admin's
        :param startup: True when no adjust can be on its way to this host
        """
        try:
            self._reconcile_all(context, startup)
        except Exception:
            # Nova's own periodic task has nothing to do with it
            LOG.exception('The servers of this host could not be '
                          'reconciled.')
        if startup:
            self._running.note_start()

    def _reconcile_all(self, context, startup):
        work = []
        moves = []
        for nodename, instances in self._instances(context).items():
            moved_away = self._accounting.moved_away(nodename)
            if not (instances or moved_away):
                continue
            held = self._accounting.held(context, nodename)
            work += [(instance, held.get(instance.uuid, {}))
                     for instance in instances]
            moves += [(migration, held.get(migration.uuid, {}))
                      for migration in moved_away]
        self._begun = {uuid: future for uuid, future in self._begun.items()
                       if not future.done()}
        # Users wait for a server that an adjust has left half done
        work.sort(key=lambda each: each[0].task_state is None)
        for instance, held in work:
            # Else the last task has it still
            if instance.uuid not in self._begun:
                self._begun[instance.uuid] = executors.submit(
                    self._helpers, self._reconcile_one, context, instance,
                    held, startup)
        for migration, held in moves:
            if migration.uuid not in self._begun:
                self._begun[migration.uuid] = executors.submit(
                    self._helpers, self._settle_moved_away, context,
                    migration, held)
        late = waiters.wait_for_all(
            list(self._begun.values()), timeout=_PATIENCE).not_done
        if late:
            LOG.warning('%(number)s servers with a floor are not reconciled '
                        'after %(seconds)s seconds. That goes on beside.',
                        {'number': len(late), 'seconds': _PATIENCE})
        self._drifts.keep({instance.uuid for instance, _held in work})

    def _reconcile_one(self, context, instance, held, startup):
        try:
            self._reconcile_instance(context, instance, held, startup)
        except nova_exception.InstanceNotFound:
            LOG.debug('Deleted meanwhile.', instance=instance)
        except Exception:
            LOG.exception('The size of the server could not be reconciled.',
                          instance=instance)

    def _settle_moved_away(self, context, migration, held):
        try:
            self._accounting.settle_moved_away(context, migration, held)
        except Exception:
            LOG.exception('The size that migration %s holds for a revert '
                          'could not be settled.', migration.uuid)

    def _instances(self, context):
        """List the servers with a floor on this host, by node.

        The tracker has just read them; unless it has failed before.
        """
        noted = self._accounting.instances_with_floor()
        if noted is not None:
            return noted
        if not self._driver.capabilities.get('supports_xloud_adjust', False):
            return {}
        found = collections.defaultdict(list)
        for instance in objects.InstanceList.get_by_host(
                context, self._host,
                expected_attrs=['flavor', 'system_metadata']):
            if xloud_size.has_floor(instance.flavor):
                found[instance.node].append(instance)
        return found

    def _reconcile_instance(self, context, instance, held, startup):
        half_done = self._is_half_done(instance, startup)
        noted = xloud_record.live(instance)
        seen, guest = noted, xloud_record.guest(instance)
        if not half_done:
            if not _is_settled(instance):
                self._drifts.note(instance.uuid, 0)
                return
            seen, guest = self._look(instance, noted)
            if (seen == noted and guest == xloud_record.guest(instance) and
                    self._accounting.is_settled(instance, held)):
                return
        with self._running.hold(instance.uuid) as is_ours:
            if not is_ours:
                return
            # The instance may have been read a minute ago
            now = lifecycle.read_again(context, instance)
            if now.host != self._host:
                return
            # Work beside the start may meet an adjust that began after it
            is_of_before = startup and _request(now) == _request(instance)
            if self._is_half_done(now, is_of_before):
                self._recover(context, now)
            elif _is_settled(now) and xloud_record.live(now) == noted:
                if seen != noted or guest != xloud_record.guest(now):
                    self._note(context, now, seen, noted, guest)
                self._accounting.settle(context, now)

    def _note(self, context, instance, seen, noted, guest):
        held = xloud_record.held(instance)
        if seen != noted:
            LOG.warning('The guest has %(vcpus)s vCPUs and %(memory_mb)s MiB, '
                        'not the %(noted_vcpus)s vCPUs and %(noted_mb)s MiB '
                        'that were noted for it.',
                        {'vcpus': seen.vcpus,
                         'memory_mb': seen.memory_mb,
                         'noted_vcpus': noted.vcpus,
                         'noted_mb': noted.memory_mb},
                        instance=instance)
            xloud_record.write_live(instance, seen)
        xloud_record.write_guest(instance, guest)
        instance.save(expected_task_state=[None])
        if xloud_size.larger(seen, held) != held:
            self._alarm(context, instance, seen, held)

    def _alarm(self, context, instance, seen, held):
        """Tell that a guest has more than was held for it.

        :param seen: nova.xloud.size.Size that the guest has
        :param held: nova.xloud.size.Size that was held for the server
        """
        hint = ''
        if seen.memory_mb > held.memory_mb:
            hint = _('A guest without a working balloon driver gives no '
                     'memory back.')
        error = exception.AdjustOveruse(
            held_vcpus=held.vcpus, held_mb=held.memory_mb, hint=hint,
            **seen._asdict())
        LOG.error('%s', error.format_message(), instance=instance)
        lifecycle.alarm(context, instance, self._host, error)

    def _is_half_done(self, instance, is_of_before):
        """Tell whether an adjust was begun, unless this process works on it.

        The task state may belong to a call that is still on its way;
        nova-api gives that up after a time.

        :param is_of_before: whether an adjust of the server is one of before
            the start of nova-compute
        """
        if instance.task_state == task_states.XLOUD_ADJUSTING:
            return (is_of_before or self._running.is_abandoned(instance) or
                    timeutils.is_older_than(
                        instance.updated_at or instance.created_at,
                        2 * CONF.rpc_response_timeout))
        # An administrator has reset the state meanwhile
        return (_is_settled(instance) and
                xloud_intent.Intent.of(instance) is not None)

    def _look(self, instance, noted):
        """Tell which size the guest has, as far as that can be said.

        :param noted: the size that is noted for the guest
        :returns: tuple of the nova.xloud.size.Size that counts, the noted one
            where nothing is seen, and the nova.xloud.size.GuestSize to note
        """
        kept = xloud_record.guest(instance)
        # Nova's state of a server does not tell whether there is a guest
        try:
            guest = self._looks.size(
                instance, _LOOK_PATIENCE, since=time.monotonic())
        except exception.AdjustGuestSilent as error:
            LOG.warning('The size of the guest is not known: %s', error,
                        instance=instance)
            self._drifts.note(instance.uuid, 0)
            return noted, kept
        if guest is None:
            self._drifts.note(instance.uuid, 0)
            if instance.vm_state in _OFF:
                return xloud_record.recorded(instance), None
            is_saved = instance.vm_state == vm_states.SUSPENDED
            return noted, kept if is_saved else None
        seen = noted
        if xloud_size.has_cpu_floor(instance.flavor):
            seen = seen._replace(vcpus=guest.vcpus)
        if (xloud_size.has_memory_floor(instance.flavor) and
                self._drifts.note(
                    instance.uuid, guest.memory_mb - noted.memory_mb,
                    _looks(instance, guest))):
            seen = seen._replace(memory_mb=guest.memory_mb)
        return seen, xloud_record.settled(guest, seen)

    def _recover(self, context, instance):
        """End an adjust that was interrupted: all of it, or none."""
        intent = xloud_intent.Intent.of(instance)
        request_id = None if intent is None else intent.request_id
        is_done = False
        if intent is not None:
            is_done = self._recover_guest(instance, intent)
        size = xloud_record.live(instance)
        LOG.warning('An adjust of the server was interrupted; it has '
                    '%(vcpus)s vCPUs and %(memory_mb)s MiB now.',
                    size._asdict(), instance=instance)
        lifecycle.settle(instance)
        self._accounting.settle(context, instance)
        reason = None
        if not is_done:
            reason = _('The adjust was interrupted, and taken back. The '
                       'server has %(vcpus)s vCPUs and %(memory_mb)s MiB now.'
                       ) % size._asdict()
        lifecycle.end(context, instance, request_id, lifecycle.HOST_EVENT,
                      self._host, self._notifier, reason)
        self._running.forget(instance.uuid)

    def _recover_guest(self, instance, intent):
        """Bring a guest to the size of an intent, or to the one of before.

        :returns: True if the guest has the size of the intent
        """
        is_used, online_vcpus = xloud_guest.end_vcpus(
            self._driver, instance, intent.vcpus)
        guest = xloud_guest.size(self._driver, instance)
        if guest is None:
            return False
        now = xloud_size.Size(guest.vcpus, guest.memory_mb)
        # Memory says nothing while the guest boots
        is_done = is_used and (
            guest.balloon_driver_active or intent.memory_mb is None
        ) and now == xloud_size.replaced(now, intent.vcpus, intent.memory_mb)
        if not is_done:
            now = xloud_guest.take_back(
                self._driver, instance, intent.vcpus, intent.memory_mb)
        lifecycle.read_own(instance, self._host, intent.request_id)
        if intent.is_confirmed is None:
            intent.confirm(instance, online_vcpus)
        intent.record(instance, now)
        return is_done


def _looks(instance, guest):
    """Tell how often a guest's memory must be seen to count.

    Memory that nobody holds counts at once, where the guest cannot be one
    that boots: its balloon driver was taken away, or it never had one.
    """
    if guest.balloon_driver_active:
        return _LOOKS
    held = xloud_record.held(instance).memory_mb
    if guest.memory_mb > held and not guest.may_boot:
        return 1
    return _LOOKS_WITHOUT_DRIVER


def _request(instance):
    """Tell which request an adjust of the server is of; None without one."""
    intent = xloud_intent.Intent.of(instance)
    return None if intent is None else intent.request_id


def _is_settled(instance):
    return instance.task_state is None and instance.vm_state in _SETTLED
