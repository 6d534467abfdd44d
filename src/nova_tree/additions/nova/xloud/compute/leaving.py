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

import os

from oslo_log import log as logging

from nova import context as nova_context
from nova.xloud import exception
from nova.xloud.scheduler import hosts as scheduling

LOG = logging.getLogger(__name__)


def _is_replaced():
    """Tell whether the library that this process runs has left the disk."""
    return not os.path.exists(__file__)


def tidy_up(driver, accounting):
    """Take the trait along when nova-compute ends and stock Nova replaces it.

    An ordinary stop leaves the trait: the host is soon there again. Never
    raises.

    :param driver: nova.virt.driver.ComputeDriver
    :param accounting: nova.xloud.accounting.Accounting
    """
    try:
        if _is_replaced():
            # A periodic task that is under way would bring it back
            driver.capabilities['supports_xloud_adjust'] = False
            accounting.drop_trait(
                nova_context.get_admin_context(), scheduling.TRAIT)
    except Exception as error:
        LOG.exception('The host keeps the trait %(trait)s, which stock Nova '
                      'does not know: run nova-xloud-settle. %(error)s',
                      {'trait': scheduling.TRAIT,
                       'error': exception.in_words(error)})
