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

"""All that we hook on the ComputeManager and on the ResourceTracker.

The change files of nova/compute name these functions and nothing else of
ours. A function here does no work itself: it calls the module that does.
"""

import functools

from nova.xloud.compute import host
from nova.xloud.compute import leaving
from nova.xloud.compute import tracker as xloud_tracker
from nova.xloud import record as xloud_record


def start(manager):
    """End of ComputeManager.__init__."""
    manager.xloud = host.Host(
        manager.host, manager.driver, manager.rt, manager.reportclient)
    manager.additional_endpoints.append(manager.xloud.endpoint)


def cleanup_host(function):
    """Decorate ComputeManager.cleanup_host, which ends the service."""
    @functools.wraps(function)
    def wrapper(manager):
        leaving.tidy_up(manager.driver, manager.xloud.accounting)
        function(manager)
    return wrapper


def update_available_resource(function):
    """Decorate ComputeManager.update_available_resource, the periodic task.

    Reconciles also when Nova's own task has failed, and never makes it fail.
    """
    @functools.wraps(function)
    def wrapper(manager, context, startup=False):
        manager.xloud.accounting.forget_instances()
        try:
            function(manager, context, startup=startup)
        finally:
            manager.xloud.reconciler.reconcile(context, startup)
    return wrapper


def server_is_new(instance):
    """Begin of ComputeManager._build_and_run_instance.

    nova-api has noted the floor, unless it is of a release without floors.
    """
    if xloud_record.start_late(instance):
        instance.save()


def guest_is_new(manager, context, instance):
    """After a reboot and a rebuild, before the new state is saved."""
    xloud_record.forget_guest_of_floor(instance)
    manager.xloud.accounting.settle_new_guest(context, instance)


def guest_is_off(manager, context, instance):
    """After a stop and a shelve, before the new state is saved.

    Killed before that, nova-compute stops the server again when it starts.
    """
    xloud_record.forget_live_of_floor(instance)
    manager.xloud.accounting.settle_new_guest(context, instance)


def guest_is_another(instance):
    """After a rescue and an unrescue, before the new state is saved."""
    xloud_record.forget_guest_of_floor(instance)


def revert_allocation(function):
    """Decorate ComputeManager._revert_allocation."""
    @functools.wraps(function)
    def wrapper(manager, context, instance, migration):
        held = function(manager, context, instance, migration)
        # Nothing comes back when nothing was held
        if held:
            manager.xloud.accounting.settle_reverted(context, instance)
        return held
    return wrapper


def delete_stashed_flavor_info(function):
    """Decorate ComputeManager._delete_stashed_flavor_info, which saves."""
    @functools.wraps(function)
    def wrapper(manager, instance):
        xloud_record.forget_stashed(instance)
        return function(manager, instance)
    return wrapper


def set_instance_info(function):
    """Decorate ComputeManager._set_instance_info(instance, flavor)."""
    @functools.wraps(function)
    def wrapper(instance, flavor):
        with xloud_record.following(instance, flavor):
            return function(instance, flavor)
    return wrapper


def start_tracker(tracker):
    """End of ResourceTracker.__init__."""
    tracker.xloud = xloud_tracker.Held(tracker)


def get_usage_dict(function):
    """Decorate ResourceTracker._get_usage_dict: the size is counted."""
    @functools.wraps(function)
    def wrapper(tracker, object_or_dict, instance, **updates):
        usage = function(tracker, object_or_dict, instance, **updates)
        usage.update(xloud_tracker.usage(object_or_dict, instance))
        return usage
    return wrapper


def update_usage_from_instance(function):
    """Decorate ResourceTracker._update_usage_from_instance."""
    @functools.wraps(function)
    def wrapper(tracker, context, instance, nodename, is_removed=False):
        was_tracked = instance['uuid'] in tracker.tracked_instances
        function(tracker, context, instance, nodename, is_removed=is_removed)
        tracker.xloud.follow(instance, nodename, was_tracked)
    return wrapper


def update_usage_from_instances(function):
    """Decorate ResourceTracker._update_usage_from_instances."""
    @functools.wraps(function)
    def wrapper(tracker, context, instances, nodename):
        tracker.xloud.start_anew()
        by_uuid = function(tracker, context, instances, nodename)
        tracker.xloud.note_instances(nodename, by_uuid.values())
        return by_uuid
    return wrapper
