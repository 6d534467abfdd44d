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

import datetime
import threading
from unittest import mock

import fixtures
from futurist import waiters
from keystoneauth1 import exceptions as ks_exc
import oslo_messaging as messaging
from oslo_utils.fixture import uuidsentinel as uuids
from oslo_utils import timeutils

from nova import context
from nova import exception as nova_exception
from nova import objects
from nova import test
from nova.tests.unit.xloud import base
from nova.xloud.compute import reconcile
from nova.xloud import intent
from nova.xloud import record
from nova.xloud.size import GuestSize
from nova.xloud.size import Size


class ReconcileTestCase(base.HostTestCase):
    """Placement and the guest agree with the server, at first."""

    def setUp(self):
        super().setUp()
        self.context = context.get_admin_context()
        self.read = self.instance
        self.get_by_uuid.side_effect = lambda *args, **kwargs: self.read
        self.guest = GuestSize(2, 2048, True, 0, False)
        self.driver.get_guest_vcpus.return_value = None
        self.driver.get_current_size.side_effect = (
            lambda instance: self.guest)
        record.write_guest(self.instance, self.guest)
        self.tracker.xloud.instances = {'node': [self.instance]}
        self.held = {'VCPU': 2, 'MEMORY_MB': 2048}
        self.client.get_allocations_for_resource_provider.side_effect = (
            lambda *args: mock.Mock(allocations={
                self.instance.uuid: {'resources': self.held}}))
        self.action_started = self.patch(
            'nova.objects.InstanceAction.action_start')
        self.listed = self.patch(
            'nova.objects.InstanceList.get_by_host',
            side_effect=lambda *args, **kwargs: [
                self.instance, base.make_instance(base.make_flavor())])

    def make_driver(self):
        return mock.Mock(capabilities={'supports_xloud_adjust': True})

    def use(self, driver):
        """Have the host work with another driver."""
        self.host.reconciler._driver = driver
        self.host.looks._driver = driver

    def reconcile(self, startup=False):
        self.host.reconciler.reconcile(self.context, startup)

    def assertAssigned(self, *wanted):
        self.assertEqual(
            list(wanted), [tuple(call[0][4])
                           for call in self.assign.call_args_list])

    def assertLeftAlone(self):
        self.save.assert_not_called()
        self.assertAssigned()


class ApartTestCase(ReconcileTestCase):

    def test_all_agree(self):
        self.reconcile()
        self.assertLeftAlone()
        self.get_by_uuid.assert_not_called()

    def test_node_without_servers_asks_nobody(self):
        self.tracker.xloud.instances = {'node': []}
        self.reconcile()
        self.client.get_allocations_for_resource_provider.assert_not_called()

    def test_server_that_has_moved_away(self):
        self.instance.old_flavor = self.instance.flavor
        migration = base.make_migration(self.instance)
        self.patch('nova.objects.Migration.get_by_id', return_value=migration)
        self.tracker.tracked_migrations = {'uuid': migration}
        self.tracker.xloud.instances = {'node': []}
        held = self.client.get_allocations_for_resource_provider
        held.side_effect = lambda *args: mock.Mock(allocations={
            uuids.migration: {'resources': {'VCPU': 4}}})
        for self.assign.side_effect in (None, ValueError):
            self.assign.reset_mock()
            self.reconcile()
            self.assertAssigned((2, 2048))
        self.assertIn(uuids.migration, self.stdlog.logger.output)

    def test_node_that_is_gone(self):
        self.tracker.compute_nodes = {}
        self.guest = self.guest._replace(vcpus=3)
        self.reconcile()
        self.client.get_allocations_for_resource_provider.assert_not_called()
        # the record, which is not Placement's, is true all the same
        self.assertEqual(Size(3, 2048), record.live(self.instance))
        self.assertAssigned()

    def test_tracker_that_has_failed_has_not_read_the_servers(self):
        self.held = {'VCPU': 4, 'MEMORY_MB': 2048}
        self.tracker.xloud.instances = {}
        self.reconcile()
        self.assertAssigned((2, 2048))
        self.listed.assert_called_once_with(
            self.context, 'host',
            expected_attrs=['flavor', 'system_metadata'])

    def test_tracker_that_has_failed_for_one_node(self):
        self.held = {'VCPU': 4, 'MEMORY_MB': 2048}
        self.tracker.xloud.instances = {'other': []}
        self.reconcile()
        self.assertAssigned((2, 2048))

    def test_servers_cannot_be_listed(self):
        self.tracker.xloud.instances = {}
        self.listed.side_effect = ValueError
        self.reconcile()
        self.assertLeftAlone()

    def test_drivers_that_cannot_adjust_have_nothing_to_list(self):
        self.tracker.xloud.instances = {}
        self.driver.capabilities = {}
        self.reconcile()
        self.listed.assert_not_called()

    def test_placement_holds_something_else(self):
        self.held = {'VCPU': 4, 'MEMORY_MB': 2048}
        self.reconcile()
        self.assertAssigned((2, 2048))
        self.save.assert_not_called()

    def test_placement_is_down(self):
        for error in (
                ks_exc.ConnectFailure(),
                nova_exception.ResourceProviderAllocationRetrievalFailed(
                    rp_uuid='x', error='y')):
            self.client.get_allocations_for_resource_provider.side_effect = (
                error)
            self.reconcile()
        self.assertLeftAlone()

    def test_guest_has_other_vcpus(self):
        self.guest = self.guest._replace(vcpus=3)
        self.reconcile()
        self.assertEqual(Size(2, 2048), record.recorded(self.instance))
        self.assertEqual(Size(3, 2048), record.live(self.instance))
        self.save.assert_called_once_with(expected_task_state=[None])
        self.assertAssigned((3, 2048))

    def test_guest_has_other_memory(self):
        record.forget_guest(self.instance)
        self.guest = self.guest._replace(memory_mb=3000)
        self.reconcile()
        self.assertLeftAlone()
        self.reconcile()
        self.assertEqual(Size(2, 3000), record.live(self.instance))

    def test_guest_without_balloon_driver_may_be_booting(self):
        record.forget_guest(self.instance)
        self.guest = self.guest._replace(
            memory_mb=4096, balloon_driver_active=False, may_boot=True)
        for look in range(4):
            self.reconcile()
            self.assertLeftAlone()
        self.reconcile()
        self.assertEqual(Size(2, 4096), record.live(self.instance))

    def test_memory_that_nobody_holds_counts_at_once(self):
        self.guest = self.guest._replace(
            memory_mb=4096, balloon_driver_active=False)
        self.reconcile()
        self.assertEqual(Size(2, 4096), record.live(self.instance))
        self.assertAssigned((2, 4096))
        # an operator can raise an alarm on the log and on the action
        self.assertIn('ERROR [nova.xloud.compute.reconcile] The guest has 2 '
                      'vCPUs and 4096 MiB, more than the 2 vCPUs and 2048 '
                      'MiB that were held', self.stdlog.logger.output)
        self.action_started.assert_called_once_with(
            mock.ANY, self.instance.uuid, 'xloud_overuse', want_result=False)
        self.assertEqual('compute_xloud_overuse', self.started.call_args[0][2])
        told = self.finished.call_args
        self.assertEqual('compute_xloud_overuse', told[0][2])
        self.assertIn('balloon driver', told[1]['exc_val'].format_message())
        self.assertIsNotNone(told[1]['exc_tb'])
        self.assertNotEqual(self.context.request_id, told[0][0].request_id)
        # once
        self.held = {'VCPU': 2, 'MEMORY_MB': 4096}
        self.reconcile()
        self.action_started.assert_called_once()

    def test_vcpus_that_nobody_holds_are_told_too(self):
        self.guest = self.guest._replace(vcpus=3)
        self.action_started.side_effect = messaging.MessagingTimeout()
        self.reconcile()
        self.action_started.assert_called_once()
        # that nobody could be told does not keep it from being counted
        self.assertAssigned((3, 2048))

    def test_a_guest_with_less_than_is_held_is_no_alarm(self):
        self.guest = self.guest._replace(vcpus=1)
        self.reconcile()
        self.assertEqual(Size(1, 2048), record.live(self.instance))
        self.action_started.assert_not_called()

    def test_memory_that_is_held_is_looked_at_again(self):
        record.forget_guest(self.instance)
        self.guest = self.guest._replace(
            memory_mb=1024, balloon_driver_active=False)
        self.reconcile()
        self.assertLeftAlone()

    def test_another_operation_in_between_starts_anew(self):
        record.forget_guest(self.instance)
        self.guest = self.guest._replace(memory_mb=3000)
        self.reconcile()
        self.instance.task_state = 'rebooting'
        self.reconcile()
        self.instance.task_state = None
        self.reconcile()
        self.assertLeftAlone()

    def test_resource_without_floor_is_not_looked_at(self):
        self.instance.flavor = base.make_flavor(minimum_cpu='1')
        record.write(self.instance, Size(2, 4096))
        self.guest = self.guest._replace(memory_mb=3000)
        self.reconcile()
        self.reconcile()
        self.assertLeftAlone()
        self.instance.flavor = base.make_flavor(minimum_memory='1024')
        record.write(self.instance, Size(4, 3000))
        self.held = {'MEMORY_MB': 3000}
        self.reconcile()
        self.assertLeftAlone()

    def test_guest_does_not_run(self):
        self.guest = None
        record.write_live(self.instance, Size(3, 2048))
        self.held = {'VCPU': 3, 'MEMORY_MB': 2048}
        self.reconcile()
        self.assertLeftAlone()
        for vm_state in ('stopped', 'shelved', 'soft-delete'):
            record.write_live(self.instance, Size(3, 2048))
            self.instance.vm_state = vm_state
            self.reconcile()
            self.assertFalse(record.has_live(self.instance))
            self.assertAssigned((2, 2048))
            self.assign.reset_mock()

    def test_guest_that_is_away_has_what_is_noted(self):
        self.guest = None
        self.instance.vm_state = 'suspended'
        self.reconcile()
        self.assertLeftAlone()

    def test_guest_counts_whatever_state_nova_shows(self):
        for vcpus, vm_state in ((3, 'paused'), (4, 'suspended'),
                                (1, 'stopped')):
            self.instance.vm_state = vm_state
            self.guest = self.guest._replace(vcpus=vcpus)
            self.reconcile()
            self.assertEqual(Size(vcpus, 2048), record.live(self.instance))

    def test_server_that_another_operation_has(self):
        for fields in ({'task_state': 'migrating'}, {'vm_state': 'resized'}):
            instance = base.make_instance(size=(2, 2048), **fields)
            self.tracker.xloud.instances = {'node': [instance]}
            self.held = {'VCPU': 4, 'MEMORY_MB': 4096}
            self.reconcile()
        self.assertLeftAlone()

    def test_server_that_is_adjusted(self):
        self.held = {'VCPU': 4, 'MEMORY_MB': 2048}
        with self.running.hold(self.instance.uuid):
            self.reconcile()
        self.assertLeftAlone()

    def test_what_was_read_is_out_of_date(self):
        self.guest = self.guest._replace(vcpus=3)
        for fields in ({'task_state': 'rebooting'}, {'host': 'elsewhere'}):
            self.read = base.make_instance(size=(2, 2048), **fields)
            self.reconcile()
        self.read = base.make_instance(size=(3, 2048))
        self.reconcile()
        self.assertLeftAlone()

    def test_server_is_deleted_meanwhile(self):
        self.held = {'VCPU': 4, 'MEMORY_MB': 2048}
        self.get_by_uuid.side_effect = nova_exception.InstanceNotFound(
            instance_id='x')
        self.reconcile()
        self.assertLeftAlone()

    def test_one_server_does_not_spoil_it_for_the_others(self):
        other = base.make_instance(size=(1, 1024), uuid=uuids.other)
        self.tracker.xloud.instances['node'].append(other)
        self.driver.get_current_size.side_effect = [
            ValueError, GuestSize(3, 1024, True, 0, False)]
        self.read = other
        self.reconcile()
        self.assertEqual(Size(3, 1024), record.live(other))


class SideBySideTestCase(ReconcileTestCase):
    """Each look at a guest waits for as many others as go at once."""

    def setUp(self):
        super().setUp()
        self.looking = []
        self.most = 0
        self.seen = []
        self.driver.get_current_size.side_effect = self._look

    def _look(self, instance):
        self.looking.append(instance.uuid)
        self.most = max(self.most, len(self.looking))
        self.meeting.wait(30)
        self.looking.remove(instance.uuid)
        self.seen.append(instance.uuid)
        return self.guest

    def _reconcile(self, number, at_once):
        self.meeting = threading.Barrier(at_once)
        servers = [base.make_instance(size=(2, 2048),
                                      uuid=getattr(uuids, 'server%d' % one))
                   for one in range(number)]
        self.tracker.xloud.instances = {'node': servers}
        self.reconcile()
        self.assertEqual(sorted(server.uuid for server in servers),
                         sorted(self.seen))
        self.assertEqual(at_once, self.most)

    def test_few_servers(self):
        self._reconcile(3, at_once=3)

    def test_many_servers_go_ten_at_a_time(self):
        self._reconcile(20, at_once=10)

    def test_thread_cannot_be_started(self):
        with mock.patch('nova.xloud.compute.executors.submit',
                        side_effect=RuntimeError):
            self.tracker.xloud.instances = {'node': [self.instance]}
            self.reconcile()
        self.assertEqual([], self.seen)
        self.assertIn('could not be reconciled', self.stdlog.logger.output)


class BesideTestCase(ReconcileTestCase):
    """Some guests hang; nobody waits for them for long."""

    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.MockPatchObject(reconcile, '_PATIENCE', 0.1))
        self.answers = threading.Event()
        self.addCleanup(self.answers.set)
        self.other = base.make_instance(size=(2, 2048), uuid=uuids.other)
        record.write_guest(self.other, self.guest)
        self.tracker.xloud.instances = {'node': [self.instance, self.other]}
        self.driver.get_current_size.side_effect = self._look
        self.asked = []

    def _look(self, instance):
        self.asked.append(instance.uuid)
        if instance.uuid == self.instance.uuid:
            self.answers.wait(30)
        return self.guest

    def _end(self):
        """Let the guest answer, and wait for the servers that go on beside."""
        self.answers.set()
        waiters.wait_for_all(
            list(self.host.reconciler._begun.values()), timeout=30)

    def test_the_rest_goes_on_beside(self):
        self.held = {'VCPU': 4, 'MEMORY_MB': 2048}
        self.reconcile()
        self.assertIn('1 servers with a floor are not reconciled',
                      self.stdlog.logger.output)
        self.assertAssigned()
        self._end()
        self.assertAssigned((2, 2048))

    def test_a_server_that_goes_on_is_not_begun_again(self):
        self.reconcile()
        self.reconcile()
        self.assertEqual(1, self.asked.count(self.instance.uuid))
        self.assertEqual(2, self.asked.count(self.other.uuid))
        self._end()
        self.reconcile()
        self.assertEqual(2, self.asked.count(self.instance.uuid))

    def test_a_guest_that_hangs_is_left_as_it_is(self):
        self.useFixture(
            fixtures.MockPatchObject(reconcile, '_LOOK_PATIENCE', 0.1))
        self.useFixture(fixtures.MockPatchObject(reconcile, '_PATIENCE', 30))
        self.reconcile()
        self.assertIn('is not known', self.stdlog.logger.output)
        self.save.assert_not_called()
        self.assertEqual(self.guest, record.guest(self.instance))

    def test_half_done_servers_come_first(self):
        self.other.task_state = 'xloud_adjusting'
        order = []
        with mock.patch.object(
                self.host.reconciler, '_reconcile_one',
                side_effect=lambda context, instance, *args: order.append(
                    instance.uuid)):
            self.reconcile(startup=True)
        self.assertEqual([self.other.uuid, self.instance.uuid], order)

    def test_an_adjust_of_after_the_start_is_not_taken_for_one_before(self):
        self.instance.task_state = 'xloud_adjusting'
        intent.Intent(3, None, True, 'req-before').write(self.instance)
        self.read = base.make_instance(
            size=(2, 2048), task_state='xloud_adjusting',
            updated_at=timeutils.utcnow())
        intent.Intent(4, None, True, 'req-after').write(self.read)
        self.reconcile(startup=True)
        self._end()
        self.assertEqual('xloud_adjusting', self.read.task_state)
        self.assertLeftAlone()


class NoteTestCase(ReconcileTestCase):
    """The record has the figures that the host has seen."""

    def _noted(self):
        self.reconcile()
        return record.guest(self.instance)

    def test_a_guest_that_has_settled_is_noted_once(self):
        record.forget_guest(self.instance)
        self.assertEqual(self.guest, self._noted())
        self.save.assert_called_once_with(expected_task_state=[None])
        self._noted()
        self.save.assert_called_once()

    def test_other_figures_are_noted(self):
        self.guest = self.guest._replace(attached_dimms_mb=512)
        self.assertEqual(self.guest, self._noted())

    def test_a_guest_that_moves_is_not_noted(self):
        self.guest = self.guest._replace(memory_mb=3000)
        self.assertIsNone(self._noted())
        # it counts now
        self.assertEqual(self.guest, self._noted())

    def test_a_guest_that_boots_is_not_noted(self):
        self.guest = self.guest._replace(
            balloon_driver_active=False, may_boot=True)
        self.assertIsNone(self._noted())

    def test_a_guest_that_is_gone_is_not_noted(self):
        self.guest = None
        self.assertIsNone(self._noted())

    def test_a_guest_that_stands_still_stays_noted(self):
        seen = self.guest
        for vm_state, self.guest in (('paused', seen), ('suspended', None)):
            self.instance.vm_state = vm_state
            self.assertEqual(seen, self._noted())


class RecoverTestCase(ReconcileTestCase):

    def setUp(self):
        super().setUp()
        self.instance.task_state = 'xloud_adjusting'

    def _intend(self, vcpus, memory_mb=None, persist=True):
        """Note an adjust whose work has ended without an outcome."""
        intent.Intent(vcpus, memory_mb, persist,
                      'req-of-the-adjust').write(self.instance)
        self.running._abandoned[self.instance.uuid] = 'req-of-the-adjust'

    def assertRecovered(self, recorded, live=None):
        self.assertIsNone(self.instance.task_state)
        self.assertIsNone(intent.Intent.of(self.instance))
        self.assertEqual(recorded, record.recorded(self.instance))
        self.assertEqual(live or recorded, record.live(self.instance))
        self.save.assert_called_with(
            expected_task_state=['xloud_adjusting', None])
        self.assertEqual(2, self.save.call_count)
        self.save.reset_mock()

    def assertAction(self, reason):
        call = self.finished.call_args
        self.assertEqual('req-of-the-adjust', call[0][0].request_id)
        self.assertEqual('compute_xloud_adjust', call[0][2])
        if reason is None:
            self.assertIn('MiB now', call[1]['exc_val'])
            self.assertIsNone(call[1]['exc_tb'])
        else:
            self.assertIn(reason, call[1]['exc_val'])
            self.assertIsNotNone(call[1]['exc_tb'])

    def test_before_the_guest_was_changed(self):
        self._intend(3)
        self.reconcile()
        self.assertRecovered(Size(2, 2048))
        self.assertAssigned((2, 2048))
        self.assertAction('2 vCPUs and 2048 MiB')

    def test_after_the_guest_was_changed(self):
        self._intend(3)
        self.guest = self.guest._replace(vcpus=3)
        self.reconcile()
        self.assertRecovered(Size(3, 2048))
        self.assertAssigned((3, 2048))
        self.assertAction(None)

    def test_half_way_is_taken_back(self):
        self._intend(4, 4096)
        driver = base.FakeDriver(2, 4096)
        self.use(driver)
        self.reconcile()
        self.assertRecovered(Size(2, 2048))
        self.assertEqual(2048, driver.guest.memory_mb)
        self.assertAction('2 vCPUs and 2048 MiB')

    def test_memory_of_a_guest_that_boots_says_nothing(self):
        self._intend(None, 4096)
        driver = base.FakeDriver(2, 4096)
        driver.guest = driver.guest._replace(balloon_driver_active=False)
        driver.failing['memory_mb', 2048] = 4096
        self.use(driver)
        self.reconcile()
        self.assertRecovered(Size(2, 2048))
        self.assertAction('2 vCPUs and 2048 MiB')

    def test_vcpus_of_a_guest_without_balloon_driver_are_its_own(self):
        self._intend(3)
        self.guest = self.guest._replace(
            vcpus=3, balloon_driver_active=False)
        self.reconcile()
        self.assertRecovered(Size(3, 2048))
        self.assertAction(None)

    def test_what_others_have_saved_meanwhile_stays(self):
        self._intend(3)
        self.guest = self.guest._replace(vcpus=3)
        self.refresh.side_effect = lambda: (
            self.instance.system_metadata.update(locked_reason='x'))
        self.save.side_effect = lambda **kwargs: self.assertIn(
            'locked_reason', self.instance.system_metadata)
        self.reconcile()
        self.assertRecovered(Size(3, 2048))
        self.refresh.assert_called()

    def test_unplug_is_asked_for_again(self):
        # its end may be known to nobody but the guest
        self._intend(1)
        driver = base.FakeDriver(2, 2048)
        self.use(driver)
        self.reconcile()
        self.assertEqual([('vcpus', 1)], driver.calls)
        self.assertRecovered(Size(1, 2048))
        self.assertAssigned((1, 2048))
        self.assertAction(None)

    def test_unplug_that_was_half_of_it_is_taken_back(self):
        self._intend(1, 1024)
        driver = base.FakeDriver(2, 2048)
        self.use(driver)
        self.reconcile()
        self.assertEqual(
            [('vcpus', 1), ('vcpus', 2), ('memory_mb', 2048)], driver.calls)
        self.assertRecovered(Size(2, 2048))
        self.assertAction('2 vCPUs and 2048 MiB')

    def test_guest_refuses_to_go_back(self):
        self._intend(4, 4096)
        driver = base.FakeDriver(2, 4096)
        driver.failing['memory_mb', 2048] = 3000
        self.use(driver)
        self.reconcile()
        self.assertRecovered(Size(2, 3000))
        self.assertAssigned((2, 3000))
        self.assertAction('2 vCPUs and 3000 MiB')

    def test_what_was_not_asked_for_is_left_alone(self):
        self._intend(4)
        driver = base.FakeDriver(3, 4096)
        self.use(driver)
        self.reconcile()
        self.assertEqual([('vcpus', 2)], driver.calls)

    def test_without_persist(self):
        self._intend(3, persist=False)
        self.guest = self.guest._replace(vcpus=3)
        self.reconcile()
        self.assertRecovered(Size(2, 2048), Size(3, 2048))

    def test_server_has_no_guest_any_more(self):
        self._intend(3)
        self.guest = None
        self.reconcile()
        self.assertRecovered(Size(2, 2048))
        self.assertAction('2 vCPUs')

    def test_libvirt_is_gone(self):
        self._intend(3)
        self.driver.get_current_size.side_effect = ValueError
        self.reconcile()
        self.save.assert_not_called()
        self.assertEqual('xloud_adjusting', self.instance.task_state)

    def test_state_was_reset(self):
        self._intend(3)
        self.instance.task_state = None
        self.reconcile()
        self.assertRecovered(Size(2, 2048))

    def test_this_process_is_at_work(self):
        self._intend(3)
        with self.running.hold(self.instance.uuid):
            self.reconcile()
        self.assertLeftAlone()

    def test_call_that_may_be_on_its_way(self):
        self.reconcile()
        self.assertLeftAlone()
        self._intend(3)
        self.running._abandoned.clear()
        self.reconcile()
        self.assertLeftAlone()

    def test_action_that_nova_api_could_not_tell_of(self):
        self._intend(3)
        self.action.request_id = 'req-of-an-older-adjust'
        self.reconcile()
        self.assertRecovered(Size(2, 2048))
        self.finished.assert_not_called()

    def test_action_of_an_earlier_build(self):
        intent.Intent(3, None, True).write(self.instance)
        self.reconcile(startup=True)
        self.assertRecovered(Size(2, 2048))
        self.assertAction('2 vCPUs')

    def test_work_that_has_ended_without_an_outcome(self):
        self._intend(3)
        self.reconcile()
        self.assertRecovered(Size(2, 2048))
        self.assertEqual({}, self.running._abandoned)

    def test_another_adjust_after_one_whose_end_was_not_noticed(self):
        self._intend(3)
        for request_id in ('req-another', None):
            intent.Intent(3, None, True, request_id).write(self.instance)
            self.reconcile()
            self.assertLeftAlone()

    def test_call_that_is_lost(self):
        self.instance.updated_at = (
            timeutils.utcnow() - datetime.timedelta(seconds=121))
        self.reconcile()
        self.assertRecovered(Size(2, 2048))

    def test_no_call_outlives_a_restart(self):
        self.reconcile(startup=True)
        self.assertRecovered(Size(2, 2048))

    def test_event_that_was_started_is_not_started_again(self):
        self.events = [mock.Mock(
            event='compute_xloud_adjust', finish_time=None)]
        self.reconcile(startup=True)
        self.started.assert_not_called()
        self.assertAction('2 vCPUs')

    def test_end_of_the_action_cannot_be_told(self):
        self._intend(3)
        self.finished.side_effect = messaging.MessagingTimeout()
        self.reconcile()
        # so the next look finds it again
        self.assertEqual('xloud_adjusting', self.instance.task_state)
        self.assertIsNotNone(intent.Intent.of(self.instance))
        self.finished.side_effect = None
        self.reconcile()
        self.assertAction('2 vCPUs')
        self.assertIsNone(self.instance.task_state)

    def test_action_that_has_ended_is_left_alone(self):
        self.events = [mock.Mock(
            event='compute_xloud_adjust', finish_time=timeutils.utcnow())]
        self.reconcile(startup=True)
        self.started.assert_not_called()
        self.finished.assert_not_called()
        # unless it was told an end before there was one
        self._intend(3)
        self.instance.task_state = 'xloud_adjusting'
        self.reconcile()
        self.assertAction('2 vCPUs')

    def test_action_is_found_behind_a_newer_one(self):
        self.newer = [objects.InstanceAction(id=2, action='evacuate')]
        self.instance.task_state = None
        self._intend(3)
        self.reconcile()
        self.assertAction('2 vCPUs')

    def test_event_that_was_not_started_is(self):
        self.events = [mock.Mock(
            event='api_xloud_adjust', finish_time=None)]
        self.reconcile(startup=True)
        self.assertEqual('host', self.started.call_args[1]['host'])
        self.assertAction('2 vCPUs')

    def test_other_actions_are_left_alone(self):
        self.action.action = 'reboot'
        self.reconcile(startup=True)
        self.finished.assert_not_called()
        self.instance.task_state = 'xloud_adjusting'
        self.action = None
        self.reconcile(startup=True)
        self.finished.assert_not_called()


class DriftsTestCase(test.NoDBTestCase):

    def test_drift_that_stays_counts(self):
        drifts = reconcile._Drifts()
        self.assertEqual(
            [False, True, True, False, False, False],
            [drifts.note('uuid', drift, looks=2)
             for drift in (5, 5, 5, 6, 0, 0)])

    def test_servers_that_are_gone_are_forgotten(self):
        drifts = reconcile._Drifts()
        drifts.note('gone', 5)
        drifts.note('here', 5)
        drifts.keep({'here', 'new'})
        self.assertFalse(drifts.note('gone', 5, 2))
        self.assertTrue(drifts.note('here', 5, 2))
