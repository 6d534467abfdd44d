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

"""A server of a flavor without a floor has the XML of unmodified Nova.

The XML of many kinds of servers is taken down. ``make test-nova`` runs this
on unmodified Nova too, and compares byte by byte.
"""

import re

import fixtures
from lxml import etree

from nova.tests.fixtures import libvirt as fakelibvirt
from nova.tests.functional.libvirt import base
from nova.tests.functional import xloud_pristine
from nova.virt.libvirt import guest as libvirt_guest

PINNED = {'hw:cpu_policy': 'dedicated'}
UEFI = {'hw_machine_type': 'q35', 'hw_firmware_type': 'uefi',
        'os_secure_boot': 'required'}


class XmlOfPlainServersTest(base.ServersTestBase):
    """A host of two NUMA cells that has all that flavors may ask for."""

    ADDITIONAL_FILTERS = ['NUMATopologyFilter']
    ADMIN_API = True
    microversion = 'latest'

    def setUp(self):
        super().setUp()
        self.flags(cpu_dedicated_set='0,1,4,5', cpu_shared_set='2,3,6,7',
                   group='compute')
        self.flags(sysinfo_serial='none', group='libvirt')
        host = fakelibvirt.HostInfo(
            cpu_nodes=2, cpu_sockets=1, cpu_cores=2, cpu_threads=2,
            kB_mem=(1024 * 1024 * 16))
        for cell in host.numa_topology.cells:
            cell.mempages = fakelibvirt.create_mempages(
                [(4, 1024 * 1024), (2048, 2048)])
        self.start_compute(host_info=host)
        self.notes = xloud_pristine.Notes()
        self.notes.rename(
            re.escape(base.CONF.instances_path), 'INSTANCES')
        self.notes.rename(
            '(<nova:creationTime>)[^<]*', r'\1TIME')
        self.notes.rename('instance-[0-9a-f]{8}', 'NAME')
        self.guests = []
        create = libvirt_guest.Guest.create

        def note(cls, xml, host):
            self.guests.append(xml)
            return create(xml, host)

        self.useFixture(fixtures.MonkeyPatch(
            'nova.virt.libvirt.guest.Guest.create', note))

    def image(self, properties):
        return self.glance.create(None, {
            'name': 'image',
            'status': 'active',
            'min_ram': 0,
            'min_disk': 0,
            'container_format': 'bare',
            'disk_format': 'qcow2',
            'properties': properties,
        })['id']

    def record(self, name, specs=None, properties=None, vcpus=2):
        """Take down the XML of a server, as it is made and rebooted."""
        flavor = self._create_flavor(
            name=name, vcpu=vcpus, memory_mb=1024, disk=1,
            extra_spec=specs or {})
        server = self._create_server(
            name=name, flavor_id=flavor, networks='none',
            image_uuid=self.image(properties or {}))
        self._reboot_server(server, hard=True)
        self._delete_server(server)
        self.assertEqual(2, len(self.guests))
        for xml in self.guests:
            self.notes.add(xml)
            # these tell a guest's current size; unmodified Nova has none
            tree = etree.fromstring(xml)
            self.assertIsNone(tree.find('currentMemory'))
            self.assertIsNone(tree.find('vcpus'))
            self.assertEqual([], tree.findall('vcpu[@current]'))
        self.notes.save('xml-' + name)

    def test_plain(self):
        self.record('plain')

    def test_no_balloon_statistics(self):
        self.flags(mem_stats_period_seconds=0, group='libvirt')
        self.record('no-balloon-statistics')

    def test_topology(self):
        self.record('topology', {
            'hw:cpu_sockets': '2', 'hw:cpu_cores': '2'}, vcpus=4)

    def test_shares(self):
        self.record('shares', {'quota:cpu_shares': '512'})

    def test_pinned(self):
        self.record('pinned', PINNED)

    def test_threads(self):
        self.record('threads', dict(
            PINNED, **{'hw:cpu_thread_policy': 'require'}))

    def test_mixed(self):
        self.record('mixed', {
            'hw:cpu_policy': 'mixed', 'hw:cpu_dedicated_mask': '1'})

    def test_realtime(self):
        self.record('realtime', dict(PINNED, **{
            'hw:cpu_realtime': 'yes', 'hw:cpu_realtime_mask': '^1'}))

    def test_cells(self):
        self.record('cells', dict(PINNED, **{'hw:numa_nodes': '2'}))

    def test_huge_pages(self):
        self.record('huge-pages', {'hw:mem_page_size': 'large'})

    def test_locked_memory(self):
        self.record('locked-memory', {
            'hw:mem_page_size': 'small', 'hw:locked_memory': 'true'})

    def test_uefi(self):
        self.record('uefi', properties=UEFI)

    def test_small_pages(self):
        self.record('small-pages', {'hw:mem_page_size': 'small'},
                    {'hw_machine_type': 'q35'})
