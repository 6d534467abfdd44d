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

import fixtures
from oslo_utils.fixture import uuidsentinel as uuids

from nova import test
from nova.xloud import accounting
from nova.xloud.compute import leaving
from nova.xloud import exception


class LeavingTestCase(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.driver = mock.Mock(capabilities={'supports_xloud_adjust': True})
        self.client = mock.Mock()
        tracker = mock.Mock(compute_nodes={
            'n': mock.Mock(uuid=uuids.node, hypervisor_hostname='n')})
        self.accounting = accounting.Accounting('host', tracker, self.client)
        self.drop = self.useFixture(fixtures.MockPatch(
            'nova.xloud.placement.drop_trait')).mock

    def _stop(self, is_on_disk):
        with mock.patch('os.path.exists', return_value=is_on_disk) as exists:
            leaving.tidy_up(self.driver, self.accounting)
            exists.assert_called_once_with(leaving.__file__)

    def test_an_ordinary_stop_leaves_the_trait(self):
        self._stop(is_on_disk=True)
        self.drop.assert_not_called()
        self.assertTrue(
            self.driver.capabilities['supports_xloud_adjust'])

    def test_the_trait_goes_with_the_library(self):
        self._stop(is_on_disk=False)
        self.drop.assert_called_once_with(
            self.client, mock.ANY, uuids.node,
            'CUSTOM_XLOUD_ADJUST')
        # nor does a periodic task bring it back
        self.assertFalse(
            self.driver.capabilities['supports_xloud_adjust'])

    def test_without_placement_the_service_ends_all_the_same(self):
        self.drop.side_effect = ValueError()
        self._stop(is_on_disk=False)

    def test_the_log_tells_what_placement_said(self):
        self.drop.side_effect = exception.AdjustError(
            'Placement refused', internal='409: generation conflict')
        self._stop(is_on_disk=False)
        self.assertIn('409: generation conflict', self.stdlog.logger.output)
