"""Quota counts new servers of a flavor with a floor at the floor."""
from nova_xloud.weave import decorate

from nova.xloud import flavors as xloud_flavors


@decorate
@xloud_flavors.counts_floor
def check_num_instances_quota(context, flavor): ...
