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

"""The amounts that Placement holds for a server on its host."""

import time

from keystoneauth1 import exceptions as ks_exc
import os_resource_classes as orc
from oslo_log import log as logging

from nova import exception as nova_exception
from nova.i18n import _
from nova.scheduler.client import report
from nova.xloud import exception
from nova.xloud import record as xloud_record
from nova.xloud import size as xloud_size

LOG = logging.getLogger(__name__)

# Each attempt reads the allocation again. Others write to it rarely, but to
# the same provider often.
_ATTEMPTS = 8
_PAUSE = 0.25


def amounts(instance, size, flavor=None):
    """Tell which amounts of an allocation follow the size of a server.

    :param instance: nova.objects.Instance
    :param size: nova.xloud.size.Size that counts; None for a resource that
        is left alone
    :param flavor: nova.objects.Flavor of that size; None for the instance's
        own
    :returns: dict of resource class to amount; without the resources that
        the flavor has no floor for, and without vCPUs where some are pinned:
        PCPU and VCPU then stay at their first amounts
    """
    flavor = flavor or instance.flavor
    follow = {}
    if (xloud_size.has_cpu_floor(flavor) and
            not xloud_record.has_pinned_cpus(instance, flavor)):
        follow[orc.VCPU] = size.vcpus
    if xloud_size.has_memory_floor(flavor):
        follow[orc.MEMORY_MB] = size.memory_mb
    return {name: amount for name, amount in follow.items()
            if amount is not None}


def differs(held, wanted):
    """Tell whether resources held differ from the amounts wanted.

    A class that is not held at all does not follow.
    """
    return any(held.get(name, amount) != amount
               for name, amount in wanted.items())


def assign(client, context, instance, provider, size, must_hold=False,
           migration=None):
    """Make Placement hold a size for a server, in one atomic step.

    Does nothing when Placement holds the size already, or when the consumer
    has no allocation on the host (the server is being deleted or moved).

    :param client: nova.scheduler.client.report.SchedulerReportClient
    :param context: nova.context.RequestContext
    :param instance: nova.objects.Instance
    :param provider: UUID of the host's resource provider
    :param size: nova.xloud.size.Size
    :param must_hold: True for a claim, which the server must not do without
    :param migration: nova.objects.Migration that holds the size, with the
        server's old flavor; None for the server itself
    :raises: AdjustNoCapacity if the host has less free than is asked for
    :raises: AdjustNotAllocated if the server holds nothing although it must
    :raises: AdjustAccountingFailed if Placement cannot be asked
    """
    if migration is None:
        consumer, flavor = instance.uuid, instance.flavor
    else:
        consumer, flavor = migration.uuid, instance.old_flavor
    wanted = amounts(instance, size, flavor)
    try:
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(_PAUSE * attempt)
            if _assign_once(client, context, consumer, provider, wanted,
                            must_hold):
                return
    except (ks_exc.ClientException, nova_exception.NovaException) as error:
        if isinstance(error, exception.AdjustError):
            raise
        raise exception.AdjustAccountingFailed(internal=error)
    raise exception.AdjustAccountingFailed(
        internal=_('The allocation was changed by others all the time.'))


def _assign_once(client, context, consumer, provider, wanted, must_hold):
    """Try to set the amounts; False when another change was faster."""
    allocation = client.get_allocs_for_consumer(context, consumer)
    held = allocation['allocations'].get(provider, {}).get('resources', {})
    if must_hold and not held:
        raise exception.AdjustNotAllocated(server=consumer)
    if not differs(held, wanted):
        return True
    growth = {name: amount - held[name] for name, amount in wanted.items()
              if amount > held.get(name, amount)}
    before = dict(held)
    held.update((name, amount) for name, amount in wanted.items()
                if name in held)
    answer = client.put(
        '/allocations/%s' % consumer, allocation,
        version=report.CONSUMER_GENERATION_VERSION,
        global_request_id=context.global_id)
    if answer.status_code == 204:
        return True
    if answer.status_code != 409:
        raise exception.AdjustAccountingFailed(internal=answer.text)
    errors = answer.json()['errors']
    if 'placement.concurrent_update' in [each.get('code') for each in errors]:
        LOG.debug('The allocation of consumer %s has changed meanwhile, '
                  'trying again.', consumer)
        return False
    raise _no_capacity(client, context, provider, before, growth,
                       ' '.join(each.get('detail', '') for each in errors))


def _no_capacity(client, context, provider, held, growth, detail):
    """Make the exception that names the growth, and the free amounts.

    :param provider: UUID of the host's resource provider
    :param held: dict of resource class to amount that the server holds
    :param growth: dict of resource class to amount
    :param detail: Placement's own words
    :returns: AdjustNoCapacity; it tells the free amounts to administrators
        only, since they show the usage of other projects
    """
    url = '/resource_providers/%s/' % provider
    inventories = _get(client, context, url + 'inventories')['inventories']
    usages = _get(client, context, url + 'usages')['usages']
    free = {}
    for name in growth:
        stock = inventories[name]
        capacity = int((stock['total'] - stock['reserved']) *
                       stock['allocation_ratio'])
        # One server cannot have more than max_unit of the free amount
        free[name] = max(0, min(
            capacity - usages.get(name, 0), stock['max_unit'] - held[name]))
    names = [name for name in growth if growth[name] > free[name]]
    if not names:
        # Another provider has refused its share of the same allocation,
        # or room has come free meanwhile. An older Placement also refuses to
        # shrink a server on a host that holds more than its capacity.
        return exception.AdjustClaimRefused(internal=detail)
    return exception.AdjustNoCapacity(
        internal=_('%s is free.') % '/'.join(
            str(free[name]) for name in names),
        resource='/'.join(names),
        asked='/'.join(str(growth[name]) for name in names))


def _get(client, context, url, version=None):
    answer = client.get(
        url, version=version, global_request_id=context.global_id)
    if not answer:
        raise exception.AdjustAccountingFailed(internal=answer.text)
    return answer.json()


def drop_trait(client, context, provider, trait):
    """Take a trait from a resource provider, if it has it.

    :param client: nova.scheduler.client.report.SchedulerReportClient
    :param context: nova.context.RequestContext
    :param provider: UUID of the resource provider
    :param trait: name of the trait
    :raises: AdjustAccountingFailed, keystoneauth1 ClientException
    """
    url = '/resource_providers/%s/traits' % provider
    for attempt in range(_ATTEMPTS):
        time.sleep(_PAUSE * attempt)
        about = _get(client, context, url,
                     report.CONSUMER_GENERATION_VERSION)
        if trait not in about['traits']:
            return
        about['traits'].remove(trait)
        answer = client.put(
            url, about, version=report.CONSUMER_GENERATION_VERSION,
            global_request_id=context.global_id)
        if answer.status_code == 200:
            return
        if answer.status_code != 409:
            break
    raise exception.AdjustAccountingFailed(internal=answer.text)
