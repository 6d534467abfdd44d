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
from nova.scheduler import request_filter
from nova import test
from nova.tests.unit.xloud import base
from nova.xloud.scheduler import hooks


class SchedulerHooksTestCase(test.NoDBTestCase):
    """Each hook calls its module; the modules have tests of their own."""

    def setUp(self):
        super().setUp()
        self.nova = mock.Mock(__name__='nova')
        self.instance = base.make_instance(size=(2, 2048))
        self.instance.info_cache = None

    def test_require_adjust(self):
        self.assertIn(hooks.require_adjust, request_filter.ALL_REQUEST_FILTERS)
        spec = objects.RequestSpec(flavor=self.instance.flavor)
        self.assertTrue(hooks.require_adjust(mock.sentinel.ctxt, spec))

    def test_requested(self):
        for flavor, vcpus in ((self.instance.flavor, 1),
                              (base.make_flavor(), 4)):
            self.assertEqual(vcpus, objects.RequestSpec(flavor=flavor).vcpus)

    def test_ensure_network_information(self):
        spec = objects.RequestSpec(flavor=self.instance.flavor)
        hooks.ensure_network_information(self.nova)(spec, self.instance)
        self.nova.assert_called_once_with(spec, self.instance)
        self.assertEqual((2, 2048), (spec.vcpus, spec.memory_mb))

    def test_resources_from_flavor(self):
        hooks.resources_from_flavor(self.nova)(
            self.instance, self.instance.flavor)
        instance, flavor = self.nova.call_args[0]
        self.assertIs(self.instance, instance)
        self.assertEqual('2', flavor.extra_specs['xloud:current_vcpus'])

    def test_host_passes(self):
        spec = objects.RequestSpec(flavor=self.instance.flavor)
        passes = hooks.host_passes(self.nova)
        self.assertEqual(
            self.nova.return_value, passes('filter', 'state', spec))
        a_filter, state, shown = self.nova.call_args[0]
        self.assertEqual(('filter', 'state'), (a_filter, state))
        self.assertEqual({}, shown.flavor.extra_specs)
