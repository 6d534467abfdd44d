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

"""The resource tracker counts servers with a floor by their size."""

from oslo_utils import excutils

from nova import objects
from nova import utils
from nova.xloud import size as xloud_size

# nova.compute.resource_tracker.COMPUTE_RESOURCE_SEMAPHORE, the lock of all
# that the tracker counts; that module imports this one
LOCK = 'compute_resources'


def _to_count(instance):
    """Tell the flavor, and the size, that the tracker counts for a server."""
    return instance.flavor.id, xloud_size.reserved(instance)


class Counts:
    """What a resource tracker counts for the servers with a floor.

    :ivar instances: dict of node name to list of nova.objects.Instance, the
        servers with a floor that the periodic task has read
    """

    def __init__(self, tracker):
        """Count for a tracker.

        :param tracker: nova.compute.resource_tracker.ResourceTracker
        """
        self._tracker = tracker
        self._counted = {}
        self.instances = {}

    def update(self, instance):
        """Have the tracker, and its record of the node, follow a size.

        Nova's own update_usage reports all that the node has to Placement,
        which knows the size already, and lets every other server wait
        meanwhile. Here the lock is given back between counting and saving:
        of adjusts that end together the first saves for all. The periodic
        task may hold the lock for long, so it is not taken for a size that
        is counted already.

        :param instance: nova.objects.Instance with a floor
        """
        if self._counted.get(instance.uuid) != _to_count(instance):
            self.count(instance)
            self.save(instance.node)

    @utils.synchronized(LOCK, fair=True)
    def count(self, instance):
        """Count what a server has now, if it is counted here at all.

        :param instance: nova.objects.Instance with a floor
        """
        if (instance.uuid in self._tracker.tracked_instances and
                instance.node in self._tracker.compute_nodes):
            self.follow(instance, instance.node, was_tracked=True)

    @utils.synchronized(LOCK, fair=True)
    def save(self, nodename):
        """Save the usage of a node, unless the saved usage is the same.

        :param nodename: name of the node
        """
        node = self._tracker.compute_nodes.get(nodename)
        if node is None:
            return
        saved = self._tracker.old_resources[nodename]
        if self._tracker._resource_change(node):
            try:
                node.save()
            except Exception:
                with excutils.save_and_reraise_exception():
                    # It has noted the node as saved
                    self._tracker.old_resources[nodename] = saved

    def follow(self, instance, nodename, was_tracked):
        """Count a server again when its size has changed.

        Nova counts a server when it comes and when it goes. Its size may have
        changed in between. The caller has the lock.

        :param instance: nova.objects.Instance
        :param nodename: name of the node
        :param was_tracked: whether Nova has counted the server before
        """
        counted = self._counted.pop(instance.uuid, None)
        if not xloud_size.has_floor(instance.flavor):
            return
        now = _to_count(instance)
        if was_tracked:
            if counted is None or counted[0] != now[0]:
                # Resized on the same host: Nova counts both flavors until
                # that is confirmed or reverted.
                return
            self._tracker._update_usage({
                'vcpus': now[1].vcpus - counted[1].vcpus,
                'memory_mb': now[1].memory_mb - counted[1].memory_mb,
            }, nodename)
        if instance.uuid in self._tracker.tracked_instances:
            self._counted[instance.uuid] = now

    def start_anew(self):
        """Forget the counts: the periodic task counts all servers again."""
        self._counted.clear()

    def note_instances(self, nodename, instances):
        """Keep the servers with a floor for the reconciliation.

        They are at hand in the periodic task, so it needs no further query.

        :param nodename: name of the node
        :param instances: iterable of nova.objects.Instance
        """
        self.instances[nodename] = [
            instance for instance in instances
            if xloud_size.has_floor(instance.flavor)]


def usage(object_or_dict, instance):
    """Tell the part of a usage that follows the size of a server.

    :param object_or_dict: nova.objects.Flavor, Instance or a dict of usage
    :param instance: nova.objects.Instance
    :returns: dict; empty for a flavor without a floor
    """
    flavor = None
    if isinstance(object_or_dict, objects.Flavor):
        flavor = object_or_dict
    elif isinstance(object_or_dict, objects.Instance):
        flavor = object_or_dict.flavor
    if flavor is None or not xloud_size.has_floor(flavor):
        return {}
    return xloud_size.of_flavor(instance, flavor)._asdict()
