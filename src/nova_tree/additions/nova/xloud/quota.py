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


# The names of the resources in unified limits
_CLASSES = {'cores': 'class:VCPU', 'ram': 'class:MEMORY_MB'}


def check_growth(context, instance, before, after):
    """Check that a server's project may use the growth of the server.

    :param context: nova.context.RequestContext, targeted at the server's cell
    :param instance: nova.objects.Instance
    :param before: nova.xloud.size.Size that is counted for the server now
    :param after: nova.xloud.size.Size that will be counted
    :raises: nova.exception.TooManyInstances with requested, used and allowed
    """
    growth = _growth(before, after)
    if not growth:
        return
    _check_counts(context, instance, growth, growth)
    if limit_utils.use_unified_limits():
        _check_unified_limits(context, instance, growth)


def check_growth_again(context, instance, before, after):
    """Check quota when the growth is counted already.

    Two requests that count at the same time both pass the first check; Nova
    itself counts again then, unless [quota] recheck_quota forbids. Where
    Placement counts, the growth is not there before the host has claimed it,
    so this finds nothing.

    :param context: nova.context.RequestContext, targeted at the server's cell
    :param instance: nova.objects.Instance, saved with its growth
    :param before: nova.xloud.size.Size that was counted for the server
    :param after: nova.xloud.size.Size that is counted
    :raises: nova.exception.TooManyInstances with requested, used and allowed
    """
    growth = _growth(before, after)
    if growth and CONF.quota.recheck_quota:
        _check_counts(context, instance, growth, dict.fromkeys(growth, 0))


def _growth(before, after):
    """List the resources that a server grows by, and by how much.

    A project that has too much of one resource may grow by the other.
    """
    growth = {'cores': after.vcpus - before.vcpus,
              'ram': after.memory_mb - before.memory_mb}
    return {name: amount for name, amount in growth.items() if amount > 0}


def _check_counts(context, instance, growth, deltas):
    """Check the two ways of counting that nova.quota chooses from.

    :param growth: dict of resource to amount, for the message
    :param deltas: the part of the growth that is not counted yet
    """
    project_id, user_id = quotas_obj.ids_from_instance(context, instance)
    try:
        objects.Quotas.check_deltas(
            context, deltas, project_id, user_id=user_id,
            check_project_id=project_id, check_user_id=user_id)
    except exception.OverQuota as error:
        quotas = error.kwargs['quotas']
        headroom = compute_utils.get_headroom(
            quotas, error.kwargs['usages'], growth)
        overs, requested, allowed, used = compute_utils.get_over_quota_detail(
            headroom, error.kwargs['overs'], quotas, growth)
        LOG.info("%(overs)s quota exceeded for %(project)s, tried to grow a "
                 "server.", {'overs': overs, 'project': project_id})
        raise exception.TooManyInstances(
            overs=overs, req=requested, used=used, allowed=allowed)


def _check_unified_limits(context, instance, growth):
    project_id, _user_id = quotas_obj.ids_from_instance(context, instance)
    deltas = {_CLASSES[name]: amount for name, amount in growth.items()}
    enforcer = placement_limits._get_enforcer(context, project_id)
    try:
        enforcer.enforce(project_id, deltas)
    except limit_exceptions.ProjectOverLimit as error:
        # Releases since 31 (2025.1) enforce no limit that is not registered.
        should_enforce = getattr(limit_utils, 'should_enforce', None)
        if should_enforce is None or should_enforce(error):
            raise exception.TooManyInstances(str(error))
