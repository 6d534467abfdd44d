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

"""The resources held for servers: quota, Placement and resource tracker.

No other module of ours asks any of the three. Growth is held before the guest
gets it, and the true size is settled when it is known.
"""

import contextlib

from keystoneauth1 import exceptions as ks_exc
from oslo_log import log as logging
from oslo_utils import excutils

from nova import exception as nova_exception
from nova.i18n import _
from nova import objects
from nova import utils
from nova.xloud import exception
from nova.xloud import placement
from nova.xloud import quota
from nova.xloud import record as xloud_record
from nova.xloud import size as xloud_size

LOG = logging.getLogger(__name__)


def check_quota(context, instance, before, after):
    """Check quota before growth is held; see quota.check_growth."""
    quota.check_growth(context, instance, before, after)


def check_quota_again(context, instance, before, after):
    """Check quota when growth is held; see quota.check_growth_again."""
    quota.check_growth_again(context, instance, before, after)


def _is_finished(migration):
    """Tell whether a migration waits for its confirm or revert."""
    return migration.status == 'finished'


def _has_old_floor(migration):
    try:
        flavor = migration.instance.old_flavor
    except nova_exception.InstanceNotFound:
        return False
    return flavor is not None and xloud_size.has_floor(flavor)


class Accounting:
    """The sizes that Placement and the tracker hold for servers of a host."""

    def __init__(self, host, tracker, reportclient):
        """Account for the servers of a host.

        :param host: name of the host
        :param tracker: nova.compute.resource_tracker.ResourceTracker
        :param reportclient:
            nova.scheduler.client.report.SchedulerReportClient
        """
        self._host = host
        self._tracker = tracker
        self._reportclient = reportclient

    def hold(self, ctxt, instance, size):
        """Claim a size for a server in Placement.

        :param ctxt: nova.context.RequestContext
        :param instance: nova.objects.Instance
        :param size: nova.xloud.size.Size
        :raises: AdjustNoCapacity, AdjustNotAllocated, AdjustAccountingFailed
        """
        self._assign(ctxt, instance, size, must_hold=True)

    def give_back(self, ctxt, instance, size):
        """Make Placement hold no more than a size again.

        :param ctxt: nova.context.RequestContext
        :param instance: nova.objects.Instance
        :param size: nova.xloud.size.Size of before :meth:`hold`
        :raises: AdjustAccountingFailed
        """
        self._assign(ctxt, instance, size)

    def settle(self, ctxt, instance):
        """Bring Placement and the tracker to the size of a server.

        :param ctxt: nova.context.RequestContext
        :param instance: nova.objects.Instance with its size
        """
        self.settle_placement(ctxt, instance)
        self.settle_tracker(instance)

    def settle_tracker(self, instance):
        """Bring the tracker to the size of a server; never raises.

        :param instance: nova.objects.Instance with its size
        """
        try:
            self._tracker.xloud.update(instance)
        except Exception:
            # It counts anew, and saves, in its next periodic task
            LOG.exception('The tracker could not be updated.',
                          instance=instance)

    def settle_placement(self, ctxt, instance):
        """Bring Placement to the size of a server.

        A Placement that cannot be asked, or has no room for the amount that
        the guest has taken already, is left for the next periodic task. One
        resource without room does not keep the other from being corrected.

        :param ctxt: nova.context.RequestContext
        :param instance: nova.objects.Instance with its size
        """
        self._settle(ctxt, instance, xloud_record.held(instance))

    def _settle(self, ctxt, instance, size, migration=None):
        try:
            try:
                self._assign(ctxt, instance, size, migration=migration)
            except exception.AdjustNoCapacity:
                with excutils.save_and_reraise_exception():
                    self._assign_each(ctxt, instance, size, migration)
        except exception.AdjustError as error:
            LOG.warning('Placement does not hold the size of the server; '
                        'the next periodic task will try again: %s',
                        error.for_admin(), instance=instance)

    def settle_new_guest(self, ctxt, instance):
        """Account for a server whose guest was made anew, or is gone.

        The driver makes a guest from the recorded size and notes that in the
        instance. Placement and the tracker follow before the manager saves
        the state that the user waits for. Never raises: the operation has
        succeeded, and must end.

        :param ctxt: nova.context.RequestContext
        :param instance: nova.objects.Instance
        """
        if (not xloud_size.has_floor(instance.flavor) or
                # Being evacuated to here, where its recorded size is held
                instance.host != self._host):
            return
        try:
            self.settle(ctxt.elevated(), instance)
        except Exception:
            LOG.exception('The size of the server could not be accounted '
                          'for; the next periodic task will try again.',
                          instance=instance)

    def settle_reverted(self, ctxt, instance):
        """Account for a server that a revert has brought back.

        Nova gives back the allocation that the server had when it left. The
        guest may have had a larger size then. The host of the other node may
        be the one that tidies up.

        :param ctxt: nova.context.RequestContext
        :param instance: nova.objects.Instance
        """
        if (instance.node in self._tracker.compute_nodes and
                xloud_size.has_floor(instance.flavor)):
            self.settle_placement(ctxt, instance)

    def moved_away(self, nodename):
        """List the resizes and cold migrations from a node that may revert.

        :param nodename: name of the node
        :returns: list of nova.objects.Migration of servers whose old flavor
            has a floor
        """
        return [migration for migration in
                list(self._tracker.tracked_migrations.values())
                if _is_finished(migration) and
                migration.source_compute == self._host and
                migration.source_node == nodename and
                _has_old_floor(migration)]

    def settle_moved_away(self, ctxt, migration, held):
        """Bring Placement to the size that a revert brings back.

        Nova gives the migration all that the server held when it left. That
        may be the size of its guest, which is gone.

        :param ctxt: nova.context.RequestContext
        :param migration: nova.objects.Migration of :meth:`moved_away`
        :param held: dict of resource class to amount that the migration
            holds
        """
        instance = migration.instance
        size = xloud_record.held_with(instance, instance.old_flavor)
        if not placement.differs(held, placement.amounts(
                instance, size, instance.old_flavor)):
            return

        # Nova's confirm has this lock while it gives the allocation back,
        # and does not try again when another has changed the allocation.
        @utils.synchronized(instance.uuid)
        def settle():
            if _is_finished(objects.Migration.get_by_id(ctxt, migration.id)):
                self._settle(ctxt, instance, size, migration)

        settle()

    def held(self, ctxt, nodename):
        """Ask Placement once for all that the consumers of a node hold.

        :param ctxt: nova.context.RequestContext
        :param nodename: name of the node
        :returns: dict of UUID of a server, or of a migration, to dict of
            resource class to amount; empty when Placement cannot be asked
        """
        node = self._tracker.compute_nodes.get(nodename)
        if node is None:
            return {}
        try:
            found = self._reportclient.get_allocations_for_resource_provider(
                ctxt, node.uuid).allocations
        except (ks_exc.ClientException,
                nova_exception.NovaException) as error:
            LOG.warning('Placement cannot be asked what the servers of node '
                        '%(node)s hold: %(error)s',
                        {'node': nodename, 'error': exception.in_words(error)})
            return {}
        return {uuid: allocation.get('resources', {})
                for uuid, allocation in found.items()}

    @staticmethod
    def is_settled(instance, held):
        """Tell whether Placement holds the size of a server.

        :param instance: nova.objects.Instance
        :param held: dict of resource class to amount; see :meth:`held`
        """
        return not placement.differs(held, placement.amounts(
            instance, xloud_record.held(instance)))

    def instances_with_floor(self):
        """List the servers with a floor that the tracker has read just now.

        :returns: dict of node name to list of nova.objects.Instance; None
            when the tracker has failed before it read those of every node
        """
        found = self._tracker.xloud.instances
        if found and found.keys() >= self._tracker.compute_nodes.keys():
            return found
        return None

    def forget_instances(self):
        """Forget the servers that the tracker has read before."""
        self._tracker.xloud.instances.clear()

    def drop_trait(self, ctxt, trait):
        """Take a trait from the nodes of the host.

        :param ctxt: nova.context.RequestContext
        :param trait: name of the trait
        :raises: AdjustAccountingFailed, keystoneauth1 ClientException
        """
        for node in self._tracker.compute_nodes.values():
            placement.drop_trait(
                self._reportclient, ctxt, node.uuid, trait)
            LOG.info('The trait %(trait)s was taken from node %(node)s.',
                     {'trait': trait, 'node': node.hypervisor_hostname})

    def _assign(self, ctxt, instance, size, must_hold=False, migration=None):
        nodename = (instance.node if migration is None
                    else migration.source_node)
        node = self._tracker.compute_nodes.get(nodename)
        if node is None:
            raise exception.AdjustAccountingFailed(
                internal=_('Node %s is not known here.') % nodename)
        placement.assign(self._reportclient, ctxt, instance, node.uuid, size,
                         must_hold, migration)

    def _assign_each(self, ctxt, instance, size, migration):
        """Make Placement hold each resource of a size that there is room for.

        :param size: nova.xloud.size.Size, too large as a whole
        """
        for name in size._fields:
            with contextlib.suppress(exception.AdjustNoCapacity):
                self._assign(ctxt, instance, xloud_size.Size(
                    *(value if field == name else None
                      for field, value in size._asdict().items())),
                    migration=migration)
