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

"""Tells of adjusts on the notification bus, as Nova's own operations do.

The moves of :mod:`nova.xloud.lifecycle` say when. Each adjust is told by a
versioned notification, ``instance.xloud_adjust``, and by a legacy one,
``compute.instance.xloud_adjust``: a start, and then an end or an error.
"""

from oslo_log import log as logging

from nova.compute import utils as compute_utils
from nova.notifications.objects import base as notification_base
from nova.notifications.objects import exception as exception_payload
from nova.notifications.objects import xloud_adjust as payload
from nova.objects import fields
from nova import rpc
from nova.xloud import exception
from nova.xloud import intent as xloud_intent
from nova.xloud import record as xloud_record
from nova.xloud import size as xloud_size

LOG = logging.getLogger(__name__)


class Notifier:
    """Sends the notifications of one service. Its methods never raise.

    The outcome of an adjust is recorded before its notification is sent, and
    does not depend on a bus that fails.
    """

    def __init__(self, host, source, submit=None):
        """Send for a service.

        :param host: name of the host of the service
        :param source: the service, a nova.objects.fields.NotificationSource
        :param submit: callable that takes a function and its arguments, and
            calls the function later; None to send at once, and to wait until
            the bus has taken the message
        """
        self._host = host
        self._source = source
        self._submit = submit

    def start(self, context, instance):
        """Tell that the work on an adjust has begun.

        :param context: nova.context.RequestContext of the request
        :param instance: nova.objects.Instance with the intent of the adjust
        """
        self._tell(context, instance, xloud_intent.Intent.of(instance),
                   fields.NotificationPhase.START, None)

    def end(self, context, instance, intent, error):
        """Tell how an adjust has ended.

        :param context: nova.context.RequestContext
        :param instance: nova.objects.Instance with the outcome
        :param intent: nova.xloud.intent.Intent that the adjust had
        :param error: exception, or text, why the adjust has failed; None if
            it has not
        """
        if isinstance(error, str):
            error = exception.AdjustError(error)
        phase = (fields.NotificationPhase.END if error is None
                 else fields.NotificationPhase.ERROR)
        self._tell(context, instance, intent, phase, error)

    def _tell(self, context, instance, intent, phase, error):
        if intent is None:
            # Another operation has the server now, or no adjust has begun
            return
        try:
            figures = _figures(instance, intent)
            # The caller goes on with the instance
            arguments = (context, instance.obj_clone(), figures, phase, error)
            if self._submit is None:
                self._send(*arguments)
            else:
                self._submit(self._send, *arguments)
        except Exception:
            _log_failure(instance, phase)

    def _send(self, context, instance, figures, phase, error):
        for send in (self._send_versioned, self._send_legacy):
            try:
                send(context, instance, figures, phase, error)
            except Exception:
                _log_failure(instance, phase)

    @rpc.if_notifications_enabled
    def _send_versioned(self, context, instance, figures, phase, error):
        notification = payload.InstanceXloudAdjustNotification(
            context=context,
            priority=(fields.NotificationPriority.INFO if error is None
                      else fields.NotificationPriority.ERROR),
            publisher=notification_base.NotificationPublisher(
                host=self._host, source=self._source),
            event_type=notification_base.EventType(
                object='instance',
                action=fields.NotificationAction.XLOUD_ADJUST,
                phase=phase),
            payload=payload.InstanceXloudAdjustPayload(
                context=context, instance=instance, fault=_fault(error),
                figures=figures))
        notification.emit(context)

    def _send_legacy(self, context, instance, figures, phase, error):
        compute_utils.notify_about_instance_usage(
            rpc.get_notifier('compute', self._host), context, instance,
            'xloud_adjust.%s' % phase, extra_usage_info=figures, fault=error)


def _log_failure(instance, phase):
    LOG.exception('The notification of the %s of an adjust could not be '
                  'sent. The adjust itself is not affected.', phase,
                  instance=instance)


def _figures(instance, intent):
    """Tell the sizes of an adjust, and whose it is.

    :returns: dict, the same in both notifications
    """
    old = intent.before or xloud_size.Size(None, None)
    new = xloud_record.live(instance)
    return {
        'old_vcpus': old.vcpus,
        'old_memory_mb': old.memory_mb,
        'asked_vcpus': intent.vcpus,
        'asked_memory_mb': intent.memory_mb,
        'new_vcpus': new.vcpus,
        'new_memory_mb': new.memory_mb,
        'persist': intent.persist,
        # A periodic task may end it, which has another one
        'request_id': intent.request_id,
    }


def _fault(error):
    """Make the payload of an error, which may never have been raised.

    :returns: ExceptionPayload; None without an error
    """
    if error is None:
        return None
    if error.__traceback__ is not None:
        return exception_payload.ExceptionPayload.from_exception(error)
    return exception_payload.ExceptionPayload(
        module_name=type(error).__module__, function_name='',
        exception=type(error).__name__, exception_message=str(error),
        traceback='')
