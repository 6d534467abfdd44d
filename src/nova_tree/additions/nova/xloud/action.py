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

"""The server action of an adjust, and its end where the work has none.

The work of an adjust tells its own end, by Nova's EventReporter. This is for
an adjust that is not begun, or was interrupted.
"""

from nova.compute import instance_actions
from nova import objects


def finish(context, instance, request_id, name, host, error, traceback=None):
    """Finish the action of an adjust; may be repeated.

    Does nothing if there is no such action, or if there is no telling whether
    one that has an end is meant.

    :param context: nova.context.RequestContext, targeted at the server's cell
    :param instance: nova.objects.Instance
    :param request_id: id of the request that the adjust belongs to; None for
        an adjust that an earlier build has begun: the newest is meant then
    :param name: name of the event that ends
    :param host: name of the host that the event is of
    :param error: exception, or text, why the adjust has failed; None if it
        has not
    :param traceback: traceback of the exception
    """
    if request_id is None:
        # The newest first
        actions = objects.InstanceActionList.get_by_instance_uuid(
            context, instance.uuid)
    else:
        actions = [objects.InstanceAction.get_by_request_id(
            context, instance.uuid, request_id)]
    action = next((one for one in actions if one is not None and
                   one.action == instance_actions.XLOUD_ADJUST), None)
    if action is None:
        return
    # Events are found by the request that the action belongs to
    context = context.elevated()
    context.request_id = action.request_id
    event = objects.InstanceActionEvent
    started = objects.InstanceActionEventList.get_by_action(
        context, action.id)
    if request_id is None and any(one.finish_time for one in started):
        # An older action, which has ended; nova-api was killed before the
        # one that is meant
        return
    if not any(one.event == name for one in started):
        event.event_start(
            context, instance.uuid, name, want_result=False, host=host)
    event.event_finish_with_failure(
        context, instance.uuid, name, exc_val=error,
        exc_tb=traceback or error, want_result=False)
