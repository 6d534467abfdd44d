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

"""Which of two hosts the scheduler chooses, on a fake libvirt."""

from unittest import mock

from nova import context as nova_context
from nova import objects
from nova.tests.fixtures import libvirt as fakelibvirt
from nova.tests.functional.libvirt import base
from nova.tests.functional.libvirt import test_vcpu_current


class WeigherTest(test_vcpu_current.AdjustTestBase):
    """Weighers see a server that has grown as large as it is."""

    def weigh_by(self, resource):
        """Have one weigher decide alone."""
        for name in ('cpu', 'ram', 'disk', 'io_ops'):
            self.flags(group='filter_scheduler', **{
                '%s_weight_multiplier' % name: float(name == resource)})
        # Each scheduler reads it when it starts
        self.scheduler.stop()
        self.scheduler = self._setup_scheduler_service()

    def host_chosen(self):
        return self.instance(self.boot(self.small)).host

    def setUp(self):
        super().setUp()
        self.start_compute('two')
        self.small = self.create_flavor(1, 512, {})
        self.server = self.boot(host='one')
        self.boot(self.create_flavor(3, 3072, {}), host='two')

    def test_vcpus(self):
        self.weigh_by('cpu')
        self.assertEqual('one', self.host_chosen())
        self.adjust(self.server, vcpus=4)
        self.assertEqual('two', self.host_chosen())

    def test_memory(self):
        self.weigh_by('ram')
        self.assertEqual('one', self.host_chosen())
        self.adjust(self.server, memory_mb=4096)
        self.assertEqual('two', self.host_chosen())


def count_cpus(host):
    """Stand in for Host.get_online_cpus, which has 16 in Nova's tests."""
    return set(range(host.get_connection().host_info.cpus))


class OneSuitableHost(base.LibvirtMigrationMixin):
    """Of two hosts only the first suits the servers with a floor."""

    def setUp(self):
        super().setUp()
        self.start_two()
        self.useFixture(base.fixtures.MockPatch(
            'nova.virt.libvirt.driver.LibvirtDriver'
            '.migrate_disk_and_power_off', return_value='{}'))
        self.src = self.computes['one']
        self.dest = self.computes['two']
        self.plain = self.create_flavor(1, 1024, {})

    def disable(self, host):
        service = self.api.get_services(
            binary='nova-compute', host=host)[0]
        self.api.put_service(service['id'], {'status': 'disabled'})

    def try_move(self, server, action, details=None):
        """Ask for a move that finds no host.

        The casts of these tests are calls, so the caller is told.
        """
        self.api.post_server_action(
            server['id'], {action: details}, check_response_status=[500])

    def assertNoHost(self, server, action, event):
        """The action has failed because no host was found."""
        found = self._wait_for_action_fail_completion(server, action, event)
        self.assertIn('NoValidHost', found['traceback'])
        self._wait_for_server_parameter(
            server, {'OS-EXT-STS:task_state': None})

    def test_cold_migration(self):
        server = self.boot()
        self.try_move(server, 'migrate')
        self.assertNoHost(server, 'migrate', 'conductor_migrate_server')
        self.assertSize(server, 1, 1024)
        plain = self.boot(self.plain, host='one')
        self._migrate_server(plain)
        self.assertEqual('two', self.instance(plain).host)

    def test_live_migration(self):
        self.server = self.boot()
        self.try_move(self.server, 'os-migrateLive', {
            'host': None, 'block_migration': 'auto'})
        self._wait_for_migration_status(self.server, ['error'])
        self.assertNoHost(self.server, 'live-migration',
                          'conductor_live_migrate_instance')
        self.assertSize(self.server, 1, 1024)
        self.server = self.boot(self.plain, host='one')
        self._live_migrate(self.server)
        self.assertEqual('two', self.instance(self.server).host)

    def test_evacuation(self):
        server = self.boot()
        self.adjust(server, vcpus=2)
        self.src.stop()
        self.force_down('one')
        self.try_move(server, 'evacuate', {})
        self.assertNoHost(server, 'evacuate', 'rebuild_server')
        instance = self.instance(server)
        self.assertEqual('one', instance.host)
        self.assertEqual((2, 1024), self.held(server))

    def test_evacuation_forced_to_a_host(self):
        server = self.boot()
        plain = self.boot(self.plain, host='one')
        self.src.stop()
        self.force_down('one')
        self.api.microversion = '2.67'
        where = {'host': 'two', 'force': True}
        self.try_move(server, 'evacuate', where)
        self.assertNoHost(server, 'evacuate', 'rebuild_server')
        self.assertEqual('one', self.instance(server).host)
        self.assertEqual((1, 1024), self.held(server))
        self.assertNotIn(
            self.compute_rp_uuids['two'],
            self._get_allocations_by_server_uuid(server['id']))
        self.api.post_server_action(plain['id'], {'evacuate': where})
        self._wait_for_server_parameter(
            plain, {'OS-EXT-SRV-ATTR:host': 'two'})

    def test_live_migration_forced_to_a_host(self):
        self.server = self.boot()
        where = {'host': 'two', 'block_migration': 'auto', 'force': True}
        self.api.microversion = '2.67'
        self.try_move(self.server, 'os-migrateLive', where)
        self.assertNoHost(self.server, 'live-migration',
                          'conductor_live_migrate_instance')
        self.assertNotIn(
            self.compute_rp_uuids['two'],
            self._get_allocations_by_server_uuid(self.server['id']))
        self.assertSize(self.server, 1, 1024)

    def test_server_forced_to_a_host(self):
        """The zone and the host force a new server, past all filters."""
        self.boot(az='nova:two', expected_state='ERROR')
        plain = self.boot(self.plain, az='nova:two')
        self.assertEqual('two', self.instance(plain).host)

    def test_unshelve(self):
        server = self.boot()
        plain = self.boot(self.plain, host='one')
        for each in (server, plain):
            self._shelve_server(each)
        self.disable('one')
        self.api.post_server_action(server['id'], {'unshelve': None})
        self.assertNoHost(server, 'unshelve', 'schedule_instances')
        self.assertEqual(
            'SHELVED_OFFLOADED', self.api.get_server(server['id'])['status'])
        self.assertEqual(
            {}, self._get_allocations_by_server_uuid(server['id']))
        self._unshelve_server(plain)
        self.assertEqual('two', self.instance(plain).host)

    def test_resize_to_a_floor(self):
        self.flags(allow_resize_to_same_host=True)
        server = self.boot(self.plain, host='two')
        # where it is more is free
        self.boot(self.create_flavor(4, 4096, {}), host='one')
        self._resize_server(server, self.flavor)
        self._confirm_resize(server)
        self.assertEqual('one', self.instance(server).host)
        self.assertSize(server, 1, 1024)

    def test_resize_to_a_floor_finds_no_host(self):
        self.flags(allow_resize_to_same_host=True)
        server = self.boot(self.plain, host='two')
        self.disable('one')
        self.try_move(server, 'resize', {'flavorRef': self.flavor})
        self.assertNoHost(server, 'resize', 'conductor_migrate_server')
        instance = self.instance(server)
        self.assertEqual(('two', self.plain), (
            instance.host, instance.flavor.flavorid))
        self.assertEqual((1, 1024), self.held(server))


class MixedCloudTest(OneSuitableHost, test_vcpu_current.AdjustTestBase):
    """Of two hosts only the first can adjust servers."""

    def start_two(self):
        with mock.patch('nova.virt.libvirt.xloud_xml.can_adjust',
                        return_value=False):
            self.start_compute('two')

    def test_only_one_host_is_able(self):
        able = {host: 'CUSTOM_XLOUD_ADJUST' in self._get_provider_traits(
            self.compute_rp_uuids[host]) for host in ('one', 'two')}
        self.assertEqual({'one': True, 'two': False}, able)

    def test_all_servers_with_a_floor_go_to_the_one_that_is_able(self):
        body = self._build_server(flavor_id=self.flavor, networks='none')
        body.update(min_count=6, max_count=6)
        self.api.post_server({'server': body})
        hosts = []
        for server in self.api.get_servers():
            self._wait_for_state_change(server, 'ACTIVE')
            hosts.append(self.instance(server).host)
        self.assertEqual(['one'] * 6, hosts)
        # others go where most is free
        self.assertEqual('two', self.instance(self.boot(self.plain)).host)
        self.boot(self.create_flavor(2, 1024, {}), host='one')
        self.boot(expected_state='ERROR')


class TooFewCpusTest(OneSuitableHost, test_vcpu_current.AdjustTestBase):
    """The second host has room for the floor, but not for the maximum.

    Placement would give it as many vCPUs altogether, but to one server no
    more than the host has.
    """

    def configure(self):
        self.flags(cpu_allocation_ratio=4.0, ram_allocation_ratio=1.0)
        self.useFixture(base.fixtures.MonkeyPatch(
            'nova.virt.libvirt.host.Host.get_online_cpus', count_cpus))

    def start_two(self):
        self.start_compute('two', fakelibvirt.HostInfo(
            cpu_nodes=1, cpu_sockets=1, cpu_cores=3, cpu_threads=1))

    def test_totals_are_the_largest_units_of_placement(self):
        """The limits that bind are known for each host without a call."""
        for host in ('one', 'two'):
            stocks = self._get_provider_inventory(self.compute_rp_uuids[host])
            node, = objects.ComputeNodeList.get_all_by_host(
                nova_context.get_admin_context(), host)
            self.assertEqual(
                (node.vcpus, node.memory_mb),
                tuple(stocks[name]['max_unit']
                      for name in ('VCPU', 'MEMORY_MB')))

    def test_new_servers(self):
        """Five would go to two hosts if both were large enough."""
        body = self._build_server(flavor_id=self.flavor, networks='none')
        body.update(min_count=5, max_count=5)
        self.api.post_server({'server': body})
        self.assertEqual(['one'] * 5, [
            self.instance(self._wait_for_state_change(server, 'ACTIVE')).host
            for server in self.api.get_servers()])

    def test_unmodified_nova_does_the_same_without_a_floor(self):
        flavor = self.create_flavor(4, 1024, {})
        self.boot(flavor, az='nova:two', expected_state='ERROR')
        self.assertEqual('one', self.instance(self.boot(flavor)).host)

    def test_pinned_vcpus_are_counted_by_placement(self):
        """A host without a VCPU of Placement holds them all the same."""
        self.flags(cpu_dedicated_set='0-2', cpu_shared_set=None,
                   group='compute')
        self.start_compute('three', fakelibvirt.HostInfo(
            cpu_nodes=1, cpu_sockets=1, cpu_cores=3, cpu_threads=1))
        flavor = self.create_flavor(3, 1024, {
            'minimum_cpu': '1', 'hw:cpu_policy': 'dedicated'})
        self.assertEqual('three', self.instance(self.boot(flavor)).host)


class TooLittleMemoryTest(test_vcpu_current.AdjustTestBase):
    """A host of 4 GiB, half a GiB of which is reserved."""

    def start_compute(self, *args, **kwargs):
        self.flags(reserved_host_memory_mb=512)
        return super().start_compute(*args, host_info=fakelibvirt.HostInfo(
            cpu_nodes=1, cpu_sockets=1, cpu_cores=8, cpu_threads=1,
            # which the fake libvirt tells in MiB, as libvirt does
            kB_mem=4096), **kwargs)

    def test_maximum(self):
        for memory_mb, state in (
                (3584, 'ACTIVE'), (3585, 'ERROR'), (8192, 'ERROR')):
            flavor = self.create_flavor(
                1, memory_mb, {'minimum_memory': '256'})
            self.boot(flavor, expected_state=state)

    def test_one_server_has_no_more_than_the_host(self):
        self.flags(ram_allocation_ratio=4.0)
        self.run_periodics()
        for memory_mb, state in ((4096, 'ACTIVE'), (4097, 'ERROR')):
            flavor = self.create_flavor(
                1, memory_mb, {'minimum_memory': '256'})
            self.boot(flavor, expected_state=state)

    def test_a_server_that_is_there_is_rebuilt(self):
        """It came there before the maximum was looked at."""
        with mock.patch('nova.xloud.scheduler.hosts._lacks', return_value=''):
            server = self.boot(self.create_flavor(
                1, 8192, {'minimum_memory': '256'}))
        self._rebuild_server(server, server['image']['id'])
        self.assertSize(server, 1, 256)


class LeavingTest(test_vcpu_current.AdjustTestBase):
    """A nova-compute ends, and the library that it runs may have gone."""

    def has_trait(self):
        return 'CUSTOM_XLOUD_ADJUST' in self._get_provider_traits(
            self.compute_rp_uuids['one'])

    def test_stopped(self):
        self.computes['one'].stop()
        self.assertTrue(self.has_trait())

    def test_replaced(self):
        self.assertTrue(self.has_trait())
        with mock.patch('nova.xloud.compute.leaving._is_replaced',
                        return_value=True):
            self.computes['one'].stop()
            # Nova 34 ends the manager in a thread, for which its tests set
            # no time: the service may end first
            self._wait_for_assert(
                lambda: self.assertFalse(self.has_trait()))
