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

from oslo_messaging.rpc import dispatcher

from nova.compute import manager
from nova import test
from nova.tests.unit.xloud import base
from nova.xloud.compute import endpoint
from nova.xloud import exception
from nova.xloud.size import GuestSize


class EndpointTestCase(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.looks = mock.Mock()
        self.adjuster = mock.Mock()
        self.endpoint = endpoint.Endpoint(self.looks, self.adjuster)

    def test_ping(self):
        self.assertTrue(self.endpoint.ping(mock.sentinel.ctxt))

    def test_adjust(self):
        self.endpoint.adjust(
            mock.sentinel.ctxt, instance=mock.sentinel.instance, vcpus=1,
            memory_mb=2, persist=False)
        self.adjuster.begin.assert_called_once_with(
            mock.sentinel.ctxt, mock.sentinel.instance, 1, 2, False)

    def test_refusal_is_no_error_of_the_host(self):
        self.adjuster.begin.side_effect = exception.AdjustNotSupported(
            reason='x')
        self.assertRaises(
            dispatcher.ExpectedException, self.endpoint.adjust,
            mock.sentinel.ctxt, mock.sentinel.instance, 1, 2, False)

    def test_status_is_the_guests(self):
        self.looks.size.return_value = GuestSize(
            3, 2048, True, 512, True, online_vcpus=2)
        self.assertEqual(
            {'current_vcpus': 3, 'current_memory_mb': 2048,
             'balloon_driver_active': True, 'attached_dimms_mb': 512,
             'has_virtiomem': True, 'guest_online_vcpus': 2},
            self.endpoint.get_status(
                mock.sentinel.ctxt, base.make_instance()))

    def test_status_without_a_guest_is_what_is_recorded(self):
        self.looks.size.return_value = None
        self.assertEqual(
            {'current_vcpus': 2, 'current_memory_mb': 2048,
             'balloon_driver_active': False, 'attached_dimms_mb': 0,
             'has_virtiomem': False, 'guest_online_vcpus': None},
            self.endpoint.get_status(
                mock.sentinel.ctxt, base.make_instance(size=(2, 2048))))

    def test_a_guest_that_hangs_is_no_error_of_the_host(self):
        self.looks.size.side_effect = exception.AdjustGuestSilent(server='x')
        self.assertRaises(
            dispatcher.ExpectedException, self.endpoint.get_status,
            mock.sentinel.ctxt, base.make_instance())

    def test_nova_compute_has_the_endpoint(self):
        compute = manager.ComputeManager(
            compute_driver='fake.SmallFakeDriver')
        found = [each for each in compute.additional_endpoints
                 if isinstance(each, endpoint.Endpoint)]
        self.assertEqual([compute.xloud.endpoint], found)
        self.assertEqual('xloud', found[0].target.namespace)
        self.assertEqual('1.0', found[0].target.version)
