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

from nova import test
from nova.tests.unit.xloud import base
from nova.xloud.compute import hooks
from nova.xloud import record
from nova.xloud.size import Size


class HooksTestCase(test.NoDBTestCase):
    """Each hook calls its module; the modules have tests of their own."""

    def setUp(self):
        super().setUp()
        self.nova = mock.Mock(__name__='nova')
        self.manager = mock.Mock()
        self.order = mock.Mock()
        self.order.attach_mock(self.nova, 'nova')
        self.order.attach_mock(self.manager.xloud, 'xloud')
        self.instance = base.make_instance(size=(2, 2048))
        self.saved = self.patch('nova.objects.Instance.save')

    def patch(self, name):
        patcher = mock.patch(name)
        self.addCleanup(patcher.stop)
        return patcher.start()

    def test_start(self):
        self.manager.additional_endpoints = []
        hooks.start(self.manager)
        self.assertEqual([self.manager.xloud.endpoint],
                         self.manager.additional_endpoints)

    def test_cleanup_host(self):
        tidy_up = self.patch('nova.xloud.compute.leaving.tidy_up')
        hooks.cleanup_host(self.nova)(self.manager)
        tidy_up.assert_called_once_with(
            self.manager.driver, self.manager.xloud.accounting)
        self.nova.assert_called_once_with(self.manager)

    def test_periodic_task(self):
        update = hooks.update_available_resource(self.nova)
        update(self.manager, 'context')
        update(self.manager, 'context', startup=True)
        calls = []
        for startup in (False, True):
            calls += [
                mock.call.xloud.accounting.forget_instances(),
                mock.call.nova(self.manager, 'context', startup=startup),
                mock.call.xloud.reconciler.reconcile('context', startup)]
        self.assertEqual(calls, self.order.mock_calls)

    def test_novas_periodic_task_fails(self):
        self.nova.side_effect = ValueError
        update = hooks.update_available_resource(self.nova)
        self.assertRaises(ValueError, update, self.manager, 'context')
        self.manager.xloud.reconciler.reconcile.assert_called_once_with(
            'context', False)

    def test_new_server_begins_at_its_floor(self):
        instance = base.make_instance(task_state='scheduling')
        hooks.server_is_new(instance)
        self.assertEqual(Size(1, 1024), record.recorded(instance))
        self.saved.assert_called_once_with()

    def test_new_server_that_has_begun_is_left_alone(self):
        hooks.server_is_new(self.instance)
        hooks.server_is_new(base.make_instance(base.make_flavor()))
        self.saved.assert_not_called()

    def test_guest_that_is_new(self):
        hooks.guest_is_new(self.manager, 'context', self.instance)
        self.manager.xloud.accounting.settle_new_guest.assert_called_with(
            'context', self.instance)

    def test_guest_that_is_off_has_no_live_size(self):
        record.write_live(self.instance, Size(3, 2048))
        hooks.guest_is_off(self.manager, 'context', self.instance)
        self.assertFalse(record.has_live(self.instance))
        self.manager.xloud.accounting.settle_new_guest.assert_called_with(
            'context', self.instance)
        # the manager does
        self.saved.assert_not_called()

    def test_guest_without_floor_is_off(self):
        self.instance.flavor = base.make_flavor()
        # nothing more is read than Nova itself does
        del self.instance._obj_system_metadata
        hooks.guest_is_off(self.manager, 'context', self.instance)

    def test_move_that_is_reverted(self):
        revert = hooks.revert_allocation(self.nova)
        settle = self.manager.xloud.accounting.settle_reverted
        for self.nova.return_value in (None, 'held'):
            settle.assert_not_called()
            self.assertEqual(self.nova.return_value, revert(
                self.manager, 'context', self.instance, migration='m'))
        settle.assert_called_once_with('context', self.instance)

    def test_stashed_size_is_forgotten_before_nova_saves(self):
        record.write(self.instance, Size(2, 2048))
        self.instance.system_metadata.update(
            xloud_old_vcpus='1', xloud_old_memory_mb='1024')
        self.nova.side_effect = (
            lambda manager, instance: self.assertIsNone(
                record.stashed(instance)))
        hooks.delete_stashed_flavor_info(self.nova)(
            self.manager, self.instance)
        self.nova.assert_called_once_with(self.manager, self.instance)

    def test_size_follows_the_flavor(self):
        flavor = base.make_flavor(8, 8192, 'two', minimum_cpu='3')
        self.nova.side_effect = (
            lambda instance, flavor: setattr(instance, 'flavor', flavor))
        hooks.set_instance_info(self.nova)(self.instance, flavor)
        self.assertEqual(Size(3, 8192), record.recorded(self.instance))
