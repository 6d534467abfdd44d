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
"""The work that one server needs, and doing it.

Stock Nova takes the size of a server from its flavor: it starts the guest
with that, and Placement and the columns that quota sums must hold as much.
"""

import collections

from oslo_log import log as logging
from oslo_serialization import jsonutils
from oslo_utils import timeutils

from nova.compute import vm_states
from nova import exception
from nova import objects
from nova.scheduler import utils as scheduler_utils
from nova_xloud_settle import cloud as nova_cloud
from nova_xloud_settle import floors
from nova_xloud_settle import placement as nova_placement

LOG = logging.getLogger(__name__)

# A nova-compute of nova-xloud may act for so many seconds on a record that it
# has read before: it may bring Placement back to that record.
GRACE = 10
# In the system metadata, with the record: when the floors went.
_MARK = 'xloud_settled'

# The amounts of a provider that a consumer holds, and those it is to hold
_Share = collections.namedtuple('_Share', 'consumer provider held wanted')

_REASON = ('The adjust was not finished before nova-xloud was replaced by '
           'stock Nova.')


class NotNow(Exception):
    """A server that cannot be settled as things are; the text says why."""


class Again(NotNow):
    """A server that is settled by another look, a little later."""


class Server:
    """A server with something of nova-xloud's, and the work it needs.

    :ivar instance: nova.objects.Instance
    :ivar shares: the amounts that it holds in Placement, and is to hold
    :ivar to_do: texts; empty if there is nothing to do
    :ivar hindrance: text, why it cannot be done now; None if it can
    :ivar wants_another_look: True when that is a matter of seconds
    """

    def __init__(self, cloud, placement, instance):
        """Look at a server; nothing changes.

        :param cloud: nova_xloud_settle.cloud.Cloud
        :param placement: nova_xloud_settle.placement.Placement
        :param instance: nova.objects.Instance
        :raises: nova_xloud_settle.placement.PlacementError
        """
        self._cloud = cloud
        self._placement = placement
        self.instance = instance
        self.shares = []
        self.to_do = []
        self.hindrance = None
        self.wants_another_look = False
        try:
            self._look()
        except NotNow as reason:
            self.hindrance = str(reason)

    @property
    def counted(self):
        """The figures of the server that Nova's database quota sums."""
        return self.instance.vcpus, self.instance.memory_mb

    @property
    def maximum(self):
        """The figures of the server's flavor, which stock Nova gives it."""
        return self.instance.flavor.vcpus, self.instance.flavor.memory_mb

    @property
    def recorded(self):
        """The figures that nova-xloud gives the server; its maximum without.
        """
        known = floors.record(self.instance)
        return tuple(
            int(known.get('xloud_current_%s' % name, most))
            for name, most in zip(('vcpus', 'memory_mb'), self.maximum))

    def _look(self):
        instance = self.instance
        if instance.task_state == floors.TASK_STATE:
            self.to_do.append('end its adjust')
        spec = nova_cloud.request_spec(self._cloud.context, instance)
        self._spec = spec if (
            spec is not None and 'flavor' in spec and
            floors.floors(spec.flavor)) else None
        self._has_floors = any(
            floors.floors(each) for each in nova_cloud.flavors_of(instance))
        if self._has_floors or self._spec is not None:
            self.to_do.append('take the floors from its copy of the flavor')
        if self.counted != self.maximum:
            self.to_do.append('count its maximum for quota')
        if floors.record(instance):
            self.to_do.append('drop the record of its size')
        self._check_free()
        self._look_at_placement()

    def _check_free(self):
        """Check that no operation is under way.

        :raises: NotNow
        """
        instance = self.instance
        state = instance.task_state
        if state == floors.TASK_STATE:
            kind = self._cloud.kind(instance.host)
            if kind == nova_cloud.OURS:
                raise NotNow(
                    'its host %s is at work on an adjust of it, or will end '
                    'that soon: try again in some minutes' % instance.host)
            if kind == nova_cloud.SILENT:
                raise NotNow('nova-compute of %s does not answer, and may be '
                             'adjusting it: restart that' % instance.host)
        elif state is not None or instance.vm_state == vm_states.BUILDING:
            raise NotNow('another operation has it (%s): try again when that '
                         'has ended' % (state or instance.vm_state))

    def _look_at_placement(self):
        instance = self.instance
        if instance.host is None:
            return
        self._add_share(instance.uuid, instance.host, instance.node,
                        instance.flavor)
        if instance.vm_state == vm_states.RESIZED:
            # The migration holds the size that a revert brings back
            try:
                migration = objects.Migration.get_by_instance_and_status(
                    instance._context, instance.uuid, 'finished')
            except exception.MigrationNotFoundByStatus:
                raise NotNow('its resize has no record of a migration: '
                             'confirm or revert the resize')
            self._add_share(migration.uuid, migration.source_compute,
                            migration.source_node, instance.old_flavor)

    def _add_share(self, consumer, host, node, flavor):
        provider = self._cloud.providers.get((host, node))
        if provider is None:
            raise NotNow('its node %s of host %s is not known to Nova' % (
                node, host))
        resources = scheduler_utils.resources_from_flavor(
            self.instance, floors.without_floors(flavor))
        wanted = {name: resources[name] for name in nova_placement.FOLLOWS
                  if name in resources}
        held = self._placement.held(consumer, provider)
        if not held:
            if self.instance.vm_state == vm_states.ERROR:
                return
            raise NotNow(
                'it holds nothing in Placement: nova-manage placement '
                'heal_allocations --instance %s' % self.instance.uuid)
        share = _Share(consumer, provider, held, wanted)
        self.shares.append(share)
        if nova_placement.different(held, wanted):
            self.to_do.insert(0, 'hold its maximum in Placement')

    def reserve(self):
        """See whether its host has room beside the claims of this run.

        Called for each server in turn, so that all together fit.
        """
        if self.hindrance is not None:
            return
        for share in self.shares:
            growth = {
                name: amount - share.held[name] for name, amount in
                nova_placement.different(share.held, share.wanted).items()}
            room = self._placement.room(share.provider)
            short = {name: (more, room.get(name, 0))
                     for name, more in growth.items()
                     if more > max(0, room.get(name, 0))}
            if short:
                self.hindrance = self._too_full(share, short)
                return
            for name, more in growth.items():
                room[name] = room.get(name, 0) - more

    def _too_full(self, share, short):
        return 'host %s has no room for its maximum: %s' % (
            self._cloud.hosts.get(share.provider, share.provider),
            ', '.join('%s more %s needed, %s free' % (more, name, free)
                      for name, (more, free) in sorted(short.items())))

    def settle(self):
        """Do the work; work that cannot be done now becomes the hindrance.

        May be repeated, and cut off at any moment: the record goes last, and
        a server that has one is looked at again. Two at once do the same
        twice.

        :raises: nova_xloud_settle.placement.PlacementError
        """
        if self.hindrance is not None:
            return
        try:
            self._settle()
        except NotNow as reason:
            self.hindrance = str(reason)
            self.wants_another_look = isinstance(reason, Again)
        except exception.UnexpectedTaskStateError:
            self.hindrance = 'another operation has just begun: try again'

    def _settle(self):
        instance = self.instance
        if instance.task_state == floors.TASK_STATE:
            self._end_adjust()
        for share in self.shares:
            try:
                self._placement.assign(
                    share.consumer, share.provider, share.wanted)
            except nova_placement.NoRoom as full:
                raise NotNow(self._too_full(share, full.short))
        if self._spec is not None:
            self._spec.flavor = floors.without_floors(self._spec.flavor)
            self._spec.save()
        # Nova saves flavors apart from the server's row, and unconditionally
        self._check_still_free()
        if self._has_floors:
            for name in ('flavor', 'old_flavor', 'new_flavor'):
                flavor = getattr(instance, name)
                if flavor is not None:
                    setattr(instance, name, floors.without_floors(flavor))
        instance.vcpus, instance.memory_mb = self.maximum
        is_last = self._may_drop_record()
        if is_last:
            for name in floors.record(instance):
                del instance.system_metadata[name]
        else:
            instance.system_metadata[_MARK] = timeutils.utcnow().isoformat()
        instance.save(expected_task_state=[None])
        if not is_last:
            raise Again('its host may still count its old size, and is '
                        'looked at once more')

    def _check_still_free(self):
        fresh = nova_cloud.read(self.instance)
        if (fresh.task_state is not None or
                fresh.host != self.instance.host or
                fresh.flavor.id != self.instance.flavor.id):
            raise NotNow('another operation has just begun: try again')

    def _may_drop_record(self):
        """Tell whether nobody acts on the floors of before any more."""
        if self._cloud.kind(self.instance.host) in (
                nova_cloud.STOCK, nova_cloud.DOWN):
            return True
        mark = self.instance.system_metadata.get(_MARK)
        return (mark is not None and not self._has_floors and
                timeutils.is_older_than(timeutils.parse_isotime(mark), GRACE))

    def _end_adjust(self):
        """End an adjust that nobody works on: its action, then its state."""
        instance = self.instance
        intent = floors.record(instance).get(floors.INTENT)
        request_id = intent and jsonutils.loads(intent).get('request_id')
        _finish_action(instance, request_id)
        instance.task_state = None
        instance.save(expected_task_state=[floors.TASK_STATE])


def _finish_action(instance, request_id):
    """Finish the server action of an adjust, if it is not finished."""
    context = instance._context.elevated()
    actions = objects.InstanceActionList.get_by_instance_uuid(
        context, instance.uuid)
    # The newest first
    action = next((each for each in actions
                   if each.action == floors.ACTION and
                   request_id in (None, each.request_id)), None)
    if action is None:
        return
    context.request_id = action.request_id
    event = objects.InstanceActionEvent
    started = objects.InstanceActionEventList.get_by_action(
        context, action.id)
    found = next(
        (each for each in started if each.event == floors.EVENT), None)
    if found is not None and found.finish_time:
        return
    if found is None:
        event.event_start(context, instance.uuid, floors.EVENT,
                          want_result=False, host=instance.host)
    event.event_finish_with_failure(
        context, instance.uuid, floors.EVENT, exc_val=_REASON,
        exc_tb=_REASON, want_result=False)
