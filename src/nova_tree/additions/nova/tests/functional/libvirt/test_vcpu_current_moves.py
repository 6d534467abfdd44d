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

"""The size of a server after each operation, on a fake libvirt."""

import os
from unittest import mock

from nova import context as nova_context
from nova import objects
from nova.tests.functional.libvirt import base
from nova.tests.functional.libvirt import test_vcpu_current
from nova.virt.libvirt import utils as libvirt_utils
from nova.xloud import intent
from nova.xloud import record as xloud_record


class OperationsTest(test_vcpu_current.AdjustTestBase):
    """Operations that stay on the host."""

    def setUp(self):
        super().setUp()
        self.server = self.boot()

    def assertLive(self):
        """The guest has its live size; the larger one is reserved."""
        self.assertSize(
            self.server, 1, 1024, guest=(3, 2048), held=(3, 2048))

    def held_at_end(self, operation):
        """Return the sizes in Placement when an operation's end is saved."""
        held = set()
        save = objects.Instance.save

        def note(instance, *args, **kwargs):
            if (instance.task_state is None and
                    'task_state' in instance.obj_what_changed()):
                held.add(self.held(self.server))
            return save(instance, *args, **kwargs)

        with mock.patch.object(objects.Instance, 'save', note):
            operation()
        return held

    def test_guest_that_goes_on_keeps_its_size(self):
        self.adjust(self.server, vcpus=3, memory_mb=2048, persist=False)
        for action, status in (
                ('suspend', 'SUSPENDED'), ('resume', 'ACTIVE'),
                ('pause', 'PAUSED'), ('unpause', 'ACTIVE')):
            self.act(self.server, action, status)
            if status == 'ACTIVE':
                self.assertLive()
            self.run_periodics()
            self.assertEqual((3, 2048), self.held(self.server))
        self._reboot_server(self.server)
        self.assertLive()
        self.restart_compute_service('one')
        self.assertLive()
        self.assertUsed(3, 2048)

    def _snapshot(self):
        self.api.post_server_action(
            self.server['id'], {'createImage': {'name': 'snapshot'}})
        self._wait_for_server_parameter(
            self.server, {'OS-EXT-STS:task_state': None})
        action = self.api.get_instance_actions(self.server['id'])[0]
        event, = self.api.api_get('/servers/%s/os-instance-actions/%s' % (
            self.server['id'], action['request_id'])
        ).body['instanceAction']['events']
        self.assertEqual(('compute_snapshot_instance', 'Success'),
                         (event['event'], event['result']))
        image, = [each for each in self.glance.detail(None)
                  if each['name'] == 'snapshot']
        self.glance.delete(None, image['id'])
        return image

    def test_snapshot_changes_nothing(self):
        # the fake libvirt loses a domain that is made transient meanwhile
        self.useFixture(base.fixtures.MockPatch(
            'nova.virt.libvirt.driver.LibvirtDriver._live_snapshot'))
        self.adjust(self.server, vcpus=2, memory_mb=1024)
        self.adjust(self.server, vcpus=3, memory_mb=2048, persist=False)
        before = self.status(self.server)
        for is_cold in (False, True):
            self.flags(disable_libvirt_livesnapshot=is_cold,
                       group='workarounds')
            image = self._snapshot()
            self.assertEqual(before, self.status(self.server))
            self.assertSize(self.server, 2, 1024, guest=(3, 2048),
                            held=(3, 2048))
            self.assertUsed(3, 2048)
            # a server that is made from it starts at its own floor
            self.assertEqual([], [
                name for name in image['properties'] if 'xloud' in name])
        self._stop_server(self.server)
        self._snapshot()
        self.assertSize(self.server, 2, 1024)

    def _rescue(self):
        # fake images are no files
        os.makedirs(libvirt_utils.get_instance_path(
            self.instance(self.server)))
        self.act(self.server, 'rescue', 'RESCUE')

    def test_rescue_keeps_the_size(self):
        self.adjust(self.server, vcpus=3, memory_mb=2048)
        self._rescue()
        self.assertEqual((3, 2048), self.guest_size(self.server))
        self.run_periodics()
        self.assertEqual((3, 2048), self.held(self.server))
        self.act(self.server, 'unrescue', 'ACTIVE')
        self.assertSize(self.server, 3, 2048)
        self.assertUsed(3, 2048)

    def test_rescue_without_persist(self):
        self.adjust(self.server, vcpus=3, persist=False)
        self._rescue()
        self.run_periodics()
        self.assertEqual((3, 1024), self.guest_size(self.server))
        self.assertEqual((3, 1024), self.held(self.server))
        self.assertUsed(3, 1024)
        self.act(self.server, 'unrescue', 'ACTIVE')
        self.assertSize(
            self.server, 1, 1024, guest=(3, 1024), held=(3, 1024))
        self.assertUsed(3, 1024)

    def test_guest_that_starts_anew_has_the_recorded_size(self):
        for restart, has_end in (
                (lambda: self._reboot_server(self.server, hard=True), True),
                (lambda: self._start_server(self._stop_server(self.server)),
                 True),
                (self._reboot_host, False)):
            self.adjust(self.server, vcpus=2, memory_mb=2048)
            self.adjust(self.server, vcpus=4, memory_mb=1024, persist=False)
            self.assertSize(
                self.server, 2, 2048, guest=(4, 1024), held=(4, 2048))
            self.assertEqual(
                {(2, 2048)} if has_end else set(), self.held_at_end(restart))
            self.assertSize(self.server, 2, 2048)
            self.assertUsed(2, 2048)
            root = self.xml(self.server)
            self.assertEqual('2', root.find('vcpu').get('current'))
            self.assertEqual(['no', 'yes', 'yes', 'yes'], [
                each.get('hotpluggable')
                for each in root.iterfind('vcpus/vcpu')])
            self.adjust(self.server, vcpus=1)

    def _reboot_host(self):
        self.flags(resume_guests_state_on_host_boot=True)
        self.guest(self.server).destroy()
        self.restart_compute_service('one')

    def test_stop_gives_back_what_only_the_guest_had(self):
        self.adjust(self.server, vcpus=3, memory_mb=2048, persist=False)
        self.assertEqual({(1, 1024)}, self.held_at_end(
            lambda: self._stop_server(self.server)))
        self.assertSize(self.server, 1, 1024)
        self.assertUsed(1, 1024)

    def test_rebuild(self):
        self.adjust(self.server, vcpus=3, memory_mb=2048)
        self.adjust(self.server, vcpus=4, persist=False)
        self.assertEqual({(3, 2048)}, self.held_at_end(
            lambda: self._rebuild_server(
                self.server, '155d900f-4e14-4e4c-a73d-069cbf4541e6')))
        self.assertSize(self.server, 3, 2048)
        self.assertUsed(3, 2048)


class MoveTestBase(base.LibvirtMigrationMixin,
                   test_vcpu_current.AdjustTestBase):
    """Two hosts, of which the first has a server."""

    def setUp(self):
        super().setUp()
        self.migration_fails = False
        self.start_compute('two')
        self.useFixture(base.fixtures.MockPatch(
            'nova.virt.libvirt.driver.LibvirtDriver'
            '.migrate_disk_and_power_off', return_value='{}'))
        self.server = self.boot(host='one')
        self.src = self.computes['one']
        self.dest = self.computes['two']

    def _migrate_stub(self, domain, destination, params, flags):
        if not self.migration_fails:
            return super()._migrate_stub(domain, destination, params, flags)
        self.guest(self.server).fail_job()
        self.migrate_stub_ran = True

    def evacuate(self):
        self.src.stop()
        self.force_down('one')
        self._evacuate_server(self.server)
        self.assertEqual('two', self.instance(self.server).host)


class MoveTest(MoveTestBase):
    """Every operation keeps its promise."""

    def test_live_migration(self):
        self.adjust(self.server, vcpus=3, memory_mb=2048)
        self._live_migrate(self.server)
        self.assertEqual('two', self.instance(self.server).host)
        self.assertSize(self.server, 3, 2048)
        self.run_periodics()
        self.assertEqual((0, 0), self.used('one'))
        self.assertEqual((3, 2048), self.used('two'))

    def test_live_migration_without_persist(self):
        self.adjust(self.server, vcpus=3, persist=False)
        self._live_migrate(self.server)
        self.assertSize(
            self.server, 1, 1024, guest=(3, 1024), held=(3, 1024))

    def test_resize_and_revert(self):
        self.adjust(self.server, vcpus=3, memory_mb=2048)
        larger = self.create_flavor(
            6, 8192, {'minimum_cpu': '5', 'minimum_memory': '1024'})
        self._resize_server(self.server, larger)
        self.assertEqual(
            (5, 2048), tuple(xloud_record.recorded(
                self.instance(self.server))))
        self.assertEqual((5, 2048), self.held(self.server))
        self.assertEqual((5, 2048), self.guest_size(self.server))
        self.run_periodics()
        self.assertEqual((3, 2048), self.used('one'))
        self.assertEqual((5, 2048), self.used('two'))
        self._revert_resize(self.server)
        self.assertSize(self.server, 3, 2048)
        self.run_periodics()
        self.assertEqual((3, 2048), self.used('one'))
        self.assertEqual((0, 0), self.used('two'))

    def test_resize_to_no_floor_gives_the_maximum(self):
        self.adjust(self.server, vcpus=2)
        self.assertSize(self.server, 2, 1024)
        self._resize_server(self.server, self.create_flavor(4, 4096, {}))
        self.assertEqual('two', self.instance(self.server).host)
        self.assertSize(self.server, 4, 4096)
        self.assertEqual((4, 4096), self.guest_size(self.server))
        root = self.defined(self.server)
        self.assertEqual('4', root.findtext('vcpu'))
        self.assertIsNone(root.find('vcpu').get('current'))
        self.assertIsNone(root.find('vcpus'))
        self.assertEqual(str(4 << 20), root.findtext('memory'))
        self.assertIsNone(root.find('currentMemory'))
        self.assertUsed(2, 1024, host='one')
        self.assertUsed(4, 4096, host='two')
        self._revert_resize(self.server)
        self.assertEqual('one', self.instance(self.server).host)
        self.assertSize(self.server, 2, 1024)
        root = self.defined(self.server)
        self.assertEqual('2', root.find('vcpu').get('current'))
        self.assertEqual(str(1 << 20), root.findtext('currentMemory'))
        self.assertUsed(2, 1024, host='one')
        self.assertUsed(0, 0, host='two')

    def test_resize_without_persist(self):
        self.adjust(self.server, vcpus=3, persist=False)
        self._resize_server(self.server, self.create_flavor(
            4, 8192, test_vcpu_current.FLOORS))
        self.assertEqual((1, 1024), self.held(self.server))
        self._confirm_resize(self.server)
        self.assertSize(self.server, 1, 1024)

    def test_resize_to_a_floor(self):
        server = self.boot(self.create_flavor(2, 2048, {}), host='one')
        self._resize_server(server, self.flavor)
        self._confirm_resize(server)
        self.assertSize(server, 2, 2048)
        self.adjust(server, vcpus=1, memory_mb=1024)
        self.assertSize(server, 1, 1024)

    def test_resize_and_confirm(self):
        self.adjust(self.server, vcpus=3, memory_mb=2048)
        self._resize_server(self.server, self.create_flavor(2, 2048, {}))
        self._confirm_resize(self.server)
        self.assertSize(self.server, 2, 2048)
        self.assertIsNone(xloud_record.stashed(self.instance(self.server)))

    def test_cold_migration(self):
        self.adjust(self.server, vcpus=3, memory_mb=2048)
        self._migrate_server(self.server)
        self._confirm_resize(self.server)
        self.assertEqual('two', self.instance(self.server).host)
        self.assertSize(self.server, 3, 2048)

    def test_cold_migration_without_persist(self):
        self.adjust(self.server, vcpus=3, persist=False)
        self._migrate_server(self.server)
        self.assertEqual((1, 1024), self.held(self.server))
        self._revert_resize(self.server)
        self.assertSize(self.server, 1, 1024)

    def test_shelve_and_unshelve(self):
        self.adjust(self.server, vcpus=3, memory_mb=2048)
        self.adjust(self.server, vcpus=4, persist=False)
        self._shelve_server(self.server)
        self.assertEqual(
            {}, self._get_allocations_by_server_uuid(self.server['id']))
        status = self.status(self.server)
        self.assertEqual((3, 2048), (
            status['current_vcpus'], status['current_memory_mb']))
        self.run_periodics()
        self.assertUsed(0, 0)
        self._unshelve_server(self.server)
        self.assertSize(self.server, 3, 2048)

    def test_shelve_without_offload(self):
        self.flags(shelved_offload_time=-1)
        self.adjust(self.server, vcpus=3, memory_mb=2048)
        self.act(self.server, 'shelve', 'SHELVED')
        self.run_periodics()
        self.assertEqual((3, 2048), self.held(self.server))
        self.act(self.server, 'unshelve', 'ACTIVE')
        self.assertSize(self.server, 3, 2048)

    def test_evacuate(self):
        self.adjust(self.server, vcpus=3, memory_mb=2048)
        self.evacuate()
        self.assertSize(self.server, 3, 2048)

    def test_evacuate_without_persist(self):
        self.adjust(self.server, vcpus=2, memory_mb=2048)
        self.adjust(self.server, vcpus=4, persist=False)
        self.evacuate()
        self.assertSize(self.server, 2, 2048)
        self.computes['two'].manager.update_available_resource(
            nova_context.get_admin_context())
        self.assertUsed(2, 2048, host='two')

    def test_evacuate_in_the_middle_of_an_adjust(self):
        instance = self.instance(self.server)
        intent.Intent(3, None, True).write(instance)
        instance.task_state = 'xloud_adjusting'
        instance.save()
        self.evacuate()
        self.computes['two'].manager.update_available_resource(
            nova_context.get_admin_context())
        self.assertSize(self.server, 1, 1024)


class SameHostTest(test_vcpu_current.AdjustTestBase):
    """A resize on one host, which holds both sizes until its end."""

    def setUp(self):
        super().setUp()
        self.flags(allow_resize_to_same_host=True)
        self.useFixture(base.fixtures.MockPatch(
            'nova.virt.libvirt.driver.LibvirtDriver'
            '.migrate_disk_and_power_off', return_value='{}'))

    def test_resize_and_revert(self):
        server = self.boot()
        self.adjust(server, vcpus=3, memory_mb=2048)
        self._resize_server(server, self.create_flavor(
            2, 4096, {'minimum_cpu': '1', 'minimum_memory': '1024'}))
        self.assertEqual((2, 2048), self.held(server))
        self.assertEqual((2, 2048), self.guest_size(server))
        self.assertEqual((5, 4096), self.used())
        self.run_periodics()
        self.assertEqual((5, 4096), self.used())
        self._revert_resize(server)
        self.assertSize(server, 3, 2048)
        self.run_periodics()
        self.assertEqual((3, 2048), self.used())

    def test_resize_and_confirm(self):
        server = self.boot()
        self.adjust(server, vcpus=3, memory_mb=2048)
        self._resize_server(server, self.create_flavor(
            2, 4096, {'minimum_cpu': '1', 'minimum_memory': '1024'}))
        self._confirm_resize(server)
        self.assertSize(server, 2, 2048)
        self.adjust(server, vcpus=1)
        self.run_periodics()
        self.assertSize(server, 1, 2048)
        self.assertEqual((1, 2048), self.used())
