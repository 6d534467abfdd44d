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
from oslo_serialization import jsonutils
from oslo_utils.fixture import uuidsentinel as uuids
import webob

from nova.api.openstack import api_version_request
from nova.api.openstack.compute import routes
from nova.api.openstack.compute import xloud_adjust
from nova import exception
from nova import test
from nova.tests.unit.api.openstack import fakes
from nova.tests.unit.xloud import base
from nova.xloud import exception as xloud_exception

STATUS = {
    'current_vcpus': 2,
    'current_memory_mb': 2048,
    'min_vcpus': 1,
    'min_memory_mb': 1024,
    'max_vcpus': 4,
    'max_memory_mb': 4096,
    'balloon_driver_active': True,
    'attached_dimms_mb': 0,
    'has_virtiomem': False,
    'guest_online_vcpus': None,
}


class XloudAdjustTestCase(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.instance = base.make_instance(
            project_id=fakes.FAKE_PROJECT_ID, user_id=fakes.FAKE_USER_ID)
        self.get = self._patch('nova.compute.api.API.get')
        self.get.return_value = self.instance
        self.can = self._patch('nova.context.RequestContext.can')
        self.adjust = self._patch('nova.xloud.api.adjust.API.adjust')
        self.status = self._patch('nova.xloud.api.adjust.API.status')
        self.status.return_value = STATUS
        self.controller = xloud_adjust.XloudAdjustController()

    def _patch(self, name):
        return self.useFixture(fixtures.MockPatch(name)).mock

    @staticmethod
    def _request(version=None):
        if version is None:
            return fakes.HTTPRequest.blank('')
        return fakes.HTTPRequest.blank('', version=version)


class AdjustTestCase(XloudAdjustTestCase):

    def _post(self, body, version=None):
        return self.controller.adjust(
            self._request(version), uuids.server, body=body)

    def test_integers_and_strings_of_digits_are_the_same(self):
        for body, expected in (
                ({'current_vcpus': 3}, (3, None, True)),
                ({'current_vcpus': '3'}, (3, None, True)),
                ({'current_memory_mb': 2048}, (None, 2048, True)),
                ({'current_memory_mb': '2048'}, (None, 2048, True)),
                ({'current_vcpus': 1, 'current_memory_mb': '0064',
                  'persist': False}, (1, 64, False)),
                ({'current_vcpus': 0, 'persist': True}, (0, None, True)),
                ({'current_vcpus': -1}, (-1, None, True))):
            self.assertEqual({}, self._post(body))
            self.adjust.assert_called_with(
                mock.ANY, self.instance, *expected)

    def test_all_microversions_are_alike(self):
        for version in (None, '2.1', '2.86',
                        api_version_request.max_api_version().get_string()):
            self.assertEqual({}, self._post({'current_vcpus': 3}, version))
            self.assertRaises(
                exception.ValidationError, self._post, {'vcpus': 3}, version)

    def test_a_bad_body_is_400_before_the_server_is_looked_for(self):
        for body in (None, [], 'current_vcpus', 3,
                     {'current_vcpus': 3, 'name': 'other'},
                     {'xloud_adjust': {'current_vcpus': 3}},
                     {'current_vcpus': None},
                     {'current_vcpus': True},
                     {'current_vcpus': 1.5},
                     # JSON schema would take these for integers
                     {'current_vcpus': 2.0},
                     {'current_memory_mb': 2e3},
                     {'current_vcpus': [3]},
                     {'current_vcpus': '3.0'},
                     {'current_vcpus': '-3'},
                     {'current_vcpus': ' 3'},
                     {'current_vcpus': '3\n'},
                     {'current_vcpus': ''},
                     {'current_vcpus': 'three'},
                     {'current_vcpus': '\u0663'},
                     {'current_vcpus': '1' * 11},
                     {'current_memory_mb': '2GB'},
                     {'current_vcpus': 3, 'persist': 'true'},
                     {'current_vcpus': 3, 'persist': None},
                     {'current_vcpus': 3, 'persist': 1}):
            error = self.assertRaises(
                exception.ValidationError, self._post, body)
            self.assertEqual(400, error.code)
        self.get.assert_not_called()

    def test_a_bad_value_is_named(self):
        error = self.assertRaises(
            exception.ValidationError, self._post,
            {'current_memory_mb': '2GB'})
        self.assertIn('current_memory_mb', error.format_message())
        self.assertIn('2GB', error.format_message())

    def test_a_long_value_is_not_repeated_whole(self):
        for body in ({'current_vcpus': 'x' * 100000},
                     {'current_vcpus': [7] * 100000},
                     {'x' * 100000: 3}):
            error = self.assertRaises(
                exception.ValidationError, self._post, body)
            self.assertLess(len(error.format_message()), 600)

    def test_only_administrators_read_what_is_internal(self):
        self.adjust.side_effect = xloud_exception.AdjustNoCapacity(
            asked=1, resource='VCPU', internal='0 is free.')
        for is_admin in (True, False):
            request = fakes.HTTPRequest.blank(
                '', use_admin_context=is_admin)
            error = self.assertRaises(
                webob.exc.HTTPConflict, self.controller.adjust, request,
                uuids.server, body={'current_vcpus': 9})
            self.assertIs(is_admin, '0 is free.' in error.explanation)

    def test_a_missing_server_is_404_before_the_policy_is_asked(self):
        self.get.side_effect = exception.InstanceNotFound(
            instance_id=uuids.server)

        self.assertRaises(
            webob.exc.HTTPNotFound, self._post, {'current_vcpus': 3})

        self.can.assert_not_called()

    def test_the_policy_is_asked_about_the_server(self):
        self.can.side_effect = exception.PolicyNotAuthorized(action='no')

        self.assertRaises(exception.PolicyNotAuthorized,
                          self._post, {'current_vcpus': 3})

        self.can.assert_called_once_with(
            'os_compute_api:xloud:adjust',
            target={'user_id': fakes.FAKE_USER_ID,
                    'project_id': fakes.FAKE_PROJECT_ID})
        self.adjust.assert_not_called()

    def test_each_refusal_has_its_code_and_its_message(self):
        server = uuids.server
        figures = {'key': 'current_vcpus', 'asked': 9, 'flavor': 'elastic',
                   'spec': 'minimum_cpu', 'floor': 1, 'maximum': 4,
                   'unit': 'vCPUs', 'server': server, 'current': 2}
        state = {'instance_uuid': server, 'method': 'adjust'}
        for code, refusal in (
                (400, xloud_exception.AdjustNoFloor(**figures)),
                (400, xloud_exception.AdjustOutOfBounds(**figures)),
                (403, exception.TooManyInstances(
                    overs='cores', req='1', used='20', allowed='20')),
                (404, exception.InstanceNotFound(instance_id=server)),
                (409, exception.InstanceIsLocked(instance_uuid=server)),
                (409, exception.UnexpectedTaskStateError(
                    instance_uuid=server, expected='None',
                    actual='xloud_adjusting')),
                (409, xloud_exception.AdjustPausedShrink(**figures)),
                (409, xloud_exception.AdjustNoGuest(server=server)),
                (409, xloud_exception.AdjustHostDown(server=server)),
                (409, xloud_exception.AdjustHostUnreachable(server=server)),
                (409, xloud_exception.AdjustHostTooOld(server=server)),
                (409, xloud_exception.AdjustTimeout(server=server)),
                (409, xloud_exception.AdjustNotSupported(reason='no')),
                (409, xloud_exception.AdjustNoCapacity(
                    asked=1, resource='VCPU')),
                (503, xloud_exception.AdjustAccountingFailed(
                    internal='no'))):
            self.adjust.side_effect = refusal
            error = self.assertRaises(
                webob.exc.HTTPException, self._post, {'current_vcpus': 9})
            self.assertEqual(code, error.code)
            self.assertEqual(refusal.format_message(), error.explanation)

        for attr, value in (('vm_state', 'suspended'),
                            ('task_state', 'rebooting')):
            self.adjust.side_effect = exception.InstanceInvalidState(
                attr=attr, state=value, **state)
            error = self.assertRaises(
                webob.exc.HTTPConflict, self._post, {'current_vcpus': 9})
            self.assertIn('%s %s' % (attr, value), error.explanation)


class StatusTestCase(XloudAdjustTestCase):

    def test_the_answer_has_the_nine_keys(self):
        for version in (None, '2.1', '2.86',
                        api_version_request.max_api_version().get_string()):
            self.assertEqual(
                {'xloud_status': STATUS},
                self.controller.status(
                    self._request(version), uuids.server))
        self.status.assert_called_with(mock.ANY, self.instance)

    def test_a_missing_server_is_404_before_the_policy_is_asked(self):
        self.get.side_effect = exception.InstanceNotFound(
            instance_id=uuids.server)

        self.assertRaises(
            webob.exc.HTTPNotFound, self.controller.status,
            self._request(), uuids.server)

        self.can.assert_not_called()

    def test_the_policy_is_asked_about_the_server(self):
        self.can.side_effect = exception.PolicyNotAuthorized(action='no')

        self.assertRaises(
            exception.PolicyNotAuthorized, self.controller.status,
            self._request(), uuids.server)

        self.can.assert_called_once_with(
            'os_compute_api:xloud:status',
            target={'user_id': fakes.FAKE_USER_ID,
                    'project_id': fakes.FAKE_PROJECT_ID})
        self.status.assert_not_called()


class RouteTestCase(XloudAdjustTestCase):
    """The calls as they come in from outside, without authentication."""

    def setUp(self):
        super().setUp()
        self.app = fakes.wsgi_app_v21(custom_routes=None)

    def _send(self, method, path, body=None):
        request = fakes.HTTPRequest.blank('/v2.1' + path)
        request.method = method
        request.headers['content-type'] = 'application/json'
        if body is not None:
            request.body = body
        return request.get_response(self.app)

    def _post(self, body):
        return self._send(
            'POST', '/os-xloud-adjust/%s' % uuids.server, body)

    def test_post_answers_202_and_an_empty_object(self):
        response = self._post(b'{"current_vcpus": 3}')
        self.assertEqual((202, b'{}'),
                         (response.status_int, response.body))

    def test_get_answers_200_and_the_status(self):
        response = self._send(
            'GET', '/servers/%s/xloud-status' % uuids.server)
        self.assertEqual(200, response.status_int)
        self.assertEqual({'xloud_status': STATUS},
                         jsonutils.loads(response.body))

    def test_the_project_may_be_part_of_the_path(self):
        response = self._send('GET', '/%s/servers/%s/xloud-status' % (
            fakes.FAKE_PROJECT_ID, uuids.server))
        self.assertEqual(200, response.status_int)

    def test_a_body_that_is_not_an_object_is_400(self):
        for body in (None, b'', b'[]', b'3', b'{', b'null'):
            self.assertEqual(400, self._post(body).status_int, body)

    def test_other_methods_are_not_there(self):
        response = self._send('GET', '/os-xloud-adjust/%s' % uuids.server)
        self.assertIn(response.status_int, (404, 405))

    def test_nova_still_has_its_own_routes(self):
        paths = [path for path, methods in routes.ROUTE_LIST]
        self.assertEqual(len(set(paths)), len(paths))
