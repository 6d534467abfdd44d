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
from nova import utils
from nova.xloud import intent as xloud_intent
from nova.xloud import record
from nova.xloud.size import Size


class IntentTestCase(test.NoDBTestCase):

    def test_it_is_saved_with_the_server(self):
        instance = base.make_instance(size=(2, 2048))
        for before in (None, Size(2, 2048)):
            xloud_intent.Intent(
                3, None, False, 'req', before).write(instance)
            found = xloud_intent.Intent.of(objects.Instance(
                system_metadata=instance.system_metadata))
            self.assertEqual((3, None, False, 'req', before), (
                found.vcpus, found.memory_mb, found.persist,
                found.request_id, found.before))

    def test_it_fits_into_a_value_of_system_metadata(self):
        instance = base.make_instance()
        xloud_intent.Intent(
            10 ** 5, 10 ** 9, False, 'req-' + instance.uuid,
            Size(10 ** 5, 10 ** 9)).write(instance)
        self.assertLess(
            len(instance.system_metadata['xloud_adjusting']), 255)

    def test_success_in_words(self):
        instance = base.make_instance(size=(2, 2048))
        for persist, before, expected in (
                (True, None, 'The server has 3 vCPUs and 2048 MiB now.'),
                (True, Size(1, 4096),
                 'The server has 3 vCPUs and 2048 MiB now. It had 1 vCPUs '
                 'and 4096 MiB before.'),
                (False, Size(1, 4096),
                 'The server has 3 vCPUs and 2048 MiB now. It had 1 vCPUs '
                 'and 4096 MiB before. Its next cold start will give it 2 '
                 'vCPUs and 2048 MiB.')):
            record.write_live(instance, Size(3, 2048))
            self.assertEqual(expected, xloud_intent.Intent(
                3, None, persist, 'req', before).tell_success(instance))

    def test_success_says_whether_the_guest_was_asked(self):
        instance = base.make_instance(size=(3, 2048))
        for asked, online, expected in (
                (3, 3, 'says that it uses all'),
                (3, None, 'was not asked'),
                (1, None, None), (None, None, None)):
            intent = xloud_intent.Intent(
                asked, None, True, 'req', Size(2, 2048))
            intent.confirm(instance, online)
            told = intent.tell_success(instance)
            if expected is None:
                self.assertNotIn('The guest', told)
                continue
            self.assertIn(expected, told)
            # it is saved, so a restart tells the same
            self.assertEqual(
                told, xloud_intent.Intent.of(instance).tell_success(instance))

    def test_what_another_release_has_saved_is_read(self):
        for saved, expected in (
                ('{"vcpus": 3, "memory_mb": null, "persist": false,'
                 ' "request_id": "req", "later": {"x": 1}}',
                 (3, None, False, 'req')),
                ('{"memory_mb": 1024}', (None, 1024, True, None)),
                ('{}', (None, None, True, None)),
                ('{"before": [1], "request_id": "req"}',
                 (None, None, True, 'req')),
                ('[1]', (None, None, True, None)),
                ('no json', (None, None, True, None))):
            found = xloud_intent.Intent.of(objects.Instance(
                system_metadata={'xloud_adjusting': saved}))
            self.assertEqual(expected, (
                found.vcpus, found.memory_mb, found.persist,
                found.request_id))
        for metadata in ({}, {'xloud_adjusting': ''}):
            self.assertIsNone(xloud_intent.Intent.of(
                objects.Instance(system_metadata=metadata)))

    def test_nothing_recorded_is_a_property_of_the_image(self):
        instance = base.make_instance(size=(2, 2048))
        flavor = base.make_flavor(8, 8192, 'two', **base.FLOORS)
        with record.following(instance, flavor):
            instance.flavor = flavor
        record.write_live(instance, Size(3, 2048))
        xloud_intent.Intent(3, None, False).write(instance)
        self.assertEqual(7, len(instance.system_metadata))
        # or each snapshot of the server would have it
        self.assertEqual({}, utils.get_image_from_system_metadata(
            instance.system_metadata)['properties'])

    def test_the_same_outcome_twice_changes_nothing(self):
        for asked, persist, now in (
                ((3, None), True, Size(3, 2048)),
                ((4, 4096), True, Size(3, 4096)),
                ((3, 4096), False, Size(3, 3000))):
            instance = base.make_instance(size=(2, 2048))
            intent = xloud_intent.Intent(*asked, persist=persist)
            intent.record(instance, now)
            once = dict(instance.system_metadata)
            intent.record(instance, now)
            self.assertEqual(once, instance.system_metadata)
