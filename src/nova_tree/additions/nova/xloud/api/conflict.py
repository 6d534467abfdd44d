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

"""Nova's operations beside an adjust: a conflict, not an error."""

import functools

from nova.compute import task_states
from nova import exception


def _is_with_an_adjust(error):
    actual = error.kwargs.get('actual')
    return (isinstance(actual, dict) and
            actual.get('task_state') == task_states.XLOUD_ADJUSTING)


def _tells_conflicts(function):
    """Decorate method(api, context, instance, ...) of compute.api.API."""
    @functools.wraps(function)
    def wrapper(self, context, instance, *args, **kwargs):
        try:
            return function(self, context, instance, *args, **kwargs)
        except exception.UnexpectedTaskStateError as error:
            if not _is_with_an_adjust(error):
                raise
            raise exception.InstanceInvalidState(
                attr='task_state', instance_uuid=instance.uuid,
                state=task_states.XLOUD_ADJUSTING, method=function.__name__)
    return wrapper


def tells_conflicts(check_instance_state):
    """Decorate Nova's check_instance_state, which decorates operations.

    It refuses an operation on a server that has a task, and each caller makes
    a 409 of that. An adjust that begins after the check, and before the
    operation saves its own task state, is refused in the same way: Nova
    itself would answer 500.

    :param check_instance_state: function of a state that returns a decorator
        of methods (api, context, instance, ...)
    """
    @functools.wraps(check_instance_state)
    def wrapper(*args, **kwargs):
        checks = check_instance_state(*args, **kwargs)
        return lambda function: checks(_tells_conflicts(function))
    return wrapper
