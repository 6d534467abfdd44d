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

"""The client side of RPC namespace ``xloud``.

Of its own, so that no version of Nova's compute RPC changes: hosts that have
the namespace are reached through it, whatever release they run.
"""

from oslo_log import log as logging
import oslo_messaging as messaging

from nova.compute import vm_states
from nova import exception as nova_exception
from nova.i18n import _
from nova.objects import base as objects_base
from nova import rpc
from nova.xloud import exception

LOG = logging.getLogger(__name__)

NAMESPACE = 'xloud'
VERSION = '1.0'

# vm_states in which a server can be adjusted; a paused one only grows
STATES = [vm_states.ACTIVE, vm_states.STOPPED, vm_states.PAUSED]

# nova.compute.rpcapi.RPC_TOPIC; that module imports this one
_TOPIC = 'compute'

# Seconds. A dashboard waits, and a process of nova-api with it; the recorded
# figures are there at once. The host itself gives up sooner.
_STATUS_TIMEOUT = 5


class XloudAPI:
    """Calls to the compute host of a server.

    Version history:

    * 1.0 - adjust, get_status
    """

    def __init__(self):
        target = messaging.Target(
            topic=_TOPIC, namespace=NAMESPACE, version=VERSION)
        self.router = rpc.ClientRouter(rpc.get_client(
            target, serializer=objects_base.NovaObjectSerializer()))

    def adjust(self, ctxt, instance, vcpus, memory_mb, persist):
        """Have the host of a server take on an adjust.

        :param ctxt: nova.context.RequestContext, targeted at the cell
        :param instance: nova.objects.Instance, its task state set
        :param vcpus: number of vCPUs, or None to leave them alone
        :param memory_mb: memory in MiB, or None to leave it alone
        :param persist: False to adjust the running guest only
        :raises: nova.xloud.exception.AdjustError when the host refuses, is
            too old, cannot be reached or does not answer
        """
        self._call(ctxt, instance, 'adjust', vcpus=vcpus,
                   memory_mb=memory_mb, persist=persist)

    def get_status(self, ctxt, instance):
        """Ask the host of a server for the figures of its guest.

        :param ctxt: nova.context.RequestContext, targeted at the cell
        :param instance: nova.objects.Instance
        :returns: dict of current_vcpus, current_memory_mb,
            balloon_driver_active, attached_dimms_mb, has_virtiomem,
            guest_online_vcpus
        :raises: nova.xloud.exception.AdjustError as for :meth:`adjust`
        """
        return self._call(ctxt, instance, 'get_status',
                          timeout=_STATUS_TIMEOUT)

    def _call(self, ctxt, instance, method, timeout=None, **kwargs):
        if not instance.host:
            raise nova_exception.NovaException(
                _('No compute host specified for %s') % instance.uuid)
        options = {} if timeout is None else {'timeout': timeout}
        client = self.router.client(ctxt).prepare(
            server=instance.host, **options)
        try:
            return client.call(ctxt, method, instance=instance, **kwargs)
        except messaging.UnsupportedVersion:
            raise exception.AdjustHostTooOld(server=instance.uuid)
        except messaging.MessagingTimeout:
            raise exception.AdjustTimeout(server=instance.uuid)
        except messaging.RemoteError as error:
            # oslo.messaging only rebuilds exceptions of modules it knows
            if error.exc_type in ('UnsupportedVersion', 'NoSuchMethod'):
                raise exception.AdjustHostTooOld(server=instance.uuid)
            ours = exception.from_remote(error)
            if ours is None:
                raise
            raise ours
        except messaging.MessagingException as error:
            LOG.warning('The message queue has failed: %s',
                        exception.in_words(error), instance=instance)
            raise exception.AdjustHostUnreachable(server=instance.uuid)
