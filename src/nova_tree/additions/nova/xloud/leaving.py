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

"""A nova-compute that stock Nova's replaces takes the host's trait along.

Stock Nova does not know the trait, so it would leave it on the host, and a
scheduler that knows floors would go on sending servers there.
"""

import functools
import os

from oslo_log import log as logging

from nova import context as nova_context
from nova.xloud import exception
from nova.xloud import placement
from nova.xloud import scheduling

LOG = logging.getLogger(__name__)


def _is_replaced():
    """Tell whether the library that this process runs has left the disk."""
    return not os.path.exists(__file__)


def drops_trait(function):
    """Decorate ComputeManager.cleanup_host, which ends the service.

    An ordinary stop leaves the trait: the host is soon there again. Never
    raises.
    """
    @functools.wraps(function)
    def wrapper(manager):
        try:
            if _is_replaced():
                _drop_trait(manager)
        except Exception as error:
            if isinstance(error, exception.AdjustError):
                error = error.for_admin()
            LOG.exception('The host keeps the trait %(trait)s, which stock '
                          'Nova does not know: run nova-xloud-settle. '
                          '%(error)s',
                          {'trait': scheduling.TRAIT, 'error': error})
        function(manager)
    return wrapper


def _drop_trait(manager):
    # A periodic task that is under way would bring it back
    manager.driver.capabilities['supports_xloud_adjust'] = False
    context = nova_context.get_admin_context()
    for node in manager.rt.compute_nodes.values():
        placement.drop_trait(
            manager.reportclient, context, node.uuid, scheduling.TRAIT)
        LOG.info('The trait %(trait)s was taken from node %(node)s: the '
                 'library that this service runs has been replaced.',
                 {'trait': scheduling.TRAIT,
                  'node': node.hypervisor_hostname})
