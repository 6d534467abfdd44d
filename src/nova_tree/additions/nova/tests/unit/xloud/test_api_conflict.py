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

from nova.compute import api
from nova import exception
from nova import test
from nova.tests.unit.xloud import base


class ConflictTestCase(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.instance = base.make_instance()
        self.error = None

    @api.check_instance_state(vm_state=['active'])
    def operate(self, context, instance, *args, **kwargs):
        """Do the operation."""
        if self.error is not None:
            raise self.error
        return args, kwargs

    def _unexpected(self, **kwargs):
        self.error = exception.UnexpectedTaskStateError(
            instance_uuid=self.instance.uuid, expected={'task_state': [None]},
            **kwargs)

    def test_operation(self):
        self.assertEqual(
            ((1,), {'two': 2}),
            self.operate(None, self.instance, 1, two=2))
        self.assertEqual('operate', self.operate.__name__)

    def test_adjust_was_faster(self):
        self._unexpected(actual={'task_state': 'xloud_adjusting'})
        error = self.assertRaises(
            exception.InstanceInvalidState, self.operate, None, self.instance)
        self.assertEqual(
            ('task_state', 'xloud_adjusting', 'operate'),
            tuple(error.kwargs[name] for name in (
                'attr', 'state', 'method')))

    def test_another_operation_was_faster(self):
        for actual in ({'task_state': 'deleting'}, 'deleting'):
            self._unexpected(actual=actual)
            self.assertRaises(
                exception.UnexpectedTaskStateError,
                self.operate, None, self.instance)

    def test_other_states_are_checked_first(self):
        self.instance.vm_state = 'error'
        error = self.assertRaises(
            exception.InstanceInvalidState, self.operate, None, self.instance)
        self.assertEqual('vm_state', error.kwargs['attr'])
