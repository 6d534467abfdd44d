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

import fixtures
from oslo_utils.fixture import uuidsentinel as uuids
from oslo_utils import timeutils

from nova.api.openstack.compute import instance_actions
from nova.api.openstack.compute import xloud_adjust
from nova.compute import vm_states
import nova.conf
from nova.policies import xloud_adjust as policies
from nova.tests.unit.api.openstack import fakes
from nova.tests.unit import fake_instance
from nova.tests.unit import fake_server_actions
from nova.tests.unit.policies import base

CONF = nova.conf.CONF


class XloudAdjustPolicyTest(base.BasePolicyTest):
    """Test the xloud API policies with all possible context.

    This class defines the set of context with different roles
    which are allowed and not allowed to pass the policy checks.
    """

    def setUp(self):
        super().setUp()
        self.controller = xloud_adjust.XloudAdjustController()
        self.req = fakes.HTTPRequest.blank('')
        self.instance = fake_instance.fake_instance_obj(
            self.project_member_context, project_id=self.project_id,
            id=1, uuid=uuids.fake_id, vm_state=vm_states.ACTIVE,
            task_state=None, launched_at=timeutils.utcnow())
        self.useFixture(fixtures.MockPatch(
            'nova.api.openstack.common.get_instance',
            return_value=self.instance))
        self.useFixture(fixtures.MockPatch('nova.xloud.api.adjust.API.adjust'))
        self.useFixture(fixtures.MockPatch(
            'nova.xloud.api.adjust.API.status', return_value={
                'current_vcpus': 2,
                'current_memory_mb': 2048,
                'min_vcpus': 1,
                'min_memory_mb': 1024,
                'max_vcpus': 4,
                'max_memory_mb': 4096,
                'balloon_driver_active': True,
                'attached_dimms_mb': 0,
                'has_virtiomem': False,
                'guest_online_vcpus': 2,
            }))

        if 'enforce_scope' in CONF.oslo_policy:
            # until 33 (2026.1) an option, then always so
            self.flags(enforce_scope=True, group='oslo_policy')

        self.admin_contexts = [
            self.legacy_admin_context, self.project_admin_context]
        # With legacy rules whoever belongs to the project may read.
        self.reader_contexts = self.admin_contexts + [
            self.project_member_context, self.project_reader_context,
            self.project_foo_context] + self._managers()

    def _managers(self):
        """The context that base.py has since 32 (2025.2)."""
        manager = getattr(self, 'project_manager_context', None)
        return [manager] if manager else []

    def test_adjust_policy(self):
        self.common_policy_auth(
            self.admin_contexts, policies.POLICY_ROOT % 'adjust',
            self.controller.adjust, self.req, self.instance.uuid,
            body={'current_vcpus': 2})

    def test_status_policy(self):
        self.common_policy_auth(
            self.reader_contexts, policies.POLICY_ROOT % 'status',
            self.controller.status, self.req, self.instance.uuid)

    def test_details_policy(self):
        """Who may not, gets the event without them."""
        controller = instance_actions.InstanceActionsController()
        rule = policies.POLICY_ROOT % 'adjust:details'
        request_id = fake_server_actions.FAKE_REQUEST_ID1
        action = dict(
            fake_server_actions.FAKE_ACTIONS[
                fake_server_actions.FAKE_UUID][request_id],
            action='xloud_adjust')
        action_api = 'nova.compute.api.InstanceActionAPI.'
        self.useFixture(fixtures.MockPatch(
            action_api + 'action_get_by_request_id', return_value=action))
        self.useFixture(fixtures.MockPatch(
            action_api + 'action_events_get',
            return_value=fake_server_actions.FAKE_EVENTS[action['id']]))
        # Whoever is not authorized may see the action without them
        self.policy.set_rules(
            {'os_compute_api:os-instance-actions:show': '@'},
            overwrite=False)
        self.req = fakes.HTTPRequest.blank('', version='2.84')
        authorized, unauthorized = self.common_policy_auth(
            self.reader_contexts, rule, controller.show, self.req,
            self.instance.uuid, request_id, fatal=False)
        for answer, shown in ((authorized, True), (unauthorized, False)):
            for each in answer:
                for event in each['instanceAction']['events']:
                    self.assertEqual(shown, 'details' in event)


class XloudAdjustNoLegacyPolicyTest(XloudAdjustPolicyTest):
    """Test the xloud API policies as they are by default."""

    without_deprecated_rules = True

    def setUp(self):
        super().setUp()
        self.reader_contexts.remove(self.project_foo_context)


class XloudAdjustOverridePolicyTest(XloudAdjustNoLegacyPolicyTest):
    """Test that an operator can let members adjust their servers."""

    def setUp(self):
        super().setUp()
        self.policy.set_rules(
            {policies.POLICY_ROOT % 'adjust': 'rule:project_member_api'},
            overwrite=False)
        self.admin_contexts = [
            self.project_admin_context,
            self.project_member_context] + self._managers()
