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
"""The whole run: flavors first, then servers, then hosts.

No server can begin at a floor once the flavors have none, and no server is
one with a floor once its own copy of the flavor has none. Only hosts are left
then: they lose the trait when their nova-compute goes.
"""

import time

from oslo_log import log as logging

from nova import exception
from nova_xloud_settle import cloud as nova_cloud
from nova_xloud_settle import floors
from nova_xloud_settle import servers as nova_servers

LOG = logging.getLogger(__name__)

# Looks at the servers of a run of "apply"; the second follows when those
# hosts that still run nova-xloud have had time to see the changes.
_LOOKS = 3

_HINDRANCES = {
    nova_cloud.OURS: 'its nova-compute is still nova-xloud: swap that back',
    nova_cloud.SILENT: 'its nova-compute does not answer: restart that',
}


class Flavor:
    """A flavor with floors.

    :ivar command: text of the command that gives the floors back
    """

    def __init__(self, flavor):
        """Look at a flavor.

        :param flavor: nova.objects.Flavor
        """
        self.flavor = flavor
        self.floors = floors.floors(flavor)
        self.command = 'openstack flavor set %s %s' % (
            ' '.join('--property %s=%s' % each
                     for each in sorted(self.floors.items())),
            flavor.flavorid)

    def settle(self):
        """Take the floors from the flavor; the other extra specs stay."""
        self.flavor.save_extra_specs(to_delete=sorted(self.floors))


class Host:
    """A host with the trait.

    :ivar hindrance: text, why the trait has to stay now; None if it has not
    """

    def __init__(self, cloud, provider, name):
        """Look at a host.

        :param cloud: nova_xloud_settle.cloud.Cloud
        :param provider: UUID of its resource provider
        :param name: name of that
        """
        self.provider = provider
        self.name = name
        self.kind = cloud.kind(cloud.hosts.get(provider))
        self.hindrance = _HINDRANCES.get(self.kind)


class Settled:
    """The work that a run has found, or has left.

    :ivar flavors: list of Flavor
    :ivar servers: list of nova_xloud_settle.servers.Server
    :ivar hosts: list of Host
    """

    def __init__(self, flavors, servers, hosts):
        self.flavors = flavors
        self.servers = servers
        self.hosts = hosts


def look(cloud, placement, host=None):
    """Find the work; nothing changes.

    :param cloud: nova_xloud_settle.cloud.Cloud
    :param placement: nova_xloud_settle.placement.Placement
    :param host: name of a host that alone is meant; flavors are none of its
        business
    :returns: Settled
    :raises: nova_xloud_settle.placement.PlacementError
    """
    found = []
    for instance in cloud.servers(host):
        try:
            server = nova_servers.Server(cloud, placement, instance)
        except exception.InstanceNotFound:
            continue
        server.reserve()
        found.append(server)
    flavors = [] if host else [Flavor(each) for each in cloud.flavors()]
    return Settled(flavors, found, _hosts(cloud, placement, host))


def _hosts(cloud, placement, host):
    return [Host(cloud, provider, name) for provider, name in
            sorted(placement.with_trait().items(), key=lambda each: each[1])
            if host in (None, cloud.hosts.get(provider))]


def apply(cloud, placement, host=None, tell=lambda text: None):
    """Do the work that can be done; may be repeated.

    :param cloud: nova_xloud_settle.cloud.Cloud
    :param placement: nova_xloud_settle.placement.Placement
    :param host: name of a host that alone is meant
    :param tell: function of a line of text, called for each thing done
    :returns: Settled, of the work that is left
    :raises: nova_xloud_settle.placement.PlacementError
    """
    if not host:
        for flavor in [Flavor(each) for each in cloud.flavors()]:
            # Told first: who is cut off here must know the command
            tell('flavor %s: the floors go; this command brings them back: '
                 '%s' % (flavor.flavor.name, flavor.command))
            flavor.settle()
    left = []
    for attempt in range(_LOOKS):
        if attempt:
            tell('waiting %s seconds for hosts that run nova-xloud' %
                 nova_servers.GRACE)
            time.sleep(nova_servers.GRACE + 1)
        left = list(_settle_servers(cloud, placement, host, tell))
        if not any(server.wants_another_look for server in left):
            break
    for each in _hosts(cloud, placement, host):
        if each.hindrance is None:
            placement.drop_trait(each.provider)
            tell('host %s: the trait has gone' % each.name)
    hosts = _hosts(cloud, placement, host)
    if not hosts and not host:
        placement.forget_trait()
    flavors = [] if host else [Flavor(each) for each in cloud.flavors()]
    return Settled(flavors, left, hosts)


def _settle_servers(cloud, placement, host, tell):
    """Settle servers; yield those that are left."""
    for instance in cloud.servers(host):
        try:
            # Its page may have been read minutes ago
            instance = nova_cloud.read(instance)
            if not nova_cloud.concerns(instance):
                continue
            server = nova_servers.Server(cloud, placement, instance)
            server.settle()
        except exception.InstanceNotFound:
            continue
        if server.hindrance is None:
            tell('server %s: settled' % instance.uuid)
        else:
            if not server.wants_another_look:
                tell('server %s: not settled: %s' % (
                    instance.uuid, server.hindrance))
            yield server
