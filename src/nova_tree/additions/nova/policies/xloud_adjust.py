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

"""Policies of the calls that adjust servers and show their sizes."""

from oslo_policy import policy

from nova.policies import base


POLICY_ROOT = 'os_compute_api:xloud:%s'


xloud_adjust_policies = [
    policy.DocumentedRuleDefault(
        name=POLICY_ROOT % 'adjust',
        check_str=base.ADMIN,
        description="Adjust the vCPUs and the memory of a server",
        operations=[
            {
                'method': 'POST',
                'path': '/os-xloud-adjust/{server_id}'
            }
        ],
        scope_types=['project']),
    policy.DocumentedRuleDefault(
        name=POLICY_ROOT % 'status',
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="Show the size of a server and its bounds",
        operations=[
            {
                'method': 'GET',
                'path': '/servers/{server_id}/xloud-status'
            }
        ],
        scope_types=['project']),
    policy.DocumentedRuleDefault(
        name=POLICY_ROOT % 'adjust:details',
        check_str=base.PROJECT_READER_OR_ADMIN,
        description="""Show what an adjust of a server has brought

Adds the key "details" to the events of a server action xloud_adjust, with
microversion 2.84 and later. The policy
os_compute_api:os-instance-actions:events:details shows the details of all
server actions, by default to administrators only. Those of an adjust name no
host, and no service.""",
        operations=[
            {
                'method': 'GET',
                'path': '/servers/{server_id}/os-instance-actions/{request_id}'
            }
        ],
        scope_types=['project']),
]


def list_rules():
    return xloud_adjust_policies
