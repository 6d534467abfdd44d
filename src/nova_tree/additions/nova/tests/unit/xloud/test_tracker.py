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

import contextlib
from unittest import mock

import fixtures
import oslo_messaging as messaging
from oslo_utils.fixture import uuidsentinel as uuids

from nova.compute import resource_tracker
from nova import context
from nova import objects
from nova import test
from nova.tests.unit.xloud import base
from nova.xloud.compute import tracker
from nova.xloud import record
from nova.xloud.size import Size


class TrackerTestCase(test.NoDBTestCase):
    """A tracker of one node, and a server of one vCPU and 1024 MiB."""

    def setUp(self):
        super().setUp()
        driver = mock.Mock()
        self.tracker = resource_tracker.ResourceTracker(
            'host', driver, reportclient=mock.Mock())
        self.node = objects.ComputeNode(
            memory_mb=16384, memory_mb_used=0, local_gb=100, local_gb_used=0,
            vcpus=16, vcpus_used=0, numa_topology=None,
            current_workload=0)
        self.tracker.compute_nodes['node'] = self.node
        self.tracker.pci_tracker = None
        self.useFixture(fixtures.MockPatch(
            'nova.compute.utils.is_volume_backed_instance',
            return_value=False))
        self.context = context.get_admin_context()
        self.instance = base.make_instance(
            size=(1, 1024), numa_topology=None, resources=None,
            os_type='linux', root_gb=1, ephemeral_gb=0)

    def _track(self, **kwargs):
        self.tracker._update_usage_from_instance(
            self.context, self.instance, 'node', **kwargs)

    def assertUsed(self, vcpus, memory_mb):
        self.assertEqual(
            (vcpus, memory_mb),
            (self.node.vcpus_used, self.node.memory_mb_used))


class CountTestCase(TrackerTestCase):

    def test_server_counts_by_its_size(self):
        self._track()
        self.assertUsed(1, 1024)

    def test_server_without_floor_counts_by_its_flavor(self):
        self.instance.flavor = base.make_flavor()
        self._track()
        self._track()
        self.assertUsed(4, 4096)
        self.assertEqual({}, self.tracker.xloud._held)

    def test_size_changes(self):
        self._track()
        record.write(self.instance, Size(3, 2048))
        self._track()
        self.assertUsed(3, 2048)
        self._track()
        self.assertUsed(3, 2048)

    def test_server_goes_with_another_size(self):
        self._track()
        record.write(self.instance, Size(3, 2048))
        self._track(is_removed=True)
        self.assertUsed(0, 0)
        self.assertEqual({}, self.tracker.xloud._held)

    def test_resize_on_the_same_host_waits_for_its_end(self):
        self._track()
        self.instance.flavor = base.make_flavor(
            8, 8192, 'two', **base.FLOORS)
        record.write(self.instance, Size(5, 5000))
        self._track()
        self._track()
        self.assertUsed(1, 1024)

    def test_flavor_counts_as_it_will_or_did(self):
        record.write(self.instance, Size(3, 2048))
        usage = self.tracker._get_usage_dict(
            base.make_flavor(2, 8192, 'two', **base.FLOORS), self.instance)
        self.assertEqual((2, 2048), (usage['vcpus'], usage['memory_mb']))

    def test_dict_counts_as_it_is(self):
        usage = {'vcpus': 7, 'memory_mb': 7}
        self.assertEqual(
            usage, self.tracker._get_usage_dict(usage, self.instance))

    def test_periodic_task_counts_anew_and_notes_who_has_a_floor(self):
        self._track()
        plain = base.make_instance(
            base.make_flavor(), uuid=uuids.plain, numa_topology=None,
            resources=None, os_type='linux', root_gb=1, ephemeral_gb=0)
        record.write(self.instance, Size(3, 2048))
        self.flags(reserved_host_memory_mb=0)
        self.tracker._update_usage_from_instances(
            self.context, [self.instance, plain], 'node')
        self.assertUsed(7, 6144)
        self.assertEqual(
            {'node': [self.instance]}, self.tracker.xloud.instances)
        self.assertEqual(
            [self.instance.uuid], list(self.tracker.xloud._held))


class UpdateUsageTestCase(TrackerTestCase):

    def setUp(self):
        super().setUp()
        self.node.hypervisor_hostname = 'node'
        self.save = self.useFixture(fixtures.MockPatchObject(
            objects.ComputeNode, 'save')).mock
        self._track()
        self.tracker.xloud.save('node')
        self.save.reset_mock()

    def update(self):
        self.tracker.xloud.update(self.instance)

    def test_size_is_counted_and_saved(self):
        record.write(self.instance, Size(3, 2048))
        self.update()
        self.assertUsed(3, 2048)
        self.save.assert_called_once_with()

    def test_placement_is_not_asked(self):
        record.write(self.instance, Size(3, 2048))
        self.update()
        self.assertEqual([], self.tracker.reportclient.mock_calls)

    def test_what_is_saved_is_not_saved_again(self):
        self.update()
        self.save.assert_not_called()

    def test_first_one_saves_for_all(self):
        for vcpus in (2, 3):
            record.write(self.instance, Size(vcpus, 2048))
            self.tracker.xloud.hold(self.instance)
        self.tracker.xloud.save('node')
        self.tracker.xloud.save('node')
        self.save.assert_called_once_with()

    def test_others_have_the_lock_between_counting_and_saving(self):
        locked = []
        self.useFixture(fixtures.MockPatch(
            'oslo_concurrency.lockutils.internal_fair_lock',
        )).mock.return_value.write_lock.side_effect = (
            lambda: self._note(locked))
        self.save.side_effect = lambda: locked.append('saved')
        record.write(self.instance, Size(3, 2048))
        self.update()
        self.assertEqual(
            ['taken', 'given', 'taken', 'saved', 'given'], locked)

    @contextlib.contextmanager
    def _note(self, locked):
        locked.append('taken')
        yield
        locked.append('given')

    def test_next_one_saves_what_could_not_be_saved(self):
        self.save.side_effect = [messaging.MessagingTimeout(), None]
        record.write(self.instance, Size(3, 2048))
        self.assertRaises(messaging.MessagingTimeout, self.update)
        self.assertUsed(3, 2048)
        self.tracker.xloud.save('node')
        self.assertEqual(2, self.save.call_count)

    def test_server_that_has_gone_is_not_counted(self):
        self.tracker.tracked_instances.clear()
        record.write(self.instance, Size(3, 2048))
        self.update()
        self.assertUsed(1, 1024)
        self.save.assert_not_called()

    def test_node_that_is_not_known_yet(self):
        self.tracker.compute_nodes.clear()
        self.update()
        self.save.assert_not_called()

    def test_lock_is_novas_own(self):
        self.assertEqual(
            resource_tracker.COMPUTE_RESOURCE_SEMAPHORE, tracker.LOCK)
