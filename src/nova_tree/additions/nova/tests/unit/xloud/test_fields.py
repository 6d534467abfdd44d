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

from nova.compute import task_states
from nova.objects import fields
from nova import test


class TaskStateFieldTestCase(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.field = fields.InstanceTaskStateField(nullable=True)

    def test_notifications_can_tell_of_an_adjust(self):
        self.assertEqual('xloud_adjusting', task_states.XLOUD_ADJUSTING)
        for state in (task_states.XLOUD_ADJUSTING, task_states.REBOOTING,
                      None):
            self.assertEqual(
                state, self.field.coerce(None, 'task_state', state))

    def test_what_is_no_state_is_still_none(self):
        self.assertRaises(
            ValueError, self.field.coerce, None, 'task_state', 'adjusting')

    def test_the_objects_of_notifications_are_nova_s_own(self):
        # ALL is in their fingerprints
        self.assertNotIn(
            task_states.XLOUD_ADJUSTING, fields.InstanceTaskState.ALL)


class NotificationActionFieldTestCase(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.field = fields.NotificationActionField()

    def test_an_adjust_is_an_action(self):
        for action in ('xloud_adjust', fields.NotificationAction.REBOOT):
            self.assertEqual(
                action, self.field.coerce(None, 'action', action))

    def test_what_is_no_action_is_still_none(self):
        self.assertRaises(
            ValueError, self.field.coerce, None, 'action', 'adjust')

    def test_the_objects_of_notifications_are_nova_s_own(self):
        # ALL is in their fingerprints
        self.assertNotIn('xloud_adjust', fields.NotificationAction.ALL)
