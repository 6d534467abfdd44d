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

import functools
import time
from unittest import mock

import fixtures

from nova.compute import power_state
from nova import exception as nova_exception
from nova import test
from nova.tests.fixtures import libvirt as fakelibvirt
from nova.tests.unit.xloud import base
from nova.virt.libvirt import driver
from nova.virt.libvirt import guest as libvirt_guest
from nova.virt.libvirt import xloud
from nova.virt.libvirt import xloud_boots
from nova.xloud.compute import executors
from nova.xloud import exception
from nova.xloud import record
from nova.xloud import size


def _libvirt_error(message, code=fakelibvirt.VIR_ERR_OPERATION_TIMEOUT):
    return fakelibvirt.make_libvirtError(
        fakelibvirt.libvirtError, message, error_code=code,
        error_message=message)


class LibvirtTestCase(test.NoDBTestCase):
    """A running guest; time passes when somebody sleeps."""

    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.MonkeyPatch(
            'nova.virt.libvirt.guest.libvirt', fakelibvirt))
        self.now = 0
        self.useFixture(fixtures.MonkeyPatch(
            'nova.virt.libvirt.xloud.time',
            mock.Mock(monotonic=lambda: self.now, sleep=self._sleep)))
        self.guest = mock.Mock(spec=libvirt_guest.Guest, uuid='uuid')
        self.guest.get_power_state.return_value = power_state.RUNNING
        self.guest.is_active.return_value = True
        self.guest.get_xml_desc.return_value = '<domain/>'
        self.host = mock.Mock()
        self.host.get_guest.return_value = self.guest
        self.useFixture(fixtures.MonkeyPatch(
            'nova.virt.libvirt.xloud_boots.time',
            mock.Mock(monotonic=lambda: self.now)))
        self.addCleanup(xloud_boots._started.clear)
        self.useFixture(fixtures.MonkeyPatch(
            'nova.virt.libvirt.xloud_boots._imported', -3600))
        self.instance = base.make_instance(size=(2, 2048))
        self.flags(unplug_timeout=30, balloon_timeout=30,
                   balloon_driver_timeout=5, change_timeout=100,
                   group='xloud')

    def _sleep(self, seconds):
        self.now += seconds


class SetVcpusTestCase(LibvirtTestCase):

    def setUp(self):
        super().setUp()
        self.vcpus = 2
        self.kept = None
        self.answers = []
        self.guest.get_current_vcpus.side_effect = lambda: self.vcpus
        self.guest.set_current_vcpus.side_effect = self._set

    def _set(self, vcpus, live=True):
        """Answer as told: (seconds, the count then, error)."""
        if not live:
            self.kept = vcpus
            return
        seconds, count, error = (
            self.answers.pop(0) if self.answers else (0, vcpus, None))
        self.now += seconds
        self.vcpus = count
        if error:
            raise error

    def _fails(self, vcpus):
        error = self.assertRaises(
            exception.AdjustIncomplete, xloud.set_vcpus, self.guest,
            self.host, vcpus)
        self.assertEqual(self.vcpus, self.kept)
        return str(error)

    def test_plug_and_unplug(self):
        for vcpus in (4, 1):
            xloud.set_vcpus(self.guest, self.host, vcpus)
            self.assertEqual((vcpus, vcpus), (self.vcpus, self.kept))

    def test_nothing_to_do(self):
        xloud.set_vcpus(self.guest, self.host, 2)
        self.guest.set_current_vcpus.assert_called_once_with(2, live=False)

    def test_error_that_is_none(self):
        # QEMU under TCG: each call says that it timed out, and the next one
        # sees that the vCPU has gone
        self.vcpus = 4
        timed_out = _libvirt_error('timed out')
        self.answers = [
            (5, 4, timed_out), (5, 3, timed_out), (5, 2, timed_out),
            (0, 1, None)]
        xloud.set_vcpus(self.guest, self.host, 1)
        self.assertEqual((1, 1), (self.vcpus, self.kept))

    def test_guest_that_does_not_answer(self):
        self.answers = [(5, 2, _libvirt_error('timed out'))] * 20
        message = self._fails(1)
        self.assertIn('not followed to 1 vCPUs', message)
        self.assertIn('not given up its vCPUs in time', message)
        self.assertTrue(30 <= self.now <= 42, self.now)

    def test_guest_that_goes_part_of_the_way(self):
        self.vcpus = 4
        self.answers = [(5, 3, _libvirt_error('timed out'))] * 20
        self.assertIn('not followed to 1 vCPUs', self._fails(1))

    def test_guest_that_stands_still_is_not_asked_for_a_vcpu(self):
        # it would give the vCPU up later, when nobody waits any more
        for state in (power_state.PAUSED, power_state.SUSPENDED,
                      power_state.CRASHED):
            self.guest.get_power_state.return_value = state
            error = self.assertRaises(
                exception.AdjustIncomplete, xloud.set_vcpus, self.guest,
                self.host, 1)
            self.assertIn('it is paused or asleep', str(error))
        self.guest.set_current_vcpus.assert_not_called()
        # a vCPU can be given to such a guest
        xloud.set_vcpus(self.guest, self.host, 4)
        self.assertEqual(4, self.vcpus)

    def _together(self, vcpus, number):
        """Set the vCPUs of so many guests at once.

        :returns: the most calls of libvirt that went on at the same time
        """
        under_way, most = set(), []

        def set_current_vcpus(me, now, vcpus, live=True):
            if live:
                under_way.add(me)
                most.append(len(under_way))
                time.sleep(0.02)
                under_way.remove(me)
                now[0] = vcpus

        pool = executors.make('guests', number)
        self.addCleanup(pool.shutdown, wait=True)
        done = []
        for me in range(number):
            now = [2]
            guest = mock.Mock(spec=libvirt_guest.Guest, uuid=str(me))
            guest.get_power_state.return_value = power_state.RUNNING
            guest.get_xml_desc.return_value = '<domain/>'
            guest.get_current_vcpus.side_effect = lambda now=now: now[0]
            guest.set_current_vcpus.side_effect = functools.partial(
                set_current_vcpus, me, now)
            done.append(pool.submit(
                xloud.set_vcpus, guest, self.host, vcpus))
        for each in done:
            each.result()
        return max(most)

    def test_threads_of_libvirt_calls_are_left_to_others(self):
        number = 2 * xloud._UNPLUGS_AT_ONCE
        self.assertEqual(xloud._UNPLUGS_AT_ONCE, self._together(1, number))
        # libvirt does not wait for a guest that gets a vCPU
        self.assertEqual(number, self._together(3, number))

    def test_libvirt_says_yes_and_nothing_happens(self):
        self.answers = [(5, 2, None)] * 20
        self.assertIn('not given up', self._fails(1))

    def test_time_is_bounded_even_with_progress(self):
        self.vcpus = 200
        self.answers = [(5, 199 - number, _libvirt_error('timed out'))
                        for number in range(100)]
        self._fails(1)
        self.assertTrue(100 <= self.now <= 110, self.now)

    def _refuses(self, *vcpus):
        """Refuse to unplug from a guest with these vCPUs in its XML."""
        self.guest.get_xml_desc.return_value = (
            '<domain><vcpus>%s</vcpus></domain>' % ''.join(
                "<vcpu enabled='%s' hotpluggable='%s'/>" % each
                for each in vcpus))
        self.answers = [(0, 2, _libvirt_error(
            'no hotpluggable vcpus', fakelibvirt.VIR_ERR_OPERATION_INVALID))]
        error = self.assertRaises(
            exception.AdjustIncomplete, xloud.set_vcpus, self.guest,
            self.host, 1)
        self.assertEqual(0, self.now)
        # libvirt's own words are for administrators
        self.assertEqual('no hotpluggable vcpus', error.internal)
        self.assertNotIn('hotpluggable', str(error))
        return str(error)

    def test_libvirt_refuses(self):
        self.assertIn('the hypervisor has refused', self._refuses(
            ('yes', 'no'), ('yes', 'yes'), ('no', 'yes')))

    def test_a_guest_that_stock_nova_has_started_says_the_cure(self):
        self.assertIn('hard reboot', self._refuses(
            ('yes', 'no'), ('yes', 'no'), ('no', 'yes')))
        self.assertIn('hard reboot', self._refuses())

    def test_plug_that_fails_is_not_tried_again(self):
        self.answers = [(0, 3, _libvirt_error('no memory'))]
        self.assertIn('not followed to 4 vCPUs', self._fails(4))
        self.assertEqual(0, self.now)

    def test_configuration_cannot_be_written(self):
        self.guest.set_current_vcpus.side_effect = _libvirt_error('no')
        xloud.set_vcpus(self.guest, self.host, 2)


class SetMemoryTestCase(LibvirtTestCase):
    """A guest of 2048 MiB whose balloon moves 100 MiB a second."""

    def setUp(self):
        super().setUp()
        self.kib = 2048 * 1024
        self.target = self.kib
        self.kept = None
        self.speed = 100 * 1024
        self.least = 0
        self.has_driver = True
        self.guest.set_current_memory.side_effect = self._set
        self.guest.get_memory_stats.side_effect = self._stats

    def _sleep(self, seconds):
        super()._sleep(seconds)
        step = int(self.speed * seconds)
        target = max(self.target, self.least)
        self.kib += max(-step, min(step, target - self.kib))

    def _set(self, kib, live=True):
        if live:
            self.target = kib
        else:
            self.kept = kib

    def _stats(self):
        stats = {'actual': self.kib, 'rss': 1}
        if self.has_driver:
            stats['usable'] = 1
        return stats

    def _set_memory(self, memory_mb, before_mb=2048):
        xloud.set_memory(self.guest, self.host, memory_mb, before_mb)

    def _fails(self, memory_mb):
        error = self.assertRaises(
            exception.AdjustIncomplete, self._set_memory, memory_mb)
        self.assertEqual((self.kib, self.kib), (self.target, self.kept))
        return str(error)

    def test_grow_and_shrink(self):
        for memory_mb in (4096, 1024):
            self._set_memory(memory_mb)
            kib = memory_mb * 1024
            self.assertEqual((kib, kib), (self.kib, self.kept))

    def test_quick_guest_is_seen_soon(self):
        self.speed = 2048 * 1024 * 20
        self._set_memory(1024)
        self.assertTrue(self.now < 0.1, self.now)

    def test_slow_guest(self):
        self.speed = 20 * 1024
        self._set_memory(1024)
        self.assertTrue(self.now > 50)

    def test_guest_gives_part_of_it(self):
        self.least = 1500 * 1024 - 1
        self.assertIn('not followed to 1024 MiB', self._fails(1024))

    def test_too_slow_guest(self):
        self.speed = 1024
        self._fails(1024)
        self.assertTrue(100 <= self.now <= 101, self.now)

    def test_no_balloon_driver(self):
        self.speed = 0
        self.has_driver = False
        self.assertIn('no working balloon driver', self._fails(1024))
        self.assertTrue(self.now <= 6, self.now)

    def test_guest_that_boots_keeps_the_target_of_before(self):
        # it has all its memory until its balloon driver is up
        self.kib = 4096 * 1024
        self.speed = 0
        self.has_driver = False
        error = self.assertRaises(
            exception.AdjustIncomplete, self._set_memory, 2048, 1024)
        self.assertIn('no working balloon driver', str(error))
        self.assertEqual(
            (1024 * 1024, 1024 * 1024), (self.target, self.kept))

    def test_guest_that_boots_is_waited_for(self):
        self.flags(boot_timeout=60, group='xloud')
        speed, self.speed = self.speed, 0
        self.has_driver = False
        xloud_boots.note('uuid')
        sleep = self._sleep

        def boot(seconds):
            sleep(seconds)
            if self.now >= 50:
                self.speed = speed
                self.has_driver = True

        with mock.patch.object(xloud.time, 'sleep', boot):
            self._set_memory(1024)
        self.assertTrue(50 <= self.now < 70, self.now)

    def test_guest_that_does_not_boot_in_time(self):
        self.flags(boot_timeout=60, group='xloud')
        self.speed = 0
        self.has_driver = False
        xloud_boots.note('uuid')
        self.assertIn('no working balloon driver', self._fails(1024))
        self.assertTrue(60 <= self.now <= 66, self.now)

    def test_guest_that_boots_is_waited_for_within_the_whole_time(self):
        self.flags(boot_timeout=1000, group='xloud')
        self.speed = 0
        self.has_driver = False
        xloud_boots.note('uuid')
        self.assertIn('no working balloon driver', self._fails(1024))
        self.assertTrue(100 <= self.now <= 101, self.now)

    def test_guest_that_runs_already_at_the_start_of_nova_compute(self):
        # it is as young as any, for all that this process knows
        self.flags(boot_timeout=60, group='xloud')
        self.useFixture(fixtures.MonkeyPatch(
            'nova.virt.libvirt.xloud_boots._imported', self.now))
        self.speed = 0
        self.has_driver = False
        self.assertIn('no working balloon driver', self._fails(1024))
        self.assertTrue(60 <= self.now <= 66, self.now)

    def test_starts_are_forgotten_after_an_hour(self):
        xloud_boots.note('one')
        self.now = 1800
        xloud_boots.note('two')
        self.assertEqual(['one', 'two'], list(xloud_boots._started))
        self.now = 3601
        xloud_boots.note('three')
        self.assertEqual(['two', 'three'], list(xloud_boots._started))

    def test_a_guest_may_boot_until_it_is_known_to_be_older(self):
        self.assertFalse(xloud_boots.may_boot('uuid', 60))
        xloud_boots.note('uuid')
        self.assertTrue(xloud_boots.may_boot('uuid', 60))
        self.now = 60
        self.assertFalse(xloud_boots.may_boot('uuid', 60))
        # started before this process was, which is young
        with mock.patch.object(xloud_boots, '_imported', 30):
            self.assertTrue(xloud_boots.may_boot('other', 60))

    def test_driver_without_statistics(self):
        self.has_driver = False
        self._set_memory(1024)

    def test_paused_guest_does_not_follow(self):
        # whoever has paused it: libvirt does so too, after an I/O error
        for state in (power_state.PAUSED, power_state.SUSPENDED,
                      power_state.CRASHED):
            self.guest.get_power_state.return_value = state
            for memory_mb in (4096, 1024):
                self.assertIn(
                    'it is paused or asleep', self._fails(memory_mb))
                self.assertEqual(0, self.now)
                self.assertEqual(2048 * 1024, self.target)

    def test_guest_that_is_paused_meanwhile(self):
        self.speed = 0
        states = [power_state.RUNNING]
        self.guest.get_power_state.side_effect = lambda host: (
            states.pop() if states else power_state.PAUSED)
        self.assertIn('it is paused or asleep', self._fails(1024))

    def test_libvirt_refuses(self):
        self.guest.set_current_memory.side_effect = _libvirt_error('no!')
        error = self.assertRaises(
            exception.AdjustIncomplete, self._set_memory, 1024)
        self.assertEqual('no!', error.internal)
        self.assertNotIn('no!', str(error))


class GetSizeTestCase(LibvirtTestCase):

    XML = """<domain><devices>
        <memory model='dimm'><target><size>524288</size></target></memory>
        <memory model='dimm'><target><size>524288</size></target></memory>
        <memory model='nvdimm'><target><size>7</size></target></memory>
        %s</devices></domain>"""

    def setUp(self):
        super().setUp()
        self.guest.get_current_vcpus.return_value = 3
        self.guest.get_memory_stats.return_value = {'actual': 2097151}
        self.guest.get_xml_desc.return_value = '<domain/>'

    def test_figures(self):
        self.assertEqual(
            (3, 2048, False, 0, False, False, None),
            xloud.get_size(self.host, self.instance))

    def test_balloon_driver_and_memory_devices(self):
        self.guest.get_memory_stats.return_value['unused'] = 1
        self.guest.get_xml_desc.return_value = (
            self.XML % "<memory model='virtio-mem'/>")
        self.assertEqual(
            (3, 2048, True, 1024, True, False, None),
            xloud.get_size(self.host, self.instance))
        self.guest.get_xml_desc.return_value = self.XML % ''
        self.assertFalse(
            xloud.get_size(self.host, self.instance).has_virtiomem)

    def test_no_running_guest(self):
        self.guest.is_active.return_value = False
        self.assertIsNone(xloud.get_size(self.host, self.instance))
        self.host.get_guest.side_effect = nova_exception.InstanceNotFound(
            instance_id='x')
        self.assertIsNone(xloud.get_size(self.host, self.instance))


class CheckCanAdjustTestCase(LibvirtTestCase):

    def _check(self, xml, memory_mb=1024):
        self.guest.get_xml_desc.return_value = '<domain>%s</domain>' % xml
        xloud.check_can_adjust(self.host, self.instance, memory_mb)

    def test_ordinary_guest(self):
        self._check("<memoryBacking><source type='memfd'/></memoryBacking>"
                    "<devices><interface type='bridge'/></devices>")

    def test_pinned_memory(self):
        for xml, what in (
                ('<memoryBacking><hugepages/></memoryBacking>', 'huge pages'),
                ('<memoryBacking><locked/></memoryBacking>', 'locked'),
                ("<memoryBacking><source type='file'/></memoryBacking>",
                 'file'),
                ('<devices><hostdev/></devices>', 'device'),
                ("<devices><interface type='hostdev'/></devices>",
                 'network device'),
                ("<devices><interface type='vdpa'/></devices>", 'vDPA'),
                ('<launchSecurity/>', 'encrypted')):
            error = self.assertRaises(
                exception.AdjustNotSupported, self._check, xml)
            self.assertIn(what, str(error))
            # its vCPUs can be adjusted
            self._check(xml, None)

    def test_server_without_a_domain(self):
        self.host.get_guest.side_effect = nova_exception.InstanceNotFound(
            instance_id='x')
        self._check('<launchSecurity/>')


class GuestTestCase(LibvirtTestCase):

    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.MonkeyPatch(
            'nova.tests.fixtures.libvirt.VIR_DOMAIN_VCPU_HOTPLUGGABLE', 16))
        self.domain = mock.Mock(spec=[
            'vcpusFlags', 'setVcpusFlags', 'memoryStats', 'setMemoryFlags',
            'info'])
        self.guest = libvirt_guest.Guest(self.domain)

    def test_vcpus(self):
        self.assertIs(self.domain.vcpusFlags.return_value,
                      self.guest.get_current_vcpus())
        self.domain.vcpusFlags.assert_called_once_with(1)
        self.guest.set_current_vcpus(3)
        self.domain.setVcpusFlags.assert_called_with(3, 1)
        # those that are added stay hotpluggable after a soft reboot
        self.guest.set_current_vcpus(3, live=False)
        self.domain.setVcpusFlags.assert_called_with(3, 2 | 16)

    def test_memory(self):
        self.guest.set_current_memory(1024)
        self.domain.setMemoryFlags.assert_called_with(1024, 1)
        self.guest.set_current_memory(1024, live=False)
        self.domain.setMemoryFlags.assert_called_with(1024, 2)

    def test_memory_statistics(self):
        self.domain.info.return_value = [1, 4096, 2048, 1, 1]
        self.domain.memoryStats.return_value = {'actual': 1024, 'rss': 1}
        self.assertEqual(
            {'actual': 1024, 'rss': 1}, self.guest.get_memory_stats())
        self.domain.memoryStats.return_value = {}
        self.assertEqual({'actual': 2048}, self.guest.get_memory_stats())


class DriverTestCase(LibvirtTestCase):

    def setUp(self):
        super().setUp()
        self.driver = mock.Mock(spec=driver.LibvirtDriver, _host=self.host)

    def test_methods(self):
        self.instance.system_metadata = {}
        record.write(self.instance, size.Size(3, 1024))
        for method, arguments, function, expected in (
                ('set_current_vcpus', (3,), 'set_vcpus',
                 (self.guest, self.host, 3)),
                ('set_current_memory_mb', (2048,), 'set_memory',
                 (self.guest, self.host, 2048, 1024)),
                ('get_current_size', (), 'get_size',
                 (self.host, self.instance)),
                ('get_guest_vcpus', (), 'get_guest_vcpus',
                 (self.host, self.instance)),
                ('check_can_adjust', (3, 2048), 'check_can_adjust',
                 (self.host, self.instance, 2048))):
            with mock.patch.object(xloud, function) as mock_function:
                getattr(driver.LibvirtDriver, method)(
                    self.driver, self.instance, *arguments)
            mock_function.assert_called_once_with(*expected)
