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

from unittest import mock

from keystoneauth1 import exceptions as ks_exc
from oslo_utils.fixture import uuidsentinel as uuids

from nova import exception as nova_exception
from nova.tests.unit.xloud import base
from nova.xloud import exception
from nova.xloud import record
from nova.xloud.size import Size


class AccountingTestCase(base.HostTestCase):

    def setUp(self):
        super().setUp()
        self.context = mock.Mock()
        self.accounting = self.host.accounting

    def assertAssigned(self, *wanted):
        self.assertEqual(
            list(wanted), [tuple(call[0][4])
                           for call in self.assign.call_args_list])


class SettleTestCase(AccountingTestCase):

    def _settle(self):
        self.accounting.settle_new_guest(self.context, self.instance)

    def test_placement_and_the_tracker_follow(self):
        self._settle()
        self.assertAssigned((2, 2048))
        self.tracker.xloud.update.assert_called_once_with(self.instance)

    def test_live_size_that_stays_is_kept(self):
        record.write_live(self.instance, Size(3, 2048))
        self._settle()
        self.assertAssigned((3, 2048))

    def test_server_of_another_host(self):
        self.instance.host = 'elsewhere'
        self._settle()
        self.assertAssigned()

    def test_server_without_floor(self):
        self.instance.flavor = base.make_flavor()
        # nothing more is read than Nova itself does
        del self.instance._obj_system_metadata
        self._settle()
        self.assertAssigned()

    def test_operation_ends_whatever_happens(self):
        self.assign.side_effect = ValueError
        self._settle()
        self.tracker.xloud.update.assert_not_called()

    def test_resource_without_room_does_not_hold_up_the_other(self):
        wanted = []

        def assign(client, ctxt, instance, provider, amount, must_hold,
                   migration):
            wanted.append(tuple(amount))
            if amount.vcpus == 2:
                raise exception.AdjustNoCapacity(asked=1, resource='VCPU')

        self.assign.side_effect = assign
        self.accounting.settle(self.context, self.instance)
        self.assertEqual([(2, 2048), (2, None), (None, 2048)], wanted)

    def test_server_that_comes_back(self):
        self.accounting.settle_reverted(self.context, self.instance)
        self.assertAssigned((2, 2048))
        self.assign.reset_mock()
        self.instance.node = 'elsewhere'
        self.accounting.settle_reverted(self.context, self.instance)
        self.instance.node = 'node'
        self.instance.flavor = base.make_flavor()
        self.accounting.settle_reverted(self.context, self.instance)
        self.assertAssigned()


class MovedAwayTestCase(AccountingTestCase):
    """The server was resized; its record has the size of before."""

    def setUp(self):
        super().setUp()
        self.instance.old_flavor = self.instance.flavor
        self.instance.flavor = base.make_flavor(flavorid='other')
        self.instance.node = 'elsewhere'
        self.instance.system_metadata.update(
            xloud_old_vcpus='2', xloud_old_memory_mb='2048')
        self.migration = base.make_migration(self.instance)
        self.now = self.patch(
            'nova.objects.Migration.get_by_id',
            side_effect=lambda ctxt, number: self.migration)
        self.tracker.tracked_migrations = {
            self.instance.uuid: self.migration}

    def test_it_may_be_reverted(self):
        self.assertEqual(
            [self.migration], self.accounting.moved_away('node'))

    def test_others_are_left_alone(self):
        no_floor = base.make_instance(flavor=base.make_flavor())
        no_floor.old_flavor = no_floor.flavor
        for other in (
                base.make_migration(self.instance, status='migrating'),
                base.make_migration(self.instance, status='confirming'),
                base.make_migration(self.instance, source_compute='other'),
                base.make_migration(self.instance, source_node='other'),
                base.make_migration(no_floor),
                # has been confirmed just now
                base.make_migration(base.make_instance())):
            self.tracker.tracked_migrations = {self.instance.uuid: other}
            self.assertEqual([], self.accounting.moved_away('node'))

    def test_server_that_is_gone(self):
        self.get_by_uuid.side_effect = nova_exception.InstanceNotFound(
            instance_id='x')
        del self.migration._cached_instance
        self.assertEqual([], self.accounting.moved_away('node'))

    def _settle(self, **held):
        self.accounting.settle_moved_away(self.context, self.migration, held)

    def test_size_of_the_guest_that_is_gone_is_given_back(self):
        self._settle(VCPU=4, MEMORY_MB=2048)
        self.assign.assert_called_once_with(
            self.client, self.context, self.instance, uuids.node,
            Size(2, 2048), False, self.migration)

    def test_nothing_to_do(self):
        self._settle(VCPU=2, MEMORY_MB=2048)
        # Placement could not be asked, or a confirm has given it back
        self._settle()
        self.assign.assert_not_called()
        self.now.assert_not_called()

    def test_confirm_comes_before(self):
        self.now.side_effect = lambda *args: base.make_migration(
            self.instance, status='confirming')
        self._settle(VCPU=4, MEMORY_MB=2048)
        self.now.assert_called_once_with(self.context, 5)
        self.assign.assert_not_called()

    def test_resource_without_room_does_not_hold_up_the_other(self):
        self.assign.side_effect = exception.AdjustNoCapacity(
            asked=1, resource='VCPU')
        self._settle(VCPU=1, MEMORY_MB=4096)
        self.assertAssigned((2, 2048), (2, None), (None, 2048))
        self.assertEqual([self.migration] * 3, [
            call[0][6] for call in self.assign.call_args_list])


class HeldTestCase(AccountingTestCase):

    def test_node_is_asked_once_for_all(self):
        ask = self.client.get_allocations_for_resource_provider
        ask.return_value = mock.Mock(allocations={
            'one': {'resources': {'VCPU': 1}}, 'two': {}})
        self.assertEqual({'one': {'VCPU': 1}, 'two': {}},
                         self.accounting.held(self.context, 'node'))
        ask.assert_called_once_with(
            self.context, self.tracker.compute_nodes['node'].uuid)

    def test_placement_is_down(self):
        ask = self.client.get_allocations_for_resource_provider
        for ask.side_effect in (
                ks_exc.ConnectFailure(),
                nova_exception.ResourceProviderAllocationRetrievalFailed(
                    rp_uuid='x', error='y')):
            self.assertEqual({}, self.accounting.held(self.context, 'node'))

    def test_node_is_gone(self):
        self.assertEqual({}, self.accounting.held(self.context, 'gone'))

    def test_servers_of_the_tracker(self):
        for instances, expected in (
                ({}, None), ({'other': []}, None),
                ({'node': []}, {'node': []})):
            self.tracker.xloud.instances = instances
            self.assertEqual(expected, self.accounting.instances_with_floor())
        self.accounting.forget_instances()
        self.assertEqual({}, instances)
