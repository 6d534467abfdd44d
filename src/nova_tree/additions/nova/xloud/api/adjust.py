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

"""Adjust a server, and show its size: the part of nova-api.

Everything that can be decided without the host is decided here, before
anything changes. The host does the work, see nova.xloud.endpoint.
"""

from oslo_db import api as oslo_db_api
from oslo_log import log as logging
import oslo_messaging as messaging
from oslo_utils import excutils

from nova.compute import api as compute_api
from nova.compute import rpcapi as compute_rpcapi
from nova.compute import vm_states
import nova.conf
from nova import exception as nova_exception
from nova import objects
from nova.objects import fields
from nova import servicegroup
from nova.xloud import accounting
from nova.xloud.api import flavors
from nova.xloud import exception
from nova.xloud import intent as xloud_intent
from nova.xloud import lifecycle
from nova.xloud import notifications
from nova.xloud import record as xloud_record
from nova.xloud import rpcapi
from nova.xloud import size as xloud_size

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

# vm_states in which there is a guest about which the host can be asked
_HAS_GUEST = (vm_states.ACTIVE, vm_states.PAUSED, vm_states.RESCUED,
              vm_states.RESIZED, vm_states.ERROR)

# vm_states after which the guest is made anew
_COLD = (vm_states.STOPPED, vm_states.SHELVED, vm_states.SHELVED_OFFLOADED)

# key in the API -> (the extra spec that allows it, attribute of a Size)
_RESOURCES = {
    'current_vcpus': (flavors.MINIMUM_CPU, 'vcpus'),
    'current_memory_mb': (flavors.MINIMUM_MEMORY, 'memory_mb'),
}


class API:
    """Adjust servers and show their sizes."""

    def __init__(self):
        self.rpcapi = compute_rpcapi.ComputeAPI().xloud()
        self.servicegroup_api = servicegroup.API()
        self.host = CONF.host
        self.notifier = notifications.Notifier(
            self.host, fields.NotificationSource.API)

    @compute_api.check_instance_lock
    @compute_api.check_instance_state(vm_state=rpcapi.STATES)
    def adjust(self, context, instance, vcpus, memory_mb, persist):
        """Give a server another size, within the bounds of its flavor.

        Returns when the host has accepted the work; the server action
        ``xloud_adjust`` tells how it ended.

        :param context: nova.context.RequestContext, targeted at the
            server's cell
        :param instance: nova.objects.Instance
        :param vcpus: number of vCPUs, or None to leave them alone
        :param memory_mb: memory in MiB, or None to leave it alone
        :param persist: False to adjust the running guest only
        :raises: nova.exception.InstanceIsLocked, InstanceInvalidState,
            UnexpectedTaskStateError (HTTP 409), TooManyInstances (403),
            nova.xloud.exception.AdjustError (its code)
        """
        requested = {'current_vcpus': vcpus, 'current_memory_mb': memory_mb}
        requested = {key: value for key, value in requested.items()
                     if value is not None}
        growth = self._check(context, instance, requested, persist)
        if growth is None:
            return
        if not self._host_is_up(context, instance):
            raise exception.AdjustHostDown(server=instance.uuid)

        lifecycle.take(instance)
        try:
            # Another operation may have ended since it was read first
            instance = lifecycle.read_again(context, instance)
            growth = self._check(context, instance, requested, persist, growth)
            if growth is None:
                lifecycle.give_back(instance, context.request_id)
                return
            lifecycle.accept(
                context, instance, xloud_intent.Intent(
                    vcpus, memory_mb, persist, context.request_id,
                    before=xloud_record.live(instance)),
                xloud_size.larger(*growth))
            # Of two requests at the same time both may have passed the check
            accounting.check_quota_again(context, instance, *growth)
            self.rpcapi.adjust(context, instance, vcpus, memory_mb, persist)
        except exception.AdjustTimeout:
            # The host may be at work: how it ends is the host's to tell
            raise
        except Exception as error:
            with excutils.save_and_reraise_exception():
                self._end(context, instance, error)

    def status(self, context, instance):
        """Tell a server's size and its bounds.

        The host is not asked for the figures that it has noted itself, when
        it last looked at a guest that had settled.

        :param context: nova.context.RequestContext
        :param instance: nova.objects.Instance
        :returns: dict, the keys of ``xloud_status`` in the API
        """
        bounds = xloud_size.bounds(instance.flavor)
        current = (xloud_record.recorded(instance)
                   if instance.vm_state in _COLD
                   else xloud_record.live(instance))
        has_guest = instance.vm_state in _HAS_GUEST
        seen = xloud_record.guest(instance) if has_guest else None
        status = {
            'current_vcpus': current.vcpus,
            'current_memory_mb': current.memory_mb,
            'min_vcpus': bounds.min_vcpus,
            'min_memory_mb': bounds.min_memory_mb,
            'max_vcpus': bounds.max_vcpus,
            'max_memory_mb': bounds.max_memory_mb,
            'balloon_driver_active': (
                seen is not None and seen.balloon_driver_active),
            'attached_dimms_mb': 0 if seen is None else seen.attached_dimms_mb,
            'has_virtiomem': seen is not None and seen.has_virtiomem,
            'guest_online_vcpus': None if seen is None else seen.online_vcpus,
        }
        # Answers of hosts take half a second where oslo.messaging (16 and 17)
        # looks for them so rarely, and dashboards ask again and again
        is_settled = seen is not None and instance.task_state is None
        if (has_guest and not is_settled and
                self._host_is_up(context, instance)):
            status.update(self._ask_host(context, instance, status))
        return status

    def _check(self, context, instance, requested, persist, passed=None):
        """Check all that can be decided without the host.

        :param requested: dict of the figures in the request, by API name
        :param passed: the growth that quota has allowed already
        :returns: tuple of two nova.xloud.size.Size, the one that counts for
            the server and the one that will count; None if the server has
            the requested size already
        """
        self._check_guest(instance, requested, persist)
        self._check_bounds(instance, requested)
        if self._is_current(instance, requested, persist):
            LOG.debug('Nothing to adjust: %s', requested, instance=instance)
            return None
        growth = (xloud_record.held(instance), xloud_record.would_hold(
            instance, requested.get('current_vcpus'),
            requested.get('current_memory_mb'), persist))
        if growth != passed:
            accounting.check_quota(context, instance, *growth)
        return growth

    def _check_guest(self, instance, requested, persist):
        if instance.vm_state not in rpcapi.STATES:
            raise nova_exception.InstanceInvalidState(
                attr='vm_state', instance_uuid=instance.uuid,
                state=instance.vm_state, method='adjust')
        if instance.vm_state == vm_states.STOPPED and not persist:
            raise exception.AdjustNoGuest(server=instance.uuid)
        if instance.vm_state != vm_states.PAUSED:
            return
        live = xloud_record.live(instance)
        for key, value in requested.items():
            current = getattr(live, _RESOURCES[key][1])
            if value < current:
                raise exception.AdjustPausedShrink(
                    server=instance.uuid, key=key, asked=value,
                    current=current)

    def _check_bounds(self, instance, requested):
        flavor = instance.flavor
        if not requested:
            raise exception.AdjustNothing(
                flavor=flavor.name, **xloud_size.bounds(flavor)._asdict())
        floor = xloud_size.floor(flavor)
        maximum = xloud_size.maximum(flavor)
        for key, value in requested.items():
            spec, attribute = _RESOURCES[key]
            figures = {
                'key': key,
                'asked': value,
                'flavor': flavor.name,
                'floor': getattr(floor, attribute),
                'maximum': getattr(maximum, attribute),
                'unit': flavors.FLOORS[spec][1],
            }
            if spec not in flavor.extra_specs:
                raise exception.AdjustNoFloor(spec=spec, **figures)
            if not figures['floor'] <= value <= figures['maximum']:
                raise exception.AdjustOutOfBounds(**figures)

    def _is_current(self, instance, requested, persist):
        sizes = [xloud_record.live(instance)]
        if persist:
            sizes.append(xloud_record.recorded(instance))
        return all(getattr(size, _RESOURCES[key][1]) == value
                   for size in sizes for key, value in requested.items())

    def _host_is_up(self, context, instance):
        if not instance.host:
            return False
        # Nova reads the services of an instance again each time it saves an
        # instance that has them, so they are not loaded with it
        try:
            service = objects.Service.get_by_compute_host(
                context, instance.host)
        except nova_exception.ComputeHostNotFound:
            return False
        return self.servicegroup_api.service_is_up(service)

    def _ask_host(self, context, instance, known):
        try:
            answer = self.rpcapi.get_status(context, instance)
        except (messaging.MessagingException,
                nova_exception.NovaException) as error:
            LOG.info('The host cannot tell the size of the guest, the '
                     'recorded one is shown: %s', exception.in_words(error),
                     instance=instance)
            return {}
        # A newer host may tell more than the API shows.
        return {key: value for key, value in answer.items() if key in known}

    # A database that is restarted soon answers again; its restart may be why
    # the adjust has failed.
    @oslo_db_api.wrap_db_retry(max_retries=4, retry_interval=1,
                               retry_on_disconnect=True)
    def _end(self, context, instance, error):
        """End an adjust that the host has not begun, as far as is known.

        :param error: the exception that it has failed with
        """
        lifecycle.end(context, instance, context.request_id,
                      lifecycle.API_EVENT, self.host, self.notifier, error)
