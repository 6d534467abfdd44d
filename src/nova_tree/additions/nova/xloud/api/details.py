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

"""Who may read the outcome of an adjust, and why another has failed."""

from nova.api.openstack import api_version_request
from nova.compute import instance_actions
from nova.policies import xloud_adjust as policies

# Since then events have details
_MICROVERSION = '2.84'


def may_see(req, context, instance, action):
    """Tell whether the details of a server action's events are to be shown.

    The details of an adjust are the sizes, or the message of an AdjustError,
    which is for everybody who may see the server. Nova's own policy decides
    about the details of other actions, about tracebacks and names of hosts.

    :param req: nova.api.openstack.wsgi.Request, for its microversion
    :param context: nova.context.RequestContext
    :param instance: nova.objects.Instance
    :param action: dict of the server action, as the API shows it
    :returns: True if they are
    """
    return (
        action['action'] in (instance_actions.XLOUD_ADJUST,
                             instance_actions.XLOUD_OVERUSE) and
        api_version_request.is_supported(req, _MICROVERSION) and
        context.can(policies.POLICY_ROOT % 'adjust:details',
                    target={'project_id': instance.project_id}, fatal=False))
