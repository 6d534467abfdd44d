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

"""The sizes that the resource tracker holds for servers with a floor."""

from oslo_utils import excutils

from nova import objects
from nova import utils
from nova.xloud import record as xloud_record
from nova.xloud import size as xloud_size

# nova.compute.resource_tracker.COMPUTE_RESOURCE_SEMAPHORE, the lock of the
# tracker's figures; that module imports this one
LOCK = 'compute_resources'


def _to_hold(instance):
    """Tell the flavor, and the size, that the tracker holds for a server."""
    return instance.flavor.id, xloud_record.held(instance)


class Held:
    """The sizes that a resource tracker holds for servers with a floor.

    :ivar instances: dict of node name to list of nova.objects.Instance, the
        servers with a floor that the periodic task has read
    """

    def __init__(self, tracker):
        """Hold sizes for a tracker.

        :param tracker: nova.compute.resource_tracker.ResourceTracker
        """
        self._tracker = tracker
        self._held = {}
        self.instances = {}

    def update(self, instance):
        """Have the tracker, and its record of the node, follow a size.

        Nova's own update_usage reports the whole node to Placement, which
        knows the size already, and lets every other server wait meanwhile.
        Here the lock is given back between holding and saving: of adjusts
        that end together the first saves for all. The periodic task may keep
        the lock for long, so a size that is held already takes no lock.

        :param instance: nova.objects.Instance with a floor
        """
        if self._held.get(instance.uuid) != _to_hold(instance):
            self.hold(instance)
            self.save(instance.node)

    @utils.synchronized(LOCK, fair=True)
    def hold(self, instance):
        """Hold the size that a server has now, if it is tracked here.

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
                    # _resource_change has noted the node as saved
                    self._tracker.old_resources[nodename] = saved

    def follow(self, instance, nodename, was_tracked):
        """Hold another size for a server when its size has changed.

        Nova counts a server when it arrives and when it leaves. Its size may
        have changed in between. The caller has the lock.

        :param instance: nova.objects.Instance
        :param nodename: name of the node
        :param was_tracked: whether Nova has counted the server before
        """
        held = self._held.pop(instance.uuid, None)
        if not xloud_size.has_floor(instance.flavor):
            return
        now = _to_hold(instance)
        if was_tracked:
            if held is None or held[0] != now[0]:
                # Resized on the same host: Nova counts both flavors until
                # that is confirmed or reverted.
                return
            self._tracker._update_usage({
                'vcpus': now[1].vcpus - held[1].vcpus,
                'memory_mb': now[1].memory_mb - held[1].memory_mb,
            }, nodename)
        if instance.uuid in self._tracker.tracked_instances:
            self._held[instance.uuid] = now

    def start_anew(self):
        """Forget all sizes: the periodic task counts all servers again."""
        self._held.clear()

    def note_instances(self, nodename, instances):
        """Keep the servers with a floor for the reconciliation.

        The periodic task has read them, so no further query is needed.

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
    return xloud_record.held_with(instance, flavor)._asdict()
