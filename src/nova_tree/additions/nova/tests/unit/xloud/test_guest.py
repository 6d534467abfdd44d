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

from nova import test
from nova.tests.unit.xloud import base
from nova.virt import driver
from nova.xloud.compute import guest
from nova.xloud import exception
from nova.xloud.size import Size


class GuestTestCase(test.NoDBTestCase):
    """The changes; what comes of them is in the tests of the Adjuster."""

    def setUp(self):
        super().setUp()
        self.driver = base.FakeDriver(2, 2048)
        self.instance = base.make_instance(size=(2, 2048))

    def test_driver_cannot_tell_the_size(self):
        self.assertRaises(exception.AdjustNotSupported, guest.size,
                          driver.ComputeDriver(None), self.instance)

    def test_it_has_what_was_asked_for(self):
        self.assertEqual(
            (Size(3, 1024), None),
            guest.change(self.driver, self.instance, 3, 1024))

    def test_only_what_was_asked_for_is_changed(self):
        self.assertEqual(
            (Size(1, 2048), None),
            guest.change(self.driver, self.instance, 1, None))
        self.assertEqual([('vcpus', 1)], self.driver.calls)

    def test_unplug_is_ended(self):
        guest.end_unplug(self.driver, self.instance, 1)
        self.assertEqual([('vcpus', 1)], self.driver.calls)

    def test_nothing_to_unplug(self):
        guest.end_unplug(self.driver, self.instance, 2)
        guest.end_unplug(self.driver, self.instance, 3)
        guest.end_unplug(self.driver, self.instance, None)
        self.driver.guest = None
        guest.end_unplug(self.driver, self.instance, 1)
        self.assertEqual([], self.driver.calls)

    def test_unplug_is_refused(self):
        self.driver.failing['vcpus', 1] = 2
        guest.end_unplug(self.driver, self.instance, 1)
        self.assertEqual(
            2, guest.size(self.driver, self.instance).vcpus)
