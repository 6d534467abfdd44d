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

import types
from unittest import mock

from oslo_db import exception as db_exc
import oslo_messaging as messaging
from oslo_utils.fixture import uuidsentinel as uuids

from nova.compute import task_states
from nova.compute import vm_states
from nova import exception as nova_exception
from nova import objects
from nova.tests.unit.xloud import base
from nova.xloud.api import adjust as api
from nova.xloud import exception
from nova.xloud import intent
from nova.xloud import record as xloud_record
from nova.xloud.size import GuestSize
from nova.xloud.size import Size


class APITestCase(base.ServerTestCase):

    def setUp(self):
        super().setUp()
        # There is none before it is told
        self.begun, self.action = self.action, None
        self.begun.request_id = self.context.request_id
        self.action_start = self.patch(
            'nova.objects.InstanceAction.action_start',
            side_effect=self._begin_action)
        self.check_growth = self.patch('nova.xloud.quota.check_growth')
        self.check_again = self.patch('nova.xloud.quota.check_growth_again')
        # The payloads are in the tests of the notifications
        self.patch('nova.xloud.notifications.Notifier._send')
        self.rpc = self.patch(
            'nova.compute.rpcapi.ComputeAPI.xloud').return_value
        self.api = api.API()
        self.is_up = self.patch('nova.servicegroup.API.service_is_up')
        self.is_up.return_value = True
        self.flavor = self.instance.flavor
        self.service = objects.Service(binary='nova-compute')
        self.get_service = self.patch(
            'nova.objects.Service.get_by_compute_host',
            return_value=self.service)

    def _begin_action(self, *args, **kwargs):
        self.action = self.begun

    def _adjust(self, vcpus=None, memory_mb=None, persist=True):
        self.api.adjust(
            self.context, self.instance, vcpus, memory_mb, persist)

    def _refused(self, error, *args, **kwargs):
        """Assert that an adjust is refused before anything has changed."""
        refusal = self.assertRaises(error, self._adjust, *args, **kwargs)
        self.save.assert_not_called()
        self.action_start.assert_not_called()
        self.rpc.adjust.assert_not_called()
        self.assertIsNone(self.instance.task_state)
        return refusal.format_message()


class AdjustTestCase(APITestCase):

    def test_the_host_is_asked_to_do_it(self):
        def check_lock(*args):
            self.assertEqual(task_states.XLOUD_ADJUSTING,
                             self.instance.task_state)
            self.assertEqual({
                'vcpus': 3, 'memory_mb': 3072, 'persist': False,
                'request_id': self.context.request_id,
                'before': Size(2, 2048), 'is_confirmed': None,
            }, vars(intent.Intent.of(self.instance)))
            # the task state first, then the server that was read again
            self.assertEqual(
                [mock.call(expected_task_state=[None]),
                 mock.call(expected_task_state=[
                     task_states.XLOUD_ADJUSTING])],
                self.save.call_args_list)

        self.rpc.adjust.side_effect = check_lock

        self._adjust(3, 3072, persist=False)

        self.rpc.adjust.assert_called_once_with(
            self.context, self.instance, 3, 3072, False)
        self.action_start.assert_called_once_with(
            self.context, uuids.server, 'xloud_adjust', want_result=False)
        # the host gives the task state back, and tells the end
        self.started.assert_not_called()
        self.assertEqual(task_states.XLOUD_ADJUSTING,
                         self.instance.task_state)

    def test_one_resource_leaves_the_other_alone(self):
        self._adjust(vcpus=4)
        self.rpc.adjust.assert_called_once_with(
            self.context, self.instance, 4, None, True)
        self.rpc.adjust.reset_mock()
        self.instance.task_state = None
        self._adjust(memory_mb=1024)
        self.rpc.adjust.assert_called_once_with(
            self.context, self.instance, None, 1024, True)

    def test_growth_is_checked_against_quota(self):
        self._adjust(3, 1024)

        self.check_growth.assert_called_once_with(
            self.context, self.instance, Size(2, 2048), Size(3, 1024))

    def test_quota_that_another_request_took_meanwhile(self):
        held = []
        self.check_again.side_effect = lambda context, instance, *growth: (
            held.append((instance.vcpus, instance.memory_mb, growth)))
        self._adjust(3, 1024)
        # all that the adjust may reach counts from then on
        self.assertEqual([(3, 2048, ((2, 2048), (3, 1024)))], held)
        self.instance.task_state = None
        self.rpc.adjust.reset_mock()
        self.check_again.side_effect = nova_exception.TooManyInstances(
            overs='cores', req=1, used=5, allowed=5)
        self.assertRaises(
            nova_exception.TooManyInstances, self._adjust, 4)
        self.rpc.adjust.assert_not_called()
        self.assertIsNone(self.instance.task_state)
        self.assertEqual((2, 2048), (
            self.instance.vcpus, self.instance.memory_mb))

    def test_no_quota_is_403_before_the_host_is_asked(self):
        self.check_growth.side_effect = nova_exception.TooManyInstances(
            overs='cores', req='1', used='20', allowed='20')
        self.is_up.return_value = False

        self._refused(nova_exception.TooManyInstances, 3)

    def _ended_meanwhile(self, change):
        """Have the server be another when it is read again."""
        def read(*args, **kwargs):
            change(self.instance)
            return self.instance

        self.get_by_uuid.side_effect = read

    def test_the_record_of_an_adjust_that_ended_meanwhile_stays(self):
        self._ended_meanwhile(
            lambda instance: xloud_record.write(instance, Size(4, 2048)))

        self._adjust(memory_mb=3072)

        self.assertEqual(Size(4, 2048), xloud_record.recorded(self.instance))
        self.assertEqual(
            [mock.call(self.context, self.instance, *growth) for growth in (
                (Size(2, 2048), Size(2, 3072)),
                (Size(4, 2048), Size(4, 3072)))],
            self.check_growth.call_args_list)
        self.rpc.adjust.assert_called_once()

    def _refused_late(self, change, error, *args, **kwargs):
        self._ended_meanwhile(change)
        self.assertRaises(error, self._adjust, *args, **kwargs)
        self.assertIsNone(self.instance.task_state)
        self.assertIsNone(intent.Intent.of(self.instance))
        self.action_start.assert_not_called()
        self.rpc.adjust.assert_not_called()

    def test_what_has_changed_meanwhile_is_checked(self):
        def stop(instance):
            instance.vm_state = vm_states.SUSPENDED

        def resize(instance):
            instance.flavor = base.make_flavor(
                vcpus=2, flavorid='two', **base.FLOORS)

        self._refused_late(stop, nova_exception.InstanceInvalidState, 3)
        self.instance.vm_state = vm_states.ACTIVE
        self._refused_late(resize, exception.AdjustOutOfBounds, 3)

    def test_quota_is_gone_meanwhile(self):
        self.check_growth.side_effect = [
            None, nova_exception.TooManyInstances(
                overs='cores', req='1', used='20', allowed='20')]
        self._refused_late(
            lambda instance: xloud_record.write(instance, Size(1, 2048)),
            nova_exception.TooManyInstances, 3)

    def test_another_adjust_has_done_it_meanwhile(self):
        self._ended_meanwhile(
            lambda instance: xloud_record.write(instance, Size(3, 2048)))

        self._adjust(3)

        self.assertIsNone(self.instance.task_state)
        self.action_start.assert_not_called()
        self.rpc.adjust.assert_not_called()

    def test_another_adjust_that_came_first_wins(self):
        self.save.side_effect = nova_exception.UnexpectedTaskStateError(
            instance_uuid=uuids.server, expected={'task_state': None},
            actual={'task_state': 'xloud_adjusting'})

        error = self.assertRaises(
            nova_exception.InstanceInvalidState, self._adjust, 3)

        self.assertEqual('xloud_adjusting', error.kwargs['state'])
        self.action_start.assert_not_called()
        self.rpc.adjust.assert_not_called()


class AdjustEqualTestCase(APITestCase):

    def _assert_nothing_done(self):
        self.save.assert_not_called()
        self.action_start.assert_not_called()
        self.rpc.adjust.assert_not_called()

    def test_equal_to_current_does_nothing(self):
        for kwargs in ({'vcpus': 2}, {'memory_mb': 2048},
                       {'vcpus': 2, 'memory_mb': 2048},
                       {'vcpus': 2, 'persist': False}):
            self._adjust(**kwargs)
            self._assert_nothing_done()

    def test_equal_needs_no_host(self):
        self.is_up.return_value = False
        self._adjust(2)
        self._assert_nothing_done()

    def test_a_live_size_is_recorded_by_asking_for_it_again(self):
        xloud_record.write_live(self.instance, Size(3, 2048))

        self._adjust(3, persist=False)
        self._assert_nothing_done()
        self._adjust(3, persist=True)
        self.rpc.adjust.assert_called_once_with(
            self.context, self.instance, 3, None, True)

    def test_a_guest_is_brought_back_to_its_recorded_size(self):
        xloud_record.write_live(self.instance, Size(3, 2048))

        self._adjust(2)

        self.rpc.adjust.assert_called_once_with(
            self.context, self.instance, 2, None, True)


class AdjustStateTestCase(APITestCase):

    def test_states_other_than_three_are_409(self):
        for vm_state in (vm_states.BUILDING, vm_states.SUSPENDED,
                         vm_states.RESCUED, vm_states.ERROR,
                         vm_states.SHELVED, vm_states.SHELVED_OFFLOADED,
                         vm_states.RESIZED, vm_states.SOFT_DELETED,
                         vm_states.DELETED):
            self.instance.vm_state = vm_state
            self._refused(nova_exception.InstanceInvalidState, 3)

    def test_a_task_in_progress_is_409(self):
        for task_state in (task_states.REBOOTING, task_states.MIGRATING,
                           task_states.XLOUD_ADJUSTING):
            self.instance.task_state = task_state
            self.assertRaises(nova_exception.InstanceInvalidState,
                              self._adjust, 3)
        self.rpc.adjust.assert_not_called()

    def test_a_locked_server_is_the_administrators(self):
        self.instance.locked = True
        self._refused(nova_exception.InstanceIsLocked, 3)
        self.context.is_admin = True
        self._adjust(3)
        self.rpc.adjust.assert_called_once()

    def test_the_state_counts_before_the_bounds(self):
        self.instance.vm_state = vm_states.SUSPENDED
        self._refused(nova_exception.InstanceInvalidState, 99)

    def test_a_paused_server_grows(self):
        self.instance.vm_state = vm_states.PAUSED
        self._adjust(3, 2048)
        self.rpc.adjust.assert_called_once()

    def test_a_paused_server_does_not_shrink(self):
        self.instance.vm_state = vm_states.PAUSED
        message = self._refused(exception.AdjustPausedShrink, 3, 1024)
        self.assertIn('current_memory_mb 1024', message)
        self.assertIn('it has 2048', message)

    def test_a_paused_server_does_not_shrink_below_its_live_size(self):
        xloud_record.write_live(self.instance, Size(4, 2048))
        self.instance.vm_state = vm_states.PAUSED
        self._refused(exception.AdjustPausedShrink, 3)

    def test_a_stopped_server_can_be_adjusted_for_its_next_start(self):
        self.instance.vm_state = vm_states.STOPPED
        self._adjust(1, 4096)
        self.rpc.adjust.assert_called_once()

    def test_a_stopped_server_has_no_guest_to_adjust(self):
        self.instance.vm_state = vm_states.STOPPED
        self._refused(exception.AdjustNoGuest, 3, persist=False)


class AdjustBoundsTestCase(APITestCase):

    def test_out_of_bounds_names_the_value_and_the_bounds(self):
        for value in (-1, 0, 5, 10 ** 20):
            message = self._refused(exception.AdjustOutOfBounds, value)
            self.assertIn('current_vcpus %d was' % value, message)
            self.assertIn('1 to 4 vCPUs', message)
        for value in (1023, 4097):
            message = self._refused(
                exception.AdjustOutOfBounds, memory_mb=value)
            self.assertIn('current_memory_mb %d was' % value, message)
            self.assertIn('1024 to 4096 MiB', message)

    def test_neither_value_names_the_bounds(self):
        message = self._refused(exception.AdjustNothing)
        self.assertIn('current_vcpus nor current_memory_mb', message)
        self.assertIn('1 to 4 vCPUs and 1024 to 4096 MiB', message)

    def test_the_bounds_themselves_are_fine(self):
        for vcpus, memory_mb in ((1, 1024), (4, 4096)):
            self.instance.task_state = None
            self._adjust(vcpus, memory_mb)

    def test_one_bad_value_refuses_both(self):
        self._refused(exception.AdjustOutOfBounds, 3, 9999)
        self._refused(exception.AdjustOutOfBounds, 9, 3072)

    def test_without_a_floor_the_missing_extra_spec_is_named(self):
        del self.flavor.extra_specs['minimum_memory']
        message = self._refused(
            exception.AdjustNoFloor, 3, 2048)
        self.assertIn("no extra spec 'minimum_memory'", message)
        self.assertIn('stay at 4096 MiB', message)

        del self.flavor.extra_specs['minimum_cpu']
        message = self._refused(exception.AdjustNoFloor, 4)
        self.assertIn("no extra spec 'minimum_cpu'", message)

    def test_metadata_of_the_user_changes_nothing(self):
        self.flavor.extra_specs = {}
        self.instance.metadata = {'minimum_cpu': '1'}
        self._refused(exception.AdjustNoFloor, 2)


class AdjustHostTestCase(APITestCase):

    def test_a_host_that_is_down_is_409(self):
        self.is_up.return_value = False
        self._refused(exception.AdjustHostDown, 3)
        self.is_up.assert_called_once_with(self.service)

    def test_a_host_without_a_service_is_409(self):
        self.get_service.side_effect = nova_exception.ComputeHostNotFound(
            host=self.instance.host)
        self._refused(exception.AdjustHostDown, 3)

    def test_a_refusal_gives_the_task_state_back(self):
        for error in (exception.AdjustNoCapacity(
                          asked=1, resource='VCPU'),
                      exception.AdjustNotSupported(reason='no'),
                      exception.AdjustHostTooOld(server=uuids.server),
                      messaging.RemoteError('ValueError', 'what?')):
            self.save.reset_mock()
            self.instance.task_state = None
            self.rpc.adjust.side_effect = error
            still = []
            self.finished.side_effect = lambda *args, **kwargs: still.append(
                self.instance.task_state)

            self.assertRaises(type(error), self._adjust, 3)

            self.assertIsNone(self.instance.task_state)
            self.assertIsNone(intent.Intent.of(self.instance))
            # when its action has ended, and not before
            self.assertEqual(['xloud_adjusting'], still)
            self.save.assert_called_with(
                expected_task_state=[task_states.XLOUD_ADJUSTING, None])
            self.assertEqual(3, self.save.call_count)
            self.assertTold(error)

    def assertTold(self, error):
        """Assert that the action tells the reason, as its end."""
        self.finished.assert_called_with(
            mock.ANY, uuids.server, 'api_xloud_adjust',
            exc_val=mock.ANY, exc_tb=mock.ANY, want_result=False)
        told = self.finished.call_args[1]['exc_val']
        if isinstance(error, exception.AdjustError):
            self.assertIs(error, told)
        else:
            # its text is for the log
            self.assertIs(exception.AdjustError, type(told))
        self.assertIsInstance(
            self.finished.call_args[1]['exc_tb'], types.TracebackType)
        context = self.finished.call_args[0][0]
        self.assertEqual(self.context.request_id, context.request_id)

    @mock.patch('time.sleep')
    def test_a_database_that_is_restarted_is_told_the_end(self, sleep):
        """Of the action too, which nobody would look for any more."""
        refusal = exception.AdjustAccountingFailed(internal='no database')
        self.rpc.adjust.side_effect = refusal
        gone = db_exc.DBConnectionError()
        for function in (self.started, self.finished):
            with self.subTest(function):
                self.instance.task_state = None
                function.side_effect = [gone, None]

                self.assertRaises(
                    exception.AdjustAccountingFailed, self._adjust, 3)

                self.assertTold(refusal)
                self.assertIsNone(self.instance.task_state)
                function.side_effect = None

    @mock.patch('time.sleep')
    def test_a_database_that_does_not_return_leaves_it_to_the_host(
            self, sleep):
        self.rpc.adjust.side_effect = exception.AdjustAccountingFailed(
            internal='no database')
        self.finished.side_effect = db_exc.DBConnectionError()

        self.assertRaises(db_exc.DBConnectionError, self._adjust, 3)

        # by which its periodic task finds the action, and ends it
        self.assertEqual('xloud_adjusting', self.instance.task_state)
        self.assertIsNotNone(intent.Intent.of(self.instance))

    @mock.patch('time.sleep')
    def test_a_database_that_is_restarted_gives_it_back(self, sleep):
        self.rpc.adjust.side_effect = exception.AdjustAccountingFailed(
            internal='no database')
        gone = db_exc.DBConnectionError()
        self.save.side_effect = [None, None, gone, gone, None]
        # which has not saved that the server was given back
        self.refresh.side_effect = lambda: setattr(
            self.instance, 'task_state', task_states.XLOUD_ADJUSTING)

        self.assertRaises(
            exception.AdjustAccountingFailed, self._adjust, 3)

        self.assertIsNone(self.instance.task_state)
        self.assertEqual(5, self.save.call_count)
        self.assertEqual([mock.call(1), mock.call(2)],
                         sleep.call_args_list)

    def test_an_action_that_cannot_be_told_gives_the_task_state_back(self):
        gone = db_exc.DBConnectionError()
        self.action_start.side_effect = gone

        self.assertRaises(db_exc.DBConnectionError, self._adjust, 3)

        self.assertIsNone(self.instance.task_state)
        self.finished.assert_not_called()
        self._assert_not_asked()

    def test_an_action_that_was_told_all_the_same_ends(self):
        gone = db_exc.DBConnectionError()

        def lose(*args, **kwargs):
            self.action = self.begun
            raise gone

        self.action_start.side_effect = lose

        self.assertRaises(db_exc.DBConnectionError, self._adjust, 3)

        self.assertTold(gone)
        self.assertIsNone(self.instance.task_state)
        self._assert_not_asked()

    def _assert_not_asked(self):
        self.save.assert_called_with(
            expected_task_state=[task_states.XLOUD_ADJUSTING, None])
        self.rpc.adjust.assert_not_called()

    def test_a_server_that_is_deleted_meanwhile_is_left_alone(self):
        refusal = exception.AdjustHostTooOld(server=uuids.server)
        for error in (
                nova_exception.InstanceNotFound(instance_id=uuids.server),
                nova_exception.UnexpectedDeletingTaskStateError(
                    instance_uuid=uuids.server, expected={},
                    actual={'task_state': 'deleting'})):
            self.instance.task_state = None
            self.save.side_effect = [None, None, error, None]
            self.rpc.adjust.side_effect = refusal
            # the caller is told the refusal, not this
            self.assertRaises(
                exception.AdjustHostTooOld, self._adjust, 3)

    def test_a_host_that_may_be_at_work_keeps_the_task_state(self):
        self.rpc.adjust.side_effect = exception.AdjustTimeout(
            server=uuids.server)

        self.assertRaises(exception.AdjustTimeout, self._adjust, 3)

        self.assertEqual(task_states.XLOUD_ADJUSTING,
                         self.instance.task_state)
        self.assertIsNotNone(intent.Intent.of(self.instance))
        self.assertEqual(2, self.save.call_count)
        # nor is its end told in the host's place
        self.finished.assert_not_called()

    def test_another_adjust_that_was_begun_meanwhile_is_left_alone(self):
        def begin_another(*args):
            intent.Intent(4, None, True, 'req-another').write(self.instance)
            raise exception.AdjustNotSupported(reason='taken over')

        self.rpc.adjust.side_effect = begin_another

        refusal = self.assertRaises(
            exception.AdjustNotSupported, self._adjust, 3)

        self.assertEqual(task_states.XLOUD_ADJUSTING,
                         self.instance.task_state)
        self.assertEqual('req-another',
                         intent.Intent.of(self.instance).request_id)
        self.assertEqual(2, self.save.call_count)
        self.assertTold(refusal)


class StatusTestCase(APITestCase):

    RECORDED = {
        'current_vcpus': 2,
        'current_memory_mb': 2048,
        'min_vcpus': 1,
        'min_memory_mb': 1024,
        'max_vcpus': 4,
        'max_memory_mb': 4096,
        'balloon_driver_active': False,
        'attached_dimms_mb': 0,
        'has_virtiomem': False,
        'guest_online_vcpus': None,
    }

    def _status(self):
        return self.api.status(self.context, self.instance)

    def test_the_figures_are_the_guests_own(self):
        guest = {
            'current_vcpus': 3,
            'current_memory_mb': 3000,
            'balloon_driver_active': True,
            'attached_dimms_mb': 512,
            'has_virtiomem': True,
            'guest_online_vcpus': 2,
        }
        self.rpc.get_status.return_value = dict(guest, newer='unknown')
        for vm_state in (vm_states.ACTIVE, vm_states.PAUSED,
                         vm_states.RESCUED, vm_states.RESIZED):
            self.instance.vm_state = vm_state
            self.assertEqual(dict(self.RECORDED, **guest), self._status())
        self.rpc.get_status.assert_called_with(self.context, self.instance)

    def test_a_host_that_cannot_tell_leaves_the_recorded_figures(self):
        for error in (messaging.MessagingTimeout(),
                      messaging.UnsupportedVersion('1.0'),
                      messaging.RemoteError('ValueError', 'what?'),
                      exception.AdjustHostTooOld(server=uuids.server),
                      nova_exception.InstanceNotFound(
                          instance_id=uuids.server)):
            self.rpc.get_status.side_effect = error
            self.assertEqual(self.RECORDED, self._status())

    def test_what_the_host_has_noted_is_not_asked_again(self):
        xloud_record.write_guest(
            self.instance,
            GuestSize(2, 2048, True, 512, True, online_vcpus=1))
        noted = dict(self.RECORDED, balloon_driver_active=True,
                     attached_dimms_mb=512, has_virtiomem=True,
                     guest_online_vcpus=1)
        self.assertEqual(noted, self._status())
        self.rpc.get_status.assert_not_called()
        # Something may be on its way
        for task_state in ('xloud_adjusting', 'rebooting'):
            self.instance.task_state = task_state
            self.rpc.get_status.return_value = {'current_vcpus': 3}
            self.assertEqual(dict(noted, current_vcpus=3), self._status())
        # or the host has not seen the size
        self.instance.task_state = None
        xloud_record.write_live(self.instance, Size(3, 2048))
        self._status()
        self.assertEqual(3, self.rpc.get_status.call_count)

    def test_a_host_that_is_down_leaves_what_it_has_noted(self):
        self.is_up.return_value = False
        xloud_record.write_guest(
            self.instance, GuestSize(2, 2048, True, 0, False))
        self.assertEqual(dict(self.RECORDED, balloon_driver_active=True),
                         self._status())

    def test_without_a_guest_nothing_is_noted_of_it(self):
        xloud_record.write_guest(
            self.instance, GuestSize(2, 2048, True, 512, True))
        self.instance.vm_state = vm_states.STOPPED
        self.assertEqual(self.RECORDED, self._status())

    def test_a_host_that_is_down_is_not_asked(self):
        self.is_up.return_value = False
        self.assertEqual(self.RECORDED, self._status())
        self.rpc.get_status.assert_not_called()

    def test_without_a_guest_the_next_start_counts(self):
        xloud_record.write_live(self.instance, Size(4, 4096))
        for vm_state in (vm_states.STOPPED, vm_states.SHELVED,
                         vm_states.SHELVED_OFFLOADED):
            self.instance.vm_state = vm_state
            self.assertEqual(self.RECORDED, self._status())
        self.rpc.get_status.assert_not_called()

    def test_a_suspended_guest_keeps_its_size(self):
        xloud_record.write_live(self.instance, Size(4, 4096))
        self.instance.vm_state = vm_states.SUSPENDED
        self.assertEqual(4, self._status()['current_vcpus'])
        self.rpc.get_status.assert_not_called()

    def test_a_guest_that_cannot_be_asked_has_its_last_known_size(self):
        xloud_record.write_live(self.instance, Size(4, 4096))
        self.is_up.return_value = False
        status = self._status()
        self.assertEqual(
            (4, 4096),
            (status['current_vcpus'], status['current_memory_mb']))

    def test_a_server_without_a_host_has_a_status(self):
        self.instance.host = None
        self.instance.vm_state = vm_states.ACTIVE
        self.assertEqual(self.RECORDED, self._status())

    def test_without_a_floor_all_figures_are_the_maximum(self):
        self.flavor.extra_specs = {}
        self.instance.system_metadata = {}
        self.instance.vm_state = vm_states.STOPPED
        self.assertEqual(
            dict(self.RECORDED, current_vcpus=4, current_memory_mb=4096,
                 min_vcpus=4, min_memory_mb=4096),
            self._status())
