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
import oslo_messaging as messaging

from nova.compute import rpcapi as compute_rpcapi
from nova import context
from nova import exception as nova_exception
from nova import test
from nova.tests.unit.xloud import base
from nova.xloud import exception
from nova.xloud import rpcapi


class XloudAPITestCase(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.api = rpcapi.XloudAPI()
        self.client = mock.Mock()
        self.call = self.client.prepare.return_value.call
        self.useFixture(fixtures.MockPatchObject(
            self.api.router, 'client', return_value=self.client))
        self.context = context.get_admin_context()
        self.instance = base.make_instance()

    def _adjust(self):
        return self.api.adjust(self.context, self.instance, 2, None, True)

    def test_namespace_and_version_are_our_own(self):
        target = self.api.router.target
        self.assertEqual(
            ('compute', 'xloud', '1.0'),
            (target.topic, target.namespace, target.version))

    def test_adjust(self):
        self._adjust()
        self.client.prepare.assert_called_once_with(server='host')
        self.call.assert_called_once_with(
            self.context, 'adjust', instance=self.instance, vcpus=2,
            memory_mb=None, persist=True)

    def test_status_does_not_wait_long(self):
        self.assertIs(self.call.return_value, self.api.get_status(
            self.context, self.instance))
        self.client.prepare.assert_called_once_with(
            server='host', timeout=5)
        self.call.assert_called_once_with(
            self.context, 'get_status', instance=self.instance)

    def test_server_without_host(self):
        self.instance.host = None
        self.assertRaises(nova_exception.NovaException, self._adjust)
        self.call.assert_not_called()

    def test_host_answers_with_an_error(self):
        for error, expected in (
                (messaging.UnsupportedVersion('1.0'),
                 exception.AdjustHostTooOld),
                (messaging.RemoteError('UnsupportedVersion', 'x'),
                 exception.AdjustHostTooOld),
                (messaging.RemoteError('NoSuchMethod', 'x'),
                 exception.AdjustHostTooOld),
                (messaging.MessagingTimeout(), exception.AdjustTimeout),
                (messaging.MessageDeliveryFailure(),
                 exception.AdjustHostUnreachable),
                (messaging.MessagingException(),
                 exception.AdjustHostUnreachable),
                (messaging.RemoteError('AdjustNoCapacity', 'full'),
                 exception.AdjustNoCapacity),
                (messaging.RemoteError('ValueError', 'x'),
                 messaging.RemoteError)):
            self.call.side_effect = error
            self.assertRaises(expected, self._adjust)

    def test_what_the_host_says_is_told(self):
        self.call.side_effect = messaging.RemoteError(
            'AdjustNoCapacity', 'it is full')
        error = self.assertRaises(exception.AdjustNoCapacity, self._adjust)
        self.assertEqual('it is full', error.format_message())

    def test_novas_compute_api_has_it(self):
        self.assertIsInstance(
            compute_rpcapi.ComputeAPI().xloud(), rpcapi.XloudAPI)
