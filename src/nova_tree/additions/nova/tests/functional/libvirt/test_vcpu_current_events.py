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

"""Notifications about adjusts, and about servers with a floor.

Versioned and legacy notifications are compared, of one adjust after another.
"""

import os
import threading
from unittest import mock

import fixtures
from oslo_serialization import jsonutils

from nova.compute import utils as compute_utils
from nova import context as nova_context
from nova.tests.functional.libvirt import test_vcpu_current
from nova.virt.libvirt import driver
from nova.xloud import exception
from nova.xloud import rpcapi

_SIZES = ('old_vcpus', 'old_memory_mb', 'asked_vcpus', 'asked_memory_mb',
          'new_vcpus', 'new_memory_mb', 'persist')


class EventsTestBase(test_vcpu_current.AdjustTestBase):
    """A server of 1..4 vCPUs and 1024..4096 MiB; the bus is empty."""

    def setUp(self):
        super().setUp()
        self.server = self.boot()
        self.notifier.reset()

    def versioned(self, action):
        """Return the versioned notifications of an action of servers."""
        return [each for each in self.notifier.versioned_notifications
                if each['event_type'].startswith('instance.%s' % action)]

    def legacy(self, action):
        """Return the legacy notifications of an action of servers."""
        return [each for each in self.notifier.notifications
                if each.event_type.startswith('compute.instance.%s' % action)]

    def wait(self, number):
        """Wait for a number of both notifications of adjusts."""
        def find():
            self.assertEqual(
                (number, number), (len(self.versioned('xloud_adjust')),
                                   len(self.legacy('xloud_adjust'))))
        self._wait_for_assert(find)

    def assertTold(self, *expected):
        """Compare the notifications of adjusts.

        :param expected: phase, and the sizes in the order of _SIZES
        """
        self.wait(len(expected))
        versioned = [
            (each['event_type'].rpartition('.')[2],) + tuple(
                each['payload']['nova_object.data'][name] for name in _SIZES)
            for each in self.versioned('xloud_adjust')]
        legacy = [
            (each.event_type.rpartition('.')[2],) + tuple(
                each.payload[name] for name in _SIZES)
            for each in self.legacy('xloud_adjust')]
        self.assertEqual(list(expected), versioned)
        self.assertEqual(list(expected), legacy)


class AdjustEventsTest(EventsTestBase):

    def test_a_success_is_a_start_and_an_end(self):
        self.adjust(self.server, vcpus=3, memory_mb=2048)
        self.assertTold(
            ('start', 1, 1024, 3, 2048, 1, 1024, True),
            ('end', 1, 1024, 3, 2048, 3, 2048, True))
        request_id = self.api.get_instance_actions(
            self.server['id'])[0]['request_id']
        start, end = [each['payload']['nova_object.data']
                      for each in self.versioned('xloud_adjust')]
        self.assertEqual(
            ('xloud_adjusting', None), (start['task_state'],
                                        end['task_state']))
        for each in self.versioned('xloud_adjust'):
            self.assertEqual('INFO', each['priority'])
            self.assertEqual('nova-compute:one', each['publisher_id'])
            data = each['payload']['nova_object.data']
            self.assertEqual(self.server['id'], data['uuid'])
            self.assertEqual(request_id, data['request_id'])
            self.assertIsNone(data['fault'])
        for each in self.legacy('xloud_adjust'):
            self.assertEqual('INFO', each.priority)
            self.assertEqual('compute.one', each.publisher_id)
            self.assertEqual(self.server['id'], each.payload['instance_id'])
            self.assertEqual(request_id, each.payload['request_id'])

    def test_one_figure_and_no_persist(self):
        self.adjust(self.server, memory_mb=2048, persist=False)
        self.assertTold(
            ('start', 1, 1024, None, 2048, 1, 1024, False),
            ('end', 1, 1024, None, 2048, 1, 2048, False))

    def test_a_stopped_server_is_told_too(self):
        self.act(self.server, 'os-stop', 'SHUTOFF')
        self.adjust(self.server, vcpus=2)
        self.assertTold(
            ('start', 1, 1024, 2, None, 1, 1024, True),
            ('end', 1, 1024, 2, None, 2, 1024, True))

    def test_a_failure_is_a_start_and_an_error(self):
        self.adjust(self.server, vcpus=3)
        self.notifier.reset()
        self.guests.unplugs = False
        self.flags(unplug_timeout=6, group='xloud')
        with mock.patch('nova.virt.libvirt.xloud._Patience.is_over',
                        return_value=True):
            self.adjust(self.server, vcpus=1, expected='Error')
        self.assertTold(
            ('start', 3, 1024, 1, None, 3, 1024, True),
            ('error', 3, 1024, 1, None, 3, 1024, True))
        error = self.versioned('xloud_adjust')[1]
        self.assertEqual('ERROR', error['priority'])
        fault = error['payload']['nova_object.data']['fault'][
            'nova_object.data']
        self.assertEqual('AdjustFailed', fault['exception'])
        self.assertIn('has not given up its vCPUs',
                      fault['exception_message'])
        legacy = self.legacy('xloud_adjust')[1]
        self.assertEqual('ERROR', legacy.priority)
        self.assertIn('has not given up its vCPUs',
                      legacy.payload['message'])

    def test_a_refusal_of_the_host_is_an_error_of_nova_api(self):
        refusal = exception.AdjustNoCapacity(asked=1, resource='VCPU')
        with mock.patch.object(
                rpcapi.XloudAPI, 'adjust', side_effect=refusal):
            self.refused(self.server, 409, current_vcpus=2)
        self.assertTold(('error', 1, 1024, 2, None, 1, 1024, True))
        self.assertTrue(self.versioned('xloud_adjust')[0][
            'publisher_id'].startswith('nova-api:'))

    def test_what_was_never_accepted_is_not_told(self):
        self.refused(self.server, 400, current_vcpus=5)
        self.api.api_post('/os-xloud-adjust/%s' % self.server['id'],
                          {'current_vcpus': 1})
        self.assertTold()

    def test_versioned_only(self):
        self.flags(notification_format='versioned', group='notifications')
        with mock.patch('nova.rpc.get_notifier') as get_notifier:
            self.adjust(self.server, vcpus=2)
            self._wait_for_assert(lambda: self.assertEqual(
                2, len(self.versioned('xloud_adjust'))))
        # as Nova does it: the notifier is asked, and has no driver then
        self.assertTrue(get_notifier.called)

    def test_unversioned_only(self):
        self.flags(notification_format='unversioned', group='notifications')
        self.adjust(self.server, vcpus=2)
        self._wait_for_assert(lambda: self.assertEqual(
            2, len(self.legacy('xloud_adjust'))))
        self.assertEqual([], self.versioned('xloud_adjust'))


class BusDownTest(EventsTestBase):
    """The bus takes nothing: adjusts do not depend on it."""

    def setUp(self):
        super().setUp()
        self.may_go_on = threading.Event()
        self.addCleanup(self.may_go_on.set)

    def test_a_bus_that_fails(self):
        with mock.patch('nova.rpc.get_versioned_notifier',
                        side_effect=ValueError('no bus')):
            with mock.patch('nova.rpc.get_notifier',
                            side_effect=ValueError('no bus')):
                self.adjust(self.server, vcpus=2)
                self.adjust(self.server, vcpus=3)
        self.assertSize(self.server, 3, 1024)
        self.assertUsed(3, 1024)

    def test_a_bus_that_hangs_holds_no_adjust(self):
        emit = compute_utils.notify_about_instance_usage

        def hang(*args, **kwargs):
            self.assertTrue(self.may_go_on.wait(60))
            emit(*args, **kwargs)

        self.useFixture(fixtures.MonkeyPatch(
            'nova.compute.utils.notify_about_instance_usage', hang))
        for vcpus in (2, 3, 4):
            self.adjust(self.server, vcpus=vcpus)
        self.assertSize(self.server, 4, 1024)
        self.assertEqual([], self.legacy('xloud_adjust'))
        self.may_go_on.set()
        # all are told then, in their order
        self.assertTold(*(
            (phase, vcpus - 1, 1024, vcpus, None, now, 1024, True)
            for vcpus in (2, 3, 4)
            for phase, now in (('start', vcpus - 1), ('end', vcpus))))


class NovasEventsTest(EventsTestBase):
    """Nova's own notifications tell the current size."""

    def assertFigures(self, action, vcpus, memory_mb, server=None):
        """Compare the figures in all notifications of an action."""
        server = server or self.server
        versioned = [each['payload']['nova_object.data']
                     for each in self.versioned(action)
                     if each['payload']['nova_object.data']['uuid'] ==
                     server['id']]
        self.assertNotEqual([], versioned)
        for data in versioned:
            flavor = data['flavor']['nova_object.data']
            self.assertEqual((vcpus, memory_mb),
                             (flavor['vcpus'], flavor['memory_mb']))
        legacy = [each.payload for each in self.legacy(action)
                  if each.payload['instance_id'] == server['id']]
        self.assertNotEqual([], legacy)
        for payload in legacy:
            self.assertEqual((vcpus, memory_mb),
                             (payload['vcpus'], payload['memory_mb']))

    def _exists(self, server):
        host = self.host_of(server)
        self.notifier.reset()
        compute_utils.notify_usage_exists(
            host.manager.notifier, nova_context.get_admin_context(),
            self.instance(server), 'one', current_period=True)

    def test_create_tells_the_floor(self):
        server = self.boot()
        self.assertFigures('create', 1, 1024, server)

    def test_exists_and_others_tell_the_current_size(self):
        self.flags(notify_on_state_change='vm_and_task_state',
                   group='notifications')
        self.adjust(self.server, vcpus=3, memory_mb=2048)
        self.assertFigures('xloud_adjust.end', 3, 2048)
        self._exists(self.server)
        self.assertFigures('exists', 3, 2048)
        self.act(self.server, 'os-stop', 'SHUTOFF')
        self.assertFigures('power_off', 3, 2048)
        self.assertFigures('update', 3, 2048)
        self.api.delete_server(self.server['id'])
        self._wait_until_deleted(self.server)
        self._wait_for_assert(
            lambda: self.assertFigures('delete.end', 3, 2048))

    def test_without_persist_it_is_the_size_of_the_guest(self):
        self.adjust(self.server, vcpus=3, persist=False)
        self._exists(self.server)
        self.assertFigures('exists', 3, 1024)
        self.act(self.server, 'os-stop', 'SHUTOFF')
        self._exists(self.server)
        self.assertFigures('exists', 1, 1024)

    def test_a_resize_tells_the_flavor_that_the_server_goes_to(self):
        self.flags(allow_resize_to_same_host=True)
        self.useFixture(fixtures.MockPatchObject(
            driver.LibvirtDriver, 'migrate_disk_and_power_off',
            return_value='{}'))
        bigger = self.create_flavor(8, 8192, test_vcpu_current.FLOORS)
        self.adjust(self.server, vcpus=2)
        self.act(self.server, 'resize', 'VERIFY_RESIZE', flavorRef=bigger)
        prepared = self.versioned('resize_prep.start')[0]['payload'][
            'nova_object.data']
        self.assertEqual(8, prepared['new_flavor']['nova_object.data'][
            'vcpus'])
        self.assertFigures('resize', 2, 1024)

    def test_the_flavor_in_the_api_stays_the_maximum(self):
        self.adjust(self.server, vcpus=3)
        flavor = self.api.get_server(self.server['id'])['flavor']
        self.assertEqual((4, 4096), (flavor['vcpus'], flavor['ram']))

    def test_a_server_without_a_floor_tells_its_flavor(self):
        server = self.boot(self.create_flavor(2, 2048, {}))
        self.assertFigures('create', 2, 2048, server)
        self._exists(server)
        self.assertFigures('exists', 2, 2048, server)


class LifeEventsTest(EventsTestBase):
    """One server from its start to its end, for those who read the bus.

    ``python -m tests.nova.ceilometer`` of nova-xloud has the legacy
    notifications written down, and Ceilometer read them.
    """

    def test_a_life(self):
        server = self.boot()
        self.adjust(server, vcpus=3, memory_mb=2048)
        self.adjust(server, memory_mb=1024, persist=False)
        self.guests.unplugs = False
        with mock.patch('nova.virt.libvirt.xloud._Patience.is_over',
                        return_value=True):
            self.adjust(server, vcpus=1, expected='Error')
        compute_utils.notify_usage_exists(
            self.host_of(server).manager.notifier,
            nova_context.get_admin_context(), self.instance(server), 'one',
            current_period=True)
        self.wait(6)
        self.assertEqual(
            ['start', 'end', 'start', 'end', 'start', 'error'],
            [each.event_type.rpartition('.')[2]
             for each in self.legacy('xloud_adjust')])
        self._write_down()

    def _write_down(self):
        """Write the notifications where the environment says, if it does."""
        directory = os.environ.get('NOVA_XLOUD_NOTES')
        if directory:
            with open(os.path.join(directory, 'legacy.json'), 'w') as out:
                jsonutils.dump([
                    {'event_type': each.event_type,
                     'priority': each.priority,
                     'publisher_id': each.publisher_id,
                     'payload': each.payload}
                    for each in self.legacy('')], out)
