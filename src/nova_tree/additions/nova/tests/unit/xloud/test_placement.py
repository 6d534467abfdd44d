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

import fixtures
from keystoneauth1 import exceptions as ks_exc
from oslo_utils.fixture import uuidsentinel as uuids

from nova import context
from nova import exception as nova_exception
from nova import test
from nova.tests.unit.xloud import base
from nova.xloud import exception
from nova.xloud import placement
from nova.xloud.size import Size


def _answer(status_code, body=None):
    answer = mock.MagicMock(status_code=status_code, text='text')
    answer.__bool__.return_value = status_code < 400
    answer.json.return_value = body
    return answer


def _conflict(code, **words):
    return _answer(409, {'errors': [dict(words, code=code)]})


class AssignTestCase(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.client = mock.Mock()
        self.client.get_allocs_for_consumer.side_effect = (
            lambda *args: self._allocation())
        self.client.put.return_value = _answer(204)
        self.resources = {'VCPU': 2, 'MEMORY_MB': 2048, 'DISK_GB': 1}
        self.sleep = self.useFixture(
            fixtures.MockPatch('time.sleep')).mock

    def _allocation(self):
        return {
            'allocations': {
                uuids.host: {'resources': dict(self.resources),
                             'generation': 7},
                uuids.other: {'resources': {'VCPU': 9}, 'generation': 8}},
            'consumer_generation': 3, 'project_id': 'p', 'user_id': 'u'}

    def _assign(self, vcpus, memory_mb, flavor=None, **claim):
        placement.assign(
            self.client, context.get_admin_context(),
            base.make_instance(flavor), uuids.host, Size(vcpus, memory_mb),
            **claim)

    def test_what_a_migration_holds(self):
        # of the flavor that the server had
        instance = base.make_instance(base.make_flavor(flavorid='other'))
        instance.old_flavor = base.make_flavor(minimum_cpu='1')
        placement.assign(
            self.client, context.get_admin_context(), instance, uuids.host,
            Size(1, 1024), migration=base.make_migration(instance))
        self.assertEqual(uuids.migration, (
            self.client.get_allocs_for_consumer.call_args[0][1]))
        self.assertEqual('/allocations/%s' % uuids.migration,
                         self.client.put.call_args[0][0])
        self.assertEqual(
            {'VCPU': 1, 'MEMORY_MB': 2048, 'DISK_GB': 1},
            self._put()['allocations'][uuids.host]['resources'])

    def _put(self):
        return self.client.put.call_args[0][1]

    def test_sets_the_amounts_and_leaves_the_rest(self):
        self._assign(3, 1024)
        expected = self._allocation()
        expected['allocations'][uuids.host]['resources'].update(
            VCPU=3, MEMORY_MB=1024)
        self.assertEqual(expected, self._put())

    def test_nothing_to_do(self):
        self._assign(2, 2048)
        self.client.put.assert_not_called()

    def test_resource_without_a_floor_is_left_alone(self):
        self._assign(3, 1024, base.make_flavor(minimum_cpu='1'))
        self.assertEqual(
            {'VCPU': 3, 'MEMORY_MB': 2048, 'DISK_GB': 1},
            self._put()['allocations'][uuids.host]['resources'])
        self._assign(3, 1024, base.make_flavor(minimum_memory='1'))
        self.assertEqual(
            {'VCPU': 2, 'MEMORY_MB': 1024, 'DISK_GB': 1},
            self._put()['allocations'][uuids.host]['resources'])

    def test_class_that_is_not_held_is_left_alone(self):
        self.resources = {'PCPU': 4, 'MEMORY_MB': 2048}
        self._assign(3, 1024)
        self.assertEqual(
            {'PCPU': 4, 'MEMORY_MB': 1024},
            self._put()['allocations'][uuids.host]['resources'])

    def test_vcpus_are_left_alone_where_some_are_pinned(self):
        # a mixed flavor of 4: one PCPU, three VCPU
        self.resources = {'PCPU': 1, 'VCPU': 3, 'MEMORY_MB': 2048}
        self._assign(4, 1024, base.make_flavor(
            **dict(base.FLOORS, **{'hw:cpu_policy': 'mixed'})))
        self.assertEqual(
            {'PCPU': 1, 'VCPU': 3, 'MEMORY_MB': 1024},
            self._put()['allocations'][uuids.host]['resources'])

    def test_server_without_allocation(self):
        self.client.get_allocs_for_consumer.side_effect = None
        self.client.get_allocs_for_consumer.return_value = {
            'allocations': {}}
        self._assign(3, 1024)
        self.client.put.assert_not_called()
        error = self.assertRaises(
            exception.AdjustNotAllocated, self._assign, 3, 1024,
            must_hold=True)
        self.assertIn(uuids.server, str(error))
        self.client.put.assert_not_called()

    def test_conflict_is_tried_again_with_what_is_true_then(self):
        self.client.put.side_effect = [
            _conflict('placement.concurrent_update'), _answer(204)]
        self._assign(3, 1024)
        self.assertEqual(2, self.client.get_allocs_for_consumer.call_count)
        self.assertEqual(2, self.client.put.call_count)
        self.sleep.assert_called_once_with(0.25)

    def test_a_resource_may_be_left_alone(self):
        instance = base.make_instance()
        self.assertEqual({'MEMORY_MB': 1024}, placement.amounts(
            instance, Size(None, 1024)))
        self.assertEqual({'VCPU': 3}, placement.amounts(
            instance, Size(3, None)))

    def test_conflicts_without_end(self):
        self.client.put.return_value = _conflict(
            'placement.concurrent_update')
        error = self.assertRaises(
            exception.AdjustAccountingFailed, self._assign, 3, 1024)
        self.assertIn('changed by others', error.internal)
        self.assertEqual(8, self.client.put.call_count)

    def _stock(self, **usages):
        def get(url, **kwargs):
            if url.endswith('/inventories'):
                return _answer(200, {'inventories': {
                    'VCPU': {'total': 4, 'reserved': 1, 'max_unit': 4,
                             'allocation_ratio': 2.0},
                    'MEMORY_MB': {'total': 8192, 'reserved': 192,
                                  'max_unit': 8192,
                                  'allocation_ratio': 1.0}}})
            return _answer(200, {'usages': usages})
        self.client.get.side_effect = get
        self.client.put.return_value = _conflict('placement.undefined_code')

    def _refused(self, *size):
        error = self.assertRaises(
            exception.AdjustNoCapacity, self._assign, *size)
        # the capacity that others have left is for administrators
        self.assertNotIn('free', error.format_message())
        return error.for_admin()

    def test_no_capacity_names_what_is_short(self):
        self._stock(VCPU=5, MEMORY_MB=2048)
        message = self._refused(4, 4096)
        self.assertIn('2 more VCPU was asked for. 1 is free', message)

    def test_no_capacity_names_all_that_is_short(self):
        self._stock(VCPU=6, MEMORY_MB=8000)
        message = self._refused(4, 4096)
        self.assertIn('VCPU/MEMORY_MB', message)
        self.assertIn('2/2048', message)
        self.assertIn('0/0', message)

    def test_no_server_can_have_more_than_max_unit(self):
        self._stock()
        message = self._refused(5, 2048)
        self.assertIn('3 more VCPU was asked for. 2 is free', message)

    def test_capacity_that_has_come_free_meanwhile(self):
        # or another provider that refuses: no figures contradict each other
        self._stock()
        self.client.put.return_value = _conflict(
            'placement.undefined_code', detail='Another provider is full')
        message = self._refused(4, 4096)
        self.assertNotIn('VCPU', message)
        self.assertNotIn('is free', message)
        self.assertNotIn('not the capacity', message)
        self.assertIn('a resource that the server holds', message)
        self.assertIn('Another provider is full', message)

    def test_shrink_that_placement_refuses_has_no_empty_places(self):
        self._stock(VCPU=50, MEMORY_MB=50000)
        message = self._refused(1, 1024)
        self.assertIn('does not accept the new size', message)
        self.assertNotIn('  ', message)
        self.assertNotIn('more', message)
        self.assertNotIn('asked for', message)

    def test_placement_cannot_tell_what_is_free(self):
        self._stock()
        self.client.get.side_effect = None
        self.client.get.return_value = _answer(500)
        self.assertRaises(
            exception.AdjustAccountingFailed, self._assign, 4, 4096)

    def test_placement_answers_nonsense(self):
        self.client.put.return_value = _answer(500)
        error = self.assertRaises(
            exception.AdjustAccountingFailed, self._assign, 3, 1024)
        self.assertIn('text', error.internal)
        self.assertNotIn('text', error.format_message())

    def test_placement_is_down(self):
        for failure in (
                ks_exc.ConnectFailure(),
                nova_exception.ConsumerAllocationRetrievalFailed(
                    consumer_uuid='x', error='y')):
            self.client.get_allocs_for_consumer.side_effect = failure
            self.assertRaises(
                exception.AdjustAccountingFailed, self._assign, 3, 1024)


class DropTraitTestCase(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.MockPatch('time.sleep'))
        self.client = mock.Mock()
        self.client.get.side_effect = lambda *args, **kwargs: _answer(
            200, {'traits': ['A', 'CUSTOM_X'],
                  'resource_provider_generation': 4})
        self.client.put.return_value = _answer(200)

    def _drop(self, trait='CUSTOM_X'):
        placement.drop_trait(
            self.client, context.get_admin_context(), uuids.host, trait)

    def test_other_traits_stay(self):
        self._drop()
        self.client.put.assert_called_once_with(
            '/resource_providers/%s/traits' % uuids.host,
            {'traits': ['A'], 'resource_provider_generation': 4},
            version='1.28', global_request_id=mock.ANY)

    def test_without_it_nothing_is_done(self):
        self._drop('CUSTOM_Y')
        self.client.put.assert_not_called()

    def test_a_change_by_others_is_seen(self):
        self.client.put.side_effect = [_answer(409), _answer(200)]
        self._drop()
        self.assertEqual(2, self.client.get.call_count)

    def test_placement_refuses(self):
        self.client.put.return_value = _answer(500)
        error = self.assertRaises(
            exception.AdjustAccountingFailed, self._drop)
        self.assertIn('text', error.internal)
        self.client.put.assert_called_once()

    def test_too_many_changes_by_others(self):
        self.client.put.return_value = _answer(409)
        self.assertRaises(exception.AdjustAccountingFailed, self._drop)
