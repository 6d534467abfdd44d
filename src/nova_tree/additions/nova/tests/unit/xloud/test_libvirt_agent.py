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

import threading
from unittest import mock

import fixtures

from nova import test
from nova.tests.fixtures import libvirt as fakelibvirt
from nova.tests.unit.xloud import test_libvirt
from nova.virt.libvirt import guest as libvirt_guest
from nova.virt.libvirt import xloud
from nova.virt.libvirt import xloud_agent
from nova.xloud import exception

XML = """
<domain><devices><channel type='unix'>
<target type='virtio' name='org.qemu.guest_agent.0' state='connected'/>
</channel></devices></domain>"""


class CountTestCase(test.NoDBTestCase):

    def test_lists_of_vcpus(self):
        for numbers, expected in (
                ('0', 1), ('0-3', 4), ('0-1,3', 3), ('0,2,4', 3)):
            self.assertEqual(expected, xloud_agent._count(numbers))

    def test_what_is_no_list(self):
        for numbers in ('', '0-', '-5', 'all', '0,,1', '0-1-2'):
            self.assertRaises(ValueError, xloud_agent._count, numbers)


class TurnsTestCase(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.turns = xloud_agent._Turns()

    def _may_talk(self, uuid):
        with self.turns.take(uuid, 0) as is_ours:
            return is_ours

    def test_one_conversation_with_each_agent(self):
        with self.turns.take('one', 0) as is_ours:
            self.assertTrue(is_ours)
            self.assertFalse(self._may_talk('one'))
            self.assertTrue(self._may_talk('other'))
        self.assertTrue(self._may_talk('one'))

    def test_few_conversations_altogether(self):
        done = threading.Event()
        begun = threading.Semaphore(0)

        def talk(number):
            with self.turns.take(number, 60):
                begun.release()
                done.wait(60)

        threads = [threading.Thread(target=talk, args=(number,))
                   for number in range(xloud_agent._AT_ONCE)]
        for thread in threads:
            thread.start()
        for _thread in threads:
            self.assertTrue(begun.acquire(timeout=60))
        self.assertFalse(self._may_talk('one more'))
        done.set()
        for thread in threads:
            thread.join()
        self.assertTrue(self._may_talk('one more'))


class AgentTestCase(test_libvirt.LibvirtTestCase):
    """A guest of 2 vCPUs that uses both, and has an agent."""

    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.MonkeyPatch(
            'nova.virt.libvirt.xloud_agent.time',
            mock.Mock(monotonic=lambda: self.now, sleep=self._sleep)))
        self.useFixture(fixtures.MockPatchObject(
            fakelibvirt, 'VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK', -2,
            create=True))
        self.flags(agent_timeout=4, guest_online_timeout=10, group='xloud')
        self.guest.get_xml_desc.return_value = XML
        self.vcpus = self.online = 2
        self.guest.get_current_vcpus.side_effect = lambda: self.vcpus
        self.guest.get_guest_vcpus.side_effect = lambda: {
            'online': '0-%d' % (self.online - 1) if self.online > 1 else '0'}
        self.agent = xloud_agent.Agent(self.guest)
        self.error = test_libvirt._libvirt_error('not responding', 86)

    def assertWaitsAsBefore(self):
        self.assertEqual([mock.call(4), mock.call(-2)],
                         self.guest.set_agent_timeout.call_args_list[-2:])

    def test_it_tells(self):
        self.assertEqual(2, self.agent.online_vcpus())
        self.assertWaitsAsBefore()

    def test_none_is_asked(self):
        for xml, is_asked in (('<domain/>', True), (XML, False), (
                XML.replace('connected', 'disconnected'), True)):
            self.guest.get_xml_desc.return_value = xml
            agent = xloud_agent.Agent(self.guest, is_asked)
            self.assertIsNone(agent.online_vcpus())
            self.assertIsNone(agent.use(2))
            agent.give_up(1)
        self.guest.set_agent_timeout.assert_not_called()

    def test_one_that_hangs_is_asked_once(self):
        self.guest.get_guest_vcpus.side_effect = self.error
        self.assertIsNone(self.agent.use(2))
        self.agent.give_up(1)
        self.assertIsNone(self.agent.online_vcpus())
        self.assertEqual(1, self.guest.get_guest_vcpus.call_count)
        self.assertWaitsAsBefore()
        self.assertIn('not responding', self.stdlog.logger.output)

    def test_what_cannot_be_counts_as_no_answer(self):
        for answer in ({'online': '0-7'}, {'online': 'x'}, {'online': None},
                       {}, None, {'online': '1-0'}):
            self.guest.get_guest_vcpus.side_effect = None
            self.guest.get_guest_vcpus.return_value = answer
            self.assertIsNone(xloud_agent.Agent(self.guest).online_vcpus())

    def test_time_cannot_be_bounded(self):
        self.guest.set_agent_timeout.side_effect = self.error
        self.assertIsNone(self.agent.online_vcpus())
        self.guest.get_guest_vcpus.assert_not_called()

    def test_time_stays_bounded(self):
        self.guest.set_agent_timeout.side_effect = [None, self.error]
        self.assertEqual(2, self.agent.online_vcpus())
        self.assertIn('waits 4 seconds', self.stdlog.logger.output)

    def test_no_turn(self):
        with xloud_agent._turns.take('uuid', 0):
            self.flags(agent_timeout=1, group='xloud')
            self.assertIsNone(self.agent.online_vcpus())
        self.guest.get_guest_vcpus.assert_not_called()

    def test_it_is_told_again_until_the_guest_has_seen_the_vcpu(self):
        self.vcpus = 3
        refusals = [self.error, self.error]

        def set_guest_vcpus(vcpus):
            if refusals:
                raise refusals.pop()
            self.online = vcpus

        self.guest.set_guest_vcpus.side_effect = set_guest_vcpus
        self.assertEqual(3, self.agent.use(3))

    def test_a_guest_that_does_not_use_it_is_waited_for(self):
        self.vcpus = 3
        self.assertEqual(2, self.agent.use(3))
        self.assertTrue(10 <= self.now < 11, self.now)

    def test_nothing_is_given_up_that_is_not_used(self):
        self.agent.give_up(2)
        self.guest.set_guest_vcpus.assert_not_called()
        self.agent.give_up(1)
        self.guest.set_guest_vcpus.assert_called_once_with(1)

    def test_there_is_no_guest(self):
        self.host.get_guest.side_effect = (
            xloud.nova_exception.InstanceNotFound(instance_id='x'))
        self.assertIsNone(xloud.get_guest_vcpus(self.host, self.instance))

    def _plug(self, vcpus, live=True):
        if live:
            self.vcpus = vcpus
            self.online = min(self.online, vcpus)

    def test_vcpus_that_stay_unused_are_taken_back(self):
        self.guest.set_current_vcpus.side_effect = self._plug
        error = self.assertRaises(
            exception.AdjustUnused, xloud.set_vcpus, self.guest, self.host, 4)
        self.assertIn('uses only 2 of the 4', str(error))
        self.assertEqual(2, self.vcpus)

    def test_vcpus_that_stay_unused_cannot_be_taken_back(self):
        def plug(vcpus, live=True):
            if live and vcpus < self.vcpus:
                raise test_libvirt._libvirt_error('timed out')
            self._plug(vcpus, live)

        self.guest.set_current_vcpus.side_effect = plug
        self.assertRaises(
            exception.AdjustUnused, xloud.set_vcpus, self.guest, self.host, 4)
        self.assertEqual(4, self.vcpus)
        self.assertIn('keeps vCPUs', self.stdlog.logger.output)

    def test_a_shrink_is_no_matter_of_use(self):
        self.vcpus = 4
        self.guest.set_current_vcpus.side_effect = self._plug
        self.online = 1
        self.assertEqual(
            1, xloud.set_vcpus(self.guest, self.host, 3))
        self.assertEqual(3, self.vcpus)


class GuestTestCase(test.NoDBTestCase):
    """The calls to libvirt."""

    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.MockPatchObject(
            fakelibvirt, 'VIR_DOMAIN_VCPU_GUEST', 8, create=True))
        self.useFixture(fixtures.MonkeyPatch(
            'nova.virt.libvirt.guest.libvirt', fakelibvirt))
        self.domain = mock.Mock()
        self.guest = libvirt_guest.Guest(self.domain)

    def test_calls(self):
        self.guest.set_guest_vcpus(3)
        self.domain.setVcpusFlags.assert_called_once_with(3, 1 | 8)
        self.domain.guestVcpus.return_value = {'online': '0'}
        self.assertEqual({'online': '0'}, self.guest.get_guest_vcpus())
        self.guest.set_agent_timeout(5)
        self.domain.agentSetResponseTimeout.assert_called_once_with(5, 0)
