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

"""The host's side of RPC namespace ``xloud``."""

from oslo_log import log as logging
import oslo_messaging as messaging

from nova.xloud import exception
from nova.xloud import record as xloud_record
from nova.xloud import rpcapi
from nova.xloud import size as xloud_size

LOG = logging.getLogger(__name__)

# Seconds that a look at a guest may take while a thread of RPC waits for it.
_PATIENCE = 2


class Endpoint:
    """Answers the calls of nova.xloud.rpcapi.XloudAPI on a compute host."""

    target = messaging.Target(
        namespace=rpcapi.NAMESPACE, version=rpcapi.VERSION)

    def __init__(self, looks, adjuster):
        """Take the calls for a compute host.

        :param looks: nova.xloud.compute.looks.Looks
        :param adjuster: nova.xloud.compute.work.Adjuster
        """
        self._looks = looks
        self._adjuster = adjuster

    def ping(self, ctxt):
        """Tell that this host has the namespace; stock Nova cannot.

        nova-xloud-settle asks. Not in nova.xloud.rpcapi, which it must do
        without.

        :param ctxt: nova.context.RequestContext
        :returns: True
        """
        return True

    @messaging.expected_exceptions(exception.AdjustError)
    def adjust(self, ctxt, instance, vcpus, memory_mb, persist):
        """Take on an adjust.

        See :meth:`nova.xloud.compute.work.Adjuster.begin`.
        """
        try:
            self._adjuster.begin(ctxt, instance, vcpus, memory_mb, persist)
        except exception.AdjustError as error:
            LOG.info('The adjust is refused: %s', error.for_admin(),
                     instance=instance)
            raise error.to_send(ctxt)

    @messaging.expected_exceptions(exception.AdjustError)
    def get_status(self, ctxt, instance):
        """Tell the figures of a server's guest.

        The recorded size stands in where there is no running guest. nova-api
        shows the recorded figures when the hypervisor does not answer in time.

        :param ctxt: nova.context.RequestContext
        :param instance: nova.objects.Instance
        :returns: dict, see :meth:`nova.xloud.rpcapi.XloudAPI.get_status`
        :raises: AdjustGuestSilent, AdjustNotSupported
        """
        guest = self._looks.size(instance, _PATIENCE)
        if guest is None:
            size = xloud_record.recorded(instance)
            guest = xloud_size.GuestSize(
                size.vcpus, size.memory_mb, balloon_driver_active=False,
                attached_dimms_mb=0, has_virtiomem=False)
        return {
            'current_vcpus': guest.vcpus,
            'current_memory_mb': guest.memory_mb,
            'balloon_driver_active': guest.balloon_driver_active,
            'attached_dimms_mb': guest.attached_dimms_mb,
            'has_virtiomem': guest.has_virtiomem,
            'guest_online_vcpus': guest.online_vcpus,
        }
