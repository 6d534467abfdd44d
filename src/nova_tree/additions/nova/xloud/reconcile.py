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
import functools
import threading

from keystoneauth1 import exceptions as ks_exc
from oslo_log import log as logging
from oslo_utils import timeutils

from nova.compute import task_states
from nova.compute import vm_states
import nova.conf
from nova import exception as nova_exception
from nova.i18n import _
from nova import objects
from nova.xloud import action
from nova.xloud import adjust
from nova.xloud import guest as xloud_guest
from nova.xloud import intent as xloud_intent
from nova.xloud import placement
from nova.xloud import size as xloud_size

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

# The guest runs, and follows its balloon; a paused one does not.
_RUNS = (vm_states.ACTIVE, vm_states.RESCUED)

# A guest that boots has all its memory until its balloon driver is up: what
# it has must stay for so many looks to count.
_LOOKS = 2
_LOOKS_WITHOUT_DRIVER = 5

# Servers at a time: what takes long is to wait for replies of the conductor,
# half a second each where oslo.messaging (16 and 17) looks so rarely. A host
# that starts is not there for its users before all are done.
_AT_ONCE = 10

# The next guest has the recorded size.
_OFF = (vm_states.STOPPED, vm_states.SHELVED, vm_states.SOFT_DELETED)

# The server is settled on this host.
_SETTLED = _RUNS + _OFF + (vm_states.PAUSED, vm_states.SUSPENDED)


def after_update(function):
    """Decorate ComputeManager.update_available_resource.

    Reconciles also when that has failed, and never makes it fail.
    """
    @functools.wraps(function)
    def wrapper(manager, context, startup=False):
        manager.rt.xloud_instances.clear()
        try:
            function(manager, context, startup=startup)
        finally:
            reconcile(manager, context, startup)
            if startup:
                manager.xloud.note_start()
    return wrapper


def settle(manager, context, instance):
    """Account for a server whose guest was made anew, or is gone.

    The driver makes a guest from the recorded size and notes that in the
    instance. Placement and the tracker follow here, before the manager saves
    the state that the user is waiting for. Never raises.

    :param manager: nova.compute.manager.ComputeManager
    :param context: nova.context.RequestContext
    :param instance: nova.objects.Instance
    """
    if (not xloud_size.has_floor(instance.flavor) or
            # Being evacuated to here, where its recorded size is held
            instance.host != manager.host):
        return
    try:
        manager.xloud.account(context.elevated(), instance)
    except Exception:
        # The operation has succeeded, and must end
        LOG.exception('The size of the server could not be accounted for; '
                      'the next periodic task will try again.',
                      instance=instance)


def settle_stopped(manager, context, instance):
    """Account for a server whose guest is off now; the manager saves it.

    Killed before that, nova-compute stops the server again when it starts.
    """
    if xloud_size.has_floor(instance.flavor):
        xloud_size.forget_live(instance)
        settle(manager, context, instance)


def settle_new(manager, context, instance):
    """Have a new server begin at its floor, as Placement was asked for it.

    nova-api has noted that, unless it is of a release without floors.

    :param manager: nova.compute.manager.ComputeManager
    :param context: nova.context.RequestContext
    :param instance: nova.objects.Instance that is about to be claimed
    """
    if (xloud_size.has_floor(instance.flavor) and
            not xloud_size.has_record(instance)):
        xloud_size.start_at_floor(instance, instance.flavor)
        instance.save()


def settles_revert(function):
    """Decorate ComputeManager._revert_allocation.

    A server that is brought back from a move gets what was held for it when
    it left; its guest may have had more than it has now.
    """
    @functools.wraps(function)
    def wrapper(manager, context, instance, migration):
        held = function(manager, context, instance, migration)
        # Nothing comes back when nothing was held; the other node's host
        # may be the one that tidies up
        if (held and instance.node in manager.rt.compute_nodes and
                xloud_size.has_floor(instance.flavor)):
            manager.xloud.account_to_placement(context, instance)
        return held
    return wrapper


def reconcile(manager, context, startup=False):
    """Reconcile the servers with a floor on this host.

    Never raises: what could not be done is tried again the next time.

    :param manager: nova.compute.manager.ComputeManager
    :param context: nova.context.RequestContext, an admin's
    :param startup: True when no adjust can be on its way to this host
    """
    try:
        _reconcile_all(manager, context, startup)
    except Exception:
        # Nova's own periodic task has nothing to do with it
        LOG.exception('The servers of this host could not be reconciled.')


def _reconcile_all(manager, context, startup):
    work = []
    for nodename, instances in _instances(manager, context).items():
        if not instances:
            continue
        held = _held(manager, context, nodename)
        work += [(instance, held.get(instance.uuid, {}).get('resources', {}))
                 for instance in instances]
    # Of a list, which several threads may share
    todo = iter(work)

    def work_off():
        for instance, resources in todo:
            _reconcile_one(manager, context, instance, startup, resources)

    helpers = []
    try:
        for _one in work[1:_AT_ONCE]:
            # Not one of a pool's, which adjusts may have taken
            helper = threading.Thread(target=work_off, daemon=True)
            helper.start()
            helpers.append(helper)
    except RuntimeError as error:
        LOG.warning('Servers are reconciled by %(number)s threads only: '
                    '%(error)s', {'number': len(helpers) + 1, 'error': error})
    work_off()
    for helper in helpers:
        helper.join()
    manager.xloud.forget_drifts(
        {instance.uuid for instance, _resources in work})


def _reconcile_one(manager, context, instance, startup, held):
    try:
        _reconcile_instance(manager, context, instance, startup, held)
    except nova_exception.InstanceNotFound:
        LOG.debug('Deleted meanwhile.', instance=instance)
    except Exception:
        LOG.exception('The size of the server could not be reconciled.',
                      instance=instance)


def _instances(manager, context):
    """List the servers with a floor on this host, by node.

    The tracker has just read them; unless it has failed before.
    """
    noted = manager.rt.xloud_instances
    if noted and noted.keys() >= manager.rt.compute_nodes.keys():
        return noted
    if not manager.driver.capabilities.get('supports_xloud_adjust', False):
        return {}
    found = collections.defaultdict(list)
    for instance in objects.InstanceList.get_by_host(
            context, manager.host,
            expected_attrs=['flavor', 'system_metadata']):
        if xloud_size.has_floor(instance.flavor):
            found[instance.node].append(instance)
    return found


def _held(manager, context, nodename):
    """Ask Placement once for all that the servers of a node hold."""
    node = manager.rt.compute_nodes.get(nodename)
    if node is None:
        return {}
    try:
        return manager.reportclient.get_allocations_for_resource_provider(
            context, node.uuid).allocations
    except (ks_exc.ClientException, nova_exception.NovaException) as error:
        LOG.warning('Placement cannot be asked what the servers of node '
                    '%(node)s hold: %(error)s',
                    {'node': nodename, 'error': error})
        return {}


def _reconcile_instance(manager, context, instance, startup, held):
    half_done = _is_half_done(manager, instance, startup)
    noted = xloud_size.live(instance)
    seen = noted
    if not half_done:
        if not _is_settled(instance):
            manager.xloud.note_drift(instance.uuid, 0)
            return
        seen = _size_seen(manager, instance, noted)
        wanted = placement.amounts(
            instance, xloud_size.reserved(instance))
        if seen == noted and not placement.differs(held, wanted):
            return
    with manager.xloud.hold(instance.uuid) as is_ours:
        if not is_ours:
            return
        # What was read may be a minute old
        instance = objects.Instance.get_by_uuid(
            context, instance.uuid,
            expected_attrs=['flavor', 'info_cache', 'metadata',
                            'system_metadata'])
        if instance.host != manager.host:
            return
        if _is_half_done(manager, instance, startup):
            _recover(manager, context, instance)
        elif _is_settled(instance) and xloud_size.live(instance) == noted:
            if seen != noted:
                LOG.warning('The guest has %(vcpus)s vCPUs and %(memory_mb)s '
                            'MiB, not the %(noted_vcpus)s vCPUs and '
                            '%(noted_mb)s MiB that were noted for it.',
                            {'vcpus': seen.vcpus,
                             'memory_mb': seen.memory_mb,
                             'noted_vcpus': noted.vcpus,
                             'noted_mb': noted.memory_mb},
                            instance=instance)
                xloud_size.record_live(instance, seen)
                instance.save(expected_task_state=[None])
            manager.xloud.account(context, instance)


def _is_settled(instance):
    return instance.task_state is None and instance.vm_state in _SETTLED


def _is_half_done(manager, instance, startup):
    """Tell whether an adjust was begun, unless this process works on it.

    The task state may belong to a call that is still on its way; nova-api
    gives that up after a time.
    """
    if instance.task_state == task_states.XLOUD_ADJUSTING:
        return (startup or manager.xloud.is_abandoned(instance) or
                timeutils.is_older_than(
                    instance.updated_at or instance.created_at,
                    2 * CONF.rpc_response_timeout))
    # An administrator has reset the state meanwhile
    return (_is_settled(instance) and
            xloud_intent.Intent.of(instance) is not None)


def _size_seen(manager, instance, noted):
    """Tell which size the guest has, as far as that can be said.

    :param noted: the size that it is said to have
    :returns: nova.xloud.size.Size; the one noted where nothing is seen
    """
    guest = None
    if instance.vm_state in _RUNS:
        guest = xloud_guest.size(manager.driver, instance)
    if guest is None:
        manager.xloud.note_drift(instance.uuid, 0)
        if instance.vm_state in _OFF:
            return xloud_size.recorded(instance)
        return noted
    seen = noted
    if xloud_size.has_cpu_floor(instance.flavor):
        seen = seen._replace(vcpus=guest.vcpus)
    if (xloud_size.has_memory_floor(instance.flavor) and
            manager.xloud.note_drift(
                instance.uuid, guest.memory_mb - noted.memory_mb,
                _LOOKS if guest.balloon_driver_active
                else _LOOKS_WITHOUT_DRIVER)):
        seen = seen._replace(memory_mb=guest.memory_mb)
    return seen


def _recover(manager, context, instance):
    """End an adjust that nova-compute was killed in: all of it, or none."""
    intent = xloud_intent.Intent.of(instance)
    is_done = False
    if intent is not None:
        xloud_guest.end_unplug(manager.driver, instance, intent.vcpus)
        guest = xloud_guest.size(manager.driver, instance)
        if guest is not None:
            now = xloud_size.Size(guest.vcpus, guest.memory_mb)
            # Memory says nothing while the guest boots
            is_done = (
                guest.balloon_driver_active or intent.memory_mb is None
            ) and now == xloud_size.replaced(
                now, intent.vcpus, intent.memory_mb)
            if not is_done:
                now = manager.xloud.take_back(instance, intent)
            manager.xloud.read_again(instance)
            intent.record(instance, now)
    size = xloud_size.live(instance)
    LOG.warning('An adjust of the server was interrupted; it has '
                '%(vcpus)s vCPUs and %(memory_mb)s MiB now.',
                size._asdict(), instance=instance)
    manager.xloud.finish(context, instance)
    reason = None
    if not is_done:
        reason = _('The adjust was interrupted, and taken back. The server '
                   'has %(vcpus)s vCPUs and %(memory_mb)s MiB now.'
                   ) % size._asdict()
    action.finish(
        context, instance, intent.request_id if intent is not None else None,
        adjust.EVENT, instance.host, reason)
    manager.xloud.let_go(instance)
