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

"""The resource tracker counts servers with a floor by their size.

Decorators of methods of nova.compute.resource_tracker.ResourceTracker, and
what its own methods for such servers do.
"""

import functools

from oslo_utils import excutils

from nova import objects
from nova.xloud import size as xloud_size


def counts_size(function):
    """Decorate _get_usage_dict: the size, not the flavor's maximum."""
    @functools.wraps(function)
    def wrapper(tracker, object_or_dict, instance, **updates):
        usage = function(tracker, object_or_dict, instance, **updates)
        flavor = None
        if isinstance(object_or_dict, objects.Flavor):
            flavor = object_or_dict
        elif isinstance(object_or_dict, objects.Instance):
            flavor = object_or_dict.flavor
        if flavor is not None and xloud_size.has_floor(flavor):
            usage.update(xloud_size.of_flavor(instance, flavor)._asdict())
        return usage
    return wrapper


def _to_count(instance):
    """Tell what is to be counted for a server: its flavor and its size."""
    return instance.flavor.id, xloud_size.reserved(instance)


def is_counted(tracker, instance):
    """Tell whether the tracker counts what a server has now.

    :param tracker: nova.compute.resource_tracker.ResourceTracker
    :param instance: nova.objects.Instance with a floor
    """
    return tracker.xloud_counted.get(instance.uuid) == _to_count(instance)


def update_usage(tracker, context, instance):
    """Have the tracker, and the compute node's record, follow a server's size.

    Nova's own update_usage reports all that the node has to Placement, which
    knows the size already, and lets every other server wait meanwhile. Here
    the lock is given back between counting and saving: of adjusts that end
    together the first saves for all.

    :param tracker: nova.compute.resource_tracker.ResourceTracker
    :param context: nova.context.RequestContext
    :param instance: nova.objects.Instance with a floor
    """
    tracker.xloud_count(context, instance)
    tracker.xloud_save(instance.node)


def count(tracker, context, instance):
    """Count what a server has now, if it is counted here at all.

    :param tracker: nova.compute.resource_tracker.ResourceTracker, locked
    :param context: nova.context.RequestContext
    :param instance: nova.objects.Instance with a floor
    """
    if (instance.uuid in tracker.tracked_instances and
            instance.node in tracker.compute_nodes):
        tracker._update_usage_from_instance(context, instance, instance.node)


def save(tracker, nodename):
    """Save what is counted of a node, unless that is saved already.

    :param tracker: nova.compute.resource_tracker.ResourceTracker, locked
    :param nodename: name of the node
    """
    node = tracker.compute_nodes.get(nodename)
    if node is None:
        return
    saved = tracker.old_resources[nodename]
    if tracker._resource_change(node):
        try:
            node.save()
        except Exception:
            with excutils.save_and_reraise_exception():
                # It has noted the node as saved
                tracker.old_resources[nodename] = saved


def follows_size(function):
    """Decorate _update_usage_from_instance: count again when it changes.

    Nova counts a server when it comes and when it goes, and what it has when
    it goes may not be what it had when it came.
    """
    @functools.wraps(function)
    def wrapper(tracker, context, instance, nodename, is_removed=False):
        uuid = instance['uuid']
        was_tracked = uuid in tracker.tracked_instances
        function(tracker, context, instance, nodename, is_removed=is_removed)
        counted = tracker.xloud_counted.pop(uuid, None)
        if not xloud_size.has_floor(instance.flavor):
            return
        now = _to_count(instance)
        if was_tracked:
            if counted is None or counted[0] != now[0]:
                # Resized on the same host: Nova counts both flavors until
                # that is confirmed or reverted.
                return
            tracker._update_usage({
                'vcpus': now[1].vcpus - counted[1].vcpus,
                'memory_mb': now[1].memory_mb - counted[1].memory_mb,
            }, nodename)
        if uuid in tracker.tracked_instances:
            tracker.xloud_counted[uuid] = now
    return wrapper


def notes_instances(function):
    """Decorate _update_usage_from_instances: keep those with a floor.

    They are at hand there, so nova.xloud.reconcile needs no further query.
    """
    @functools.wraps(function)
    def wrapper(tracker, context, instances, nodename):
        tracker.xloud_counted.clear()
        by_uuid = function(tracker, context, instances, nodename)
        tracker.xloud_instances[nodename] = [
            instance for instance in by_uuid.values()
            if xloud_size.has_floor(instance.flavor)]
        return by_uuid
    return wrapper
