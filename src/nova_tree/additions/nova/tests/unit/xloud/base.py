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

"""Servers and flavors for the tests of nova.xloud."""

from oslo_utils.fixture import uuidsentinel as uuids

from nova import context
from nova import objects

FLOORS = {'minimum_cpu': '1', 'minimum_memory': '1024'}


def make_flavor(vcpus=4, memory_mb=4096, flavorid='one', **extra_specs):
    """Make a flavor; extra specs with a colon are given as a dict."""
    return objects.Flavor(
        id=1, flavorid=flavorid, name=flavorid, vcpus=vcpus,
        memory_mb=memory_mb, root_gb=1, ephemeral_gb=0, swap=0,
        extra_specs=extra_specs)


def make_instance(flavor=None, size=None, **fields):
    """Make a server, with a recorded size if one is given."""
    flavor = flavor or make_flavor(**FLOORS)
    metadata = {}
    if size:
        metadata = {'xloud_current_vcpus': str(size[0]),
                    'xloud_current_memory_mb': str(size[1])}
    values = {
        'uuid': uuids.server, 'host': 'host', 'node': 'node',
        'vm_state': 'active', 'task_state': None, 'project_id': 'project',
        'user_id': 'user', 'display_name': 'server'}
    values.update(fields)
    instance = objects.Instance(
        context.get_admin_context(), flavor=flavor, old_flavor=None,
        system_metadata=metadata, **values)
    instance.obj_reset_changes(recursive=True)
    return instance
