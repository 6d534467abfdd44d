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

"""Nova's side: cells, hosts, flavors and servers, by Nova's own objects."""

import oslo_messaging as messaging

from nova import context as nova_context
from nova import exception
from nova import objects
from nova import rpc
from nova import servicegroup
from nova_xloud_settle import floors

# The kinds of the nova-compute of a host
OURS = 'nova-xloud'
STOCK = 'stock'
DOWN = 'down'
SILENT = 'silent'

# Servers that are read at a time
_PAGE = 500
# Seconds that a nova-compute has for its answer
_PATIENCE = 10


class Cloud:
    """All cells of the cloud that nova.conf names."""

    def __init__(self, context):
        """Read the cells and their hosts.

        :param context: nova.context.RequestContext, an admin's
        """
        self.context = context
        self._cells = objects.CellMappingList.get_all(context)
        self._services = {}
        self._kinds = {}
        # (host, node) -> UUID of its resource provider, and the way back
        self.providers = {}
        self.hosts = {}
        for cell in self._cells:
            with nova_context.target_cell(context, cell) as cell_context:
                self._read_hosts(cell, cell_context)

    def _read_hosts(self, cell, context):
        for node in objects.ComputeNodeList.get_all(context):
            key = node.host, node.hypervisor_hostname
            self.providers[key] = node.uuid
            self.hosts[node.uuid] = node.host
        for service in objects.ServiceList.get_by_binary(
                context, 'nova-compute'):
            self._services[service.host] = cell, service

    def kind(self, host):
        """Return the kind of the nova-compute of a host.

        A nova-compute of nova-xloud answers calls in an RPC namespace that
        stock Nova does not have.

        :param host: name of the host, or None for a server without one
        :returns: OURS, STOCK, DOWN or SILENT
        """
        if host not in self._kinds:
            self._kinds[host] = self._ask(host)
        return self._kinds[host]

    def _ask(self, host):
        if host not in self._services:
            return DOWN
        cell, service = self._services[host]
        if not servicegroup.API().service_is_up(service):
            return DOWN
        target = messaging.Target(
            topic='compute', namespace='xloud', version='1.0')
        router = rpc.ClientRouter(rpc.get_client(target))
        with nova_context.target_cell(self.context, cell) as context:
            client = router.client(context).prepare(
                server=host, timeout=_PATIENCE)
            try:
                client.call(context, 'ping')
            except messaging.UnsupportedVersion:
                return STOCK
            except messaging.MessagingTimeout:
                return SILENT
            except messaging.RemoteError as error:
                if error.exc_type == 'UnsupportedVersion':
                    return STOCK
                # One of before "ping" has the namespace, not the method
                if error.exc_type != 'NoSuchMethod':
                    raise
            except messaging.NoSuchMethod:
                pass
        return OURS

    def flavors(self):
        """List the flavors that have a floor."""
        found = objects.FlavorList.get_all(
            self.context, filters={'is_public': None})
        return [flavor for flavor in found if floors.floors(flavor)]

    def servers(self, host=None):
        """Yield the servers that have anything of nova-xloud's.

        :param host: name of the host whose servers are meant; all if None
        :returns: iterator of nova.objects.Instance, whose context is its
            cell's
        """
        filters = {'deleted': False, 'soft_deleted': True}
        if host:
            filters['host'] = host
        for cell in self._cells:
            marker = None
            while True:
                with nova_context.target_cell(self.context, cell) as context:
                    page = objects.InstanceList.get_by_filters(
                        context, filters, sort_key='uuid', sort_dir='asc',
                        limit=_PAGE, marker=marker,
                        expected_attrs=['flavor', 'system_metadata'])
                for instance in page:
                    if concerns(instance):
                        yield instance
                if len(page) < _PAGE:
                    break
                marker = page[-1].uuid


def concerns(instance):
    """Tell whether a server has anything of nova-xloud's."""
    return bool(
        any(floors.floors(each) for each in flavors_of(instance)) or
        floors.record(instance) or
        instance.task_state == floors.TASK_STATE)


def flavors_of(instance):
    """List the flavors that a server holds: now, before and after a resize.

    :returns: list of nova.objects.Flavor
    """
    return [flavor for flavor in (
        instance.flavor, instance.old_flavor, instance.new_flavor)
        if flavor is not None]


def read(instance):
    """Read a server anew.

    :param instance: nova.objects.Instance
    :raises: nova.exception.InstanceNotFound
    """
    return objects.Instance.get_by_uuid(
        instance._context, instance.uuid,
        expected_attrs=['flavor', 'system_metadata'])


def request_spec(context, instance):
    """Read the request spec of a server, which later moves start from.

    :param context: nova.context.RequestContext, not targeted at a cell
    :returns: nova.objects.RequestSpec; None if there is none
    """
    try:
        return objects.RequestSpec.get_by_instance_uuid(
            context, instance.uuid)
    except exception.RequestSpecNotFound:
        return None
