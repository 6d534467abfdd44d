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

import functools

from oslo_log import log as logging

from nova import exception
from nova.i18n import _
from nova.xloud import request
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


def ignores_floors(function):
    """Decorate host_passes(host_state, spec_obj) of scheduler filters.

    Some filters read extra specs without a namespace as conditions on hosts;
    the floors are none.
    """
    @functools.wraps(function)
    def wrapper(self, host_state, spec_obj):
        if xloud_size.has_floor(spec_obj.flavor):
            spec_obj = _WithoutFloors(spec_obj)
        return function(self, host_state, spec_obj)
    return wrapper


def _lacks(needed, limits):
    """Tell of which resources a host has too little for a server alone.

    :param needed: dict of resource class to amount
    :param limits: list of dicts of resource class to the most that the host
        gives; a class that is missing there, or has None or 0, is not known
    :returns: list of text for the log, empty if the host is large enough
    """
    found = []
    for name, amount in needed.items():
        most = min(filter(None, (each.get(name) for each in limits)),
                   default=amount)
        if amount > most:
            found.append('%s %d of %d' % (name, most, amount))
    return found


def _leave_out(hosts, needed, provider_summaries):
    left_out = []
    for host in hosts:
        known = provider_summaries.get(host.uuid, {}).get('resources', {})
        lacks = _lacks(needed, [
            # What Placement may hold there altogether
            {name: each['capacity'] for name, each in known.items()},
            # nova-compute gives Placement the same totals as largest units
            {'VCPU': host.vcpus_total,
             'MEMORY_MB': host.total_usable_ram_mb}])
        if lacks:
            left_out.append('%s: %s' % (host.host, ', '.join(lacks)))
        else:
            yield host
    if left_out:
        LOG.info('Hosts are left out, because they cannot hold the maximum '
                 'of the flavor: %s', '; '.join(left_out))


def holds_maximum(function):
    """Decorate SchedulerManager._get_all_host_states(...).

    Placement is asked for the floor, or for the size of a server. A host that
    could hold the maximum of the flavor on no day would keep the server from
    ever growing to it, or from starting.

    :param function: method(context, spec_obj, provider_summaries), called
        for each decision of the scheduler; the summaries are None where a
        server is rebuilt on the host that it has
    :returns: the same method without the hosts that are too small
    """
    @functools.wraps(function)
    def wrapper(manager, context, spec_obj, provider_summaries):
        hosts = function(manager, context, spec_obj, provider_summaries)
        if (provider_summaries is None or
                not xloud_size.has_floor(spec_obj.flavor)):
            return hosts
        return _leave_out(
            hosts, request.largest(spec_obj), provider_summaries)
    return wrapper


def _largest_units(context, reportclient, provider):
    """Ask Placement what one server can have of a host at most.

    :param provider: UUID of the host's resource provider
    :returns: two dicts of resource class to amount: the largest unit, and
        the capacity; empty if Placement does not tell
    """
    answer = reportclient.get(
        '/resource_providers/%s/inventories' % provider,
        global_request_id=context.global_id)
    stocks = answer.json()['inventories'] if answer else {}
    return [
        {name: stock['max_unit'] for name, stock in stocks.items()},
        {name: int((stock['total'] - stock['reserved']) *
                   stock['allocation_ratio'])
         for name, stock in stocks.items()}]


def checks_destination(function):
    """Decorate scheduler.utils.claim_resources_on_destination(...).

    An evacuation or a live migration that is forced to a host does not ask
    the scheduler. The host has to be able to adjust the server, and to hold
    the maximum of its flavor, all the same.

    :param function: function(context, reportclient, instance, source_node,
        dest_node, ...), where nodes are nova.objects.ComputeNode
    :returns: the same function, which raises nova.exception.NoValidHost for
        such a host
    """
    @functools.wraps(function)
    def wrapper(context, reportclient, instance, source_node, dest_node,
                *args, **kwargs):
        if xloud_size.has_floor(instance.flavor):
            _check_destination(context, reportclient, instance, dest_node)
        return function(context, reportclient, instance, source_node,
                        dest_node, *args, **kwargs)
    return wrapper


def _check_destination(context, reportclient, instance, node):
    traits = reportclient.get_provider_traits(context, node.uuid).traits
    if TRAIT not in traits:
        raise exception.NoValidHost(reason=_(
            'Unable to move instance %(instance_uuid)s to host %(host)s. '
            'The flavor of the instance has a floor, and the host cannot '
            'adjust servers: it has no trait %(trait)s.') % {
                'instance_uuid': instance.uuid, 'host': node.host,
                'trait': TRAIT})
    needed = request.as_resources(
        xloud_size.maximum(instance.flavor),
        xloud_size.has_pinned_cpus(instance))
    lacks = _lacks(
        needed, _largest_units(context, reportclient, node.uuid))
    if lacks:
        raise exception.NoValidHost(reason=_(
            'Unable to move instance %(instance_uuid)s to host %(host)s. '
            'The host cannot hold the maximum of its flavor: it has '
            '%(lacks)s.') % {
                'instance_uuid': instance.uuid, 'host': node.host,
                'lacks': ', '.join(lacks)})
