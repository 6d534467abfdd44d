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

"""Adjusts that are cut off: by a dying host, message queue or Placement.

Afterwards guest, record, Placement and tracker agree again.
"""

import contextlib
import itertools
import threading
from unittest import mock

import fixtures
import oslo_messaging as messaging
from oslo_serialization import jsonutils

from nova import exception
from nova import objects
from nova.tests.functional.api import client as api_client
from nova.tests.functional.libvirt import test_vcpu_current
from nova.virt.libvirt import driver
from nova.xloud.compute import executors
from nova.xloud.compute import reconcile
from nova.xloud.compute import tracker
from nova.xloud.compute import work
from nova.xloud import exception as xloud_exception
from nova.xloud import intent
from nova.xloud import lifecycle
from nova.xloud import placement
from nova.xloud import rpcapi


class Death(BaseException):
    """The process is killed: no handler of errors gets to see it."""


class SuddenDeath(fixtures.Fixture):
    """nova-compute dies before one of the steps of an adjust.

    From then on it does nothing any more, until it is restarted.

    :ivar steps: names of the steps that were done
    """

    def setUp(self):
        super().setUp()
        self._local = threading.local()
        self.restart()
        for owner, name in (
                (placement, 'assign'),
                (objects.Instance, 'save'),
                (objects.InstanceActionEvent, 'event_start'),
                (objects.InstanceActionEvent, 'event_finish_with_failure'),
                (driver.LibvirtDriver, 'set_current_vcpus'),
                (driver.LibvirtDriver, 'set_current_memory_mb'),
                (tracker.Held, 'update')):
            self._wrap(owner, name, self._step)
        self._wrap(executors, 'submit', self._submit)
        self._wrap(work.Adjuster, '_run', self._work)
        self._wrap(work.Adjuster, 'begin', self._begin)
        self._wrap(rpcapi.XloudAPI, 'adjust', self._call)

    def restart(self, dies_before=None):
        """Start anew.

        :param dies_before: number of the step that is not done, from 0
        """
        self.steps = []
        self.is_dead = False
        self._dies_before = dies_before
        self._is_answered = True

    def _wrap(self, owner, name, wrapper):
        function = getattr(owner, name)

        def wrapped(*args, **kwargs):
            return wrapper(name, function, *args, **kwargs)

        self.useFixture(fixtures.MockPatchObject(owner, name, wrapped))

    def _step(self, name, function, *args, **kwargs):
        if getattr(self._local, 'works_on_adjust', False):
            if len(self.steps) == self._dies_before:
                self.is_dead = True
            if self.is_dead:
                raise Death()
            self.steps.append(name)
        return function(*args, **kwargs)

    def _work(self, name, function, *args, **kwargs):
        self._local.works_on_adjust = True
        try:
            return function(*args, **kwargs)
        except Death:
            return None
        finally:
            self._local.works_on_adjust = False

    def _submit(self, name, submit, executor, function, *args):
        # The event begins beside all steps
        if (getattr(self._local, 'works_on_adjust', False) and
                function is not lifecycle.begin_event):
            args = (function,) + args
            function = self._help
        return submit(executor, function, *args)

    def _help(self, function, *args):
        """Do the part of an adjust that another thread does beside it."""
        self._local.works_on_adjust = True
        try:
            return function(*args)
        finally:
            self._local.works_on_adjust = False

    def _begin(self, name, function, *args, **kwargs):
        self._work(name, function, *args, **kwargs)
        # killed in there, it does not answer
        self._is_answered = not self.is_dead

    def _call(self, name, function, api, ctxt, instance, *args):
        function(api, ctxt, instance, *args)
        if not self._is_answered:
            raise xloud_exception.AdjustTimeout(server=instance.uuid)


class KilledTest(test_vcpu_current.AdjustTestBase):
    """nova-compute is killed between any two steps, and started again."""

    SMALL = (1, 1024)
    LARGE = (3, 2048)

    def setUp(self):
        super().setUp()
        self.server = self.boot()
        self.death = self.useFixture(SuddenDeath())

    def _post(self, vcpus, memory_mb, persist=True):
        return self.api.api_request(
            '/os-xloud-adjust/%s' % self.server['id'], method='POST',
            body=jsonutils.dumps({
                'current_vcpus': vcpus,
                'current_memory_mb': memory_mb,
                'persist': persist})).status_code

    def _check(self, before, size, persist):
        """Compare all views of an adjust that has ended.

        :param before: the size that the server had
        :param size: the size that its guest has
        """
        kept = size if persist else before
        held = tuple(map(max, size, kept))
        self.assertSize(
            self.server, *kept, guest=size, kept=kept, held=held)
        self.assertUsed(*held)

    def _wait_for_end(self):
        """Wait until the host is done with the server, or dead."""
        def find():
            with self.host_of(self.server).manager.xloud.running.hold(
                    self.server['id']) as is_ours:
                self.assertTrue(is_ours)

        self._wait_for_assert(find)

    def _told(self):
        """Return the phases of adjusts that the bus was told."""
        name = 'instance.xloud_adjust.'
        return [each['event_type'][len(name):] for each in
                self.notifier.versioned_notifications
                if each['event_type'].startswith(name)]

    def _check_told(self, end):
        """Check that the bus was told once how the adjust has ended.

        One that was killed before its work began has no start.
        """
        told = self._told()
        self.assertEqual(
            [end], [each for each in told if each != 'start'])
        self.assertLessEqual(told.count('start'), 1)

    def _die_at_each_step(self, before, after, persist=True):
        """Adjust from one size to another, killed once before each step.

        :returns: the number of steps
        """
        for number in itertools.count():
            self.death.restart()
            self.notifier.reset()
            if self.guest_size(self.server) != before:
                self.adjust(self.server, *before)
                self._wait_for_assert(lambda: self._check_told('end'))
            self.assertSize(self.server, *before)
            self.notifier.reset()
            self.death.restart(dies_before=number)
            self._post(*after, persist=persist)
            self._wait_for_end()
            if not self.death.is_dead:
                self._check(before, after, persist)
                self._wait_for_assert(lambda: self._check_told('end'))
                return number
            steps = self.death.steps
            has_ended = self.instance(self.server).task_state is None
            if not has_ended:
                self.assertEqual(409, self._post(*after))
            self.death.restart()
            self.restart_compute_service('one')
            size = self.guest_size(self.server)
            self.assertIn(size, (before, after), steps)
            self._check(before, size, persist)
            event = self.last_event(self.server)
            self.assertEqual(
                'Success' if size == after else 'Error', event['result'],
                steps)
            self.assertIn(
                'has %d vCPUs and %d MiB now' % size, event['details'])
            if size == after:
                self.assertIn('had %d vCPUs and %d MiB before' % before,
                              event['details'], steps)
            self._wait_for_assert(lambda: self._check_told(
                'end' if size == after else 'error'))

    def test_growth(self):
        # claim, memory, vCPUs, record, Placement, tracker beside event, task
        # state; the event begins beside them
        self.assertEqual(8, self._die_at_each_step(self.SMALL, self.LARGE))

    def test_shrink(self):
        self.assertEqual(7, self._die_at_each_step(self.LARGE, self.SMALL))

    def test_growth_without_persist(self):
        self.assertEqual(8, self._die_at_each_step(
            self.SMALL, self.LARGE, persist=False))

    def test_shrink_without_persist(self):
        self.assertEqual(7, self._die_at_each_step(
            self.LARGE, self.SMALL, persist=False))

    def test_more_vcpus_and_less_memory(self):
        self.assertEqual(8, self._die_at_each_step((1, 2048), (3, 1024)))


class MessageQueueTest(test_vcpu_current.AdjustTestBase):

    def setUp(self):
        super().setUp()
        self.server = self.boot()

    def test_host_cannot_be_reached(self):
        with mock.patch('nova.rpc.ClientRouter.client') as client:
            call = client.return_value.prepare.return_value.call
            for error in (messaging.MessageDeliveryFailure(),
                          messaging.MessagingException('no broker')):
                call.side_effect = error
                self.assertIn('cannot be reached', self.refused(
                    self.server, 409, current_vcpus=2))
        self.assertSize(self.server, 1, 1024)
        self.assertUsed(1, 1024)
        self.adjust(self.server, vcpus=2)

    def test_call_is_lost(self):
        with mock.patch('nova.rpc.ClientRouter.client') as client:
            call = client.return_value.prepare.return_value.call
            call.side_effect = messaging.MessagingTimeout()
            self.assertIn('not answered in time', self.refused(
                self.server, 409, current_vcpus=2))
        # it may come late
        self.refused(self.server, 409, current_vcpus=2)
        self.run_periodics()
        self.refused(self.server, 409, current_vcpus=2)
        self.flags(rpc_response_timeout=0)
        self.run_periodics()
        self.assertSize(self.server, 1, 1024)
        self.assertUsed(1, 1024)
        self.assertEqual('Error', self.last_event(self.server)['result'])

    def test_answer_is_lost(self):
        adjust_on_host = rpcapi.XloudAPI.adjust

        def lose_answer(api, ctxt, instance, *args):
            adjust_on_host(api, ctxt, instance, *args)
            raise xloud_exception.AdjustTimeout(server=instance.uuid)

        with mock.patch.object(rpcapi.XloudAPI, 'adjust', lose_answer):
            self.refused(self.server, 409, current_vcpus=2)
        self.assertEqual('Success', self.last_event(self.server)['result'])
        self.assertSize(self.server, 2, 1024)
        self.assertUsed(2, 1024)
        # nor does the action itself tell of an error
        action = self.api.get_instance_actions(self.server['id'])[0]
        self.assertIsNone(action['message'])

    def test_conductor_does_not_answer_the_host(self):
        lost = messaging.MessagingTimeout()
        with mock.patch.object(lifecycle, '_save', side_effect=lost):
            self.api.api_post(
                '/os-xloud-adjust/%s' % self.server['id'],
                {'current_vcpus': 2})
            self.assertEqual(
                'Error', self.last_event(self.server)['result'])
        self.assertEqual((2, 1024), self.guest_size(self.server))
        self.refused(self.server, 409, current_vcpus=2)
        self.run_periodics()
        self.assertSize(self.server, 2, 1024)
        self.assertUsed(2, 1024)
        self.assertEqual('Success', self.last_event(self.server)['result'])


class MeanwhileTestBase(test_vcpu_current.AdjustTestBase):
    """A server whose guest takes its time."""

    def setUp(self):
        super().setUp()
        self.server = self.boot()
        self.is_asked = threading.Event()
        self.may_go_on = threading.Event()
        self.addCleanup(self.may_go_on.set)

    def begin(self, vcpus):
        """Ask for an adjust, which waits for ``may_go_on``."""
        change = driver.LibvirtDriver.set_current_vcpus

        def wait(virt_driver, instance, vcpus):
            self.is_asked.set()
            self.may_go_on.wait(60)
            change(virt_driver, instance, vcpus)

        self.useFixture(fixtures.MockPatchObject(
            driver.LibvirtDriver, 'set_current_vcpus', wait))
        self.api.api_post('/os-xloud-adjust/%s' % self.server['id'],
                          {'current_vcpus': vcpus})
        self.assertTrue(self.is_asked.wait(60))

    def end(self):
        self.may_go_on.set()
        self.assertEqual('Success', self.last_event(self.server)['result'])


class ShrinkMeanwhileTest(MeanwhileTestBase):
    """Placement holds the old size until the guest has given it up."""

    def test_release_comes_last(self):
        self.adjust(self.server, vcpus=3)
        self.begin(vcpus=1)
        self.assertEqual((3, 1024), self.guest_size(self.server))
        self.assertEqual((3, 1024), self.held(self.server))
        self.assertUsed(3, 1024)
        self.run_periodics()
        self.assertEqual((3, 1024), self.held(self.server))
        self.assertUsed(3, 1024)
        self.end()
        self._wait_for_server_parameter(
            self.server, {'OS-EXT-STS:task_state': None})
        self.assertSize(self.server, 1, 1024)
        self.assertUsed(1, 1024)


class MeanwhileTest(MeanwhileTestBase):
    """Events that meet a server that grows."""

    def setUp(self):
        super().setUp()
        self.begin(vcpus=3)

    def test_all_else_is_refused(self):
        self.refused(self.server, 409, current_vcpus=2)
        error = self.assertRaises(
            api_client.OpenStackApiException, self.api.post_server_action,
            self.server['id'], {'reboot': {'type': 'HARD'}})
        self.assertEqual(409, error.response.status_code)
        self.run_periodics()
        self.assertEqual((3, 1024), self.held(self.server))
        self.end()
        self._wait_for_server_parameter(
            self.server, {'OS-EXT-STS:task_state': None})
        self.assertSize(self.server, 3, 1024)

    def test_it_can_be_deleted(self):
        self.api.delete_server(self.server['id'])
        self.may_go_on.set()
        self._wait_until_deleted(self.server)
        self.run_periodics()
        self.assertUsed(0, 0)


class RecoverTest(test_vcpu_current.AdjustTestBase):
    """The periodic task mends records that do not fit each other."""

    @contextlib.contextmanager
    def placement_down(self, server, is_done=False):
        """Have writes to allocations fail.

        :param is_done: whether only the answer is lost
        """
        client = self.host_of(server).manager.reportclient
        put = client.put

        def fail(url, *args, **kwargs):
            is_ours = url.startswith('/allocations/')
            if is_done or not is_ours:
                answer = put(url, *args, **kwargs)
            if is_ours:
                raise exception.PlacementAPIConnectFailure()
            return answer

        with mock.patch.object(client, 'put', fail):
            yield

    def test_placement_fails_at_claim(self):
        server = self.boot()
        with self.placement_down(server):
            self.refused(server, 503, current_vcpus=2)
        self.assertSize(server, 1, 1024)
        self.assertUsed(1, 1024)

    def test_placement_claims_but_does_not_answer(self):
        server = self.boot()
        with self.placement_down(server, is_done=True):
            self.refused(server, 503, current_vcpus=2)
        self.assertEqual((2, 1024), self.held(server))
        self.run_periodics()
        self.assertSize(server, 1, 1024)
        self.assertUsed(1, 1024)

    def test_novas_periodic_task_fails(self):
        server = self.boot()
        self.guest(server)._def['xloud']['vcpus'] = 2
        with mock.patch.object(
                self.host_of(server).driver, 'get_available_resource',
                side_effect=ValueError):
            self.run_periodics()
        self.assertSize(server, 1, 1024, guest=(2, 1024), held=(2, 1024))

    def test_libvirt_goes_away(self):
        server = self.boot()
        gone = exception.HypervisorUnavailable()
        with mock.patch.object(
                driver.LibvirtDriver, 'get_current_size', side_effect=gone):
            self.assertIn('cannot be asked', self.refused(
                server, 409, current_vcpus=2))
        self.assertSize(server, 1, 1024)
        size = driver.LibvirtDriver.get_current_size
        with mock.patch.object(
                driver.LibvirtDriver, 'get_current_size', autospec=True,
                side_effect=[size(self.host_of(server).driver,
                                  self.instance(server)), gone]):
            self.api.api_post('/os-xloud-adjust/%s' % server['id'],
                              {'current_vcpus': 2})
            self.assertEqual('Error', self.last_event(server)['result'])
        self.refused(server, 409, current_vcpus=2)
        self.run_periodics()
        self.assertSize(server, 1, 1024)
        self.assertUsed(1, 1024)

    def test_several_are_recovered_side_by_side(self):
        servers = [self.boot() for _one in range(3)]
        for server in servers:
            self._leave_half_done(server, vcpus=2)
        done, *others = servers
        self.guest(done)._def['xloud']['vcpus'] = 2
        # each waits for all of them
        meeting = threading.Barrier(3)
        recover = reconcile.Reconciler._recover

        def meet(*args):
            meeting.wait(60)
            recover(*args)

        with mock.patch.object(
                reconcile.Reconciler, '_recover', meet):
            self.restart_compute_service('one')
        self.assertSize(done, 2, 1024)
        for server in others:
            self.assertSize(server, 1, 1024)
        self.assertUsed(4, 3 * 1024)

    def _leave_half_done(self, server, vcpus):
        instance = self.instance(server)
        intent.Intent(vcpus, None, True, 'req-x').write(instance)
        instance.task_state = 'xloud_adjusting'
        instance.save()

    def test_stuck_task_state_is_cleared(self):
        server = self.boot()
        instance = self.instance(server)
        instance.task_state = 'xloud_adjusting'
        instance.save()
        self.run_periodics()
        self.assertEqual(
            'xloud_adjusting', self.instance(server).task_state)
        self.flags(rpc_response_timeout=0)
        self.run_periodics()
        self.assertSize(server, 1, 1024)
        self.assertUsed(1, 1024)

    def test_late_unplug_is_noticed(self):
        server = self.boot()
        self.adjust(server, vcpus=3)
        self.guest(server)._def['xloud']['vcpus'] = 2
        self.run_periodics()
        self.assertSize(server, 3, 1024, guest=(2, 1024))
        self.assertUsed(3, 1024)

    def test_guest_that_boots_is_given_time(self):
        server = self.boot()
        self.guest(server)._def['xloud']['kib'] = 4096 * 1024
        self.run_periodics()
        self.assertEqual((1, 1024), self.held(server))
        self.run_periodics()
        self.assertSize(
            server, 1, 1024, guest=(1, 4096), held=(1, 4096))

    def test_memory_that_nobody_holds_is_a_server_action(self):
        server = self.boot()
        self.guests.has_balloon_driver = False
        self.guest(server)._def['xloud']['kib'] = 4096 * 1024
        self.run_periodics()
        self.run_periodics()
        self.assertSize(
            server, 1, 1024, guest=(1, 4096), held=(1, 4096))
        newest, created = self.api.get_instance_actions(server['id'])
        self.assertEqual(('xloud_overuse', 'Error'),
                         (newest['action'], newest['message']))
        self.assertEqual('create', created['action'])
        event, = self.api.api_get('/servers/%s/os-instance-actions/%s' % (
            server['id'], newest['request_id'])
        ).body['instanceAction']['events']
        self.assertEqual('Error', event['result'])
        self.assertIn('4096 MiB, more than', event['details'])

    def test_placement_fails_at_release(self):
        server = self.boot()
        self.adjust(server, vcpus=4)
        with self.placement_down(server):
            self.adjust(server, vcpus=2)
        self.assertEqual((4, 1024), self.held(server))
        self.run_periodics()
        self.assertSize(server, 2, 1024)
        self.assertUsed(2, 1024)

    def test_placement_fails_when_a_server_is_shelved(self):
        self.flags(shelved_offload_time=-1)
        server = self.boot()
        self.adjust(server, vcpus=3, persist=False)
        with self.placement_down(server):
            self.act(server, 'shelve', 'SHELVED')
        self.assertEqual((3, 1024), self.held(server))
        self.run_periodics()
        self.assertSize(server, 1, 1024)
        self.assertUsed(1, 1024)

    def test_server_is_deleted_but_may_be_restored(self):
        self.flags(reclaim_instance_interval=3600)
        server = self.boot()
        self.adjust(server, vcpus=3, persist=False)
        self.api.delete_server(server['id'])
        self._wait_for_state_change(server, 'SOFT_DELETED')
        self.run_periodics()
        self.assertSize(server, 1, 1024)
        self.act(server, 'restore', 'ACTIVE')
        self.run_periodics()
        self.assertSize(server, 1, 1024)
        self.assertUsed(1, 1024)
