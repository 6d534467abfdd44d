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

from unittest import mock

from nova import objects
from nova.scheduler.filters import aggregate_instance_extra_specs
from nova.scheduler.filters import compute_capabilities_filter
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
