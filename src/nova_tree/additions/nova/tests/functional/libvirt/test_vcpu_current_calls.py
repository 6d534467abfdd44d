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


"""The cost of servers with a floor: calls of a host, and of nova-api."""

import time

import fixtures

from nova import context as nova_context
from nova.tests.functional.libvirt import test_vcpu_current
from nova.tests.functional import test_xloud_calls

MANY = 50


def without_node(calls):
    """Leave out the reads and writes of Nova's tracker for its node."""
    return [call for call in calls if 'compute_nodes' not in call and
            call not in ('database: BEGIN', 'database: SELECT 1')]


class CallsTest(test_vcpu_current.AdjustTestBase):

    def setUp(self):
        # when services say that they are up is a matter of time
        self.flags(service_down_time=7200)
        self.useFixture(fixtures.MockPatch(
            'nova.servicegroup.drivers.db.DbDriver._report_state'))
        super().setUp()

    def configure(self):
        self.flags(cpu_allocation_ratio=MANY, ram_allocation_ratio=MANY,
                   disk_allocation_ratio=MANY)
        self.flags(instances=-1, cores=-1, ram=-1, group='quota')
        # Nova itself asks Placement for each server of a host, floor or not,
        # in case that a driver wants to move allocations. None does here.
        self.useFixture(fixtures.MockPatch(
            'nova.scheduler.client.report.SchedulerReportClient.'
            'get_allocations_for_provider_tree', return_value={}))

    def calls_of(self, operation):
        """Return the calls of an operation, sorted."""
        with test_xloud_calls.Calls() as calls:
            # of a query for many, which is one call
            calls.notes.rename(r'\(\?(, \?)*\)', '(?)')
            operation()
        return sorted(map(str, calls.notes.lines))

    def update(self):
        self.computes['one'].manager.update_available_resource(
            nova_context.get_admin_context())

    def calls_of_the_periodic_task(self):
        """Return the calls of the periodic task with the fewest calls of ten.

        Guests are noted at first, memory counts when it was seen twice, and
        builds that have just ended still save the node. A cost that stays is
        in all ten.
        """
        found = []
        for _look in range(10):
            found.append(self.calls_of(self.update))
            time.sleep(0.5)
        return min(found, key=len)

    def test_periodic_task_costs_the_same_for_one_and_for_many(self):
        server = self.boot()
        self.adjust(server, vcpus=2)
        one = self.calls_of_the_periodic_task()
        for kind in ('database', 'placement'):
            self.assertNotEqual(
                [], [line for line in one if line.startswith(kind)])
        body = self._build_server(flavor_id=self.flavor, networks='none')
        body['min_count'] = MANY - 1
        self.api.post_server({'server': body})
        self._wait_for_assert(lambda: self.assertEqual(
            ['ACTIVE'] * MANY,
            [each['status'] for each in self.api.get_servers()]),
            max_retries=600)
        many = self.calls_of_the_periodic_task()
        # Nova's tracker saves its node whenever its own statistics differ:
        # once at most, however many servers there are
        self.assertLessEqual(len(many), len(one) + 4)
        self.assertEqual(without_node(one), without_node(many))

    def asks_for_status(self, server):
        """Return the status, and whether the host was asked."""
        status = {}
        calls = self.calls_of(lambda: status.update(self.status(server)))
        return status, any('get_status' in call for call in calls)

    def assertShown(self, server, is_asked, **figures):
        status, was_asked = self.asks_for_status(server)
        self.assertEqual(
            figures, {name: status[name] for name in figures})
        self.assertEqual(is_asked, was_asked)

    def test_status_of_a_guest_that_has_settled_asks_no_host(self):
        server = self.boot()
        # nobody has looked at it yet
        self.assertShown(server, True, current_vcpus=1)
        self.update()
        self.assertShown(server, False, current_vcpus=1,
                         balloon_driver_active=True)
        self.adjust(server, vcpus=3, memory_mb=2048)
        self.assertShown(server, False, current_vcpus=3,
                         current_memory_mb=2048, balloon_driver_active=True)
        self.act(server, 'reboot', 'ACTIVE', type='HARD')
        # it boots
        self.assertShown(server, True, current_vcpus=3)
        for action, status in (('rescue', 'RESCUE'), ('unrescue', 'ACTIVE')):
            self.update()
            self.assertShown(server, False, current_vcpus=3)
            self.act(server, action, status)
            self.assertShown(server, True, current_vcpus=3)

    def test_what_nobody_asked_nova_for_shows_after_the_periodic_task(self):
        server = self.boot()
        self.update()
        self.guest(server)._def['xloud']['vcpus'] = 4
        self.assertShown(server, False, current_vcpus=1)
        self.update()
        self.assertShown(server, False, current_vcpus=4)
        self.guests.has_balloon_driver = False
        self.update()
        self.assertShown(server, False, balloon_driver_active=False)
