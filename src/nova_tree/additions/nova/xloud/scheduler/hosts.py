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

"""Which hosts servers with a floor go to."""

from oslo_log import log as logging

from nova.xloud import size as xloud_size

LOG = logging.getLogger(__name__)

TRAIT = 'CUSTOM_XLOUD_ADJUST'


def require_adjust(ctxt, request_spec):
    """Require hosts that can adjust servers, for flavors with a floor.

    A request filter; see nova.scheduler.request_filter.

    :param ctxt: nova.context.RequestContext
    :param request_spec: nova.objects.RequestSpec, changed
    :returns: True if the filter has done anything
    """
    if not xloud_size.has_floor(request_spec.flavor):
        return False
    request_spec.root_required.add(TRAIT)
    LOG.debug('require_adjust request filter added trait %s', TRAIT)
    return True


class _WithoutFloors:
    """A request spec whose flavor shows no floors."""

    def __init__(self, spec_obj):
        self._spec_obj = spec_obj
        self.flavor = xloud_size.without_floors(spec_obj.flavor)

    def __getattr__(self, name):
        return getattr(self._spec_obj, name)


def without_floors(spec_obj):
    """Show a request spec without the floors of its flavor.

    Some filters read extra specs without a namespace as conditions on hosts.
    A floor is no condition.

    :param spec_obj: nova.objects.RequestSpec
    :returns: the same object if its flavor has no floor
    """
    if xloud_size.has_floor(spec_obj.flavor):
        return _WithoutFloors(spec_obj)
    return spec_obj
