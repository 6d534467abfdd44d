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

"""The counts of two hosts, and of Placement there, after each move."""

from unittest import mock

from nova.tests.functional.libvirt import test_vcpu_current_moves
from nova.xloud import accounting


class AccountsTest(test_vcpu_current_moves.MoveTestBase):
    """A server of 3 vCPUs and 2048 MiB, adjusted to that, is moved."""

    SIZE = (3, 2048)

    def setUp(self):
        super().setUp()
        self.adjust(self.server, *self.SIZE)
        self.assertHosts(one={'server': self.SIZE})

    def consumers(self):
        """Return the UUIDs of the server and its migrations, with names."""
        migrations = self.api.api_get('/os-migrations').body['migrations']
        return dict({each['uuid']: 'migration' for each in migrations},
                    **{self.server['id']: 'server'})

    def views(self):
        """Return the saved size of each host, and that of its provider."""
        names = self.consumers()
        found = {}
        for host, provider in self.compute_rp_uuids.items():
            held = self._get_allocations_by_provider_uuid(provider)
            found[host] = {
                'used': self.used(host),
                'held': {
                    names[uuid]: (each['resources']['VCPU'],
                                  each['resources']['MEMORY_MB'])
                    for uuid, each in held.items()}}
        return found

    def assertHosts(self, one=None, two=None, used_two=None):
        """Compare both hosts and both providers.

        :param one: sizes that the consumers of the first host hold, by name
        :param two: sizes that those of the second host hold, by name
        :param used_two: the size that the second host has counted, if it
            differs
        """
        expected = {}
        for host, held in (('one', one or {}), ('two', two or {})):
            total = tuple(map(sum, zip((0, 0), *held.values())))
            expected[host] = {'used': total, 'held': held}
        if used_two is not None:
            expected['two']['used'] = used_two
        self.assertEqual(expected, self.views())

    def test_live_migration(self):
        self._live_migrate(self.server)
        # where it goes Nova only counts it in its next periodic task
        self.assertHosts(two={'server': self.SIZE}, used_two=(0, 0))
        self.run_periodics()
        self.assertHosts(two={'server': self.SIZE})

    def test_live_migration_without_persist(self):
        self.adjust(self.server, vcpus=4, persist=False)
        self._live_migrate(self.server)
        self.assertHosts(two={'server': (4, 2048)}, used_two=(0, 0))
        self.run_periodics()
        self.assertHosts(two={'server': (4, 2048)})

    def test_live_migration_that_fails(self):
        self.adjust(self.server, vcpus=4, persist=False)
        self.migration_fails = True
        self._live_migrate(self.server, migration_expected_state='failed')
        self.assertTrue(self.migrate_stub_ran)
        self.assertEqual('one', self.instance(self.server).host)
        self.assertHosts(one={'server': (4, 2048)})
        self.assertSize(self.server, *self.SIZE, guest=(4, 2048),
                        held=(4, 2048))
        self.run_periodics()
        self.assertHosts(one={'server': (4, 2048)})
        self.adjust(self.server, vcpus=2)
        self.assertHosts(one={'server': (2, 2048)})

    def _move_and_end(self, move, held, end, one=None, two=None):
        """Move a server, and confirm or revert that.

        :param held: the size that it holds on the second host
        :param one: the sizes on the first host in the end
        :param two: the sizes on the second host in the end
        """
        move()
        both = {'one': {'migration': self.SIZE}, 'two': {'server': held}}
        self.assertHosts(**both)
        self.run_periodics()
        self.assertHosts(**both)
        end(self.server)
        self.assertHosts(one, two)
        self.run_periodics()
        self.assertHosts(one, two)

    def _migrate(self):
        self._migrate_server(self.server)

    def _resize(self):
        self._resize_server(self.server, self.create_flavor(
            6, 8192, {'minimum_cpu': '5', 'minimum_memory': '1024'}))

    def test_cold_migration(self):
        self._move_and_end(
            self._migrate, self.SIZE, self._confirm_resize,
            two={'server': self.SIZE})

    def test_cold_migration_that_is_reverted(self):
        self._move_and_end(
            self._migrate, self.SIZE, self._revert_resize,
            one={'server': self.SIZE})

    def _move_without_persist(self, move, held, end, one=None, two=None):
        """Move a server whose guest has more than its record."""
        self.adjust(self.server, vcpus=4, memory_mb=4096, persist=False)
        self.assertHosts(one={'server': (4, 4096)})
        move()
        # The guest is gone: a revert does not bring its size back
        self.run_periodics()
        self.assertHosts(one={'migration': self.SIZE}, two={'server': held})
        end(self.server)
        self.run_periodics()
        self.assertHosts(one, two)

    def _resize_to_small(self):
        self._resize_server(self.server, self.create_flavor(2, 1024, {}))

    def test_cold_migration_without_persist(self):
        self._move_without_persist(
            self._migrate, self.SIZE, self._confirm_resize,
            two={'server': self.SIZE})

    def test_cold_migration_without_persist_that_is_reverted(self):
        self._move_without_persist(
            self._migrate, self.SIZE, self._revert_resize,
            one={'server': self.SIZE})

    def test_resize_to_no_floor_without_persist(self):
        self._move_without_persist(
            self._resize_to_small, (2, 1024), self._confirm_resize,
            two={'server': (2, 1024)})

    def test_resize_to_no_floor_without_persist_that_is_reverted(self):
        self._move_without_persist(
            self._resize_to_small, (2, 1024), self._revert_resize,
            one={'server': self.SIZE})

    def test_confirm_beside_the_periodic_task(self):
        self.adjust(self.server, vcpus=4, persist=False)
        self._migrate()
        settle = accounting.Accounting.settle_moved_away

        def confirm_first(*args):
            self._confirm_resize(self.server)
            settle(*args)

        with mock.patch.object(
                accounting.Accounting, 'settle_moved_away', confirm_first):
            self.run_periodics()
        self.assertHosts(two={'server': self.SIZE})

    def test_resize(self):
        self._move_and_end(
            self._resize, (5, 2048), self._confirm_resize,
            two={'server': (5, 2048)})

    def test_resize_that_is_reverted(self):
        self._move_and_end(
            self._resize, (5, 2048), self._revert_resize,
            one={'server': self.SIZE})

    def test_evacuate(self):
        self.evacuate()
        # the first host gives it back when it comes up again
        both = {'one': {'server': self.SIZE}, 'two': {'server': self.SIZE}}
        self.assertHosts(**both)
        self.restart_compute_service('one')
        self.assertHosts(two={'server': self.SIZE})

    def test_shelve_offload_and_unshelve(self):
        self._shelve_server(self.server)
        self.assertHosts()
        self.run_periodics()
        self.assertHosts()
        self.force_down('one')
        self._unshelve_server(self.server)
        self.assertHosts(two={'server': self.SIZE})
