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

"""The calls that adjust a server and show its size."""

import functools

import webob

from nova.api.openstack import common
from nova.api.openstack.compute.schemas import xloud_adjust as schema
from nova.api.openstack import wsgi
from nova.api import validation
from nova.compute import api as compute
from nova import exception
from nova.i18n import _
from nova.policies import xloud_adjust as policies
from nova.xloud.api import adjust as xloud
from nova.xloud import compat
from nova.xloud import exception as xloud_exception


# In characters: a 400 repeats parts of the request
_LONGEST_DETAIL = 500


def _exact_and_brief(function):
    """Decorate a validated call: figures are exact, and errors are short.

    JSON schema takes 2.0 for an integer, and 2e0 too; the API takes integers
    and strings of digits. The error of a schema repeats the value, however
    long.
    """
    @functools.wraps(function)
    def wrapper(self, req, server_id, body):
        try:
            for key, value in body.items() if isinstance(body, dict) else ():
                if isinstance(value, float):
                    raise exception.ValidationError(
                        detail=_('%(key)s must be an integer, or a string of '
                                 'digits, not %(value)s.')
                        % {'key': key, 'value': value})
            return function(self, req, server_id, body=body)
        except exception.ValidationError as error:
            detail = error.format_message()
            if len(detail) <= _LONGEST_DETAIL:
                raise
            raise exception.ValidationError(
                detail=detail[:_LONGEST_DETAIL] + '...')
    return wrapper


@compat.validated
class XloudAdjustController(wsgi.Controller):
    """Adjust the vCPUs and the memory of servers, within their flavors."""

    def __init__(self):
        super().__init__()
        self.compute_api = compute.API()
        self.xloud_api = xloud.API()

    @wsgi.response(202)
    @wsgi.expected_errors((400, 403, 404, 409, 503))
    @_exact_and_brief
    @validation.schema(schema.adjust)
    @compat.response_body_schema(schema.adjust_response)
    def adjust(self, req, server_id, body):
        """Start to give a server another size."""
        context, instance = self._get_instance(req, server_id, 'adjust')
        amounts = [int(body[key]) if key in body else None
                   for key in ('current_vcpus', 'current_memory_mb')]
        try:
            self.xloud_api.adjust(
                context, instance, *amounts, body.get('persist', True))
        except xloud_exception.AdjustError as e:
            raise webob.exc.status_map[e.code](
                explanation=e.as_seen_by(context))
        except exception.TooManyInstances as e:
            raise webob.exc.HTTPForbidden(explanation=e.format_message())
        except (exception.InstanceIsLocked,
                exception.UnexpectedTaskStateError) as e:
            raise webob.exc.HTTPConflict(explanation=e.format_message())
        except exception.InstanceInvalidState as e:
            common.raise_http_conflict_for_instance_invalid_state(
                e, 'xloud_adjust', server_id)
        except exception.InstanceNotFound as e:
            raise webob.exc.HTTPNotFound(explanation=e.format_message())
        return {}

    @wsgi.expected_errors(404)
    @validation.query_schema(schema.status_query)
    @compat.response_body_schema(schema.status_response)
    def status(self, req, server_id):
        """Show the size of a server and its bounds."""
        context, instance = self._get_instance(req, server_id, 'status')
        return {'xloud_status': self.xloud_api.status(context, instance)}

    def _get_instance(self, req, server_id, rule):
        """Find the server, then ask the policy about it.

        A server of another project is a 404 before it can be a 403.
        """
        context = req.environ['nova.context']
        instance = common.get_instance(
            self.compute_api, context, server_id,
            expected_attrs=['flavor', 'system_metadata'])
        context.can(policies.POLICY_ROOT % rule,
                    target={'user_id': instance.user_id,
                            'project_id': instance.project_id})
        return context, instance


def resource():
    """Make the WSGI resource that routes.py routes both calls to."""
    return wsgi.Resource(XloudAdjustController())
