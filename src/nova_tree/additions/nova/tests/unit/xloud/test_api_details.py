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

from nova import test
from nova.tests.unit.api.openstack import fakes
from nova.tests.unit.xloud import base
from nova.xloud.api import details


class DetailsTestCase(test.NoDBTestCase):

    def _may_see(self, action='xloud_adjust', version='2.84', can=True):
        req = fakes.HTTPRequest.blank('', version=version)
        self.context = mock.Mock()
        self.context.can.return_value = can
        return details.may_see(
            req, self.context, base.make_instance(), {'action': action})

    def test_adjust(self):
        self.assertTrue(self._may_see())
        name, = self.context.can.call_args[0]
        self.assertEqual('os_compute_api:xloud:adjust:details', name)
        self.assertIs(False, self.context.can.call_args[1]['fatal'])

    def test_guest_with_more_than_is_held(self):
        self.assertTrue(self._may_see('xloud_overuse'))

    def test_the_policy_forbids_it(self):
        self.assertFalse(self._may_see(can=False))

    def test_other_action(self):
        self.assertFalse(self._may_see(action='pause'))
        self.context.can.assert_not_called()

    def test_earlier_microversion(self):
        self.assertFalse(self._may_see(version='2.83'))
        self.context.can.assert_not_called()
