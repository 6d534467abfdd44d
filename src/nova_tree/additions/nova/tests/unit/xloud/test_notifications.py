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

import futurist
from oslo_utils.fixture import uuidsentinel as uuids

from nova import exception as nova_exception
from nova.network import model
from nova import objects
from nova.objects import fields
from nova.tests import fixtures as nova_fixtures
from nova.tests.unit.xloud import base
from nova.xloud import exception
from nova.xloud import intent as xloud_intent
from nova.xloud import notifications
from nova.xloud.size import Size

REQUEST = 'req-of-the-adjust'


class NotifierTestCase(base.ServerTestCase):
    """An adjust from 1 vCPU to the 2 that the server has now."""

    def setUp(self):
        super().setUp()
        self.bus = self.useFixture(nova_fixtures.NotificationFixture(self))
        self.flags(api_servers=['http://image'], group='glance')
        self.patch('nova.notifications.objects.instance.BlockDevicePayload.'
                   'from_instance', return_value=[])
        self.instance.info_cache = objects.InstanceInfoCache(
            network_info=model.NetworkInfo(), instance_uuid=uuids.server)
        for name, value in (
                ('display_description', 'text'), ('reservation_id', 'r-1'),
                ('hostname', 'server'), ('availability_zone', 'nova'),
                ('image_ref', uuids.image), ('metadata', {}),
                ('auto_disk_config', False), ('progress', 0),
                ('power_state', 1), ('instance_type_id', 1),
                ('cell_name', None), ('architecture', None),
                ('os_type', None), ('kernel_id', ''), ('ramdisk_id', ''),
                ('key_name', None), ('access_ip_v4', None),
                ('access_ip_v6', None), ('terminated_at', None),
                ('deleted_at', None)):
            setattr(self.instance, name, value)
        self.instance.flavor.disabled = False
        self.instance.flavor.is_public = True
        self.intent = xloud_intent.Intent(
            2, None, True, REQUEST, Size(1, 2048))
        self.intent.write(self.instance)
        self.notifier = notifications.Notifier(
            'host', fields.NotificationSource.COMPUTE)

    def _fault(self):
        """Return the fault of the only versioned notification."""
        notification, = self.bus.versioned_notifications
        self.assertEqual('ERROR', notification['priority'].upper())
        self.assertEqual(
            'instance.xloud_adjust.error', notification['event_type'])
        return notification['payload']['nova_object.data']['fault'][
            'nova_object.data']

    def test_figures_are_the_same_in_both(self):
        self.notifier.start(self.context, self.instance)
        notification, = self.bus.versioned_notifications
        legacy, = self.bus.notifications
        self.assertEqual('compute.instance.xloud_adjust.start',
                         legacy.event_type)
        data = notification['payload']['nova_object.data']
        for name, value in (
                ('old_vcpus', 1), ('old_memory_mb', 2048),
                ('asked_vcpus', 2), ('asked_memory_mb', None),
                ('new_vcpus', 2), ('new_memory_mb', 2048),
                ('persist', True), ('request_id', REQUEST)):
            self.assertEqual(value, data[name], name)
            self.assertEqual(value, legacy.payload[name], name)

    def test_an_intent_that_has_no_size_of_before(self):
        self.intent.before = None
        self.notifier.end(self.context, self.instance, self.intent, None)
        notification, = self.bus.versioned_notifications
        self.assertEqual(
            'instance.xloud_adjust.end', notification['event_type'])
        self.assertIsNone(
            notification['payload']['nova_object.data']['old_vcpus'])

    def test_error_that_was_raised(self):
        try:
            raise nova_exception.InstanceNotFound(instance_id='x')
        except nova_exception.NovaException as raised:
            error = raised
        self.notifier.end(self.context, self.instance, self.intent, error)
        fault = self._fault()
        self.assertEqual('InstanceNotFound', fault['exception'])
        self.assertIn('Traceback', fault['traceback'])

    def test_error_that_was_not_raised(self):
        error = exception.AdjustError('why', internal='secret')
        self.notifier.end(self.context, self.instance, self.intent, error)
        fault = self._fault()
        self.assertEqual(
            ('AdjustError', 'why', ''),
            (fault['exception'], fault['exception_message'],
             fault['traceback']))

    def test_words_of_the_reconciliation(self):
        self.notifier.end(self.context, self.instance, self.intent, 'why')
        self.assertEqual('why', self._fault()['exception_message'])
        legacy, = self.bus.notifications
        self.assertEqual('why', legacy.payload['message'])

    def test_an_adjust_that_another_has_ended_is_not_told(self):
        self.notifier.end(self.context, self.instance, None, None)
        xloud_intent.Intent.drop(self.instance)
        self.notifier.start(self.context, self.instance)
        self.assertEqual([], self.bus.versioned_notifications)
        self.assertEqual([], self.bus.notifications)

    def test_what_is_told_is_what_was(self):
        later = []
        notifier = notifications.Notifier(
            'host', fields.NotificationSource.COMPUTE,
            submit=lambda *args: later.append(args))
        notifier.start(self.context, self.instance)
        self.assertEqual([], self.bus.notifications)
        self.instance.system_metadata['xloud_current_vcpus'] = '4'
        self.instance.task_state = 'rebooting'
        for function, *arguments in later:
            function(*arguments)
        legacy, = self.bus.notifications
        self.assertEqual((2, 2, ''), (
            legacy.payload['vcpus'], legacy.payload['new_vcpus'],
            legacy.payload['state_description']))

    def test_too_many_wait(self):
        notifier = notifications.Notifier(
            'host', fields.NotificationSource.COMPUTE,
            submit=mock.Mock(side_effect=futurist.RejectedSubmission))
        notifier.start(self.context, self.instance)
        self.assertIn('could not be sent', self.stdlog.logger.output)

    def test_one_that_fails_does_not_keep_the_other(self):
        self.patch('nova.rpc.get_versioned_notifier', side_effect=ValueError)
        self.notifier.start(self.context, self.instance)
        self.assertEqual(1, len(self.bus.notifications))
        self.assertIn('could not be sent', self.stdlog.logger.output)
