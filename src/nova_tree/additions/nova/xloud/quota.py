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

"""Quota for a server that grows, by each of Nova's three ways of counting.

Database count and Placement count are one call (nova.quota chooses), unified
limits are another; each is a no-op where the other is configured.
"""

from oslo_limit import exception as limit_exceptions
from oslo_log import log as logging

from nova.compute import utils as compute_utils
import nova.conf
from nova import exception
from nova.limit import placement as placement_limits
from nova.limit import utils as limit_utils
from nova import objects
from nova.objects import quotas as quotas_obj

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)


def check_growth(context, instance, before, after):
    """Check that a server's project may use what it grows by.

    :param context: nova.context.RequestContext, targeted at the server's cell
    :param instance: nova.objects.Instance
    :param before: nova.xloud.size.Size that is counted for the server now
    :param after: nova.xloud.size.Size that will be counted
    :raises: nova.exception.TooManyInstances with requested, used and allowed
    """
    cores = max(0, after.vcpus - before.vcpus)
    ram = max(0, after.memory_mb - before.memory_mb)
    if not cores and not ram:
        return
    project_id, user_id = quotas_obj.ids_from_instance(context, instance)
    _check_counts(context, project_id, user_id, cores, ram)
    if limit_utils.use_unified_limits():
        _check_unified_limits(context, project_id, cores, ram)


def check_growth_again(context, instance, before, after):
    """Check quota when the growth is counted already.

    Two requests that count at the same time both pass the first check; Nova
    itself counts again then, unless [quota] recheck_quota forbids. Where
    Placement counts, the growth is not there before the host has claimed it,
    so this finds nothing.

    :param context: nova.context.RequestContext, targeted at the server's cell
    :param instance: nova.objects.Instance, saved with its growth
    :param before: nova.xloud.size.Size that was counted for the server
    :param after: nova.xloud.size.Size that will be counted
    :raises: nova.exception.TooManyInstances with requested, used and allowed
    """
    cores = max(0, after.vcpus - before.vcpus)
    ram = max(0, after.memory_mb - before.memory_mb)
    if CONF.quota.recheck_quota and (cores or ram):
        project_id, user_id = quotas_obj.ids_from_instance(context, instance)
        _check_counts(context, project_id, user_id, cores, ram,
                      is_counted=True)


def _check_counts(context, project_id, user_id, cores, ram,
                  is_counted=False):
    # A project that has too much of one may grow by the other
    deltas = {name: delta for name, delta in (
        ('cores', cores), ('ram', ram)) if delta}
    try:
        objects.Quotas.check_deltas(
            context, dict.fromkeys(deltas, 0) if is_counted else deltas,
            project_id, user_id=user_id,
            check_project_id=project_id, check_user_id=user_id)
    except exception.OverQuota as error:
        quotas = error.kwargs['quotas']
        headroom = compute_utils.get_headroom(
            quotas, error.kwargs['usages'], deltas)
        overs, requested, allowed, used = compute_utils.get_over_quota_detail(
            headroom, error.kwargs['overs'], quotas, deltas)
        LOG.info("%(overs)s quota exceeded for %(project)s, tried to grow a "
                 "server.", {'overs': overs, 'project': project_id})
        raise exception.TooManyInstances(
            overs=overs, req=requested, used=used, allowed=allowed)


def _check_unified_limits(context, project_id, cores, ram):
    deltas = {name: delta for name, delta in (
        ('class:VCPU', cores), ('class:MEMORY_MB', ram)) if delta}
    enforcer = placement_limits._get_enforcer(context, project_id)
    try:
        enforcer.enforce(project_id, deltas)
    except limit_exceptions.ProjectOverLimit as error:
        # Releases since 31 (2025.1) do not enforce what is not registered.
        should_enforce = getattr(limit_utils, 'should_enforce', None)
        if should_enforce is None or should_enforce(error):
            raise exception.TooManyInstances(str(error))
