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

"""A server that is resized into another cell takes its size along."""

from nova import context as nova_context
from nova import objects
from nova.policies import base as base_policies
from nova.policies import servers as servers_policies
from nova.tests.fixtures import xloud as xloud_fixtures
from nova.tests.functional import integrated_helpers
from nova.xloud import record as xloud_record


class CrossCellTest(integrated_helpers.ProviderUsageBaseTestCase):
    """A host in each of two cells, a server of 3 of 1..4 vCPUs in one."""

    NUMBER_OF_CELLS = 2
    compute_driver = 'fake.MediumFakeDriver'

    def setUp(self):
        super().setUp()
        self.useFixture(xloud_fixtures.AdjustableFakeDriver())
        self.policy.set_rules({
            servers_policies.CROSS_CELL_RESIZE:
                base_policies.RULE_ADMIN_API}, overwrite=False)
        self.flags(long_rpc_timeout=60)
        for host, cell in (('host1', 'cell1'), ('host2', 'cell2')):
            self._start_compute(host, cell_name=cell)
        self.server = self._create_server(
            flavor_id=self._flavor(4, 4096, 1), networks='none',
            host='host1')
        self._adjust(3, 2048)

    def _flavor(self, vcpus, memory_mb, floor):
        return self._create_flavor(
            vcpu=vcpus, memory_mb=memory_mb, disk=1, ephemeral=0,
            extra_spec={'minimum_cpu': str(floor), 'minimum_memory': '1024'})

    def _adjust(self, vcpus, memory_mb):
        self.api.api_post(
            '/os-xloud-adjust/%s' % self.server['id'],
            {'current_vcpus': vcpus, 'current_memory_mb': memory_mb},
            check_response_status=[202])
        self._wait_for_server_parameter(
            self.server, {'OS-EXT-STS:task_state': None})

    def _resize(self):
        self._resize_server(self.server, self._flavor(8, 6144, 4))
        self.assertSize(4, 2048, 'host2')

    def assertSize(self, vcpus, memory_mb, host):
        """Compare record, Placement and status of the server."""
        context = nova_context.get_admin_context()
        mapping = objects.InstanceMapping.get_by_instance_uuid(
            context, self.server['id'])
        with nova_context.target_cell(context, mapping.cell_mapping) as cell:
            instance = objects.Instance.get_by_uuid(
                cell, self.server['id'],
                expected_attrs=['flavor', 'system_metadata'])
        status = self.api.api_get(
            '/servers/%s/xloud-status' % self.server['id']
        ).body['xloud_status']
        size = (vcpus, memory_mb)
        self.assertEqual(
            {'host': host, 'recorded': size, 'columns': size, 'status': size,
             'Placement': size},
            {'host': instance.host,
             'recorded': tuple(xloud_record.recorded(instance)),
             'columns': (instance.vcpus, instance.memory_mb),
             'status': (status['current_vcpus'],
                        status['current_memory_mb']),
             'Placement': self._held(host)})

    def _held(self, host):
        allocations = self._get_allocations_by_server_uuid(self.server['id'])
        resources = allocations[
            self._get_provider_uuid_by_host(host)]['resources']
        return resources['VCPU'], resources['MEMORY_MB']

    def assertUsed(self, vcpus, memory_mb, host):
        """Compare the counts of the host and of Placement."""
        self._run_periodics()
        node = self.computes[host].manager.rt.compute_nodes[host]
        usages = self._get_provider_usages(
            self._get_provider_uuid_by_host(host))
        self.assertEqual((vcpus, vcpus), (node.vcpus_used, usages['VCPU']))
        self.assertEqual(memory_mb, usages['MEMORY_MB'])

    def test_confirmed(self):
        self._resize()
        # both, as long as it may be reverted
        self.assertUsed(3, 2048, 'host1')
        self.assertUsed(4, 2048, 'host2')
        self._confirm_resize(self.server, cross_cell=True)
        self.assertSize(4, 2048, 'host2')
        self.assertUsed(0, 0, 'host1')
        self._adjust(6, 4096)
        self.assertSize(6, 4096, 'host2')
        self.assertUsed(6, 4096, 'host2')

    def test_reverted(self):
        self._resize()
        self._revert_resize(self.server)
        self.assertSize(3, 2048, 'host1')
        self.assertUsed(3, 2048, 'host1')
        self.assertUsed(0, 0, 'host2')
        self._adjust(1, 1024)
        self.assertSize(1, 1024, 'host1')
