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

"""Guests that are asked, through their agent, which of their vCPUs they use.

The guest of the double leaves a vCPU offline until it is told to use it, as
a stock Linux guest does.
"""

import time
from unittest import mock

from nova.tests.fixtures import xloud as xloud_fixtures
from nova.tests.functional.libvirt import test_vcpu_current
from nova.xloud.compute import work

_ALL = 'The guest says that it uses all of its vCPUs.'
_NOT_ASKED = ('The guest was not asked whether it uses its vCPUs: no guest '
              'agent answers.')


class AgentTestBase(test_vcpu_current.AdjustTestBase):
    """A server of 1..4 vCPUs whose guest has an agent."""

    def setUp(self):
        super().setUp()
        self.flags(agent_timeout=2, guest_online_timeout=1, group='xloud')
        self.agent = self.guests.agent = xloud_fixtures.GuestAgent()
        self.server = self.boot()

    def online(self):
        """Return how many vCPUs the guest uses."""
        return self.agent.online(self.guest(self.server)._def['xloud'])

    def told(self):
        """Return how many the API says that it uses."""
        return self.status(self.server)['guest_online_vcpus']

    def vcpu_changes(self):
        """Return the numbers of vCPUs that libvirt was asked for."""
        return [value for what, value in self.guests.changes
                if what == 'vcpus']


class AgentTest(AgentTestBase):

    def test_guest_uses_what_it_is_given(self):
        event = self.adjust(self.server, vcpus=3)
        self.assertEqual(3, self.online())
        self.assertEqual(3, self.told())
        self.assertIn(_ALL, event['details'])
        self.assertSize(self.server, 3, 1024)

    def test_guest_that_uses_it_without_being_told(self):
        self.agent.uses_at_once = True
        event = self.adjust(self.server, vcpus=4)
        self.assertIn(_ALL, event['details'])
        self.assertEqual(4, self.told())

    def test_shrink_asks_the_guest_first(self):
        self.adjust(self.server, vcpus=4)
        offline = []
        unplug = self.guests._set_vcpus_flags

        def note(domain, vcpus, flags):
            offline.append(self.online())
            unplug(domain, vcpus, flags)

        with mock.patch(
                'nova.tests.fixtures.libvirt.Domain.setVcpusFlags',
                lambda domain, vcpus, flags: note(domain, vcpus, flags)):
            event = self.adjust(self.server, vcpus=2)
        # told by the agent, then unplugged
        self.assertEqual([4, 2], offline[:2])
        self.assertNotIn('guest says', event['details'])
        self.assertEqual(2, self.online())
        self.assertEqual(2, self.told())
        self.assertSize(self.server, 2, 1024)

    def test_refused_unplug_leaves_all_in_use(self):
        self.adjust(self.server, vcpus=4)
        self.guests.unplugs = False
        with mock.patch('nova.virt.libvirt.xloud._Patience.is_over',
                        return_value=True):
            self.adjust(self.server, vcpus=2, expected='Error')
        self.assertEqual(4, self.online())
        self.assertSize(self.server, 4, 1024)

    def test_memory_alone_asks_nobody(self):
        self.adjust(self.server, vcpus=2)
        self.agent.asked.clear()
        event = self.adjust(self.server, memory_mb=2048)
        self.assertEqual([], self.agent.asked)
        self.assertNotIn('asked', event['details'])
        # and the figure of before still stands
        self.assertEqual(2, self.told())

    def test_libvirt_waits_as_before_afterwards(self):
        self.adjust(self.server, vcpus=2)
        self.assertEqual({2}, set(self.agent.asked))
        self.assertEqual(-2, self.agent.timeout)

    def test_periodic_task_sees_what_the_guest_changes(self):
        self.adjust(self.server, vcpus=3)
        self.guest(self.server)._def['xloud']['online'] = 2
        self.run_periodics()
        self.assertEqual(2, self.told())
        # the guest's own size counts
        self.assertSize(self.server, 3, 1024)

    def test_stopped_server_is_not_asked(self):
        self.act(self.server, 'os-stop', 'SHUTOFF')
        self.agent.asked.clear()
        event = self.adjust(self.server, vcpus=2)
        self.assertEqual([], self.agent.asked)
        self.assertNotIn('asked', event['details'])
        self.assertIsNone(self.told())

    def test_paused_server_is_not_asked(self):
        self.act(self.server, 'pause', 'PAUSED')
        self.agent.asked.clear()
        event = self.adjust(self.server, vcpus=2)
        self.assertEqual([], self.agent.asked)
        self.assertIn(_NOT_ASKED, event['details'])


class UnusedTest(AgentTestBase):
    """A guest that does not use a vCPU that it has got."""

    def setUp(self):
        super().setUp()
        self.agent.obeys = False

    def test_it_is_taken_back(self):
        event = self.adjust(self.server, vcpus=3, expected='Error')
        self.assertIn('uses only 1 of the 3 vCPUs', event['details'])
        self.assertIn('counts with 1 vCPUs', event['details'])
        self.assertEqual([3, 1], self.vcpu_changes())
        self.assertSize(self.server, 1, 1024)
        self.assertUsed(1, 1024)

    def test_memory_of_the_request_is_taken_back_too(self):
        self.adjust(self.server, vcpus=3, memory_mb=2048, expected='Error')
        self.assertSize(self.server, 1, 1024)
        self.assertUsed(1, 1024)

    def test_what_it_keeps_is_told(self):
        self.guests.unplugs = False
        with mock.patch('nova.virt.libvirt.xloud._Patience.is_over',
                        return_value=True):
            event = self.adjust(self.server, vcpus=3, expected='Error')
        self.assertIn('uses only 1 of the 3 vCPUs', event['details'])
        self.assertIn('counts with 3 vCPUs', event['details'])
        self.assertSize(self.server, 3, 1024)
        self.assertUsed(3, 1024)

    def test_killed_before_it_was_known(self):
        with mock.patch.object(work.Adjuster, '_start'):
            self.api.api_post('/os-xloud-adjust/%s' % self.server['id'],
                              {'current_vcpus': 3})
        self.guest(self.server)._def['xloud']['vcpus'] = 3
        self.restart_compute_service('one')
        self.assertEqual('Error', self.last_event(self.server)['result'])
        self.assertSize(self.server, 1, 1024)
        self.assertUsed(1, 1024)

    def test_killed_and_used_after_all(self):
        self.agent.obeys = True
        with mock.patch.object(work.Adjuster, '_start'):
            self.api.api_post('/os-xloud-adjust/%s' % self.server['id'],
                              {'current_vcpus': 3})
        self.guest(self.server)._def['xloud']['vcpus'] = 3
        self.restart_compute_service('one')
        event = self.last_event(self.server)
        self.assertEqual('Success', event['result'])
        self.assertIn(_ALL, event['details'])
        self.assertEqual(3, self.online())


class NoAgentTest(AgentTestBase):
    """An agent that counts as none: the guest is not asked."""

    def _check(self, asked=None):
        """Adjust in both directions, as without an agent.

        :param asked: how often the agent may be asked in each adjust, and in
            the look of the status before it; None not to count
        """
        for vcpus in (3, 1):
            self.agent.asked.clear()
            event = self.adjust(self.server, vcpus=vcpus)
            if asked is not None:
                self.assertLessEqual(len(self.agent.asked), asked)
            if vcpus == 3:
                self.assertIn(_NOT_ASKED, event['details'])
            self.assertSize(self.server, vcpus, 1024)
            self.assertIsNone(self.told())

    def test_no_channel(self):
        self.guests.agent = None
        self._check(0)

    def test_nobody_listens(self):
        self.agent.is_connected = False
        self._check(0)
        self.assertNotIn('counts as none', self.stdlog.logger.output)

    def test_it_hangs(self):
        self.agent.hangs = True
        self._check(2)
        self.assertIn('counts as none', self.stdlog.logger.output)
        self.assertEqual(-2, self.agent.timeout)

    def test_it_lies(self):
        for lie in ('0-7', '', 'all of them', '3-1', '0-', '-5', None):
            self.agent.lie = lie
            if lie is None:
                self.agent.tell = lambda state, fail: {'online': 3}
            self._check()
        self.assertIn('counts as none', self.stdlog.logger.output)

    def test_status_does_not_wait_for_it(self):
        def hang(domain, flags):
            time.sleep(3)
            raise ValueError()

        with mock.patch('nova.tests.fixtures.libvirt.Domain.guestVcpus',
                        hang):
            # the host is asked, as long as it has noted nothing
            for _again in range(2):
                began = time.monotonic()
                self.assertIsNone(self.told())
                self.assertLess(time.monotonic() - began, 2.5)
