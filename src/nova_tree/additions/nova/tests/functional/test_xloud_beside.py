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

"""Nova's own operations and answers beside an adjust."""

from unittest import mock

from nova import context as nova_context
from nova import objects
from nova.tests.functional import test_xloud_adjust
from nova.xloud import exception


class DetailsTest(test_xloud_adjust.XloudAdjustTestBase):
    """A guest refuses; its owner is no administrator."""

    microversion = '2.84'

    def setUp(self):
        super().setUp()
        self.server = self._server()

    def _fail(self, error):
        with mock.patch('nova.virt.fake.FakeDriver.set_current_vcpus',
                        side_effect=error):
            self._adjust(self.server, current_vcpus=3)

    def _events(self, name, api=None):
        """Return the events of the newest action, which has a name."""
        api = api or self.api
        action = self.api.get_instance_actions(self.server['id'])[0]
        self.assertEqual(name, action['action'])
        return api.api_get('/servers/%s/os-instance-actions/%s' % (
            self.server['id'], action['request_id'])
        ).body['instanceAction']['events']

    def _refuse(self):
        self._fail(exception.AdjustIncomplete(
            asked=3, unit='vCPUs', reason='the guest refuses'))

    def test_the_owner_sees_why(self):
        self._refuse()
        event, = self._events('xloud_adjust')
        self.assertEqual('Error', event['result'])
        self.assertIn('the guest refuses', event['details'])
        self.assertIn('1 vCPUs', event['details'])
        # all else stays with administrators
        self.assertNotIn('traceback', event)
        self.assertNotIn('host', event)
        event, = self._events('xloud_adjust', self.admin_api)
        self.assertIn('the guest refuses', event['details'])
        self.assertIn('traceback', event)
        self.assertIn('host', event)

    def test_the_owner_sees_the_sizes_of_a_success(self):
        for request, expected in (
                ({'current_vcpus': 3},
                 'The server has 3 vCPUs and 1024 MiB now. It had 1 vCPUs '
                 'and 1024 MiB before. The guest was not asked whether it '
                 'uses its vCPUs: no guest agent answers.'),
                ({'current_memory_mb': 2048, 'persist': False},
                 'The server has 3 vCPUs and 2048 MiB now. It had 3 vCPUs '
                 'and 1024 MiB before. Its next cold start will give it 3 '
                 'vCPUs and 1024 MiB.')):
            self._adjust(self.server, **request)
            event, = self._events('xloud_adjust')
            self.assertEqual(('Success', expected),
                             (event['result'], event['details']))
            self.assertNotIn('traceback', event)
            # nor does the action look as if it had failed
            action = self.api.get_instance_actions(self.server['id'])[0]
            self.assertIsNone(action['message'])
            event, = self._events('xloud_adjust', self.admin_api)
            self.assertIsNone(event['traceback'])

    def test_a_failure_after_a_success_says_its_own(self):
        self._adjust(self.server, current_vcpus=2)
        self._refuse()
        event, = self._events('xloud_adjust')
        self.assertIn('the guest refuses', event['details'])
        self.assertNotIn('before', event['details'])

    def test_events_of_other_actions_have_no_details(self):
        for event in self._events('create', self.admin_api):
            self.assertIsNone(event['details'])

    def test_an_operator_can_forbid_it(self):
        self._refuse()
        self.policy.set_rules({
            'os_compute_api:xloud:adjust:details': 'is_admin:True'},
            overwrite=False)
        event, = self._events('xloud_adjust')
        self.assertNotIn('details', event)
        event, = self._events('xloud_adjust', self.admin_api)
        self.assertIn('details', event)

    def test_other_actions_stay_as_they_are(self):
        for event in self._events('create'):
            self.assertNotIn('details', event)

    def test_an_earlier_microversion_has_none(self):
        self._refuse()
        self.api.microversion = '2.83'
        event, = self._events('xloud_adjust')
        self.assertNotIn('details', event)


class ConflictTest(test_xloud_adjust.XloudAdjustTestBase):
    """An adjust begins between an operation's check and its own state."""

    microversion = '2.79'

    def setUp(self):
        super().setUp()
        self.server = self._server()

    def _race(self, task_state):
        """Have the next operation find a task that has just begun."""
        save = objects.Instance.save
        raced = []

        def save_after_another(instance, *args, **kwargs):
            if 'expected_task_state' in kwargs and not raced:
                raced.append(instance.uuid)
                other = objects.Instance.get_by_uuid(
                    nova_context.get_admin_context(), instance.uuid)
                other.task_state = task_state
                save(other)
            return save(instance, *args, **kwargs)

        return mock.patch.object(
            objects.Instance, 'save', save_after_another)

    def _answer(self, action, arguments, task_state='xloud_adjusting'):
        with self._race(task_state):
            return self.admin_api.api_request(
                '/servers/%s/action' % self.server['id'], method='POST',
                body=test_xloud_adjust.jsonutils.dumps({action: arguments}))

    def _conflict(self, action, arguments):
        response = self._answer(action, arguments)
        self.assertEqual(409, response.status_code, response.text)
        self.assertIn('xloud_adjusting', response.text)
        instance = objects.Instance.get_by_uuid(
            nova_context.get_admin_context(), self.server['id'])
        self.assertEqual('xloud_adjusting', instance.task_state)
        instance.task_state = None
        instance.save()

    def test_operations_of_a_server_that_runs(self):
        image = self.glance.detail(None)[0]['id']
        other = self._flavor(other='1')
        for action, arguments in (
                ('pause', None),
                ('suspend', None),
                ('createImage', {'name': 'snapshot'}),
                ('createBackup', {'name': 'backup', 'backup_type': 'daily',
                                  'rotation': 1}),
                ('rebuild', {'imageRef': image}),
                ('reboot', {'type': 'SOFT'}),
                ('reboot', {'type': 'HARD'}),
                ('os-stop', None),
                ('shelve', None),
                ('rescue', None),
                ('resize', {'flavorRef': other}),
                ('migrate', None),
                ('changePassword', {'adminPass': 'secret'})):
            self._conflict(action, arguments)

    def test_start(self):
        self._stop_server(self.server)
        self._conflict('os-start', None)

    def test_unpause(self):
        self.admin_api.post_server_action(self.server['id'], {'pause': None})
        self._wait_for_state_change(self.server, 'PAUSED')
        self._conflict('unpause', None)

    def test_other_tasks_are_left_to_nova(self):
        response = self._answer('pause', None, 'suspending')
        self.assertEqual(500, response.status_code)
