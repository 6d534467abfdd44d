"""Quota counts new servers of a flavor with a floor at the floor."""
from nova_xloud.weave import decorate

from nova.xloud.api import hooks as xloud_hooks


@decorate
@xloud_hooks.check_num_instances_quota
def check_num_instances_quota(context, flavor): ...
