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

"""The differences between the Nova releases that the API side runs in.

Asks for the ability, not for a version. Remove an entry when the oldest
supported release has it.
"""

from nova.api import validation


def _unchecked(*args, **kwargs):
    """Stand in for a schema decorator that the release does not have."""
    return lambda function: function


def _unmarked(controller):
    """Stand in for a class decorator that the release does not have."""
    return controller


# since 30 (2024.2): responses are checked against a schema, if asked to
response_body_schema = getattr(
    validation, 'response_body_schema', _unchecked)

# since 32 (2025.2): a controller says that all its methods have schemas
validated = getattr(validation, 'validated', _unmarked)
