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

from nova import objects
from nova import test
from nova.tests.unit.xloud import base
from nova.xloud import size
from nova.xloud.size import Size


class BoundsTestCase(test.NoDBTestCase):

    def test_floor_to_maximum(self):
        self.assertEqual(
            (1, 4, 1024, 4096), size.bounds(base.make_flavor(**base.FLOORS)))

    def test_resource_without_a_floor_stays_at_its_maximum(self):
        flavor = base.make_flavor(minimum_cpu='2')
        self.assertEqual((2, 4, 4096, 4096), size.bounds(flavor))
        self.assertEqual(Size(2, 4096), size.floor(flavor))
        self.assertEqual(Size(4, 4096), size.maximum(flavor))
        self.assertTrue(size.has_cpu_floor(flavor))
        self.assertFalse(size.has_memory_floor(flavor))
        self.assertTrue(size.has_floor(flavor))

    def test_memory_floor_alone_is_a_floor(self):
        self.assertTrue(size.has_floor(base.make_flavor(minimum_memory='1')))

    def test_bad_floor_is_none(self):
        for value in ('0', '-1', 'x', '', '1.5'):
            flavor = base.make_flavor(minimum_cpu=value)
            self.assertFalse(size.has_floor(flavor), value)
            self.assertEqual(Size(4, 4096), size.floor(flavor), value)

    def test_floor_above_the_maximum_is_the_maximum(self):
        flavor = base.make_flavor(minimum_cpu='9')
        self.assertEqual(Size(4, 4096), size.floor(flavor))

    def test_flavor_without_extra_specs(self):
        flavor = base.make_flavor()
        delattr(flavor, '_obj_extra_specs')
        self.assertFalse(size.has_floor(flavor))

    def test_flavor_without_figures(self):
        # scheduler filters are tested with such
        self.assertTrue(size.has_floor(
            objects.Flavor(extra_specs={'minimum_cpu': '1'})))

    def test_without_floors(self):
        flavor = base.make_flavor(minimum_cpu='1', other='x')
        self.assertEqual(
            {'other': 'x'}, size.without_floors(flavor).extra_specs)
        self.assertIn('minimum_cpu', flavor.extra_specs)

    def test_fit(self):
        flavor = base.make_flavor(minimum_cpu='2', minimum_memory='1024')
        self.assertEqual(Size(2, 4096), size.fit(Size(1, 9999), flavor))
        self.assertEqual(Size(3, 2048), size.fit(Size(3, 2048), flavor))
