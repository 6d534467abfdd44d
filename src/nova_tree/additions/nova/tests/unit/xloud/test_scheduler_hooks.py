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

from oslo_utils.fixture import uuidsentinel as uuids

from nova import exception
from nova import objects
from nova.scheduler import manager
from nova.scheduler import request_filter
from nova.scheduler import utils
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

    def test_get_all_host_states(self):
        scheduler = mock.Mock()
        host = mock.Mock(uuid=uuids.node, host='host', vcpus_total=3,
                         total_usable_ram_mb=4096)
        states = scheduler.host_manager.get_host_states_by_uuids
        states.side_effect = lambda *args: iter([host])
        for flavor, left in ((self.instance.flavor, []),
                             (base.make_flavor(), [host])):
            spec = objects.RequestSpec(flavor=flavor)
            found = manager.SchedulerManager._get_all_host_states(
                scheduler, mock.sentinel.ctxt, spec, {uuids.node: {}})
            self.assertEqual(left, list(found))
        states.assert_called_with(mock.sentinel.ctxt, [uuids.node], spec)

    def test_claim_resources_on_destination(self):
        client = mock.Mock()
        client.get_provider_traits.return_value.traits = {'OTHER'}
        self.assertRaises(
            exception.NoValidHost, utils.claim_resources_on_destination,
            mock.sentinel.ctxt, client, self.instance, mock.Mock(),
            mock.Mock(uuid=uuids.node, host='host'))
        client.claim_resources.assert_not_called()
        self.instance.flavor = base.make_flavor()
        hooks.claim_resources_on_destination(self.nova)(
            'ctxt', 'client', self.instance, 'from', 'to', {}, 1)
        self.nova.assert_called_once_with(
            'ctxt', 'client', self.instance, 'from', 'to', {}, 1)
