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

"""The life of an adjust: its states, and the moves between them.

nova-api, the work on the host and the reconciliation make these moves, and
nothing else sets the task state of an adjust, its intent, or the end of its
server action. ``LIFE`` is the table of them.

Each move looks at the state that it comes from. The database's own
compare-and-swap compares the task state. The move itself compares the host and
the request, in the instance that it has just read, since Nova's save compares
no other columns. A move that finds another operation, host or request changes
nothing. Each move may be made twice.
"""

import collections

from oslo_context import context as oslo_context
from oslo_log import log as logging

from nova.compute import instance_actions
from nova.compute import task_states
from nova import exception as nova_exception
from nova import objects
from nova.xloud import exception
from nova.xloud import intent as xloud_intent
from nova.xloud import record as xloud_record

LOG = logging.getLogger(__name__)

# The events of the server action, by the service that they are of
API_EVENT = 'api_xloud_adjust'
HOST_EVENT = 'compute_xloud_adjust'

# The event of the server action that tells of a guest with too much
OVERUSE_EVENT = 'compute_xloud_overuse'

Row = collections.namedtuple('Row', 'state written mover function to')

# docs/architecture.md of nova-xloud has this table, and a test compares them.
LIFE = (
    Row('none', 'no task state, no intent', 'nova-api', 'take', 'taken'),
    Row('taken', 'the task state',
        'nova-api; reconciliation, when the host does not know the request '
        'after twice the RPC time limit', 'accept, give_back, end',
        'accepted, ended'),
    Row('accepted', 'the intent and the growth for quota; the start of the '
        'server action; the claim in Placement',
        'the host; nova-api, when the host refuses or cannot be reached; '
        'reconciliation', 'begin_event, end', 'working, ended'),
    Row('working', 'the request and its thread, in the memory of the host; '
        'the start of the event',
        'the thread; reconciliation, after a restart of nova-compute',
        'settle', 'settled'),
    Row('settled', 'the size that the guest has; then Placement',
        'the thread; reconciliation', 'end', 'ended'),
    Row('ended', 'the tracker, and the end of the event; then no intent, no '
        'growth for quota and no task state, in one save',
        'nobody: a message about an ended request is ignored', '-', '-'),
)


def take(instance):
    """Take a server for an adjust; the caller reads it again then.

    The intent is saved by the next move, not by this one: Nova saves system
    metadata as a whole, and the server may have been read before another
    operation ended.

    :param instance: nova.objects.Instance
    :raises: nova.exception.UnexpectedTaskStateError if another operation has
        the server
    """
    instance.task_state = task_states.XLOUD_ADJUSTING
    instance.save(expected_task_state=[None])


def accept(context, instance, intent, held):
    """Save the intent of an adjust, and start its server action.

    From here on the host finds the work, if it restarts, and Nova's database
    quota counts the size that the adjust may reach.

    :param context: nova.context.RequestContext of the request
    :param instance: nova.objects.Instance that was taken
    :param intent: nova.xloud.intent.Intent
    :param held: nova.xloud.size.Size that the adjust may reach
    :raises: nova.exception.UnexpectedTaskStateError if another operation has
        the server
    """
    intent.write(instance)
    xloud_record.hold_for_quota(instance, held)
    instance.save(expected_task_state=[task_states.XLOUD_ADJUSTING])
    objects.InstanceAction.action_start(
        context, instance.uuid, instance_actions.XLOUD_ADJUST,
        want_result=False)


def is_of(instance, host, request_id):
    """Tell whether an adjust of a request is unfinished on a host.

    :param instance: nova.objects.Instance as it was read last
    :param host: name of the host
    :param request_id: id of the request
    """
    noted = xloud_intent.Intent.of(instance)
    return (instance.host == host and noted is not None and
            noted.request_id == request_id)


def begin_event(context, instance, host, notifier):
    """Tell that the host has begun; never raises.

    :param context: nova.context.RequestContext of the request
    :param instance: nova.objects.Instance
    :param host: name of the host
    :param notifier: nova.xloud.notifications.Notifier of the host
    """
    notifier.start(context, instance)
    try:
        objects.InstanceActionEvent.event_start(
            context, instance.uuid, HOST_EVENT, want_result=False, host=host)
    except Exception:
        LOG.exception('The begin of the adjust could not be written.',
                      instance=instance)


def read_own(instance, host, request_id):
    """Read a server again before the outcome of an adjust is recorded.

    A host that was forced down may come back to its work when the server has
    been evacuated, or when another has ended the adjust. The metadata that
    others have saved meanwhile is read as well: system metadata is saved as a
    whole, and also has the reason of a lock and the guest's password.

    :param instance: nova.objects.Instance without unsaved changes
    :param host: name of the host
    :param request_id: id of the request
    :raises: AdjustTakenOver if the server is not this host's any more, or
        the adjust has ended
    """
    instance.refresh()
    check_own(instance, host, request_id)


def read_again(context, instance):
    """Read a server again, into an object of its own.

    :param context: nova.context.RequestContext of the request
    :param instance: nova.objects.Instance, which stays as it is
    :returns: nova.objects.Instance, for :func:`check_own` or
        :func:`end_read`
    """
    return objects.Instance.get_by_uuid(
        context, instance.uuid,
        expected_attrs=['flavor', 'info_cache', 'metadata',
                        'system_metadata'])


def check_own(instance, host, request_id):
    """Check that an adjust is still this host's; see :func:`read_own`.

    :param instance: nova.objects.Instance that was just read
    :raises: AdjustTakenOver
    """
    if not is_of(instance, host, request_id):
        raise exception.AdjustTakenOver()


def settle(instance):
    """Save the outcome of an adjust, which is recorded in the instance.

    :param instance: nova.objects.Instance that was read by this host
    """
    _save(instance)


def end(context, instance, request_id, name, host, notifier, error=None):
    """End an adjust: its server action first, then its task state.

    Until the task state is given up, a restart finds by it that the action
    is still to be ended. The notification comes last: who gives the task
    state up sends it, so an adjust that two have tried to end has one.

    :param context: nova.context.RequestContext, targeted at the server's cell
    :param instance: nova.objects.Instance without unsaved changes
    :param request_id: id of the request that the adjust belongs to; None for
        an adjust that an earlier build has begun: the newest is meant then
    :param name: API_EVENT or HOST_EVENT, the event that ends
    :param host: name of the host that the event is of
    :param notifier: nova.xloud.notifications.Notifier of that host
    :param error: exception, or text, why the adjust has failed; None if it
        has not
    """
    _end_action(context, instance, request_id, name, host, error)
    notifier.end(context, instance, give_back(instance, request_id), error)


def end_read(context, instance, request_id, notifier, error):
    """End an adjust whose event has ended; the rest of :func:`end`.

    :param context: nova.context.RequestContext of the request
    :param instance: nova.objects.Instance that was just read
    :param request_id: id of the request
    :param notifier: nova.xloud.notifications.Notifier of the host
    :param error: exception why the adjust has failed; None if it has not
    """
    notifier.end(
        context, instance, _give_back_read(instance, request_id), error)


def tell_end(context, instance, error):
    """Finish the event that this process has begun.

    :param context: nova.context.RequestContext of the request
    :param error: exception why the adjust has failed; None if it has not
    """
    try:
        _finish_event(context, instance, HOST_EVENT, error)
    except nova_exception.InstanceActionNotFound:
        # nova-api was killed before it could start the action
        LOG.info('The adjust has no server action.', instance=instance)


def alarm(context, instance, host, error):
    """Write a failed server action of its own, apart from any adjust.

    Whoever watches the actions of servers sees it. Never raises.

    :param context: nova.context.RequestContext
    :param instance: nova.objects.Instance
    :param host: name of the host
    :param error: AdjustError that the action tells
    """
    context = context.elevated()
    # One request may find more than one thing to tell of a server
    context.request_id = oslo_context.generate_request_id()
    try:
        objects.InstanceAction.action_start(
            context, instance.uuid, instance_actions.XLOUD_OVERUSE,
            want_result=False)
        objects.InstanceActionEvent.event_start(
            context, instance.uuid, OVERUSE_EVENT, want_result=False,
            host=host)
        _finish_event(context, instance, OVERUSE_EVENT, error)
    except Exception:
        LOG.exception('The server action could not be written.',
                      instance=instance)


def give_back(instance, request_id):
    """Read a server again, and give it back to its users.

    :param instance: nova.objects.Instance without unsaved changes
    :param request_id: id of the request; None for whichever it is
    :returns: nova.xloud.intent.Intent of the adjust that has ended by this;
        None if there was none, or another has ended it
    """
    try:
        instance.refresh()
    except nova_exception.InstanceNotFound:
        LOG.info('The server was deleted while it was adjusted.',
                 instance=instance)
        return None
    return _give_back_read(instance, request_id)


def _give_back_read(instance, request_id):
    """Give a server back that was just read; see :func:`give_back`."""
    try:
        noted = xloud_intent.Intent.of(instance)
        if noted is None:
            if instance.task_state != task_states.XLOUD_ADJUSTING:
                return None
        elif request_id is not None and noted.request_id != request_id:
            # This one has been ended by the host, and somebody has begun
            # another
            return None
        xloud_intent.Intent.drop(instance)
        xloud_record.hold_for_quota(instance, xloud_record.held(instance))
        instance.task_state = None
        _save(instance)
        return noted
    except nova_exception.InstanceNotFound:
        LOG.info('The server was deleted while it was adjusted.',
                 instance=instance)
        return None


def _save(instance):
    try:
        instance.save(
            expected_task_state=[task_states.XLOUD_ADJUSTING, None])
    except nova_exception.UnexpectedTaskStateError:
        # Being deleted, or taken over: the size stays true, the task state
        # is another's.
        instance.obj_reset_changes(['task_state'])
        instance.save()


def _end_action(context, instance, request_id, name, host, error):
    """Finish the action of an adjust; may be repeated.

    Does nothing if there is no such action, or if there is no telling whether
    one that has an end is meant.
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
    started = objects.InstanceActionEventList.get_by_action(
        context, action.id)
    if request_id is None and any(one.finish_time for one in started):
        # An older action, which has ended; nova-api was killed before the
        # one that is meant
        return
    if not any(one.event == name for one in started):
        objects.InstanceActionEvent.event_start(
            context, instance.uuid, name, want_result=False, host=host)
    if name == HOST_EVENT and any(
            one.event == API_EVENT and one.finish_time is None
            for one in started):
        # nova-api was killed before it could finish its own event
        _finish_event(context, instance, API_EVENT, error)
    _finish_event(context, instance, name, error)


def _finish_event(context, instance, name, error):
    """Finish an event with details that the owner of the server may read.

    A conductor of stock Nova keeps those of failures only.
    """
    if error is None:
        noted = xloud_intent.Intent.of(instance)
        details = noted and noted.tell_success(instance)
        traceback = None
    else:
        details = exception.for_members(error)
        # Without one, Nova takes the event for a success
        traceback = getattr(error, '__traceback__', None) or str(error)
    objects.InstanceActionEvent.event_finish_with_failure(
        context, instance.uuid, name, exc_val=details, exc_tb=traceback,
        want_result=False)
