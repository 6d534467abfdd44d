"""Servers start at their floor, and quota counts what they have now.

A flavor's floor is checked again at create, rebuild and resize, since only
these know the image. An operation that an adjust comes before is a conflict.
"""
from nova_xloud.weave import after, before, before_return, decorate, prepend

from nova.xloud import conflict as xloud_conflict
from nova.xloud import flavors as xloud_flavors
from nova.xloud import size as xloud_size


@decorate
@xloud_conflict.tells_conflicts
def check_instance_state(vm_state, task_state, must_have_launched): ...


class API:
    @before_return
    def _populate_instance_for_create(instance, flavor):
        xloud_size.start_at_floor(instance, flavor)

    @before("compute_utils.check_num_instances_quota")
    def _provision_instances(flavor, boot_meta):
        asked_flavor = flavor
        flavor = xloud_flavors.counted_at_create(
            flavor, boot_meta)

    @before("security_group_api.populate_security_groups")
    def _provision_instances(flavor):
        flavor = asked_flavor

    @prepend
    def _checks_for_create_and_rebuild(flavor, image):
        xloud_flavors.check_create(flavor, image)

    @after("same_flavor")
    def resize(instance, new_flavor, same_flavor):
        xloud_flavors.check_resize(
            instance, new_flavor, same_flavor)

    @after("flavor")
    def restore(instance, flavor):
        flavor = xloud_flavors.counted(instance, flavor)

    @prepend
    def _check_quota_for_upsize(instance, current_flavor, new_flavor):
        current_flavor = xloud_flavors.counted(
            instance, current_flavor)
        new_flavor = xloud_flavors.counted(instance, new_flavor)

    @after("memory_mb", since=27)
    def _check_quota_unshelve_offloaded(instance, vcpus, memory_mb):
        flavor = xloud_flavors.counted(instance, instance.flavor)
        vcpus, memory_mb = flavor.vcpus, flavor.memory_mb
