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
from nova.virt import driver
from nova.xloud.compute import guest
from nova.xloud import exception
from nova.xloud.size import Size


class GuestTestCase(test.NoDBTestCase):
    """The changes; their outcomes are in the tests of the Adjuster."""

    def setUp(self):
        super().setUp()
        self.driver = base.FakeDriver(2, 2048)
        self.instance = base.make_instance(size=(2, 2048))

    def test_driver_cannot_tell_the_size(self):
        self.assertRaises(exception.AdjustNotSupported, guest.size,
                          driver.ComputeDriver(None), self.instance)

    def test_it_has_what_was_asked_for(self):
        self.assertEqual(
            (Size(3, 1024), None, None),
            guest.change(self.driver, self.instance, 3, 1024))

    def test_only_what_was_asked_for_is_changed(self):
        self.assertEqual(
            (Size(1, 2048), None, None),
            guest.change(self.driver, self.instance, 1, None))
        self.assertEqual([('vcpus', 1)], self.driver.calls)

    def test_the_guest_says_how_many_vcpus_it_uses(self):
        with mock.patch.object(
                self.driver, 'set_current_vcpus', return_value=3):
            self.assertEqual(
                (Size(3, 1024), None, 3),
                guest.change(self.driver, self.instance, 3, 1024))

    def test_vcpus_that_stay_unused_are_not_taken_for_done(self):
        def plug(instance, vcpus):
            self.driver.guest = self.driver.guest._replace(vcpus=vcpus)
            raise exception.AdjustUnused(asked=vcpus, used=2)

        with mock.patch.object(self.driver, 'set_current_vcpus', plug):
            outcome = guest.change(self.driver, self.instance, 3, None)
        self.assertEqual(Size(3, 2048), outcome.size)
        self.assertIn('uses only 2 of the 3', outcome.reason)

    def test_driver_without_agents(self):
        self.assertIsNone(guest.online_vcpus(
            driver.ComputeDriver(None), self.instance))

    def test_driver_that_cannot_ask(self):
        asks = mock.Mock()
        asks.get_guest_vcpus.side_effect = ValueError('no libvirt')
        self.assertIsNone(guest.online_vcpus(asks, self.instance))
        self.assertIn('no libvirt', self.stdlog.logger.output)

    def test_unplug_is_ended(self):
        self.assertEqual((True, None), guest.end_vcpus(
            self.driver, self.instance, 1))
        self.assertEqual([('vcpus', 1)], self.driver.calls)

    def test_nothing_to_unplug(self):
        guest.end_vcpus(self.driver, self.instance, 2)
        guest.end_vcpus(self.driver, self.instance, 3)
        guest.end_vcpus(self.driver, self.instance, None)
        self.driver.guest = None
        guest.end_vcpus(self.driver, self.instance, 1)
        self.assertEqual([], self.driver.calls)

    def test_unplug_is_refused(self):
        self.driver.failing['vcpus', 1] = 2
        guest.end_vcpus(self.driver, self.instance, 1)
        self.assertEqual(
            2, guest.size(self.driver, self.instance).vcpus)

    def test_what_was_given_is_to_be_used(self):
        self.driver.guest = self.driver.guest._replace(vcpus=3)
        with mock.patch.object(
                self.driver, 'set_current_vcpus', return_value=3):
            self.assertEqual((True, 3), guest.end_vcpus(
                self.driver, self.instance, 3))
        with mock.patch.object(
                self.driver, 'set_current_vcpus',
                side_effect=exception.AdjustUnused(asked=3, used=2)):
            self.assertEqual((False, None), guest.end_vcpus(
                self.driver, self.instance, 3))
