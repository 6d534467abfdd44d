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

from nova.api.validation.extra_specs import validators
from nova import exception
from nova import test


class MinimumTestCase(test.NoDBTestCase):

    def test_integers_of_at_least_one_are_valid(self):
        for name in ('minimum_cpu', 'minimum_memory'):
            for value in ('1', '64', '1048576'):
                validators.validate(name, value)

    def test_others_are_not(self):
        for name in ('minimum_cpu', 'minimum_memory'):
            for value in ('0', '-1', '1.5', 'two', ''):
                self.assertRaises(exception.ValidationError,
                                  validators.validate, name, value)
