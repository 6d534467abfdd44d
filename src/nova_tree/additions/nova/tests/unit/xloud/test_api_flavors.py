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

from unittest import mock

from nova import exception as nova_exception
from nova import test
from nova.tests.unit.xloud import base
from nova.xloud.api import flavors
from nova.xloud import exception
from nova.xloud import record as xloud_record
from nova.xloud import size as xloud_size


class CheckSpecsTestCase(test.NoDBTestCase):

    def _set(self, new, old=None):
        flavors.check_specs(base.make_flavor(**(old or {})), new)

    def _refused(self, error, new, old=None):
        return self.assertRaises(error, self._set, new, old).format_message()

    def test_a_floor_from_one_to_the_maximum_is_taken(self):
        self._set({'minimum_cpu': '1', 'minimum_memory': '1'})
        self._set({'minimum_cpu': '4', 'minimum_memory': '4096'})
        # the extra specs API takes numbers too
        self._set({'minimum_cpu': 4, 'minimum_memory': 1024})

    def test_a_floor_above_the_maximum_says_both_numbers(self):
        message = self._refused(
            exception.FloorAboveMaximum, {'minimum_cpu': '5'})
        self.assertIn("'minimum_cpu' is 5", message)
        self.assertIn('4 vCPUs', message)
        message = self._refused(
            exception.FloorAboveMaximum, {'minimum_memory': '4097'})
        self.assertIn("'minimum_memory' is 4097", message)
        self.assertIn('4096 MiB', message)

    def test_a_floor_is_an_integer_of_at_least_one(self):
        for value in ('0', '-1', '1.5', 2.5, 'two', '', ' 2', '2\n',
                      '\u0663', True):
            message = self._refused(
                exception.FloorInvalid, {'minimum_cpu': value})
            self.assertIn("'%s'" % value, message)

    def test_the_namespace_of_nova_itself_is_reserved(self):
        self._refused(exception.ReservedExtraSpec,
                      {'xloud:current_vcpus': '4'})

    def test_a_flavor_without_a_floor_is_none_of_our_business(self):
        self._set({'hw:mem_page_size': 'large', 'resources:VCPU': '2',
                   'foo': 'bar'})

    def test_memory_that_is_pinned_has_no_floor(self):
        for pin in ({'hw:mem_page_size': 'large'},
                    {'hw:mem_page_size': 'any'},
                    {'hw:mem_page_size': '2048'},
                    {'hw:mem_page_size': '2MB'},
                    {'hw:locked_memory': 'true'},
                    {'hw:mem_encryption': 'True'},
                    {'hw:cpu_realtime': 'yes'},
                    {'pci_passthrough:alias': 'gpu:1'},
                    {'accel:device_profile': 'fpga'},
                    {'resources:VGPU': '1'},
                    {'resources1:VGPU': '1'},
                    {'resources_gpu:VGPU': '1'},
                    {'resources:MEM_ENCRYPTION_CONTEXT': '1'},
                    {'trait:COMPUTE_MEM_BACKING_FILE': 'required'},
                    {'trait2:COMPUTE_MEM_BACKING_FILE': 'required'}):
            name, = pin
            # whichever of the two is set last
            for new, old in ((pin, {'minimum_memory': '1024'}),
                             ({'minimum_memory': '1024'}, pin)):
                message = self._refused(
                    exception.FloorMemoryPinned, new, old)
                self.assertIn('%s=%s' % (name, pin[name]), message)
            # a floor for the vCPUs does not mind
            self._set(pin, {'minimum_cpu': '1'})

    def test_every_way_to_encrypt_memory_pins_it(self):
        # of later releases, too
        for model in ('amd-sev', 'amd-sev-es', 'amd-sev-snp', 'intel-tdx'):
            self._refused(exception.FloorMemoryPinned, {
                'hw:mem_encryption': 'true', 'minimum_memory': '1024',
                'hw:mem_encryption_model': model})

    def test_vcpus_whose_state_is_encrypted_have_no_floor(self):
        for model in ('amd-sev-es', 'amd-sev-snp', 'intel-tdx', 'new'):
            pin = {'hw:mem_encryption': 'true',
                   'hw:mem_encryption_model': model}
            for new, old in ((pin, {'minimum_cpu': '1'}),
                             ({'minimum_cpu': '1'}, pin)):
                self.assertIn(
                    'hw:mem_encryption_model=' + model,
                    self._refused(exception.FloorVcpusLocked, new, old))
            # the model alone encrypts nothing
            self._set({'minimum_cpu': '1', 'minimum_memory': '1024',
                       'hw:mem_encryption_model': model})
        self._set({'minimum_cpu': '1', 'hw:mem_encryption': 'true',
                   'hw:mem_encryption_model': 'amd-sev'})

    def test_what_does_not_pin_memory_does_not_matter(self):
        self._set({
            'minimum_memory': '1024',
            'hw:mem_page_size': 'small',
            'hw:locked_memory': 'false',
            'hw:mem_encryption': 'no',
            'hw:cpu_realtime': '0',
            'resources:VGPU': '0',
            'trait:COMPUTE_MEM_BACKING_FILE': 'forbidden',
            'hw:numa_nodes': '2',
        })

    def test_what_fixes_the_allocation_allows_no_floor(self):
        for floor, override in (('minimum_cpu', 'resources:VCPU'),
                                ('minimum_cpu', 'resources1:VCPU'),
                                ('minimum_memory', 'resources:MEMORY_MB')):
            # with 0 Placement holds nothing of it
            for amount in ('1', '0'):
                message = self._refused(
                    exception.FloorOverridden, {floor: '1', override: amount})
                self.assertIn(override, message)

    def test_a_guest_that_hides_its_hypervisor_gets_no_vcpus(self):
        for name in ('hide_hypervisor_id', 'hw:hide_hypervisor_id'):
            pin = {name: 'true'}
            for new, old in ((pin, {'minimum_cpu': '1'}),
                             ({'minimum_cpu': '1'}, pin)):
                self.assertIn(name + '=true', self._refused(
                    exception.FloorVcpusLocked, new, old))
            self._set({'minimum_cpu': '1', name: 'false'})
            # its memory does not mind
            self._set({'minimum_memory': '1024', name: 'true'})

    def test_dedicated_cpus_may_have_a_floor(self):
        self._set({'minimum_cpu': '1', 'hw:cpu_policy': 'dedicated'})
        self._set({'minimum_cpu': '1', 'hw:cpu_policy': 'mixed',
                   'hw:cpu_dedicated_mask': '^0'})
        self._set({'minimum_cpu': '1', 'resources:PCPU': '4'})
        self._set({'minimum_cpu': '1', 'hw:cpu_policy': 'dedicated',
                   'hw:cpu_realtime': 'yes'})


class CheckCreateTestCase(test.NoDBTestCase):

    def _check(self, specs, properties):
        flavors.check_create(
            base.make_flavor(**specs), {'properties': properties})

    def test_an_image_can_pin_the_memory(self):
        for name, value in (('hw_mem_page_size', 'large'),
                            ('hw_locked_memory', 'true'),
                            ('hw_mem_encryption', True),
                            ('trait:COMPUTE_MEM_BACKING_FILE', 'required')):
            error = self.assertRaises(
                exception.FloorMemoryPinned, self._check,
                {'minimum_memory': '1024'}, {name: value})
            self.assertIn(name, error.format_message())
            self._check({'minimum_cpu': '1'}, {name: value})

    def test_an_image_can_encrypt_the_state_of_the_vcpus(self):
        floor = {'minimum_cpu': '1'}
        model = {'hw_mem_encryption_model': 'amd-sev-es'}
        for specs, properties in (
                (floor, dict(model, hw_mem_encryption='true')),
                (dict(floor, **{'hw:mem_encryption': 'true'}), model)):
            error = self.assertRaises(
                exception.FloorVcpusLocked, self._check, specs, properties)
            self.assertIn('hw_mem_encryption_model=amd-sev-es',
                          error.format_message())
        self._check(floor, model)
        self._check(floor, {'hw_mem_encryption': 'true',
                            'hw_mem_encryption_model': 'amd-sev'})

    def test_an_image_can_make_a_guest_that_gets_no_vcpus(self):
        for name, value in (('img_hide_hypervisor_id', 'true'),
                            ('hw_architecture', 'aarch64'),
                            ('hw_architecture', 's390x'),
                            ('architecture', 'riscv64'),
                            ('hw_emulation_architecture', 'aarch64'),
                            ('hw_machine_type', 'microvm')):
            error = self.assertRaises(
                exception.FloorVcpusLocked, self._check,
                {'minimum_cpu': '1'}, {name: value})
            self.assertIn(
                '%s=%s' % (name, value), error.format_message())
            self._check({'minimum_memory': '1024'}, {name: value})
        for name, value in (('img_hide_hypervisor_id', 'false'),
                            ('hw_architecture', 'x86_64'),
                            ('hw_architecture', 'ppc64le'),
                            ('hw_machine_type', 'q35')):
            self._check({'minimum_cpu': '1'}, {name: value})

    def test_a_floor_is_no_less_than_the_image_needs(self):
        flavor = base.make_flavor(minimum_memory='1024')
        for needed in (None, 0, 512, 1024, '1024'):
            flavors.check_create(flavor, {'min_ram': needed})
        error = self.assertRaises(
            exception.FloorBelowImage, flavors.check_create, flavor,
            {'min_ram': '2048'})
        self.assertIn('1024', error.format_message())
        self.assertIn('2048 MiB', error.format_message())
        flavors.check_create(
            base.make_flavor(minimum_cpu='1'), {'min_ram': 2048})

    def test_an_image_need_not_say_anything(self):
        flavor = base.make_flavor(minimum_memory='1024')
        for image in (None, {}, {'properties': None}, {'properties': {}}):
            flavors.check_create(flavor, image)

    def test_a_flavor_that_was_made_before_us_is_checked(self):
        self.assertRaises(
            exception.FloorAboveMaximum, self._check,
            {'minimum_cpu': '64'}, {})

    def test_a_flavor_need_not_have_its_extra_specs_loaded(self):
        flavor = base.make_flavor()
        delattr(flavor, '_obj_extra_specs')
        flavors.check_create(flavor, {})


class CheckResizeTestCase(test.NoDBTestCase):

    def test_the_image_that_the_server_was_made_from_counts(self):
        flavor = base.make_flavor(minimum_memory='1024')
        pinned = base.make_instance(base.make_flavor())
        pinned.system_metadata['image_hw_locked_memory'] = 'true'
        plain = base.make_instance(base.make_flavor())

        self.assertRaises(
            exception.FloorMemoryPinned,
            flavors.check_resize, pinned, flavor, False)
        flavors.check_resize(plain, flavor, False)

    def test_a_migration_does_not_fail_for_the_flavor(self):
        flavor = base.make_flavor(minimum_cpu='64')
        instance = base.make_instance(flavor)

        flavors.check_resize(instance, flavor, True)
        self.assertRaises(
            nova_exception.ValidationError,
            flavors.check_resize, instance, flavor, False)


class HeldTestCase(test.NoDBTestCase):

    def test_a_server_is_held_at_its_size(self):
        flavor = base.make_flavor(foo='bar', **base.FLOORS)
        instance = base.make_instance(flavor)
        xloud_record.write(instance, xloud_size.Size(3, 2048))

        held = flavors.held(instance, flavor)

        self.assertEqual((3, 2048), (held.vcpus, held.memory_mb))
        # the stand-in is not cut down to its floor once more
        self.assertEqual({'foo': 'bar'}, held.extra_specs)
        self.assertEqual((4, 4096), (flavor.vcpus, flavor.memory_mb))

    def test_a_flavor_without_a_floor_is_held_whole(self):
        flavor = base.make_flavor()
        self.assertIs(flavor, flavors.held(mock.sentinel.any, flavor))


class HeldAtCreateTestCase(test.NoDBTestCase):

    IMAGE = {'properties': {'hw_cpu_policy': 'dedicated'}}

    def test_an_image_that_pins_cpus_holds_the_maximum(self):
        flavor = base.make_flavor(**base.FLOORS)
        held = flavors.held_at_create(flavor, self.IMAGE)
        self.assertEqual((4, 1024), (held.vcpus, held.memory_mb))
        self.assertEqual({}, held.extra_specs)
        self.assertEqual(base.FLOORS, flavor.extra_specs)

    def test_other_images_change_nothing(self):
        flavor = base.make_flavor(**base.FLOORS)
        for image in (None, {}, {'properties': {'hw_cpu_policy': 'shared'}}):
            self.assertIs(flavor, flavors.held_at_create(flavor, image))

    def test_flavors_without_a_floor_are_none_of_our_business(self):
        flavor = base.make_flavor()
        self.assertIs(flavor, flavors.held_at_create(flavor, self.IMAGE))


class AtFloorTestCase(test.NoDBTestCase):

    def test_new_servers_are_held_at_the_floor(self):
        held = flavors.at_floor(base.make_flavor(minimum_cpu='2'))
        self.assertEqual((2, 4096), (held.vcpus, held.memory_mb))

    def test_dedicated_cpus_are_held_at_the_maximum(self):
        held = flavors.at_floor(base.make_flavor(**dict(
            base.FLOORS, **{'hw:cpu_policy': 'dedicated'})))
        self.assertEqual((4, 1024), (held.vcpus, held.memory_mb))

    def test_a_flavor_without_a_floor_is_held_whole(self):
        flavor = base.make_flavor(foo='bar')
        self.assertIs(flavor, flavors.at_floor(flavor))
