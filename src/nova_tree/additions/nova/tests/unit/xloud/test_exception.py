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

import oslo_messaging as messaging

from nova import context
from nova import exception as nova_exception
from nova import test
from nova.xloud import exception


class FromRemoteTestCase(test.NoDBTestCase):

    def test_what_a_host_raised_is_the_same_again(self):
        for is_admin, told in ((True, '1 is free.'), (False, '')):
            ctxt = context.RequestContext('user', 'project', is_admin=is_admin)
            raised = exception.AdjustNoCapacity(
                asked='2', resource='VCPU', internal='1 is\nfree.')
            sent = raised.to_send(ctxt)
            remote = messaging.RemoteError(
                type(sent).__name__, str(sent), ['traceback'])

            rebuilt = exception.from_remote(remote)

            self.assertIsInstance(rebuilt, exception.AdjustNoCapacity)
            self.assertEqual(
                raised.format_message(), rebuilt.format_message())
            self.assertEqual(told, rebuilt.internal)
            self.assertEqual(409, rebuilt.code)
            self.assertEqual(
                raised.as_seen_by(ctxt), rebuilt.as_seen_by(ctxt))
            self.assertIs(is_admin, 'free' in raised.as_seen_by(ctxt))

    def test_a_refusal_without_more_to_tell(self):
        admin = context.get_admin_context()
        error = exception.AdjustHostDown(server='x')
        self.assertIs(error, error.to_send(admin))
        self.assertEqual(error.format_message(), error.as_seen_by(admin))

    def test_a_refusal_of_a_later_release_is_a_409(self):
        rebuilt = exception.from_remote(
            messaging.RemoteError('AdjustOfLater', 'It cannot.', []))
        self.assertIs(exception.AdjustError, type(rebuilt))
        self.assertEqual('It cannot.', rebuilt.format_message())
        self.assertEqual(409, rebuilt.code)

    def test_others_are_not_ours(self):
        for name in ('InstanceNotFound', 'from_remote', 'nova_exception',
                     'FloorInvalid', None):
            self.assertIsNone(exception.from_remote(
                messaging.RemoteError(name, 'no', [])))


class WordsTestCase(test.NoDBTestCase):

    def test_no_error_is_without_words(self):
        for error, expected in (
                (ValueError(), 'ValueError'), (ValueError('why'), 'why'),
                (exception.AdjustRefused(internal=ValueError()),
                 'The hypervisor has not taken the change. ValueError'),
                (None, ''), ('text', 'text')):
            self.assertEqual(expected, exception.in_words(error))


class CodeTestCase(test.NoDBTestCase):

    def test_bad_floors_are_400_in_every_call(self):
        # Nova's expected_errors lets a ValidationError through.
        for error in (exception.FloorInvalid, exception.FloorAboveMaximum,
                      exception.FloorMemoryPinned,
                      exception.FloorOverridden,
                      exception.FloorVcpusLocked,
                      exception.FloorBelowImage,
                      exception.ReservedExtraSpec):
            self.assertTrue(
                issubclass(error, nova_exception.ValidationError))
            self.assertEqual(400, error.code)


class ForMembersTestCase(test.NoDBTestCase):

    def test_what_is_ours_is_told(self):
        ours = exception.AdjustTimeout(server='server', internal='secret')
        for error in (None, 'The adjust was interrupted.', ours):
            self.assertIs(error, exception.for_members(error))
        self.assertNotIn('secret', ours.format_message())

    def test_what_is_not_is_not(self):
        for error in (ValueError('secret'),
                      nova_exception.ComputeHostNotFound(host='secret')):
            told = exception.for_members(error)
            self.assertEqual(exception.AdjustError().format_message(),
                             told.format_message())
            self.assertNotIn('secret', told.for_admin())
