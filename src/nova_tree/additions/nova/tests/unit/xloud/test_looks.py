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


import threading
from unittest import mock

import fixtures
from oslo_utils.fixture import uuidsentinel as uuids

from nova import test
from nova.tests.unit.xloud import base
from nova.xloud.compute import looks
from nova.xloud import exception
from nova.xloud.size import GuestSize

PATIENCE = 30


class LooksTestCase(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.instance = base.make_instance()
        self.size = GuestSize(2, 2048, True, 0, False)
        self.driver = mock.Mock()
        self.driver.get_current_size.return_value = self.size
        self.driver.get_guest_vcpus.return_value = None
        self.looks = looks.Looks(self.driver)

    def look(self, instance=None, patience=PATIENCE, **kwargs):
        return self.looks.size(instance or self.instance, patience, **kwargs)

    def hang(self):
        """Have the hypervisor answer no look until it may."""
        answers = threading.Event()
        self.addCleanup(answers.set)
        self.asked = threading.Semaphore(0)

        def get_current_size(instance):
            self.asked.release()
            answers.wait(PATIENCE)
            return self.size

        self.driver.get_current_size.side_effect = get_current_size
        return answers

    def asks(self):
        return self.driver.get_current_size.call_count

    def test_each_look_is_a_new_one(self):
        self.assertEqual(self.size, self.look())
        self.driver.get_current_size.return_value = None
        self.assertIsNone(self.look())
        self.assertEqual({}, self.looks._under_way)

    def test_the_error_of_a_look_is_its_own(self):
        self.driver.get_current_size.side_effect = ValueError
        self.assertRaises(ValueError, self.look)
        self.driver.get_current_size.side_effect = None
        self.assertEqual(self.size, self.look())

    def test_driver_cannot_tell(self):
        self.driver.get_current_size.side_effect = NotImplementedError
        self.assertRaises(exception.AdjustNotSupported, self.look)

    def test_callers_share_a_look(self):
        answers = self.hang()
        sizes = []
        callers = [threading.Thread(target=lambda: sizes.append(self.look()))
                   for _ in range(64)]
        for caller in callers:
            caller.start()
        self.assertTrue(self.asked.acquire(timeout=PATIENCE))
        answers.set()
        for caller in callers:
            caller.join()
        self.assertEqual([self.size] * 64, sizes)
        self.assertLess(self.asks(), 64)

    def test_a_guest_that_hangs_is_waited_for_once(self):
        answers = self.hang()
        self.assertRaises(
            exception.AdjustGuestSilent, self.look, patience=0.1)
        # the look has had its time, so nobody else waits
        with mock.patch.object(looks.time, 'monotonic', return_value=1e9):
            self.assertRaises(exception.AdjustGuestSilent, self.look)
        self.assertEqual(1, self.asks())
        answers.set()
        self.assertEqual(self.size, self.look())

    def test_a_guest_that_hangs_does_not_hold_up_another(self):
        self.hang()
        self.assertRaises(exception.AdjustGuestSilent, self.look, patience=0)
        self.driver.get_current_size.side_effect = None
        other = base.make_instance(uuid=uuids.other)
        self.assertEqual(self.size, self.look(other))

    def test_a_look_of_before_does_not_count_where_time_matters(self):
        answers = self.hang()
        self.assertRaises(exception.AdjustGuestSilent, self.look, patience=0)
        self.assertTrue(self.asked.acquire(timeout=PATIENCE))
        since = looks.time.monotonic()
        answers.set()
        self.assertEqual(self.size, self.look(since=since))
        self.assertEqual(2, self.asks())

    def test_the_guest_tells_how_many_vcpus_it_uses(self):
        self.driver.get_guest_vcpus.return_value = 1
        self.assertEqual(1, self.look().online_vcpus)

    def test_an_agent_that_others_may_talk_with_is_not_asked(self):
        self.instance.task_state = 'image_snapshot'
        self.assertIsNone(self.look().online_vcpus)
        self.driver.get_guest_vcpus.assert_not_called()

    def test_without_a_guest_there_is_no_agent(self):
        self.driver.get_current_size.return_value = None
        self.assertIsNone(self.look())
        self.driver.get_guest_vcpus.assert_not_called()

    def test_an_agent_that_hangs_is_waited_for_once(self):
        answers = threading.Event()
        self.addCleanup(answers.set)
        self.driver.get_guest_vcpus.side_effect = (
            lambda instance: answers.wait(PATIENCE))
        self.useFixture(fixtures.MonkeyPatch(
            'nova.xloud.compute.looks._AGENT_PATIENCE', 0.1))
        # the figures of the hypervisor are there all the same
        self.assertEqual(self.size, self.look())
        with mock.patch.object(looks.time, 'monotonic', return_value=1e9):
            self.assertEqual(self.size, self.look(patience=1e9))
        self.assertEqual(1, self.driver.get_guest_vcpus.call_count)
