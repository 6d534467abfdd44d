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

from nova import exception
from nova import test
from nova.tests.unit.xloud import base
from nova.xloud.api import hooks
from nova.xloud import record


class ApiHooksTestCase(test.NoDBTestCase):
    """Each hook calls its module; the modules have tests of their own."""

    def setUp(self):
        super().setUp()
        self.nova = mock.Mock(__name__='nova')
        self.instance = base.make_instance(size=(2, 2048))
        self.flavor = self.instance.flavor

    def test_server_is_made(self):
        instance = base.make_instance()
        hooks.server_is_made(instance, instance.flavor)
        self.assertEqual((1, 1024), record.recorded(instance))

    def test_checks(self):
        flavor = base.make_flavor(minimum_cpu='64')
        for check, arguments in (
                (hooks.check_create, (flavor, {})),
                (hooks.check_resize, (self.instance, flavor, False)),
                (hooks.check_specs, (self.flavor, {'minimum_cpu': '64'}))):
            self.assertRaises(exception.ValidationError, check, *arguments)

    def test_held(self):
        held = hooks.held(self.instance, self.flavor)
        self.assertEqual((2, 2048), (held.vcpus, held.memory_mb))
        self.assertEqual((2, 2048), hooks.held_size(self.instance))
        self.assertIs(self.flavor, hooks.held_at_create(self.flavor, {}))

    def test_check_num_instances_quota(self):
        check = hooks.check_num_instances_quota(self.nova)
        self.assertEqual(
            self.nova.return_value,
            check('context', self.flavor, 1, max_count=2))
        self.nova.assert_called_once_with('context', mock.ANY, 1, max_count=2)
        flavor = self.nova.call_args[0][1]
        self.assertEqual((1, 1024), (flavor.vcpus, flavor.memory_mb))

    def test_show_details(self):
        for shown, may_see in ((True, False), (False, True), (False, False)):
            with mock.patch('nova.xloud.api.details.may_see',
                            return_value=may_see):
                self.assertIs(shown or may_see, hooks.show_details(
                    shown, 'req', 'context', self.instance, 'action'))
