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

import os_resource_classes as orc
from oslo_log import log as logging

from nova import exception
from nova.i18n import _
from nova.xloud import record
from nova.xloud.scheduler import request
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


def _needed(flavor, has_pinned_cpus):
    """Tell how much of a host one server must be able to have one day.

    :param flavor: nova.objects.Flavor
    :param has_pinned_cpus: True if the vCPUs are pinned to host CPUs
    :returns: dict of resource class to amount; without the resources whose
        maximum Placement is asked for anyway
    """
    most = xloud_size.maximum(flavor)
    needed = {}
    if xloud_size.has_cpu_floor(flavor) and not has_pinned_cpus:
        needed[orc.VCPU] = most.vcpus
    if xloud_size.has_memory_floor(flavor):
        needed[orc.MEMORY_MB] = most.memory_mb
    return needed


def _lacks(needed, limits):
    """Tell of which resources a host has too little.

    :param needed: dict of resource class to amount
    :param limits: list of dicts of resource class to the most that one server
        can have; a limit that is missing, None or 0 is not known
    :returns: text for the log; empty if the host is large enough
    """
    found = []
    for name, amount in needed.items():
        most = min(filter(None, (each.get(name) for each in limits)),
                   default=amount)
        if amount > most:
            found.append('%s %d of %d' % (name, most, amount))
    return ', '.join(found)


def large_enough(hosts, spec_obj, provider_summaries):
    """Leave out the hosts that can never hold the maximum of a flavor.

    Placement is asked for the floor of a new server, and for the size of a
    server that exists. A host that is too small for the maximum would keep the
    server from ever growing to it, or its guest from starting.

    :param hosts: iterable of nova.scheduler.host_manager.HostState
    :param spec_obj: nova.objects.RequestSpec
    :param provider_summaries: dict of the hosts' resource providers, as
        Placement gives them with its allocation candidates; None where a
        server is rebuilt on its own host
    :returns: iterable of the hosts that are large enough
    """
    flavor = spec_obj.flavor
    if provider_summaries is None or not xloud_size.has_floor(flavor):
        return hosts
    return _leave_out(hosts, _needed(flavor, request.pins_cpus(spec_obj)),
                      provider_summaries)


def _leave_out(hosts, needed, provider_summaries):
    left_out = []
    for host in hosts:
        known = provider_summaries.get(host.uuid, {}).get('resources', {})
        lacks = _lacks(needed, [
            # The amount that Placement can give to all servers together
            {name: each['capacity'] for name, each in known.items()},
            # nova-compute reports the same totals to Placement as max_unit
            {orc.VCPU: host.vcpus_total,
             orc.MEMORY_MB: host.total_usable_ram_mb}])
        if lacks:
            left_out.append('%s: %s' % (host.host, lacks))
        else:
            yield host
    if left_out:
        LOG.info('Hosts are left out, because they cannot hold the maximum '
                 'of the flavor: %s', '; '.join(left_out))


def _limits(context, reportclient, provider):
    """Ask Placement how much one server can have of a host.

    :param provider: UUID of the host's resource provider
    :returns: list of two dicts of resource class to amount: the largest unit,
        and the capacity; both are empty if Placement does not answer
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


def check_destination(context, reportclient, instance, node):
    """Check the host that an administrator forces a server to.

    :param context: nova.context.RequestContext
    :param reportclient: nova.scheduler.client.report.SchedulerReportClient
    :param instance: nova.objects.Instance
    :param node: nova.objects.ComputeNode of the host
    :raises: nova.exception.NoValidHost if the host cannot adjust the server,
        or cannot hold the maximum of its flavor
    """
    flavor = instance.flavor
    if not xloud_size.has_floor(flavor):
        return
    traits = reportclient.get_provider_traits(context, node.uuid).traits
    if TRAIT not in traits:
        raise exception.NoValidHost(reason=_(
            'Unable to move instance %(instance_uuid)s to host %(host)s. '
            'The flavor of the instance has a floor, and the host cannot '
            'adjust servers: the host has no trait %(trait)s.') % {
                'instance_uuid': instance.uuid, 'host': node.host,
                'trait': TRAIT})
    lacks = _lacks(
        _needed(flavor, record.has_pinned_cpus(instance)),
        _limits(context, reportclient, node.uuid))
    if lacks:
        raise exception.NoValidHost(reason=_(
            'Unable to move instance %(instance_uuid)s to host %(host)s. '
            'The host cannot hold the maximum of the flavor: the host has '
            '%(lacks)s.') % {
                'instance_uuid': instance.uuid, 'host': node.host,
                'lacks': lacks})
