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
from nova.xloud import payloads


class PayloadsTestCase(test.NoDBTestCase):

    def _tell(self, instance):
        """Return the figures of both payloads."""
        info = {'vcpus': 7, 'memory_mb': 8, 'disk_gb': 9}
        payload = mock.Mock(**info)
        payloads.tell_current(payload, instance)
        payloads.tell_current_legacy(info, instance)
        self.assertEqual(9, info['disk_gb'])
        self.assertEqual((payload.vcpus, payload.memory_mb),
                         (info['vcpus'], info['memory_mb']))
        return payload.vcpus, payload.memory_mb

    def test_the_current_size(self):
        self.assertEqual((2, 2048), self._tell(
            base.make_instance(size=(2, 2048))))

    def test_the_size_of_the_guest_before_the_recorded_one(self):
        instance = base.make_instance(size=(2, 2048))
        instance.system_metadata.update(
            xloud_live_vcpus='3', xloud_live_memory_mb='3072')
        self.assertEqual((3, 3072), self._tell(instance))

    def test_one_floor_is_a_floor(self):
        flavor = base.make_flavor(minimum_cpu='1')
        self.assertEqual((2, 4096), self._tell(
            base.make_instance(flavor, size=(2, 4096))))

    def test_without_a_floor_nothing_is_touched(self):
        self.assertEqual((7, 8), self._tell(
            base.make_instance(base.make_flavor())))
