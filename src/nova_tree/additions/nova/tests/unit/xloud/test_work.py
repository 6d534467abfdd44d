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

from concurrent import futures
import datetime
import threading
import time
from unittest import mock

from oslo_context import context as oslo_context
import oslo_messaging as messaging
from oslo_utils.fixture import uuidsentinel as uuids
from oslo_utils import timeutils

from nova import exception as nova_exception
from nova.tests.unit.xloud import base
from nova.xloud import exception
from nova.xloud import intent
from nova.xloud import lifecycle
from nova.xloud import record
from nova.xloud import size
from nova.xloud.size import Size


class AdjusterTestCase(base.HostTestCase):
    """The test notes each step, in its order."""

    def setUp(self):
        super().setUp()
        self.instance.task_state = 'xloud_adjusting'
        self.adjuster = self.host.adjuster
        self.running._began -= 61
        self.read_again = self.patch(
            'nova.xloud.lifecycle.read_again', side_effect=self._read)
        self.read_before = []
        self.steps = []
        self.assign.side_effect = self._assign
        self.finished.side_effect = (
            lambda *args, **kwargs: self.steps.append(('action', 'ends')))
        self.save.side_effect = self._save
        self.submit = self.patch(
            'nova.xloud.compute.executors.submit', side_effect=self._submit)

    def _submit(self, executor, function, *args):
        """Do the work at once; its future gets the exception of a call."""
        self.read_before += [self.read_again.call_count]
        future = futures.Future()
        future.set_result(function(*args))
        return future

    def _read(self, context, instance):
        """Read the server as others have saved it: see self.refresh."""
        self.refresh()
        return self.instance

    def _assign(self, client, ctxt, instance, provider, wanted, must_hold,
                migration):
        self.assertEqual(uuids.node, provider)
        # a claim must be held; a clean-up need not
        self.assertEqual(self.submit.call_count == self.submitted, must_hold)
        self.steps.append(('Placement', tuple(wanted)))

    def _save(self, expected_task_state=None):
        self.steps.append(('save', self.instance.task_state))

    def begin(self, vcpus=None, memory_mb=None, persist=True):
        self.context.request_id = oslo_context.generate_request_id()
        intent.Intent(vcpus, memory_mb, persist,
                      self.context.request_id).write(self.instance)
        self.submitted = self.submit.call_count
        self.adjuster.begin(
            self.context, self.instance, vcpus, memory_mb, persist)

    def failure(self):
        """Return the error of the server action, None if it has none."""
        told = self.finished.call_args[1]
        return told['exc_tb'] and told['exc_val'].format_message()

    def assertSize(self, recorded, live=None):
        self.assertEqual(recorded, record.recorded(self.instance))
        self.assertEqual(live or recorded, record.live(self.instance))
        self.assertIsNone(self.instance.task_state)
        self.assertIsNone(intent.Intent.of(self.instance))
        self.assertFree()

    def assertFree(self):
        """The next adjust, and the periodic task, can have the server."""
        with self.running.hold(self.instance.uuid) as is_ours:
            self.assertTrue(is_ours)


class SuccessTestCase(AdjusterTestCase):

    def test_growth_is_claimed_first_and_recorded_last(self):
        self.begin(vcpus=3)
        self.assertEqual([
            ('Placement', (3, 2048)), ('save', 'xloud_adjusting'),
            ('Placement', (3, 2048)), ('action', 'ends'),
            ('save', None)], self.steps)
        self.assertEqual([('vcpus', 3)], self.driver.calls)
        self.assertSize(Size(3, 2048))
        self.assertIsNone(self.failure())
        self.tracker.xloud.update.assert_called_once_with(self.instance)

    def test_shrink_is_released_last(self):
        self.begin(vcpus=1, memory_mb=1024)
        self.assertEqual([
            ('save', 'xloud_adjusting'), ('Placement', (1, 1024)),
            ('action', 'ends'), ('save', None)], self.steps)
        self.assertSize(Size(1, 1024))

    def test_growth_of_one_and_shrink_of_the_other(self):
        self.begin(vcpus=4, memory_mb=1024)
        self.assertEqual(('Placement', (4, 2048)), self.steps[0])
        self.assertEqual(('Placement', (4, 1024)), self.steps[-3])

    def test_vcpus_are_taken_away_before_memory_is_changed(self):
        self.begin(vcpus=1, memory_mb=4096)
        self.assertEqual(
            [('vcpus', 1), ('memory_mb', 4096)], self.driver.calls)

    def test_vcpus_are_given_after_memory_is_changed(self):
        self.begin(vcpus=3, memory_mb=1024)
        self.assertEqual(
            [('memory_mb', 1024), ('vcpus', 3)], self.driver.calls)

    def test_without_persist_the_record_stays(self):
        self.begin(vcpus=3, persist=False)
        self.assertSize(Size(2, 2048), Size(3, 2048))
        self.assertEqual(('Placement', (3, 2048)), self.steps[-3])

    def test_live_size_is_made_to_stay(self):
        self.begin(vcpus=3, persist=False)
        self.instance.task_state = 'xloud_adjusting'
        self.begin(vcpus=3)
        self.assertSize(Size(3, 2048))

    def test_server_without_guest(self):
        self.driver.guest = None
        self.begin(vcpus=3)
        self.assertEqual([], self.driver.calls)
        self.assertSize(Size(3, 2048))

    def test_server_whose_guest_is_gone_has_no_live_size(self):
        record.write_live(self.instance, Size(4, 4096))
        self.driver.guest = None
        self.begin(vcpus=3)
        self.assertSize(Size(3, 2048))
        self.assertEqual(('Placement', (3, 2048)), self.steps[-3])

    def test_what_others_have_saved_meanwhile_stays(self):
        def refresh():
            # each read returns newer metadata
            self.instance.system_metadata['locked_reason'] = 'x' * (
                self.refresh.call_count)

        self.refresh.side_effect = refresh
        saved = []
        self.save.side_effect = lambda **kwargs: saved.append(
            self.instance.system_metadata['locked_reason'])
        self.begin(vcpus=3)
        # the first answer was there before the guest had changed
        self.assertEqual(['xx', 'xxx'], saved)
        self.assertSize(Size(3, 2048))

    def test_a_server_without_guest_keeps_what_others_have_saved(self):
        self.driver.guest = None
        self.refresh.side_effect = lambda: (
            self.instance.system_metadata.update(locked_reason='why'))
        saved = []
        self.save.side_effect = lambda **kwargs: saved.append(
            dict(self.instance.system_metadata))
        self.begin(vcpus=3)
        self.assertEqual(['why', 'why'], [
            each['locked_reason'] for each in saved])

    def test_a_message_that_comes_twice_is_done_once(self):
        self.begin(vcpus=3)
        self.instance.task_state = 'xloud_adjusting'
        self.steps.clear()
        # as the queue delivers it again, also after the adjust has ended
        self.adjuster.begin(self.context, self.instance, 3, None, True)
        self.assertEqual([], self.steps)
        self.assertEqual([('vcpus', 3)], self.driver.calls)
        with self.running.hold(self.instance.uuid):
            # and while the server is at work
            self.adjuster.begin(self.context, self.instance, 3, None, True)
        self.assertEqual([], self.steps)

    def test_a_copy_of_a_message_waits_for_the_first_to_be_accepted(self):
        # and not for its guest
        with self.running.hold(self.instance.uuid):
            copy = threading.Thread(target=self.begin, args=(3,), daemon=True)
            copy.start()
            time.sleep(0.1)
            self.assertTrue(copy.is_alive())
            self.running.remember(self.context.request_id)
            copy.join(10)
            self.assertFalse(copy.is_alive())
        self.assertEqual([], self.driver.calls)

    def test_requests_are_not_remembered_for_ever(self):
        for vcpus in range(1005):
            self.instance.task_state = 'xloud_adjusting'
            self.begin(vcpus=vcpus % 4 + 1)
        self.assertEqual(1000, len(self.running._accepted))

    def _others_save_while_the_guest_changes(self, answers_at_once):
        """Tell how often the server is read before its outcome is saved."""
        reads = []

        def submit(executor, function, *args):
            future = self._submit(executor, function, *args)
            if function is lifecycle.read_again:
                reads.append(len(self.driver.calls))
                if not answers_at_once:
                    future.done = lambda: False
            return future

        self.submit.side_effect = submit
        self.begin(vcpus=3)
        self.assertSize(Size(3, 2048))
        return reads

    def test_the_server_is_read_beside_a_quick_change(self):
        # once before the guest was changed, and once before the end
        self.assertEqual([0, 1], self._others_save_while_the_guest_changes(
            answers_at_once=False))

    def test_the_server_is_read_again_after_a_slow_change(self):
        self.assertEqual([0, 1, 1], self._others_save_while_the_guest_changes(
            answers_at_once=True))

    def test_what_the_guest_has_then_is_noted(self):
        self.begin(vcpus=3)
        self.assertEqual(
            self.driver.guest, record.guest(self.instance))

    def test_a_guest_that_cannot_be_looked_at_then_is_not_noted(self):
        with mock.patch.object(
                self.driver, 'get_current_size', side_effect=[
                    self.driver.guest, self.driver.guest,
                    nova_exception.HypervisorUnavailable()]):
            self.begin(vcpus=3)
        self.assertSize(Size(3, 2048))
        self.assertIsNone(record.guest(self.instance))

    def test_event_has_start_host_and_end(self):
        self.begin(vcpus=3)
        self.started.assert_called_once_with(
            self.context, self.instance.uuid, 'compute_xloud_adjust',
            want_result=False, host='host')
        self.assertEqual('compute_xloud_adjust', self.finished.call_args[0][2])


class RefusalTestCase(AdjusterTestCase):

    def assertRefused(self, expected, *asked, **persist):
        error = self.assertRaises(expected, self.begin, *asked, **persist)
        self.assertEqual([], self.driver.calls)
        self.submit.assert_not_called()
        self.assertFree()
        return str(error)

    def test_another_adjust_is_running(self):
        # half of it is the time that it may take
        self.flags(rpc_response_timeout=0)
        with self.running.hold(self.instance.uuid):
            error = self.assertRaises(
                exception.AdjustNotSupported, self.begin, 3)
            self.assertIn('another adjust', str(error))
            with self.running.hold(self.instance.uuid) as is_ours:
                self.assertFalse(is_ours)

    def test_a_look_of_the_periodic_task_is_waited_for(self):
        with self.running.hold(self.instance.uuid):
            waiting = threading.Thread(target=self.begin, args=(3,))
            waiting.start()
            time.sleep(0.1)
            self.submit.assert_not_called()
        waiting.join()
        self.assertEqual([('vcpus', 3)], self.driver.calls)
        # The server was read again before the work began
        self.assertEqual(1, self.read_before[0])

    def test_server_that_holds_nothing(self):
        self.assign.side_effect = exception.AdjustNotAllocated(server='x')
        message = self.assertRefused(exception.AdjustNotAllocated, 3)
        self.assertIn('heal_allocations', message)

    def _message(self, seconds):
        """Have a message hold the server as of so many seconds ago."""
        now, self.instance = self.instance, base.make_instance(
            size=(1, 1024), task_state='xloud_adjusting', updated_at=(
                timeutils.utcnow() - datetime.timedelta(seconds=seconds)))
        self.read_again.side_effect = lambda *args: (
            self._read(*args) if self.submit.called else now)
        return now

    def test_late_message(self):
        self._message(61).task_state = None
        self.assertRefused(exception.AdjustNotSupported, 3)

    def test_late_message_of_an_adjust_before_this_one(self):
        intent.Intent(4, None, True, 'req-newer').write(self._message(61))
        self.assertRefused(exception.AdjustNotSupported, 3)

    def test_message_of_before_the_start(self):
        self.running.note_start()
        self._message(0).task_state = None
        self.assertRefused(exception.AdjustNotSupported, 3)

    def test_message_in_time_is_believed(self):
        self._message(0)
        self.begin(3)
        self.assertEqual(0, self.read_before[0])
        self.assertEqual([('vcpus', 3)], self.driver.calls)

    def test_server_has_moved(self):
        self.instance.host = 'elsewhere'
        self.assertRefused(exception.AdjustNotSupported, 3)

    def test_server_is_in_another_state(self):
        self.instance.vm_state = 'rescued'
        self.assertRefused(exception.AdjustNotSupported, 3)

    def test_server_is_gone(self):
        self._message(61)
        self.read_again.side_effect = nova_exception.InstanceNotFound(
            instance_id='x')
        self.assertRefused(nova_exception.InstanceNotFound, 3)

    def test_driver_cannot(self):
        self.driver.capabilities = {}
        message = self.assertRefused(exception.AdjustNotSupported, 3)
        self.assertIn('driver', message)

    def test_host_knows_why_not(self):
        self.driver.check_can_adjust = mock.Mock(
            side_effect=exception.AdjustNotSupported(reason='pinned'))
        self.assertRefused(exception.AdjustNotSupported, 3)

    def test_libvirt_is_gone(self):
        gone = nova_exception.HypervisorUnavailable()
        for method in ('check_can_adjust', 'get_current_size'):
            with mock.patch.object(
                    self.driver, method, side_effect=gone):
                message = self.assertRefused(exception.AdjustNotSupported, 3)
            self.assertIn('cannot be asked', message)

    def test_no_guest_and_no_persist(self):
        self.driver.guest = None
        self.assertRefused(exception.AdjustNoGuest, 3, persist=False)

    def test_no_capacity(self):
        self.assign.side_effect = exception.AdjustNoCapacity(
            asked=1, resource='VCPU')
        self.assertRefused(exception.AdjustNoCapacity, 3)
        self.save.assert_not_called()

    def test_node_is_not_known(self):
        self.tracker.compute_nodes = {}
        self.assertRefused(exception.AdjustAccountingFailed, 3)

    def test_claim_is_given_back_when_the_work_cannot_start(self):
        self.submit.side_effect = RuntimeError('no threads')
        self.assertRaises(RuntimeError, self.begin, 3)
        self.assertEqual([('Placement', (3, 2048)),
                          ('Placement', (2, 2048))], self.steps)
        self.assertFree()

    def test_shrink_has_no_claim_to_give_back(self):
        self.submit.side_effect = RuntimeError('no threads')
        self.assertRaises(RuntimeError, self.begin, 1)
        self.assertEqual([], self.steps)


class FailureTestCase(AdjusterTestCase):

    def test_guest_refuses(self):
        self.driver.failing['vcpus', 1] = 2
        self.begin(vcpus=1)
        self.assertSize(Size(2, 2048))
        self.assertIn('refused', self.failure())
        self.assertIn('2 vCPUs and 2048 MiB', self.failure())

    def test_guest_goes_half_way(self):
        self.driver.failing['memory_mb', 1024] = 1500
        self.begin(memory_mb=1024)
        self.assertSize(Size(2, 1500))
        self.assertEqual(('Placement', (2, 1500)), self.steps[-3])

    def test_without_persist_only_the_guests_size_is_noted(self):
        self.driver.failing['memory_mb', 1024] = 1500
        self.begin(memory_mb=1024, persist=False)
        self.assertSize(Size(2, 2048), Size(2, 1500))

    def test_second_fails_and_the_first_is_taken_back(self):
        self.driver.failing['vcpus', 4] = 2
        self.begin(vcpus=4, memory_mb=4096)
        self.assertEqual([('memory_mb', 4096), ('vcpus', 4),
                          ('memory_mb', 2048)], self.driver.calls)
        self.assertSize(Size(2, 2048))
        self.assertEqual(('Placement', (2, 2048)), self.steps[-3])

    def test_first_cannot_be_taken_back(self):
        self.driver.failing['vcpus', 4] = 3
        self.driver.failing['memory_mb', 2048] = 3000
        self.begin(vcpus=4, memory_mb=4096)
        self.assertSize(Size(3, 3000))
        self.assertIn('3 vCPUs and 3000 MiB', self.failure())

    def test_first_fails_and_the_second_is_not_tried(self):
        self.driver.failing['vcpus', 1] = 2
        self.begin(vcpus=1, memory_mb=1024)
        self.assertEqual([('vcpus', 1)], self.driver.calls)
        self.assertSize(Size(2, 2048))

    def test_record_stays_where_the_guest_has_not_changed(self):
        record.write(self.instance, Size(1, 2048), Size(2, 2048))
        self.driver.failing['memory_mb', 1024] = 2048
        self.begin(vcpus=3, memory_mb=1024)
        self.assertSize(Size(1, 2048), Size(2, 2048))

    def test_guest_that_boots_has_all_its_memory_for_the_moment(self):
        for asked in (3072, 1024):
            self.driver.guest = size.GuestSize(2, 4096, False, 0, False)
            self.driver.failing['memory_mb', asked] = 4096
            self.instance.task_state = 'xloud_adjusting'
            self.begin(memory_mb=asked)
            self.assertSize(Size(2, 2048))
            self.assertEqual(('Placement', (2, 2048)), self.steps[-3])

    def test_guest_whose_driver_is_gone_keeps_what_it_was_given(self):
        self.driver.failing['vcpus', 4] = 2
        self.driver.failing['memory_mb', 2048] = 4096
        self.driver.guest = self.driver.guest._replace(
            balloon_driver_active=False)
        self.begin(vcpus=4, memory_mb=4096)
        self.assertSize(Size(2, 4096))

    def test_guest_dies(self):
        self.driver.failing['vcpus', 4] = None
        self.begin(vcpus=4, memory_mb=4096)
        self.assertSize(Size(2, 2048))
        self.assertIn('it died', self.failure())

    def test_guest_dies_while_the_first_is_taken_back(self):
        self.driver.failing['vcpus', 4] = 2
        self.driver.failing['memory_mb', 2048] = None
        self.begin(vcpus=4, memory_mb=4096)
        self.assertSize(Size(2, 2048))

    def test_other_errors_are_told_too(self):
        self.driver.set_current_vcpus = mock.Mock(
            side_effect=ValueError('what?'))
        self.begin(vcpus=4)
        self.assertIn('The hypervisor has not taken the change',
                      self.failure())
        # the words of another service are in the log
        self.assertNotIn('what?', self.failure())

    def test_guest_has_it_although_the_hypervisor_failed(self):
        change = self.driver.set_current_vcpus

        def change_and_fail(instance, vcpus):
            change(instance, vcpus)
            raise ValueError('connection lost')

        self.driver.set_current_vcpus = change_and_fail
        # the other step is done too, and neither is taken back
        self.begin(vcpus=1, memory_mb=1024)
        self.assertEqual(
            [('vcpus', 1), ('memory_mb', 1024)], self.driver.calls)
        self.assertSize(Size(1, 1024))
        self.assertIsNone(self.failure())

    def _is_taken_over(self, change):
        """Adjust while another has the server; check record and Placement."""
        for self.driver.guest in (self.driver.guest, None):
            del self.steps[:]
            self.instance.host = 'host'
            self.refresh.side_effect = change
            self.begin(vcpus=3)
            # the guest's size on this host does not count any more
            self.assertEqual(
                [('Placement', (3, 2048)), ('action', 'ends')], self.steps)
            self.assertIn('taken over', self.failure())
            self.assertEqual(Size(2, 2048), record.recorded(self.instance))
            self.assertEqual('xloud_adjusting', self.instance.task_state)
            self.assertFree()
            self.assertFalse(self.running.is_abandoned(self.instance))

    def test_a_server_that_was_evacuated_meanwhile(self):
        self._is_taken_over(
            lambda: setattr(self.instance, 'host', 'elsewhere'))

    def test_an_adjust_that_was_ended_meanwhile(self):
        self._is_taken_over(lambda: intent.Intent.drop(self.instance))

    def test_an_adjust_that_another_has_followed(self):
        self._is_taken_over(lambda: intent.Intent(
            4, None, True, 'req-newer').write(self.instance))

    def test_placement_fails_at_the_release(self):
        self.assign.side_effect = exception.AdjustAccountingFailed(
            internal='down')
        self.begin(vcpus=1)
        self.assertSize(Size(1, 2048))
        self.assertIsNone(self.failure())
        self.tracker.xloud.update.assert_called_once_with(self.instance)

    def test_tracker_fails(self):
        self.tracker.xloud.update.side_effect = ValueError
        self.begin(vcpus=3)
        self.assertSize(Size(3, 2048))
        self.assertIsNone(self.failure())

    def test_libvirt_is_gone_meanwhile(self):
        self.driver.get_current_size = mock.Mock(side_effect=[
            self.driver.guest, nova_exception.HypervisorUnavailable()])
        self.begin(vcpus=3)
        # for the next periodic task
        self.assertEqual('xloud_adjusting', self.instance.task_state)
        self.assertIsNotNone(intent.Intent.of(self.instance))
        self.assertIsNotNone(self.failure())
        self.assertTrue(self.running.is_abandoned(self.instance))
        self.assertFree()

    def test_database_is_gone_meanwhile(self):
        self.save.side_effect = messaging.MessagingTimeout()
        self.begin(vcpus=3)
        self.assertEqual([('vcpus', 3)], self.driver.calls)
        self.assertTrue(self.running.is_abandoned(self.instance))
        self.assertFree()

    def test_begin_of_the_action_cannot_be_told(self):
        self.started.side_effect = messaging.MessagingTimeout()
        self.begin(vcpus=3)
        # the guest was adjusted all the same
        self.assertSize(Size(3, 2048))

    def test_end_of_the_action_cannot_be_told(self):
        self.finished.side_effect = messaging.MessagingTimeout()
        self.begin(vcpus=3)
        # for the next periodic task
        self.assertEqual('xloud_adjusting', self.instance.task_state)
        self.assertIsNotNone(intent.Intent.of(self.instance))
        self.assertEqual(Size(3, 2048), record.recorded(self.instance))
        self.assertFree()

    def test_server_is_deleted_meanwhile(self):
        for saves in (0, 1):
            self.save.side_effect = [None] * saves + [
                nova_exception.InstanceNotFound(instance_id='x')]
            self.begin(vcpus=3)
            self.assertFree()
            self.assertFalse(self.running.is_abandoned(self.instance))
            self.instance.task_state = 'xloud_adjusting'

    def test_another_operation_takes_over_meanwhile(self):
        taken_over = nova_exception.UnexpectedDeletingTaskStateError(
            instance_uuid='x', expected={}, actual={})
        self.save.side_effect = [taken_over, None, taken_over, None]
        self.begin(vcpus=3)
        self.assertNotIn('task_state', self.instance.obj_what_changed())
        self.assertEqual(Size(3, 2048), record.recorded(self.instance))
