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
from oslo_utils import timeutils

from nova import exception as nova_exception
from nova import objects
from nova.tests.unit.xloud import base
from nova.xloud import exception
from nova.xloud import intent
from nova.xloud import lifecycle
from nova.xloud.size import Size

REQUEST = 'req-of-the-adjust'


class FinishTestCase(base.ServerTestCase):

    def setUp(self):
        super().setUp()
        self.notifier = mock.Mock()

    def _finish(self, request_id=REQUEST, error='why', **kwargs):
        lifecycle.end(self.context, self.instance, request_id, 'event',
                      'host', self.notifier, error, **kwargs)

    def assertFinished(self, error, traceback):
        self.finished.assert_called_once_with(
            mock.ANY, uuids.server, 'event', exc_val=error, exc_tb=traceback,
            want_result=False)
        self.assertEqual(REQUEST, self.finished.call_args[0][0].request_id)

    def test_event_is_begun_and_finished(self):
        self._finish()
        self.started.assert_called_once_with(
            mock.ANY, uuids.server, 'event', want_result=False, host='host')
        self.assertEqual(REQUEST, self.started.call_args[0][0].request_id)
        self.assertFinished('why', 'why')

    def test_exception_has_a_traceback(self):
        try:
            raise exception.AdjustError('why')
        except exception.AdjustError as raised:
            error = raised
        self._finish(error=error)
        self.assertFinished(error, error.__traceback__)

    def test_an_error_of_others_tells_members_nothing(self):
        self._finish(error=ValueError('secret'))
        told = self.finished.call_args[1]['exc_val']
        self.assertIs(exception.AdjustError, type(told))

    def test_exception_that_was_not_raised_is_no_success(self):
        error = exception.AdjustError('why')
        self._finish(error=error)
        self.assertFinished(error, 'why')
        self.finished.reset_mock()
        self.context.request_id = REQUEST
        lifecycle.tell_end(self.context, self.instance, error)
        self.finished.assert_called_once_with(
            mock.ANY, uuids.server, lifecycle.HOST_EVENT, exc_val=error,
            exc_tb='why', want_result=False)

    def test_server_action_that_is_missing(self):
        self.finished.side_effect = nova_exception.InstanceActionNotFound(
            request_id='x', instance_uuid='y')
        lifecycle.tell_end(self.context, self.instance, None)

    def test_success_says_the_figures(self):
        intent.Intent(2, None, True, REQUEST, Size(1, 2048)).write(
            self.instance)
        expected = ('The server has 2 vCPUs and 2048 MiB now. It had 1 vCPUs '
                    'and 2048 MiB before.')
        self._finish(error=None)
        self.assertFinished(expected, None)

    def test_success_of_an_adjust_that_somebody_has_ended(self):
        self._finish(error=None)
        self.assertFinished(None, None)

    def test_event_that_was_begun_is_not_begun_again(self):
        self.events = [mock.Mock(event='other'),
                       mock.Mock(event='event', finish_time=None)]
        self._finish()
        self.started.assert_not_called()
        self.assertFinished('why', 'why')

    def test_who_ends_it_tells_it_once(self):
        noted = intent.Intent(2, None, True, REQUEST, Size(1, 2048))
        noted.write(self.instance)
        for _again in range(2):
            self._finish()
        told = [call[0] for call in self.notifier.end.call_args_list]
        self.assertEqual(
            [(REQUEST, 'why'), (None, 'why')],
            [(given and given.request_id, error)
             for _context, _instance, given, error in told])
        self.assertIsNone(intent.Intent.of(self.instance))

    def test_of_another_request_nothing_is_told(self):
        intent.Intent(2, None, True, 'req-x').write(self.instance)
        self._finish()
        self.notifier.end.assert_called_once_with(
            self.context, self.instance, None, 'why')

    def test_of_a_server_that_is_gone_nothing_is_told(self):
        intent.Intent(2, None, True, REQUEST).write(self.instance)
        gone = nova_exception.InstanceNotFound(instance_id='x')
        self.save.side_effect = gone
        self._finish()
        self.refresh.side_effect = gone
        self._finish()
        self.assertEqual(
            [None, None],
            [call[0][2] for call in self.notifier.end.call_args_list])

    def _ends(self, name):
        """End the adjust by an event, and return the events that finish."""
        lifecycle.end(
            self.context, self.instance, REQUEST, name, 'host',
            self.notifier, 'why')
        return [call[0][2] for call in self.finished.call_args_list]

    def test_host_finishes_what_a_dead_nova_api_has_begun(self):
        self.events = [
            mock.Mock(event=lifecycle.API_EVENT, finish_time=None)]
        self.assertEqual([lifecycle.API_EVENT, lifecycle.HOST_EVENT],
                         self._ends(lifecycle.HOST_EVENT))

    def test_host_leaves_alone_what_nova_api_has_finished(self):
        self.events = [mock.Mock(
            event=lifecycle.API_EVENT, finish_time=timeutils.utcnow())]
        self.assertEqual([lifecycle.HOST_EVENT],
                         self._ends(lifecycle.HOST_EVENT))

    def test_nova_api_does_not_finish_the_event_of_the_host(self):
        self.events = [
            mock.Mock(event=lifecycle.HOST_EVENT, finish_time=None)]
        self.assertEqual([lifecycle.API_EVENT],
                         self._ends(lifecycle.API_EVENT))

    def test_end_may_be_told_again(self):
        self.events = [
            mock.Mock(event='event', finish_time=timeutils.utcnow())]
        self._finish()
        self.assertFinished('why', 'why')

    def test_without_a_request_the_newest_is_meant(self):
        self.newer = [objects.InstanceAction(id=2, action='reboot')]
        self._finish(request_id=None)
        self.assertFinished('why', 'why')

    def test_without_a_request_an_end_is_left_alone(self):
        # also where nova-api was the one to end it
        for name in ('event', 'api_xloud_adjust'):
            self.events = [
                mock.Mock(event=name, finish_time=timeutils.utcnow())]
            self._finish(request_id=None)
            self.started.assert_not_called()
            self.finished.assert_not_called()

    def test_no_such_action(self):
        for other in (None, objects.InstanceAction(
                          id=2, action='xloud_adjust', request_id='req-x'),
                      objects.InstanceAction(
                          id=2, action='reboot', request_id=REQUEST)):
            self.action = other
            self._finish()
        self.started.assert_not_called()
        self.finished.assert_not_called()
