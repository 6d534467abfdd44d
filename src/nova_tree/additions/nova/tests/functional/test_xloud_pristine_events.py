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

"""Notifications about a server without a floor are those of unmodified Nova.

The payloads are taken down. ``make test-nova`` runs this on unmodified Nova
too, and compares.
"""

import fixtures
from oslo_serialization import jsonutils

from nova.compute import utils as compute_utils
from nova import context as nova_context
from nova import objects
from nova.tests.functional.libvirt import base
from nova.tests.functional import xloud_pristine


class EventsOfPlainServersTest(base.ServersTestBase):

    ADMIN_API = True
    microversion = 'latest'

    def setUp(self):
        super().setUp()
        self.flags(allow_resize_to_same_host=True)
        self.flags(notify_on_state_change='vm_and_task_state',
                   group='notifications')
        self.useFixture(fixtures.MockPatch(
            'nova.virt.libvirt.driver.LibvirtDriver.'
            'migrate_disk_and_power_off', return_value='{}'))
        self.start_compute()
        self.flavor = self._create_flavor(vcpu=2, memory_mb=1024, disk=1)
        self.bigger = self._create_flavor(vcpu=4, memory_mb=2048, disk=1)
        self.notes = xloud_pristine.Notes()
        for pattern, name in (
                # Before the numbers, of which it has some
                ('[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}', 'UUID'),
                # Of a server and of a flavor, each random
                ('"[a-z]{20}"', '"NAME"'),
                (r'\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*(Z|\+00:00)?',
                 'TIME'),
                ('r-[0-9a-z]{8}', 'RESERVATION'),
                (r'\d{6,}', 'NUMBER')):
            self.notes.rename(pattern, name)

    def _exists(self, server):
        context = nova_context.get_admin_context()
        instance = objects.Instance.get_by_uuid(
            context, server['id'], expected_attrs=['flavor'])
        compute_utils.notify_usage_exists(
            self.computes['compute1'].manager.notifier, context, instance,
            'compute1', current_period=True)

    def test_life(self):
        server = self._create_server(flavor_id=self.flavor, networks='none')
        self._exists(server)
        self._stop_server(server)
        self._start_server(server)
        self._resize_server(server, self.bigger)
        self._confirm_resize(server)
        self._delete_server(server)
        for each in self.notifier.versioned_notifications:
            if each['event_type'].startswith('instance.'):
                self.notes.add(jsonutils.dumps(each, sort_keys=True))
        for each in self.notifier.notifications:
            if each.event_type.startswith('compute.instance.'):
                self.notes.add(jsonutils.dumps(
                    [each.publisher_id, each.priority, each.event_type,
                     each.payload], sort_keys=True))
        self.notes.save('events')
        self.assertGreater(len(self.notes.lines), 20)
        for line in self.notes.lines:
            self.assertNotIn('xloud', line.lower())
