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
from nova.xloud import record
from nova.xloud.size import GuestSize
from nova.xloud.size import Size


class PinnedTestCase(test.NoDBTestCase):

    def test_pinned_vcpus_are_held_at_their_maximum(self):
        for specs in ({'hw:cpu_policy': 'dedicated'},
                      {'hw:cpu_policy': 'mixed'},
                      {'resources:PCPU': '4'}, {'resources1:PCPU': '4'}):
            flavor = base.make_flavor(**dict(specs, **base.FLOORS))
            instance = base.make_instance(flavor, (1, 1024))
            self.assertEqual(Size(4, 1024), record.held(instance), specs)

    def test_image_can_pin_them(self):
        instance = base.make_instance(size=(1, 1024))
        instance.system_metadata['image_hw_cpu_policy'] = 'dedicated'
        self.assertEqual(Size(4, 1024), record.held(instance))

    def test_shared_vcpus_are_held_as_they_are(self):
        flavor = base.make_flavor(
            **dict(base.FLOORS, **{'hw:cpu_policy': 'shared'}))
        self.assertEqual(
            Size(1, 1024),
            record.held(base.make_instance(flavor, (1, 1024))))


class RecordTestCase(test.NoDBTestCase):

    def test_server_without_a_record_has_its_maximum(self):
        instance = base.make_instance()
        self.assertFalse(record.has_record(instance))
        self.assertEqual(Size(4, 4096), record.recorded(instance))
        self.assertEqual(Size(4, 4096), record.live(instance))
        self.assertEqual(Size(4, 4096), record.held(instance))

    def test_incomplete_record_is_none(self):
        instance = base.make_instance()
        instance.system_metadata['xloud_current_vcpus'] = '1'
        self.assertEqual(Size(4, 4096), record.recorded(instance))

    def test_users_metadata_changes_nothing(self):
        instance = base.make_instance(size=(1, 1024))
        instance.metadata = {'xloud_current_vcpus': '4', 'minimum_cpu': '64'}
        self.assertEqual(Size(1, 1024), record.recorded(instance))

    def test_record_is_kept_within_the_bounds(self):
        instance = base.make_instance(size=(64, 1))
        self.assertEqual(Size(4, 1024), record.recorded(instance))

    def test_record(self):
        instance = base.make_instance()
        record.write(instance, Size(2, 2048))
        self.assertTrue(record.has_record(instance))
        self.assertFalse(record.has_live(instance))
        self.assertEqual(Size(2, 2048), record.recorded(instance))
        self.assertEqual((2, 2048), (instance.vcpus, instance.memory_mb))
        self.assertIn('system_metadata', instance.obj_what_changed())

    def test_guest_differs_from_the_record(self):
        instance = base.make_instance()
        record.write(instance, Size(2, 2048), Size(3, 1024))
        self.assertEqual(Size(2, 2048), record.recorded(instance))
        self.assertEqual(Size(3, 1024), record.live(instance))
        self.assertEqual(Size(3, 2048), record.held(instance))
        self.assertEqual((3, 2048), (instance.vcpus, instance.memory_mb))

    def test_forget_live(self):
        instance = base.make_instance()
        record.write(instance, Size(2, 2048), Size(3, 2048))
        record.forget_live(instance)
        self.assertFalse(record.has_live(instance))
        self.assertEqual(2, instance.vcpus)

    def test_forget_live_without_any_changes_nothing(self):
        instance = base.make_instance(size=(2, 2048))
        record.forget_live(instance)
        self.assertEqual(set(), instance.obj_what_changed())

    def test_would_hold(self):
        instance = base.make_instance()
        record.write(instance, Size(2, 2048), Size(3, 2048))
        for request, after in (
                ((None, None, True), (3, 2048)),
                ((1, None, True), (1, 2048)),
                ((1, None, False), (2, 2048)),
                ((4, 4096, False), (4, 4096)),
                ((4, 1024, True), (4, 1024))):
            self.assertEqual(
                after, record.would_hold(instance, *request), request)
        self.assertEqual(Size(2, 2048), record.recorded(instance))

    def test_start_at_floor(self):
        instance = base.make_instance()
        record.start_at_floor(instance, instance.flavor)
        self.assertEqual(Size(1, 1024), record.recorded(instance))
        self.assertEqual((1, 1024), (instance.vcpus, instance.memory_mb))

    def test_start_without_floor_leaves_no_trace(self):
        instance = base.make_instance(base.make_flavor())
        record.start_at_floor(instance, instance.flavor)
        self.assertEqual(set(), instance.obj_what_changed())


class GuestTestCase(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.instance = base.make_instance(size=(2, 2048))
        self.seen = GuestSize(2, 2048, True, 512, True)

    def _write(self, seen=None):
        record.write_guest(self.instance, record.settled(
            seen or self.seen, record.live(self.instance)))

    def test_what_was_seen_is_told(self):
        self.assertIsNone(record.guest(self.instance))
        self._write()
        self.assertEqual(self.seen, record.guest(self.instance))
        record.forget_guest(self.instance)
        self.assertIsNone(record.guest(self.instance))

    def test_it_fits_into_the_database(self):
        self._write(self.seen._replace(
            vcpus=2, memory_mb=2048, attached_dimms_mb=2 ** 40))
        self.assertLess(len(self.instance.system_metadata['xloud_guest']), 255)

    def test_a_guest_that_is_off_its_size_is_not_written(self):
        self._write()
        self._write(self.seen._replace(vcpus=3))
        self.assertIsNone(record.guest(self.instance))

    def test_a_guest_that_may_boot_is_written_with_its_driver_only(self):
        self._write(self.seen._replace(may_boot=True))
        self.assertEqual(self.seen, record.guest(self.instance))
        self._write(self.seen._replace(
            may_boot=True, balloon_driver_active=False))
        self.assertIsNone(record.guest(self.instance))
        booted = self.seen._replace(balloon_driver_active=False)
        self._write(booted)
        self.assertEqual(booted, record.guest(self.instance))

    def test_another_size_takes_it_away(self):
        for change in (
                lambda: record.write(self.instance, Size(3, 2048)),
                lambda: record.write_live(self.instance, Size(3, 2048)),
                lambda: record.forget_live_of_floor(self.instance),
                lambda: record.forget_guest_of_floor(self.instance)):
            record.write(self.instance, Size(2, 2048))
            self._write()
            change()
            self.assertNotIn('xloud_guest', self.instance.system_metadata)

    def test_a_size_that_an_older_host_has_written_takes_it_away(self):
        self._write()
        self.instance.system_metadata['xloud_current_vcpus'] = '3'
        self.assertIsNone(record.guest(self.instance))

    def test_other_releases_write_more_or_less(self):
        self._write()
        text = self.instance.system_metadata['xloud_guest']
        for written, seen in (
                (text.replace('{', '{"new": 1, '), self.seen),
                (text.replace('memory_mb', 'mib'), None),
                ('[]', None), ('{', None), ('1', None)):
            self.instance.system_metadata['xloud_guest'] = written
            self.assertEqual(seen, record.guest(self.instance))


class ResizeTestCase(test.NoDBTestCase):

    @staticmethod
    def _set_instance_info(instance, flavor):
        """Set the flavor as ComputeManager does, with our hook."""
        with record.following(instance, flavor):
            instance.flavor = flavor
            instance.vcpus = flavor.vcpus
            instance.memory_mb = flavor.memory_mb

    def _resize(self, instance, flavor):
        instance.old_flavor = instance.flavor
        self._set_instance_info(instance, flavor)

    def setUp(self):
        super().setUp()
        self.small = base.make_flavor(**base.FLOORS)
        self.large = base.make_flavor(
            8, 8192, 'two', minimum_cpu='3', minimum_memory='1024')
        self.plain = base.make_flavor(2, 2048, 'three')

    def test_resize_fits_and_revert_restores(self):
        instance = base.make_instance(self.small, (2, 2048))
        self._resize(instance, self.large)
        self.assertEqual(Size(3, 2048), record.recorded(instance))
        self.assertEqual(Size(2, 2048), record.stashed(instance))
        self._set_instance_info(instance, self.small)
        self.assertEqual(Size(2, 2048), record.recorded(instance))
        self.assertEqual((2, 2048), (instance.vcpus, instance.memory_mb))
        self.assertIsNone(record.stashed(instance))

    def test_resize_to_a_flavor_made_anew_with_the_same_flavorid(self):
        instance = base.make_instance(self.small, (1, 1024))
        anew = self.small.obj_clone()
        anew.id += 1
        anew.vcpus = 8
        anew.extra_specs = {'minimum_cpu': '4'}
        self.assertEqual(4, record.held_with(instance, anew).vcpus)
        self._resize(instance, anew)
        self.assertEqual(4, record.recorded(instance).vcpus)
        self._set_instance_info(instance, self.small)
        self.assertEqual(Size(1, 1024), record.recorded(instance))

    def test_resize_forgets_a_live_size(self):
        instance = base.make_instance(self.small, (2, 2048))
        record.write_live(instance, Size(4, 4096))
        self._resize(instance, self.large)
        self.assertFalse(record.has_live(instance))
        self._set_instance_info(instance, self.small)
        self.assertEqual(Size(2, 2048), record.live(instance))

    def test_resize_to_a_flavor_without_floor_takes_its_maximum(self):
        instance = base.make_instance(self.small, (1, 1024))
        self._resize(instance, self.plain)
        self.assertEqual(Size(2, 2048), record.recorded(instance))
        self.assertEqual((2, 2048), (instance.vcpus, instance.memory_mb))

    def test_resize_of_a_server_without_record(self):
        instance = base.make_instance(self.plain)
        self._resize(instance, self.small)
        self.assertEqual(Size(2, 2048), record.recorded(instance))
        self._set_instance_info(instance, self.plain)
        self.assertEqual(Size(2, 2048), record.recorded(instance))

    def test_resize_between_flavors_without_floor_leaves_no_trace(self):
        instance = base.make_instance(self.plain)
        self._resize(instance, base.make_flavor(flavorid='four'))
        self.assertEqual({}, instance.system_metadata)
        self.assertEqual(4, instance.vcpus)

    def test_second_resize_after_a_confirm_is_no_revert(self):
        instance = base.make_instance(self.small, (2, 2048))
        self._resize(instance, self.large)
        record.forget_stashed(instance)
        instance.old_flavor = None
        self.assertIsNone(record.stashed(instance))
        self._resize(instance, self.small)
        self.assertEqual(Size(3, 2048), record.recorded(instance))

    def test_cold_migration_that_comes_back_keeps_the_size(self):
        instance = base.make_instance(self.small, (3, 2048))
        instance.old_flavor = self.small
        self._set_instance_info(instance, self.small)
        self.assertEqual(Size(3, 2048), record.recorded(instance))
        self.assertIsNone(record.stashed(instance))

    def test_stash_of_a_resize_that_ended_elsewhere_is_of_no_use(self):
        instance = base.make_instance(self.small, (2, 2048))
        self._resize(instance, self.large)
        # confirmed in another cell, by the conductor
        instance.old_flavor = None
        record.write(instance, Size(6, 8192))
        instance.old_flavor = self.large
        self._set_instance_info(instance, self.large)
        self.assertEqual(Size(6, 8192), record.recorded(instance))
        self.assertIsNone(record.stashed(instance))

    def test_held_with(self):
        instance = base.make_instance(self.small, (2, 2048))
        self.assertEqual(
            Size(2, 2048), record.held_with(instance, self.small))
        self.assertEqual(
            Size(3, 2048), record.held_with(instance, self.large))
        self._resize(instance, self.large)
        self.assertEqual(
            Size(2, 2048), record.held_with(instance, self.small))
        self.assertEqual(
            Size(3, 2048), record.held_with(instance, self.large))
        self.assertEqual(
            Size(2, 2048), record.held_with(instance, self.plain))
