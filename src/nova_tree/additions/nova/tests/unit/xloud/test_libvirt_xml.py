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

import importlib
import pathlib
from unittest import mock

import fixtures
from lxml import etree

from nova import objects
from nova import test
from nova.tests.unit.xloud import base
from nova import virt
from nova.virt import driver as virt_driver
from nova.virt import fake
from nova.virt.ironic import driver as ironic
from nova.virt.libvirt import config
from nova.virt.libvirt import driver
from nova.virt.libvirt import xloud_xml
from nova.xloud import record
from nova.xloud.size import Size


class GuestConfigTestCase(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.flags(virt_type='kvm', group='libvirt')
        self.save = self.useFixture(fixtures.MockPatch(
            'nova.objects.Instance.save')).mock
        self.balloon = 'none'

        self.machine = self.useFixture(fixtures.MockPatch(
            'nova.objects.fields.Architecture.from_host',
            return_value='x86_64')).mock
        self.cpu_mode = 'host-model'
        self.image_meta = objects.ImageMeta.from_dict({})

    @xloud_xml.sizes_guest
    def _get_guest_config(self, instance, network_info, image_meta,
                          rescue=None):
        """Stand in for the driver's method: make a guest's configuration."""
        guest = config.LibvirtConfigGuest()
        if self.cpu_mode:
            guest.cpu = config.LibvirtConfigGuestCPU()
            guest.cpu.mode = self.cpu_mode
            guest.cpu.add_feature(
                config.LibvirtConfigGuestCPUFeature('vmx'))
            guest.cpu.add_feature(
                config.LibvirtConfigGuestCPUFeature('pcid'))
        guest.virt_type = 'kvm'
        guest.vcpus = instance.flavor.vcpus
        guest.memory = instance.flavor.memory_mb * 1024
        guest.add_device(config.LibvirtConfigGuestWatchdog())
        if self.balloon:
            balloon = config.LibvirtConfigMemoryBalloon()
            balloon.model = self.balloon
            guest.add_device(balloon)
        return guest

    def _config(self, vcpus, memory_mb, flavor=None, **kwargs):
        self.instance = base.make_instance(flavor, (vcpus, memory_mb))
        return self._get_guest_config(
            self.instance, [], self.image_meta, **kwargs)

    def _xml(self, guest):
        guest.name = 'name'
        guest.uuid = 'uuid'
        root = etree.Element('domain')
        guest._format_basic_props(root)
        return root

    def _vcpus(self, guest):
        return [(each.get('enabled'), each.get('hotpluggable'),
                 each.get('order'))
                for each in self._xml(guest).iterfind('vcpus/vcpu')]

    def test_starts_at_its_floor(self):
        guest = self._config(1, 1024)
        root = self._xml(guest)
        self.assertEqual('1', root.find('vcpu').get('current'))
        self.assertEqual('4', root.findtext('vcpu'))
        self.assertEqual(str(4096 * 1024), root.findtext('memory'))
        self.assertEqual(str(1024 * 1024), root.findtext('currentMemory'))
        self.assertEqual(
            ['uuid', 'name', 'memory', 'currentMemory', 'vcpu', 'vcpus'],
            [each.tag for each in root])
        self.assertEqual(['0', '1', '2', '3'], [
            each.get('id') for each in root.iterfind('vcpus/vcpu')])
        self.assertEqual(
            [('yes', 'no', '1')] + [('no', 'yes', None)] * 3,
            self._vcpus(guest))

    def test_what_is_above_the_floor_can_go_again(self):
        flavor = base.make_flavor(minimum_cpu='2')
        self.assertEqual(
            [('yes', 'no', '1'), ('yes', 'no', '2'), ('yes', 'yes', '3'),
             ('no', 'yes', None)],
            self._vcpus(self._config(3, 4096, flavor)))

    def test_cpuset_stays(self):
        guest = self._config(1, 1024)
        guest.cpuset = set([0, 1])
        vcpu = self._xml(guest).find('vcpu')
        self.assertEqual({'cpuset': '0-1', 'current': '1'}, vcpu.attrib)

    def test_only_what_has_a_floor_is_shaped(self):
        root = self._xml(
            self._config(1, 4096, base.make_flavor(minimum_cpu='1')))
        self.assertIsNone(root.find('currentMemory'))
        root = self._xml(
            self._config(4, 1024, base.make_flavor(minimum_memory='1024')))
        self.assertIsNone(root.find('vcpus'))
        self.assertIsNone(root.find('vcpu').get('current'))

    def test_without_floor_nothing_is_touched(self):
        flavor = base.make_flavor()
        shaped = self._config(1, 1, flavor)
        plain = GuestConfigTestCase._get_guest_config.__wrapped__(
            self, self.instance, [], self.image_meta)
        self.assertEqual(plain.to_xml(), shaped.to_xml())

    def test_other_hypervisors_are_left_alone(self):
        self.flags(virt_type='lxc', group='libvirt')
        self.assertFalse(xloud_xml.has_sizes())
        self.assertIsNone(self._config(1, 1024).xloud_vcpus)

    def test_balloon_reports_statistics(self):
        balloon = self._config(1, 1024).devices[1]
        self.assertEqual(('virtio', 10), (balloon.model, balloon.period))

    def test_balloon_that_reports_is_left_alone(self):
        self.balloon = 'virtio'
        self.assertIsNone(self._config(1, 1024).devices[1].period)

    def test_a_guest_without_balloon_gets_one(self):
        # Nova 26 with mem_stats_period_seconds = 0
        self.balloon = None
        balloon = self._config(1, 1024).devices[1].format_dom()
        self.assertEqual('virtio', balloon.get('model'))
        self.assertEqual('off', balloon.get('autodeflate'))
        self.assertEqual('10', balloon.find('stats').get('period'))

    def test_balloon_gives_nothing_back_by_itself(self):
        for self.balloon in ('none', 'virtio'):
            balloon = self._config(1, 1024).devices[1].format_dom()
            self.assertEqual('off', balloon.get('autodeflate'))

    def test_balloon_is_left_alone_without_memory_floor(self):
        guest = self._config(1, 4096, base.make_flavor(minimum_cpu='1'))
        self.assertEqual('none', guest.devices[1].model)
        plain = config.LibvirtConfigMemoryBalloon()
        plain.model = 'none'
        self.assertEqual(plain.to_xml(), guest.devices[1].to_xml())

    def test_guest_made_anew_has_the_recorded_size(self):
        self.instance = base.make_instance(size=(1, 1024))
        record.write_live(self.instance, Size(3, 1024))
        guest = self._get_guest_config(
            self.instance, [], self.image_meta)
        self.assertEqual(1, guest.xloud_vcpus.online)
        self.assertFalse(record.has_live(self.instance))
        self.save.assert_called_once_with()

    def test_guest_that_is_rescued_keeps_its_size(self):
        self.instance = base.make_instance(size=(1, 1024))
        record.write_live(self.instance, Size(3, 1024))
        guest = self._get_guest_config(
            self.instance, [], self.image_meta, rescue={'x': 'y'})
        self.assertEqual(3, guest.xloud_vcpus.online)
        self.assertTrue(record.has_live(self.instance))
        self.save.assert_not_called()

    @staticmethod
    def _features(guest):
        return {each.name: each.policy for each in guest.cpu.features}

    def test_a_guest_with_a_cpu_floor_sees_no_virtualization(self):
        for self.cpu_mode in ('host-model', 'host-passthrough'):
            self.assertEqual(
                {'pcid': 'require', 'svm': 'disable', 'vmx': 'disable'},
                self._features(self._config(1, 1024)))

    def test_a_migration_is_not_kept_from_hosts_without_virtualization(self):
        self.instance = base.make_instance(size=(1, 1024))
        self.instance.vcpu_model = objects.VirtCPUModel(features=[
            objects.VirtCPUFeature(name=name, policy='require')
            for name in ('vmx', 'pcid')])
        self._get_guest_config(self.instance, [], self.image_meta)
        self.assertEqual(
            ['pcid'],
            [each.name for each in self.instance.vcpu_model.features])

    def test_a_flavor_or_an_image_may_require_virtualization(self):
        kept = {'pcid': 'require', 'vmx': 'require'}
        for trait in ('trait:HW_CPU_X86_VMX', 'trait1:HW_CPU_X86_SVM',
                      'trait:HW_CPU_X86_INTEL_VMX',
                      'trait:HW_CPU_X86_AMD_SVM'):
            flavor = base.make_flavor(
                minimum_cpu='1', **{trait: 'required'})
            self.assertEqual(kept, self._features(
                self._config(1, 4096, flavor)))
        flavor = base.make_flavor(
            minimum_cpu='1', **{'trait:HW_CPU_X86_VMX': 'forbidden'})
        self.assertEqual(
            'disable', self._features(self._config(1, 4096, flavor))['vmx'])
        self.image_meta = objects.ImageMeta.from_dict(
            {'properties': {'trait:HW_CPU_X86_VMX': 'required'}})
        self.assertEqual(kept, self._features(self._config(1, 1024)))

    def test_virtualization_stays_without_a_cpu_floor(self):
        flavor = base.make_flavor(minimum_memory='1024')
        self.assertEqual(
            {'pcid': 'require', 'vmx': 'require'},
            self._features(self._config(4, 1024, flavor)))

    def test_features_are_only_named_where_libvirt_takes_them(self):
        self.cpu_mode = 'custom'
        self.assertEqual(
            {'pcid': 'require', 'vmx': 'require'},
            self._features(self._config(1, 1024)))
        self.cpu_mode = 'host-passthrough'
        self.machine.return_value = 'ppc64le'
        self.assertNotIn('svm', self._features(self._config(1, 1024)))
        self.cpu_mode = None
        self.assertIsNone(self._config(1, 1024).cpu)


class CapabilityTestCase(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.machine = self.useFixture(fixtures.MockPatch(
            'nova.objects.fields.Architecture.from_host',
            return_value='x86_64')).mock

    def test_trait(self):
        self.assertEqual(
            'CUSTOM_XLOUD_ADJUST',
            virt_driver.CAPABILITY_TRAITS_MAP['supports_xloud_adjust'])

    def test_drivers_cannot_unless_they_say_so(self):
        base_driver = virt_driver.ComputeDriver(None)
        self.assertFalse(base_driver.capabilities['supports_xloud_adjust'])
        base_driver.check_can_adjust(None, 1, 1)
        self.assertRaises(
            NotImplementedError, base_driver.set_current_vcpus, None, 1)
        self.assertRaises(
            NotImplementedError, base_driver.set_current_memory_mb, None, 1)
        self.assertRaises(
            NotImplementedError, base_driver.get_current_size, None)

    @staticmethod
    def _other_drivers():
        """Find the modules of this release's drivers, but for libvirt's.

        :returns: dict of their names to their paths
        """
        here = pathlib.Path(virt.__path__[0])
        found = {'nova.virt.fake': here / 'fake.py'}
        found.update(
            ('nova.virt.%s.driver' % path.parent.name, path)
            for path in here.glob('*/driver.py')
            if path.parent.name != 'libvirt')
        return found

    @staticmethod
    def _driver_classes(name):
        """Load the driver classes that a module defines."""
        return {each for each in vars(importlib.import_module(name)).values()
                if isinstance(each, type) and each.__module__ == name and
                issubclass(each, virt_driver.ComputeDriver)}

    def test_no_other_driver_says_so(self):
        loaded = set()
        for name, path in self._other_drivers().items():
            # Some can only be read: they need libraries of their
            # hypervisors, which releases have as extras
            self.assertNotIn('supports_xloud_adjust', path.read_text())
            try:
                loaded |= self._driver_classes(name)
            except ImportError:
                continue
        self.assertIn(fake.FakeDriver, loaded)
        self.assertIn(ironic.IronicDriver, loaded)
        for each in loaded:
            self.assertFalse(
                each.capabilities.get('supports_xloud_adjust'), each)

    def test_libvirt_can_if_it_runs_qemu(self):
        libvirt_driver = mock.MagicMock(capabilities={})
        for virt_type, able in (('kvm', True), ('qemu', True),
                                ('lxc', False), ('parallels', False)):
            self.flags(virt_type=virt_type, group='libvirt')
            driver.LibvirtDriver._update_host_specific_capabilities(
                libvirt_driver)
            self.assertIs(
                able, libvirt_driver.capabilities['supports_xloud_adjust'])

    def test_machines_without_vcpu_hotplug(self):
        for arch, able in (('x86_64', True), ('ppc64le', True),
                           ('s390x', False), ('aarch64', False),
                           ('riscv64', False)):
            self.machine.return_value = arch
            self.assertIs(able, xloud_xml.can_adjust())
            # a server that came here all the same has its size
            self.assertTrue(xloud_xml.has_sizes())

    def test_memory_in_files_is_not_given_back(self):
        self.flags(virt_type='kvm', file_backed_memory=1024, group='libvirt')
        self.assertFalse(xloud_xml.can_adjust())
        self.assertTrue(xloud_xml.has_sizes())
