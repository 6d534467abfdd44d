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

"""All that we hook on the scheduler, and on the requests that it serves.

The change files of nova/scheduler and of the request spec name these
functions. A function here does no work itself: it calls the module that does.
"""

import functools

from nova.xloud.scheduler import hosts
from nova.xloud.scheduler import request
from nova.xloud import size as xloud_size


def require_adjust(ctxt, request_spec):
    """Be one of nova.scheduler.request_filter.ALL_REQUEST_FILTERS."""
    return hosts.require_adjust(ctxt, request_spec)


def requested(function):
    """Decorate RequestSpec.vcpus and RequestSpec.memory_mb."""
    @functools.wraps(function)
    def wrapper(request_spec):
        if xloud_size.has_floor(request_spec.flavor):
            return getattr(
                request.requested(request_spec), function.__name__)
        return function(request_spec)
    return wrapper


def ensure_network_information(function):
    """Decorate RequestSpec.ensure_network_information(instance).

    Every move of a server calls it just before it asks the scheduler.
    """
    @functools.wraps(function)
    def wrapper(request_spec, instance):
        function(request_spec, instance)
        request.carry_size(request_spec, instance)
    return wrapper


def resources_from_flavor(function):
    """Decorate nova.scheduler.utils.resources_from_flavor.

    nova-manage placement heal_allocations asks this function for the amounts
    that a server should have.
    """
    @functools.wraps(function)
    def wrapper(instance, flavor):
        return function(instance, request.of_instance(instance, flavor))
    return wrapper


def host_passes(function):
    """Decorate host_passes(host_state, spec_obj) of scheduler filters."""
    @functools.wraps(function)
    def wrapper(self, host_state, spec_obj):
        return function(self, host_state, hosts.without_floors(spec_obj))
    return wrapper


def get_all_host_states(function):
    """Decorate SchedulerManager._get_all_host_states.

    The scheduler calls it once for each decision.
    """
    @functools.wraps(function)
    def wrapper(manager, context, spec_obj, provider_summaries):
        return hosts.large_enough(
            function(manager, context, spec_obj, provider_summaries),
            spec_obj, provider_summaries)
    return wrapper


def claim_resources_on_destination(function):
    """Decorate nova.scheduler.utils.claim_resources_on_destination.

    An evacuation or a live migration that is forced to a host calls it, and
    does not ask the scheduler.
    """
    @functools.wraps(function)
    def wrapper(context, reportclient, instance, source_node, dest_node,
                *args, **kwargs):
        hosts.check_destination(context, reportclient, instance, dest_node)
        return function(context, reportclient, instance, source_node,
                        dest_node, *args, **kwargs)
    return wrapper
