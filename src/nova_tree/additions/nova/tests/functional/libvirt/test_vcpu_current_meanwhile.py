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

"""Acts of others on a server before, and between the steps of, an adjust.

On a fake libvirt; all views of the server are compared afterwards.
"""

import time
from unittest import mock

import fixtures

from nova import context as nova_context
from nova.tests.fixtures import xloud as xloud_fixtures
from nova.tests.functional.libvirt import base
from nova.tests.functional.libvirt import test_vcpu_current
from nova.tests.functional.libvirt import test_vcpu_current_recovery
from nova.tests.functional.libvirt import test_xloud_queued_reboots
from nova.virt.libvirt import driver
from nova.xloud import quota
from nova.xloud import record as xloud_record


class BetweenTest(test_vcpu_current.AdjustTestBase):
    """Somebody else is faster, or at work at the same time."""

    def setUp(self):
        super().setUp()
        self.server = self.boot()

    def _before(self, owner, name, do):
        """Have something done, once, before a function is called."""
        function = getattr(owner, name)
        pending = [do]

        def call(*args, **kwargs):
            while pending:
                pending.pop()()
            return function(*args, **kwargs)

        self.useFixture(fixtures.MockPatchObject(owner, name, call))

    def test_adjust_that_ends_while_another_is_checked_is_not_lost(self):
        self._before(quota, 'check_growth',
                     lambda: self.adjust(self.server, vcpus=4))
        self.adjust(self.server, memory_mb=2048)
        self.assertSize(self.server, 4, 2048)
        self.assertUsed(4, 2048)

    def test_stop_that_ends_while_an_adjust_is_checked(self):
        self._before(quota, 'check_growth',
                     lambda: self.act(self.server, 'suspend', 'SUSPENDED'))
        self.refused(self.server, 409, current_vcpus=4)
        self.act(self.server, 'resume', 'ACTIVE')
        self.assertSize(self.server, 1, 1024)

    def test_reason_of_a_lock_outlives_the_adjust(self):
        # which also tells notifications of the state that the server is in
        self._before(
            driver.LibvirtDriver, 'set_current_vcpus',
            lambda: self.api.post_server_action(
                self.server['id'], {'lock': {'locked_reason': 'mine'}}))
        self.api.api_post('/os-xloud-adjust/%s' % self.server['id'],
                          {'current_vcpus': 4})
        self._wait_for_server_parameter(
            self.server, {'OS-EXT-STS:task_state': None})
        self.assertSize(self.server, 4, 1024)
        self.assertEqual(
            'mine', self.api.get_server(self.server['id'])['locked_reason'])


class QueuedRebootsTest(test_xloud_queued_reboots.QueuedRebootsMixin,
                        test_vcpu_current_recovery.MeanwhileTestBase):
    """An adjust begins between two hard reboots."""

    def test_what_nova_loses_it_loses_without_an_adjust_too(self):
        without = self.reboot_twice(self.server)
        self.assertEqual(without, self.reboot_twice(
            self.server, between=lambda: self.begin(vcpus=3)))
        # The reboot has left the adjust alone
        self.assertEqual(
            'xloud_adjusting', self.instance(self.server).task_state)
        self.end()
        self._wait_for_server_parameter(
            self.server, {'OS-EXT-STS:task_state': None, 'status': 'ACTIVE'})
        self.assertSize(self.server, 3, 1024)
        self.assertUsed(3, 1024)


class BootingTest(test_vcpu_current.AdjustTestBase):
    """A guest that boots has all its memory until its driver is up."""

    def setUp(self):
        super().setUp()
        self.server = self.boot()
        self.guests.has_balloon_driver = False
        self.guest(self.server)._def['xloud']['kib'] = 4096 * 1024

    def _boot_on(self):
        """Let the driver come up, and find the target that it was set."""
        domain = self.guest(self.server)
        self.guests.has_balloon_driver = True
        domain._def['xloud']['kib'] = domain._def['xloud_config']['kib']

    def test_adjust_fails_and_leaves_the_size_as_it_was(self):
        for memory_mb in (2048, 3072):
            event = self.adjust(
                self.server, memory_mb=memory_mb, expected='Error')
            self.assertIn('no working balloon driver', event['details'])
            self.assertSize(self.server, 1, 1024, guest=(1, 4096))
        self.assertUsed(1, 1024)
        self._boot_on()
        self.assertSize(self.server, 1, 1024)

    def test_driver_that_comes_up_is_waited_for(self):
        self.flags(boot_timeout=60, group='xloud')
        self.api.api_post('/os-xloud-adjust/%s' % self.server['id'],
                          {'current_memory_mb': 2048, 'current_vcpus': 2})
        # longer than a guest without a driver is waited for
        time.sleep(3)
        self.assertEqual(
            'xloud_adjusting', self.instance(self.server).task_state)
        # it finds the target that it was set
        self.guests.has_balloon_driver = True
        self.guest(self.server)._def['xloud']['kib'] = 2048 * 1024
        self._wait_for_server_parameter(
            self.server, {'OS-EXT-STS:task_state': None})
        self.assertEqual('Success', self.last_event(self.server)['result'])
        self.assertSize(self.server, 2, 2048)

    def test_vcpus_are_adjusted_all_the_same(self):
        self.adjust(self.server, vcpus=3)
        self._boot_on()
        self.assertSize(self.server, 3, 1024)


class LeftBeforeTest(test_vcpu_current.AdjustTestBase):
    """The state that an earlier operation, or an older nova-api, left."""

    def test_server_that_holds_nothing_does_not_grow(self):
        server = self.boot()
        self.placement.delete('/allocations/%s' % server['id'])
        message = self.refused(server, 409, current_vcpus=4)
        self.assertIn('heal_allocations', message)
        self.assertEqual((1, 1024), self.guest_size(server))
        self.assertIsNone(self.instance(server).task_state)

    def test_shelved_server_has_no_live_size(self):
        self.flags(shelved_offload_time=-1)
        server = self.boot()
        self.adjust(server, vcpus=4, memory_mb=2048, persist=False)
        self.act(server, 'shelve', 'SHELVED')
        self.assertSize(server, 1, 1024)
        self.assertUsed(1, 1024)
        self.act(server, 'shelveOffload', 'SHELVED_OFFLOADED')
        instance = self.instance(server)
        self.assertEqual((1, 1024), (instance.vcpus, instance.memory_mb))
        self.act(server, 'unshelve', 'ACTIVE')
        self.assertSize(server, 1, 1024)

    def test_server_that_is_offloaded_at_once_has_no_live_size(self):
        # as those are that boot from a volume
        server = self.boot()
        self.adjust(server, vcpus=4, memory_mb=2048, persist=False)
        instance = self.instance(server)
        instance.task_state = 'shelving'
        instance.save()
        self.computes['one'].manager.shelve_offload_instance(
            nova_context.get_admin_context(), instance,
            clean_shutdown=False, accel_uuids=[])
        instance = self.instance(server)
        self.assertEqual('shelved_offloaded', instance.vm_state)
        self.assertEqual((1, 1024), (instance.vcpus, instance.memory_mb))
        self.assertUsed(0, 0)
        self.act(server, 'unshelve', 'ACTIVE')
        self.assertSize(server, 1, 1024)

    def _make_on_stock_nova(self):
        """Make a server as stock Nova does, which knows no floors."""
        server = self.boot(self.create_flavor(4, 4096, {}))
        # Stock Nova keeps the extra specs that it does not know
        instance = self.instance(server)
        instance.flavor.extra_specs = dict(test_vcpu_current.FLOORS)
        instance.save()
        self.run_periodics()
        self.assertSize(server, 4, 4096)
        return server

    def _reboot_on_stock_nova(self, server):
        """Have stock Nova make the guest of a server anew."""
        libvirt_driver = self.host_of(server).driver
        novas = type(libvirt_driver)._get_guest_config.__wrapped__
        with mock.patch.object(libvirt_driver, '_get_guest_config',
                               novas.__get__(libvirt_driver)):
            self._reboot_server(server, hard=True)
        self.assertEqual((4, 4096), self.guest_size(server))

    def _keeps_its_vcpus(self, server, **asked):
        event = self.adjust(server, **asked, expected='Error')
        self.assertIn('after a hard reboot they can', event['details'])
        self.assertNotIn('hotpluggable', event['details'])

    def test_server_that_stock_nova_has_made(self):
        server = self._make_on_stock_nova()
        self._keeps_its_vcpus(server, vcpus=1)
        # All that a request asks for, or nothing
        self._keeps_its_vcpus(server, vcpus=1, memory_mb=1024)
        self.assertSize(server, 4, 4096)
        self.assertUsed(4, 4096)
        # Memory alone needs no reboot
        self.adjust(server, memory_mb=2048)
        self.assertSize(server, 4, 2048)
        self.assertUsed(4, 2048)
        self._reboot_server(server, hard=True)
        self.assertSize(server, 4, 2048)
        self.adjust(server, vcpus=1, memory_mb=1024)
        self.assertSize(server, 1, 1024)
        self.assertUsed(1, 1024)

    def test_server_that_stock_nova_has_rebooted_on_a_full_host(self):
        server = self.boot()
        self.boot(self.create_flavor(6, 2048, {}))
        self._reboot_on_stock_nova(server)
        # Memory counts when it was seen twice
        for _number in range(2):
            self.run_periodics()
        self.assertEqual((4, 4096), tuple(xloud_record.live(
            self.instance(server))))
        # Placement has no room for the vCPUs, and holds the memory
        self.assertEqual((1, 4096), self.held(server))
        self._keeps_its_vcpus(server, vcpus=1, memory_mb=1024)
        self.assertEqual((4, 4096), self.guest_size(server))
        self.assertEqual((1, 4096), self.held(server))
        self.adjust(server, memory_mb=2048)
        self.assertEqual((4, 2048), self.guest_size(server))
        self.assertEqual((1, 2048), self.held(server))
        self._reboot_server(server, hard=True)
        self.assertSize(server, 1, 2048)
        self.assertUsed(1 + 6, 2048 + 2048)
        self.adjust(server, vcpus=2)
        self.adjust(server, vcpus=1, memory_mb=1024)
        self.assertSize(server, 1, 1024)
        self.assertUsed(1 + 6, 1024 + 2048)

    def test_server_that_a_stock_nova_api_has_made(self):
        self.useFixture(xloud_fixtures.StockAPI())
        server = self.boot()
        self.assertSize(server, 1, 1024)
        self.assertUsed(1, 1024)
        self.adjust(server, vcpus=2)
        self.assertSize(server, 2, 1024)


class MigratedBeforeTest(base.LibvirtMigrationMixin,
                         test_vcpu_current.AdjustTestBase):

    def test_cold_migration_that_comes_back_brings_no_older_size(self):
        self.start_compute('two')
        self.useFixture(fixtures.MockPatch(
            'nova.virt.libvirt.driver.LibvirtDriver'
            '.migrate_disk_and_power_off', return_value='{}'))
        server = self.boot(host='one')
        # as a confirm in another cell leaves it
        instance = self.instance(server)
        instance.system_metadata['xloud_old_vcpus'] = '2'
        instance.system_metadata['xloud_old_memory_mb'] = '1024'
        instance.save()
        self.adjust(server, vcpus=4, memory_mb=4096)
        self._migrate_server(server)
        self._revert_resize(server)
        self.assertSize(server, 4, 4096)
        self.assertIsNone(xloud_record.stashed(self.instance(server)))


class PinnedByImageTest(test_vcpu_current.AdjustTestBase):
    """The image pins the CPUs of a flavor that says nothing of it."""

    ADDITIONAL_FILTERS = test_vcpu_current.PinnedTest.ADDITIONAL_FILTERS
    configure = test_vcpu_current.PinnedTest.configure
    pcpus = test_vcpu_current.PinnedTest.pcpus

    def test_server_begins_at_its_floor_with_all_its_cpus(self):
        image = xloud_fixtures.create_image(
            self.glance, hw_cpu_policy='dedicated')
        server = self.boot(
            self.create_flavor(2, 2048, {'minimum_cpu': '1'}),
            image_uuid=image)
        self.assertEqual((1, 2048), self.guest_size(server))
        self.adjust(server, vcpus=2)
        self.assertEqual((2, 2048), self.guest_size(server))
        self.assertEqual(2, self.pcpus(server))
        self.assertEqual((2, 2048), self.used())
