"""Servers start at their floor, and quota counts their current size.

A flavor's floor is checked again at create, rebuild and resize, since only
these know the image. An operation that an adjust comes before is a conflict.
"""
from nova_xloud.weave import after, before, before_return, decorate, prepend

from nova.xloud.api import hooks as xloud_hooks


@decorate
@xloud_hooks.check_instance_state
def check_instance_state(vm_state, task_state, must_have_launched): ...


class API:
    @before_return
    def _populate_instance_for_create(instance, flavor):
        xloud_hooks.server_is_made(instance, flavor)

    @before("compute_utils.check_num_instances_quota")
    def _provision_instances(flavor, boot_meta):
        asked_flavor = flavor
        flavor = xloud_hooks.held_at_create(flavor, boot_meta)

    @before("security_group_api.populate_security_groups")
    def _provision_instances(flavor):
        flavor = asked_flavor

    @prepend
    def _checks_for_create_and_rebuild(flavor, image):
        xloud_hooks.check_create(flavor, image)

    @after("same_flavor")
    def resize(instance, new_flavor, same_flavor):
        xloud_hooks.check_resize(
            instance, new_flavor, same_flavor)

    @after("flavor")
    def restore(instance, flavor):
        flavor = xloud_hooks.held(instance, flavor)

    @prepend
    def _check_quota_for_upsize(instance, current_flavor, new_flavor):
        current_flavor = xloud_hooks.held(instance, current_flavor)
        new_flavor = xloud_hooks.held(instance, new_flavor)

    @after("memory_mb", since="27.2")
    def _check_quota_unshelve_offloaded(instance, vcpus, memory_mb):
        vcpus, memory_mb = xloud_hooks.held_size(instance)
