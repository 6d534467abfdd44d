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
from nova.xloud import record
from nova.xloud.scheduler import request
from nova.xloud.size import Size


class RequestSpecTestCase(test.NoDBTestCase):

    def _spec(self, flavor=None, **fields):
        return objects.RequestSpec(
            flavor=flavor or base.make_flavor(**base.FLOORS), **fields)

    def _carry(self, spec, instance):
        instance.info_cache = None
        spec.ensure_network_information(instance)

    def assertAsks(self, vcpus, memory_mb, spec):
        self.assertEqual((vcpus, memory_mb), (spec.vcpus, spec.memory_mb))

    def test_new_server_is_asked_for_at_its_floor(self):
        self.assertAsks(1, 1024, self._spec())

    def test_flavor_without_floor_is_asked_for_whole(self):
        self.assertAsks(4, 4096, self._spec(base.make_flavor()))

    def test_garbage_in_the_flavor_is_not_believed(self):
        flavor = base.make_flavor(**dict(base.FLOORS, **{
            'xloud:current_vcpus': '64', 'xloud:current_memory_mb': '1'}))
        self.assertAsks(4, 1024, self._spec(flavor))

    def test_pinned_vcpus_are_asked_for_whole(self):
        image = objects.ImageMeta(properties=objects.ImageMetaProps(
            hw_cpu_policy='dedicated'))
        self.assertAsks(4, 1024, self._spec(image=image))

    def test_image_without_properties(self):
        self.assertAsks(1, 1024, self._spec(image=objects.ImageMeta()))

    def test_move_asks_for_the_recorded_size(self):
        spec = self._spec()
        flavor = spec.flavor
        instance = base.make_instance(flavor, (2, 2048))
        record.write_live(instance, Size(4, 1024))
        self._carry(spec, instance)
        self.assertAsks(2, 2048, spec)
        self.assertEqual(base.FLOORS, flavor.extra_specs)

    def test_live_migration_asks_for_what_the_guest_has_too(self):
        spec = self._spec()
        instance = base.make_instance(
            spec.flavor, (2, 2048), task_state='migrating')
        record.write_live(instance, Size(4, 1024))
        self._carry(spec, instance)
        self.assertAsks(4, 2048, spec)

    def test_resize_asks_for_the_size_it_leads_to(self):
        spec = self._spec(base.make_flavor(
            8, 8192, 'two', minimum_cpu='3', minimum_memory='4000'))
        self._carry(spec, base.make_instance(size=(2, 2048)))
        self.assertAsks(3, 4000, spec)

    def test_next_move_asks_anew(self):
        spec = self._spec()
        instance = base.make_instance(spec.flavor, (2, 2048))
        self._carry(spec, instance)
        record.write(instance, Size(3, 1024))
        self._carry(spec, instance)
        self.assertAsks(3, 1024, spec)

    def test_move_without_floor_leaves_the_flavor_alone(self):
        flavor = base.make_flavor()
        spec = self._spec(flavor)
        self._carry(spec, base.make_instance(flavor))
        self.assertIs(flavor, spec.flavor)

    def test_request_spec_without_flavor(self):
        spec = objects.RequestSpec()
        self._carry(spec, base.make_instance())
        self.assertNotIn('flavor', spec)

    def test_at_size_of_a_flavor_without_floor(self):
        flavor = base.make_flavor()
        self.assertIs(flavor, request.at_size(flavor, Size(1, 1)))

    def test_of_instance_without_floor(self):
        flavor = base.make_flavor()
        self.assertIs(
            flavor, request.of_instance(base.make_instance(flavor), flavor))

    def test_of_instance(self):
        instance = base.make_instance(size=(2, 2048))
        flavor = request.of_instance(instance, instance.flavor)
        self.assertAsks(2, 2048, self._spec(flavor))
