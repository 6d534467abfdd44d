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

from nova.tests.fixtures import xloud as xloud_fixtures
from nova.tests.functional.api_sample_tests import test_servers


class XloudAdjustSampleJsonTest(test_servers.ServersSampleBase):
    # The 'os_compute_api:xloud:adjust' policy is admin-only
    ADMIN_API = True
    sample_dir = 'os-xloud-adjust'

    def setUp(self):
        # the driver that the compute service finds when it starts
        self.flags(compute_driver='fake.FakeDriver')
        self.useFixture(xloud_fixtures.AdjustableFakeDriver())
        super().setUp()
        flavor = self._create_flavor(
            vcpu=4, memory_mb=4096, disk=1, ephemeral=0, extra_spec={
                'minimum_cpu': '1', 'minimum_memory': '1024'})
        self.server_id = self._create_server(flavor_id=flavor)['id']

    def test_xloud_adjust_post(self):
        response = self._do_post(
            'os-xloud-adjust/%s' % self.server_id, 'xloud-adjust-post-req')
        self._verify_response(
            'xloud-adjust-post-resp', {}, response, 202)

    def test_xloud_status_get(self):
        response = self._do_get(
            'servers/%s/xloud-status' % self.server_id)
        self._verify_response('xloud-status-get-resp', {}, response, 200)
