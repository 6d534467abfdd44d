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

        def assign(client, ctxt, instance, provider, amount, must_hold):
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
