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

import inspect
from unittest import mock

from oslo_utils.fixture import uuidsentinel as uuids

from nova import exception
from nova import objects
from nova.scheduler.filters import aggregate_instance_extra_specs
from nova.scheduler.filters import compute_capabilities_filter
from nova.scheduler import manager
from nova import test
from nova.tests.unit.xloud import base
from nova.xloud.scheduler import hosts


class RequireAdjustTestCase(test.NoDBTestCase):

    def test_floor_requires_the_trait(self):
        spec = objects.RequestSpec(flavor=base.make_flavor(**base.FLOORS))
        self.assertTrue(hosts.require_adjust(mock.sentinel.ctxt, spec))
        self.assertEqual({'CUSTOM_XLOUD_ADJUST'}, spec.root_required)

    def test_flavor_without_floor_requires_nothing(self):
        spec = objects.RequestSpec(flavor=base.make_flavor())
        self.assertFalse(hosts.require_adjust(mock.sentinel.ctxt, spec))
        self.assertEqual(set(), spec.root_required)


class FiltersTestCase(test.NoDBTestCase):

    def _passes(self, scheduler_filter, **extra_specs):
        spec = objects.RequestSpec(flavor=base.make_flavor(**extra_specs))
        host = mock.Mock(spec=['stats', 'minimum_cpu', 'aggregates'])
        host.stats = {}
        host.minimum_cpu = 'not 1'
        host.aggregates = []
        return scheduler_filter.host_passes(host, spec)

    def test_floor_is_no_condition_on_aggregates(self):
        aggregates = (aggregate_instance_extra_specs.
                      AggregateInstanceExtraSpecsFilter())
        self.assertTrue(self._passes(aggregates, minimum_cpu='1'))
        self.assertFalse(self._passes(aggregates, minimum_cpu='1', ssd='1'))
        self.assertFalse(self._passes(aggregates, ssd='1'))

    def test_floor_is_no_condition_on_hosts(self):
        capabilities = (
            compute_capabilities_filter.ComputeCapabilitiesFilter())
        self.assertTrue(self._passes(capabilities, minimum_cpu='1'))
        self.assertFalse(self._passes(
            capabilities, minimum_cpu='1', **{'capabilities:x': '1'}))

    def test_everything_else_of_the_request_is_there(self):
        spec = hosts.without_floors(objects.RequestSpec(
            project_id='project', flavor=base.make_flavor(minimum_cpu='1')))
        self.assertEqual(
            ('project', {}), (spec.project_id, spec.flavor.extra_specs))

    def test_flavor_without_floor_is_shown_as_it_is(self):
        spec = objects.RequestSpec(flavor=base.make_flavor())
        self.assertIs(spec, hosts.without_floors(spec))


class LargeEnoughTestCase(test.NoDBTestCase):
    """A flavor of 4 vCPUs and 4096 MiB."""

    def setUp(self):
        super().setUp()
        self.hosts = [mock.Mock(
            host='host', uuid=uuids.node, vcpus_total=4,
            total_usable_ram_mb=4096)]

    def _is_left(self, vcpus=4, memory_mb=4096, **extra_specs):
        """Tell whether the host is left, with a capacity in Placement."""
        specs = extra_specs or base.FLOORS
        resources = {'VCPU': {'capacity': vcpus, 'used': vcpus},
                     'MEMORY_MB': {'capacity': memory_mb, 'used': 0},
                     'DISK_GB': {'capacity': 1, 'used': 0}}
        resources = {name: each for name, each in resources.items()
                     if each['capacity'] is not None}
        spec = objects.RequestSpec(flavor=base.make_flavor(**specs))
        return bool(list(hosts.large_enough(
            iter(self.hosts), spec, {uuids.node: {'resources': resources}})))

    def test_capacity(self):
        self.assertTrue(self._is_left())
        self.assertFalse(self._is_left(vcpus=3))
        self.assertFalse(self._is_left(memory_mb=4095))

    def test_largest_unit(self):
        self.hosts[0].vcpus_total = 3
        self.assertFalse(self._is_left(vcpus=64))
        self.hosts[0].vcpus_total = 4
        self.hosts[0].total_usable_ram_mb = 4095
        self.assertFalse(self._is_left(memory_mb=8192))

    def test_placement_is_asked_for_a_resource_without_a_floor(self):
        """A flavor may override the amount asked of Placement, too."""
        self.assertTrue(self._is_left(vcpus=3, minimum_memory='1024'))
        self.assertTrue(self._is_left(memory_mb=4095, minimum_cpu='1'))

    def test_flavor_without_a_floor(self):
        self.assertTrue(self._is_left(vcpus=3, memory_mb=1, other='1'))

    def test_placement_is_asked_for_all_pinned_vcpus(self):
        pinned = dict(base.FLOORS, **{'hw:cpu_policy': 'dedicated'})
        self.hosts[0].vcpus_total = 0
        self.assertTrue(self._is_left(vcpus=None, **pinned))
        self.assertFalse(self._is_left(memory_mb=4095, **pinned))

    def test_an_unknown_limit_leaves_no_host_out(self):
        self.hosts[0].vcpus_total = 0
        self.hosts[0].total_usable_ram_mb = 0
        self.assertTrue(self._is_left(vcpus=None, memory_mb=None))
        self.hosts[0].uuid = None
        self.assertTrue(self._is_left(vcpus=3))

    def test_a_rebuild_stays_on_its_host(self):
        spec = objects.RequestSpec(flavor=base.make_flavor(**base.FLOORS))
        self.hosts[0].vcpus_total = 1
        self.assertIs(
            self.hosts, hosts.large_enough(self.hosts, spec, None))

    def test_the_log_tells_why(self):
        with mock.patch.object(hosts.LOG, 'info') as log:
            self.assertTrue(self._is_left())
            log.assert_not_called()
            self.assertFalse(self._is_left(vcpus=3, memory_mb=1))
        self.assertEqual(
            ('host: VCPU 3 of 4, MEMORY_MB 1 of 4096',),
            log.call_args[0][1:])

    def test_nova_asks_for_the_hosts_of_each_decision(self):
        """The scheduler has one source of hosts, with these arguments."""
        function = manager.SchedulerManager._get_all_host_states
        self.assertEqual(
            ['self', 'context', 'spec_obj', 'provider_summaries'],
            list(inspect.signature(function).parameters))
        source = inspect.getsource(manager.SchedulerManager._schedule)
        self.assertEqual(1, source.count('self._get_all_host_states('))


class DestinationTestCase(test.NoDBTestCase):
    """A host that an administrator forces a move to."""

    def setUp(self):
        super().setUp()
        self.traits = {'CUSTOM_XLOUD_ADJUST'}
        self.stocks = {
            name: {'total': amount, 'reserved': 0, 'max_unit': amount,
                   'allocation_ratio': 1.0}
            for name, amount in (
                ('VCPU', 4), ('MEMORY_MB', 4096), ('DISK_GB', 1))}
        self.client = mock.Mock()
        self.client.get_provider_traits.side_effect = (
            lambda context, uuid: mock.Mock(traits=self.traits))
        self.client.get.return_value.json.side_effect = (
            lambda: {'inventories': self.stocks})
        self.instance = base.make_instance(size=(1, 1024))

    def _check(self):
        hosts.check_destination(
            mock.Mock(global_id='req'), self.client, self.instance,
            mock.Mock(uuid=uuids.node, host='host'))

    def _refused(self):
        error = self.assertRaises(exception.NoValidHost, self._check)
        self.assertIn(
            'Unable to move instance %s to host host.' % self.instance.uuid,
            error.format_message())
        return error.format_message()

    def test_large_enough(self):
        self._check()
        self.client.get.assert_called_once_with(
            '/resource_providers/%s/inventories' % uuids.node,
            global_request_id='req')

    def test_not_able(self):
        self.traits = {'HW_CPU_X86_AVX'}
        self.assertIn('no trait CUSTOM_XLOUD_ADJUST', self._refused())

    def test_largest_unit(self):
        self.stocks['VCPU'].update(allocation_ratio=16.0, max_unit=3)
        self.assertIn('VCPU 3 of 4', self._refused())

    def test_reserved(self):
        self.stocks['MEMORY_MB']['reserved'] = 512
        self.assertIn('MEMORY_MB 3584 of 4096', self._refused())

    def test_pinned_vcpus(self):
        self.instance.flavor.extra_specs['hw:cpu_policy'] = 'dedicated'
        del self.stocks['VCPU']
        self._check()

    def test_placement_that_does_not_tell_will_be_asked_to_claim(self):
        self.client.get.return_value = None
        self._check()

    def test_flavor_without_a_floor(self):
        self.instance = base.make_instance(base.make_flavor())
        self._check()
        self.client.get.assert_not_called()
        self.client.get_provider_traits.assert_not_called()
