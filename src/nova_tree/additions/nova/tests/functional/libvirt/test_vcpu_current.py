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

"""Servers that start at a floor and are adjusted, on a fake libvirt.

Guest, record, Placement, tracker and status are compared after each
operation: none may say anything else than the others.
"""

from concurrent import futures
import re
from unittest import mock

from lxml import etree
from oslo_serialization import jsonutils

from nova.cmd import manage
from nova import context as nova_context
from nova import objects
from nova.scheduler.client import report
from nova.tests.fixtures import libvirt as fakelibvirt
from nova.tests.fixtures import xloud as xloud_fixtures
from nova.tests.functional.api import client as api_client
from nova.tests.functional.libvirt import base
from nova.virt.libvirt import guest as libvirt_guest
from nova.xloud import intent
from nova.xloud import lifecycle
from nova.xloud import record as xloud_record

FLOORS = {'minimum_cpu': '1', 'minimum_memory': '1024'}


class AdjustTestBase(base.ServersTestBase):
    """A cloud of hosts with room for eight vCPUs and 15 GiB each."""

    api_major_version = 'v2.1'
    microversion = 'latest'
    ADMIN_API = True

    def setUp(self):
        super().setUp()
        self.configure()
        self.flags(unplug_timeout=6, balloon_timeout=1,
                   balloon_driver_timeout=1, boot_timeout=0, group='xloud')
        self.useFixture(base.fixtures.MonkeyPatch(
            'nova.virt.libvirt.xloud._PAUSE', 0.01))
        self.guests = self.useFixture(xloud_fixtures.AdjustableLibvirt())
        self.start_compute('one')
        self.flavor = self.create_flavor(4, 4096, FLOORS)

    def configure(self):
        # the fake hosts have 16 CPUs and 16 GiB
        self.flags(cpu_allocation_ratio=0.5, ram_allocation_ratio=1.0)

    def create_flavor(self, vcpus, memory_mb, extra_specs):
        return self._create_flavor(
            vcpu=vcpus, memory_mb=memory_mb, disk=1, ephemeral=0,
            extra_spec=extra_specs)

    def boot(self, flavor=None, **kwargs):
        return self._create_server(
            flavor_id=flavor or self.flavor, networks='none', **kwargs)

    def adjust(self, server, vcpus=None, memory_mb=None, persist=True,
               expected='Success'):
        """Adjust a server and wait for its end."""
        body = {'current_vcpus': vcpus, 'current_memory_mb': memory_mb}
        body = {key: value for key, value in body.items()
                if value is not None}
        if not persist:
            body['persist'] = False
        answer = self.api.api_post(
            '/os-xloud-adjust/%s' % server['id'], body,
            check_response_status=[202])
        self.assertEqual({}, answer.body)
        self._wait_for_server_parameter(
            server, {'OS-EXT-STS:task_state': None})
        event = self.last_event(server)
        self.assertEqual(expected, event['result'], event)
        return event

    def last_event(self, server):
        """Return the host's event of the last adjust, at its end."""
        def find():
            actions = self.api.get_instance_actions(server['id'])
            self.assertEqual('xloud_adjust', actions[0]['action'])
            events = self.api.api_get(
                '/servers/%s/os-instance-actions/%s' % (
                    server['id'], actions[0]['request_id'])
            ).body['instanceAction']['events']
            found, = [event for event in events
                      if event['event'] == lifecycle.HOST_EVENT]
            self.assertIsNotNone(found['finish_time'])
            return found

        self._wait_for_assert(find)
        return find()

    def act(self, server, action, status, **details):
        """Have something done to a server."""
        self.api.post_server_action(server['id'], {action: details or None})
        return self._wait_for_state_change(server, status)

    def refused(self, server, status, **body):
        error = self.assertRaises(
            api_client.OpenStackApiException, self.api.api_post,
            '/os-xloud-adjust/%s' % server['id'], body)
        self.assertEqual(status, error.response.status_code)
        return str(error)

    def instance(self, server):
        return objects.Instance.get_by_uuid(
            nova_context.get_admin_context(), server['id'],
            expected_attrs=['flavor', 'system_metadata'])

    def host_of(self, server):
        return self.computes[self.instance(server).host]

    def guest(self, server):
        """Return the domain of a server."""
        connection = self.host_of(server).driver._host.get_connection()
        return connection.lookupByUUIDString(server['id'])

    def xml(self, server):
        return etree.fromstring(self.guest(server).XMLDesc(0))

    def defined(self, server):
        """Return the XML that Nova has defined the domain with."""
        return etree.fromstring(self.guest(server)._def['xloud_defined'])

    def guest_size(self, server):
        domain = self.guest(server)
        return (domain.vcpusFlags(fakelibvirt.VIR_DOMAIN_AFFECT_LIVE),
                domain.memoryStats()['actual'] // 1024)

    def held(self, server, host=None):
        """Return the VCPU and MEMORY_MB that Placement holds."""
        host = host or self.instance(server).host
        allocations = self._get_allocations_by_server_uuid(server['id'])
        resources = allocations[self.compute_rp_uuids[host]]['resources']
        return resources.get('VCPU'), resources['MEMORY_MB']

    def status(self, server):
        return self.api.api_get(
            '/servers/%s/xloud-status' % server['id']).body['xloud_status']

    def used(self, host='one'):
        """Return the figures of a host that its tracker has saved.

        Filters and weighers see these.
        """
        node, = objects.ComputeNodeList.get_all_by_host(
            nova_context.get_admin_context(), host)
        return (node.vcpus_used, node.memory_mb_used -
                base.CONF.reserved_host_memory_mb)

    def assertSize(self, server, vcpus, memory_mb, guest=None, kept=None,
                   held=None):
        """Compare all views of a server.

        :param guest: the size of the running guest, if it differs
        :param kept: the recorded size, if it differs
        :param held: the size that Placement holds, if it differs
        """
        size = (vcpus, memory_mb)
        instance = self.instance(server)
        views = {
            'recorded': tuple(xloud_record.recorded(instance)),
            'Placement': self.held(server),
            'columns': (instance.vcpus, instance.memory_mb),
        }
        expected = {'recorded': kept or size, 'Placement': held or size,
                    'columns': held or size}
        if instance.vm_state == 'active':
            status = self.status(server)
            views['guest'] = self.guest_size(server)
            views['status'] = (
                status['current_vcpus'], status['current_memory_mb'])
            expected['guest'] = expected['status'] = guest or size
        self.assertEqual(expected, views)
        self.assertIsNone(instance.task_state)
        self.assertIsNone(intent.Intent.of(instance))

    def assertUsed(self, vcpus, memory_mb, host='one'):
        """Compare the host's tracker and Placement's sum."""
        usages = self._get_provider_usages(self.compute_rp_uuids[host])
        self.assertEqual(
            {'tracker': (vcpus, memory_mb),
             'Placement': (vcpus, memory_mb)},
            {'tracker': self.used(host),
             'Placement': (usages['VCPU'], usages['MEMORY_MB'])})

    def force_down(self, host):
        service = self.api.get_services(
            binary='nova-compute', host=host)[0]
        self.api.put_service(service['id'], {'forced_down': True})

    def heals(self, server):
        """Have nova-manage bring back an allocation, and look for strays.

        Yields after each of the two ways in which it does: an allocation
        that is gone, and one that is there.
        """
        placement = manage.PlacementCommands()
        self._delete_server_allocations(server['id'])
        for force in (False, True):
            placement.heal_allocations(
                instance_uuid=server['id'], force=force)
            self.assertEqual(0, placement.audit(delete=True))
            yield

    def run_periodics(self):
        for compute in self.computes.values():
            compute.manager.update_available_resource(
                nova_context.get_admin_context())


class AdjustTest(AdjustTestBase):
    """One host, one server: create and adjust."""

    def test_server_starts_at_its_floor(self):
        server = self.boot()
        self.assertSize(server, 1, 1024)
        self.assertEqual((1, 1024), self.used())
        root = self.xml(server)
        self.assertEqual('4', root.findtext('vcpu'))
        self.assertEqual('1', root.find('vcpu').get('current'))
        self.assertEqual(str(4 << 20), root.findtext('memory'))
        self.assertEqual(str(1 << 20), root.findtext('currentMemory'))
        self.assertEqual(
            [('0', 'yes', 'no'), ('1', 'no', 'yes'), ('2', 'no', 'yes'),
             ('3', 'no', 'yes')],
            [(each.get('id'), each.get('enabled'), each.get('hotpluggable'))
             for each in root.iterfind('vcpus/vcpu')])

    def test_host_has_the_trait(self):
        self.assertIn('CUSTOM_XLOUD_ADJUST', self._get_provider_traits(
            self.compute_rp_uuids['one']))

    def test_server_grows_and_shrinks(self):
        server = self.boot()
        self.adjust(server, vcpus=3, memory_mb=2048)
        self.assertSize(server, 3, 2048)
        self.assertEqual((3, 2048), self.used())
        self.adjust(server, vcpus=4)
        self.assertSize(server, 4, 2048)
        self.adjust(server, memory_mb=4096)
        self.assertSize(server, 4, 4096)
        self.adjust(server, vcpus=1, memory_mb=1024)
        self.assertSize(server, 1, 1024)
        self.assertEqual((1, 1024), self.used())
        self.run_periodics()
        self.assertSize(server, 1, 1024)
        self.assertEqual((1, 1024), self.used())

    def test_shrink_takes_several_requests_to_libvirt(self):
        server = self.boot()
        self.adjust(server, vcpus=4)
        self.guests.times_out = True
        self.adjust(server, vcpus=1)
        self.assertSize(server, 1, 1024)
        self.assertUsed(1, 1024)

    def test_guest_keeps_its_vcpus(self):
        server = self.boot()
        self.adjust(server, vcpus=3)
        self.guests.unplugs = False
        self.flags(unplug_timeout=6, change_timeout=10, group='xloud')
        self.useFixture(base.fixtures.MonkeyPatch(
            'nova.virt.libvirt.xloud._Patience.is_over',
            lambda *args: True))
        event = self.adjust(server, vcpus=1, expected='Error')
        self.assertIn('3 vCPUs', event['details'])
        self.assertSize(server, 3, 1024)
        self.assertUsed(3, 1024)

    def test_guest_gives_only_part_of_its_memory(self):
        server = self.boot()
        self.adjust(server, memory_mb=4096)
        self.guests.keeps_kib = 3000 * 1024
        event = self.adjust(server, memory_mb=1024, expected='Error')
        self.assertIn('3000 MiB', event['details'])
        self.assertSize(server, 1, 3000)
        self.assertUsed(1, 3000)

    def test_guest_has_no_balloon_driver(self):
        server = self.boot()
        self.adjust(server, memory_mb=4096)
        self.guests.has_balloon_driver = False
        event = self.adjust(server, memory_mb=1024, expected='Error')
        self.assertIn('no working balloon driver', event['details'])
        self.assertSize(server, 1, 4096)
        self.assertUsed(1, 4096)
        self.assertFalse(self.status(server)['balloon_driver_active'])

    def test_both_or_nothing(self):
        server = self.boot()
        self.adjust(server, vcpus=4, memory_mb=4096)
        self.guests.keeps_kib = 4096 * 1024
        self.adjust(server, vcpus=1, memory_mb=1024, expected='Error')
        self.assertSize(server, 4, 4096)

    def test_libvirt_fails(self):
        server = self.boot()
        self.guests.error = fakelibvirt.make_libvirtError(
            fakelibvirt.libvirtError, 'broken', error_message='broken',
            error_code=fakelibvirt.VIR_ERR_OPERATION_FAILED)
        event = self.adjust(server, vcpus=2, memory_mb=2048,
                            expected='Error')
        self.assertIn('the hypervisor has refused', event['details'])
        # libvirt's own words are in the log
        self.assertNotIn('broken', event['details'])
        self.assertSize(server, 1, 1024)
        self.assertEqual((1, 1024), self.used())

    def test_host_is_full(self):
        server = self.boot()
        self.boot(self.create_flavor(6, 2048, {}))
        message = self.refused(server, 409, current_vcpus=4)
        self.assertIn('3 more VCPU', message)
        self.assertIn('1 is free', message)  # an administrator asks
        self.assertSize(server, 1, 1024)
        self.adjust(server, vcpus=2)
        self.assertSize(server, 2, 1024)

    def test_host_has_no_memory_left(self):
        server = self.boot()
        self.boot(self.create_flavor(1, 512, {}))
        # The operator reserves more of the host, below the server's maximum
        stock = self._get_provider_inventory(
            self.compute_rp_uuids['one'])['MEMORY_MB']
        self.flags(reserved_host_memory_mb=stock['total'] - 3072)
        self.run_periodics()
        message = self.refused(server, 409, current_memory_mb=4096)
        self.assertIn('3072 more MEMORY_MB', message)
        self.assertIn('1536 is free', message)
        self.assertSize(server, 1, 1024)
        self.assertUsed(2, 1024 + 512)
        self.adjust(server, memory_mb=1024 + 1536)
        self.assertSize(server, 1, 1024 + 1536)

    def test_allocation_changes_while_it_is_claimed(self):
        server = self.boot()
        read = report.SchedulerReportClient.get_allocs_for_consumer
        url = '/allocations/%s' % server['id']
        generations = []

        def change_after_read(client, *args):
            allocation = read(client, *args)
            generations.append(allocation['consumer_generation'])
            if len(generations) == 1:
                # somebody else gives the server more disk
                other = jsonutils.loads(jsonutils.dumps(allocation))
                held, = other['allocations'].values()
                held['resources']['DISK_GB'] += 1
                self.assertEqual(204, self.placement.put(
                    url, other, version='1.28').status)
            return allocation

        with mock.patch.object(report.SchedulerReportClient,
                               'get_allocs_for_consumer', change_after_read):
            self.adjust(server, vcpus=3, memory_mb=2048)
        self.assertGreater(generations[1], generations[0])
        self.assertSize(server, 3, 2048)
        self.assertUsed(3, 2048)
        held, = self.placement.get(url).body['allocations'].values()
        self.assertEqual(2, held['resources']['DISK_GB'])

    def test_server_without_persist(self):
        server = self.boot()
        self.adjust(server, vcpus=3, memory_mb=2048, persist=False)
        self.assertSize(
            server, 1, 1024, guest=(3, 2048), held=(3, 2048))
        self.adjust(server, vcpus=2, memory_mb=4096)
        self.assertSize(server, 2, 4096)
        self.adjust(server, vcpus=1, memory_mb=1024, persist=False)
        self.assertSize(
            server, 2, 4096, guest=(1, 1024), held=(2, 4096))
        self._reboot_server(server, hard=True)
        self.assertSize(server, 2, 4096)

    def test_second_adjust_is_refused(self):
        server = self.boot()
        # half of it is the time that the host waits for another to end
        self.flags(rpc_response_timeout=2)
        with self.host_of(server).manager.xloud.running.hold(server['id']):
            self.refused(server, 409, current_vcpus=2)
        self.assertSize(server, 1, 1024)

    def test_stopped_server(self):
        server = self.boot()
        self._stop_server(server)
        self.adjust(server, vcpus=3, memory_mb=2048)
        self.assertSize(server, 3, 2048)
        self._start_server(server)
        self.assertSize(server, 3, 2048)

    def test_paused_server(self):
        server = self.boot()
        self.api.post_server_action(server['id'], {'pause': {}})
        self._wait_for_state_change(server, 'PAUSED')
        self.adjust(server, vcpus=2)
        # its balloon stands still, and nothing is called a success unseen
        event = self.adjust(server, memory_mb=2048, expected='Error')
        self.assertIn('it is paused', event['details'])
        self.refused(server, 409, current_vcpus=1)
        self.assertSize(server, 2, 1024)
        self.api.post_server_action(server['id'], {'unpause': {}})
        self._wait_for_state_change(server, 'ACTIVE')
        self.assertSize(server, 2, 1024)
        self.adjust(server, memory_mb=2048)
        self.assertSize(server, 2, 2048)

    def test_flavor_without_floor_has_novas_own_xml(self):
        server = self.boot(self.create_flavor(2, 2048, {}))
        domain = self.guest(server)
        self.assertEqual({}, domain._def['xloud']['hotpluggable'])
        self.assertEqual((2, 2048), self.guest_size(server))
        self.assertEqual((2, 2048), self.held(server))
        self.refused(server, 400, current_vcpus=1)
        driver = self.host_of(server).driver
        create = libvirt_guest.Guest.create
        xml = []

        def note(guest_xml, host):
            # the time at which it was made differs
            xml.append(re.sub('<nova:creationTime>.*', '', guest_xml))
            return create(guest_xml, host)

        self.useFixture(base.fixtures.MockPatchObject(
            libvirt_guest.Guest, 'create', note))
        self._reboot_server(server, hard=True)
        novas = type(driver)._get_guest_config.__wrapped__
        with base.mock.patch.object(
                driver, '_get_guest_config', novas.__get__(driver)):
            self._reboot_server(server, hard=True)
        self.assertEqual(xml[1], xml[0])

    def test_nova_manage_keeps_the_size(self):
        server = self.boot()
        self.adjust(server, vcpus=3, memory_mb=2048)
        self.adjust(server, vcpus=4, persist=False)
        for _way in self.heals(server):
            self.assertSize(
                server, 3, 2048, guest=(4, 2048), held=(4, 2048))
        self._stop_server(server)
        for _way in self.heals(server):
            self.assertSize(server, 3, 2048)


class CapacityTest(AdjustTestBase):
    """A host with room for four servers at their maximum."""

    def configure(self):
        self.flags(cpu_allocation_ratio=1.0, ram_allocation_ratio=2.0)
        self.flags(instances=100, cores=1000, ram=1048576, group='quota')

    def boot_many(self, number):
        body = self._build_server(flavor_id=self.flavor, networks='none')
        body.update(min_count=number, max_count=number)
        self.api.post_server({'server': body})
        return [self._wait_for_state_change(server, 'ACTIVE', max_retries=99)
                for server in self.api.get_servers()]

    def test_it_holds_servers_by_their_sizes_and_never_more(self):
        servers = self.boot_many(16)
        self.assertUsed(16, 16 * 1024)
        self.assertIn('0 is free', self.refused(
            servers[0], 409, current_vcpus=2))
        error = self.boot(expected_state='ERROR')
        self.assertNotIn('OS-EXT-SRV-ATTR:host', [
            key for key in error if error[key]])
        self._delete_server(servers.pop())
        self.adjust(servers[0], vcpus=2, memory_mb=2048)
        self.assertUsed(16, 16 * 1024)

    def test_servers_that_grow_at_once_never_oversell_it(self):
        self.flags(cpu_allocation_ratio=1.5)
        self.run_periodics()
        servers = self.boot_many(20)
        self.assertUsed(20, 20 * 1024)

        def grow(server):
            return self.api.api_request(
                '/os-xloud-adjust/%s' % server['id'], method='POST',
                body=jsonutils.dumps({'current_vcpus': 2})).status_code

        with futures.ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(grow, servers))
        self.assertEqual([202] * 4 + [409] * 16, sorted(answers))
        for server, answer in zip(servers, answers):
            self._wait_for_server_parameter(
                server, {'OS-EXT-STS:task_state': None})
            self.assertSize(server, 2 if answer == 202 else 1, 1024)
        self.assertUsed(24, 20 * 1024)


class PinnedTest(AdjustTestBase):
    """Pinned CPUs and guest NUMA cells stay at the flavor's maximum."""

    ADDITIONAL_FILTERS = ['NUMATopologyFilter']

    def configure(self):
        # two of each in both NUMA cells
        self.flags(cpu_dedicated_set='0,1,4,5', cpu_shared_set='2,3,6,7',
                   group='compute')

    def pcpus(self, server):
        allocations = self._get_allocations_by_server_uuid(server['id'])
        return allocations[
            self.compute_rp_uuids['one']]['resources']['PCPU']

    def test_dedicated(self):
        server = self.boot(self.create_flavor(
            2, 2048, {'hw:cpu_policy': 'dedicated', 'minimum_cpu': '1'}))
        self.assertEqual(2, self.pcpus(server))
        self.assertEqual((1, 2048), self.guest_size(server))
        self.adjust(server, vcpus=2)
        self.assertEqual((2, 2048), self.guest_size(server))
        self.adjust(server, vcpus=1)
        self.run_periodics()
        self.assertEqual((1, 2048), self.guest_size(server))
        self.assertEqual((None, 2048), self.held(server))
        self.assertEqual(2, self.pcpus(server))
        for _way in self.heals(server):
            self.assertEqual((None, 2048), self.held(server))
            self.assertEqual(2, self.pcpus(server))
        self.assertEqual(2, self.instance(server).vcpus)
        self.assertEqual((2, 2048), self.used())

    def test_mixed(self):
        server = self.boot(self.create_flavor(
            3, 2048, {'hw:cpu_policy': 'mixed', 'hw:cpu_dedicated_mask': '0',
                      'minimum_cpu': '1'}))
        self.assertEqual((2, 2048), self.held(server))
        self.adjust(server, vcpus=2)
        self.run_periodics()
        self.assertEqual((2, 2048), self.guest_size(server))
        self.assertEqual((2, 2048), self.held(server))
        self.assertEqual(1, self.pcpus(server))
        for _way in self.heals(server):
            self.assertEqual((2, 2048), self.held(server))
            self.assertEqual(1, self.pcpus(server))
        self.assertEqual((3, 2048), self.used())

    def test_numa_cells(self):
        server = self.boot(self.create_flavor(
            4, 2048, dict(FLOORS, **{'hw:numa_nodes': '2'})))
        self.adjust(server, vcpus=3, memory_mb=2048)
        self.assertSize(server, 3, 2048)
        cells = self.instance(server).numa_topology.cells
        self.assertEqual([2, 2], [len(cell.pcpuset | cell.cpuset)
                                  for cell in cells])
        self._reboot_server(server, hard=True)
        self.assertSize(server, 3, 2048)
        root = self.defined(server)
        self.assertEqual(['0-1', '2-3'], [
            cell.get('cpus') for cell in root.iterfind('cpu/numa/cell')])

    def test_uneven_numa_cells(self):
        server = self.boot(self.create_flavor(
            3, 2048, {'hw:numa_nodes': '2', 'minimum_cpu': '1',
                      'hw:numa_cpus.0': '0', 'hw:numa_mem.0': '512',
                      'hw:numa_cpus.1': '1,2', 'hw:numa_mem.1': '1536'}))
        self.assertSize(server, 1, 2048)
        self.adjust(server, vcpus=3)
        self.assertSize(server, 3, 2048)

    def test_topology_is_that_of_the_maximum(self):
        server = self.boot(self.create_flavor(
            4, 2048, dict(FLOORS, **{'hw:cpu_sockets': '2',
                                     'hw:cpu_cores': '2',
                                     'hw:cpu_threads': '1'})))
        root = self.defined(server)
        self.assertEqual('4', root.findtext('vcpu'))
        self.assertEqual(
            {'sockets': '2', 'cores': '2', 'threads': '1'},
            root.find('cpu/topology').attrib)
        self.adjust(server, vcpus=3)
        self.assertSize(server, 3, 1024)

    def test_realtime(self):
        server = self.boot(self.create_flavor(
            2, 2048, {'hw:cpu_policy': 'dedicated', 'minimum_cpu': '1',
                      'hw:cpu_realtime': 'yes',
                      'hw:cpu_realtime_mask': '^0'}))
        self.adjust(server, vcpus=2)
        self.assertEqual((2, 2048), self.guest_size(server))
        self.assertEqual(2, self.pcpus(server))
