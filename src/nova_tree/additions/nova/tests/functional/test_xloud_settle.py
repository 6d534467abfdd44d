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

"""A cloud that goes back to stock Nova, settled by nova-xloud-settle.

Runs on stock Nova as well, and so imports nothing of ours but the command:
the tests make servers, then give them the records that nova-xloud leaves.
"""

import contextlib
import io
import os
import sys
from unittest import mock

import fixtures
from keystoneauth1 import exceptions as ks_exc
from oslo_serialization import jsonutils

import nova
from nova.compute import instance_actions
from nova import context as nova_context
from nova import objects
from nova.tests.functional import integrated_helpers

sys.path.insert(0, os.path.join(
    os.path.dirname(os.path.dirname(nova.__file__)), 'tools', 'xloud'))

from nova_xloud_settle import cli  # noqa: E402
from nova_xloud_settle import cloud as settle_cloud  # noqa: E402
from nova_xloud_settle import placement as settle_placement  # noqa: E402
from nova_xloud_settle import report  # noqa: E402
from nova_xloud_settle import settle  # noqa: E402

TRAIT = 'CUSTOM_XLOUD_ADJUST'
FLOORS = {'minimum_cpu': '1', 'minimum_memory': '1024'}
IS_STOCK = not os.path.exists(
    os.path.join(os.path.dirname(nova.__file__), 'xloud'))
MAXIMUM = (4, 4096)


class Killed(BaseException):
    """The process is killed: no handler of errors gets to see it."""


class SettleTestBase(integrated_helpers.ProviderUsageBaseTestCase):
    """Two hosts with room for ten vCPUs and 7680 MiB each."""

    compute_driver = 'fake.MediumFakeDriver'

    def setUp(self):
        super().setUp()
        self.flags(cpu_allocation_ratio=1.0, ram_allocation_ratio=1.0)
        self.useFixture(fixtures.MockPatch(
            'nova_xloud_settle.servers.GRACE', 0))
        for host in ('host1', 'host2'):
            self._start_compute(host)
        self.flavor = self._create_flavor(
            vcpu=4, memory_mb=4096, disk=1, ephemeral=0,
            extra_spec={'hw:watchdog_action': 'none'})

    # records that nova-xloud leaves

    def boot(self, size=(2, 2048), host='host1', state=None):
        """Make a server as nova-xloud leaves it.

        :param size: vCPUs and MiB that it has
        """
        server = self._create_server(
            flavor_id=self.flavor, networks='none', host=host)
        if state is not None:
            state(server)
        self.leave(server, size)
        return server

    def leave(self, server, size, **more):
        instance = self.instance(server)
        self.add_floors(instance)
        instance.vcpus, instance.memory_mb = size
        instance.system_metadata.update(
            xloud_current_vcpus=str(size[0]),
            xloud_current_memory_mb=str(size[1]), **more)
        instance.save()
        spec = objects.RequestSpec.get_by_instance_uuid(
            self.context(), server['id'])
        flavor = spec.flavor.obj_clone()
        flavor.extra_specs = dict(
            flavor.extra_specs, **FLOORS, **{'xloud:current_vcpus': '2'})
        spec.flavor = flavor
        spec.save()
        self.hold(server['id'], size)

    def add_floors(self, instance):
        for name in ('flavor', 'old_flavor', 'new_flavor'):
            flavor = getattr(instance, name)
            if flavor is not None:
                flavor = flavor.obj_clone()
                flavor.extra_specs = dict(flavor.extra_specs, **FLOORS)
                setattr(instance, name, flavor)

    def hold(self, consumer, size, provider=None):
        """Have a consumer hold a size of its only provider, or of one."""
        client = settle_placement.Placement(self.context())._client
        url = '/allocations/%s' % consumer
        about = client.get(url, version='1.28').json()
        for each, held in about['allocations'].items():
            if provider in (None, each):
                held['resources'].update(VCPU=size[0], MEMORY_MB=size[1])
        self.assertEqual(204, client.put(
            url, about, version='1.28').status_code)

    # questions to the cloud

    @staticmethod
    def context():
        return nova_context.get_admin_context()

    def instance(self, server):
        mapping = objects.InstanceMapping.get_by_instance_uuid(
            self.context(), server['id'])
        context = self.context()
        nova_context.set_target_cell(context, mapping.cell_mapping)
        return objects.Instance.get_by_uuid(
            context, server['id'],
            expected_attrs=['flavor', 'system_metadata'])

    def settle(self, function=settle.apply, **kwargs):
        context = self.context()
        return function(settle_cloud.Cloud(context),
                        settle_placement.Placement(context), **kwargs)

    def list(self, **kwargs):
        return self.settle(settle.look, **kwargs)

    def hindrances(self, settled):
        return {each.instance.uuid: each.hindrance
                for each in settled.servers}

    def held(self, server):
        found, = self._get_allocations_by_server_uuid(server['id']).values()
        return found['resources']['VCPU'], found['resources']['MEMORY_MB']

    def assertSettled(self, server, has_host=True):
        """All views have the maximum, and nothing of nova-xloud is left."""
        instance = self.instance(server)
        self.assertEqual(MAXIMUM, (instance.vcpus, instance.memory_mb))
        if has_host:
            self.assertEqual(MAXIMUM, self.held(server))
        spec = objects.RequestSpec.get_by_instance_uuid(
            self.context(), server['id'])
        for flavor in (instance.flavor, instance.old_flavor,
                       instance.new_flavor, spec.flavor):
            if flavor is not None:
                self.assertEqual(
                    {'hw:watchdog_action': 'none'}, flavor.extra_specs)
        self.assertNotIn('xloud', str(instance.system_metadata))
        self.assertIsNone(instance.task_state)

    def assertUntouched(self, server, size=(2, 2048)):
        instance = self.instance(server)
        self.assertEqual(size, (instance.vcpus, instance.memory_mb))
        self.assertEqual(size, self.held(server))
        self.assertLessEqual(FLOORS.items(),
                             instance.flavor.extra_specs.items())
        self.assertIn('xloud_current_vcpus', instance.system_metadata)

    def assertTracked(self, host, vcpus, memory_mb):
        """The host's own tracker counts so much, and so does Placement."""
        self._run_periodics()
        node = self.computes[host].manager.rt.compute_nodes[host]
        usages = self._get_provider_usages(
            self._get_provider_uuid_by_host(host))
        self.assertEqual(
            {'vcpus': (vcpus, vcpus), 'memory_mb': (memory_mb, memory_mb)},
            {'vcpus': (node.vcpus_used, usages['VCPU']),
             'memory_mb': (node.memory_mb_used - 512, usages['MEMORY_MB'])})


class SettleTest(SettleTestBase):

    def test_nothing(self):
        self._create_server(flavor_id=self.flavor, networks='none')
        for settled in (self.list(), self.settle()):
            self.assertEqual(report.NOTHING, report.code(settled))
            self.assertEqual('Nothing is left to settle.',
                             report.text(settled))

    def test_running_and_stopped(self):
        running = self.boot()
        stopped = self.boot((1, 1024), 'host2', self._stop_server)
        settled = self.list()
        self.assertEqual({running['id']: None, stopped['id']: None},
                         self.hindrances(settled))
        self.assertUntouched(running)
        self.assertUntouched(stopped, (1, 1024))
        self.assertEqual(report.LEFT, report.code(settled))
        told = jsonutils.loads(report.json(settled))
        about, = [each for each in told['servers']
                  if each['id'] == running['id']]
        self.assertEqual([[2, 2048], [2, 2048], [4, 4096]], [
            about[name] for name in ('recorded', 'counted', 'stock')])
        self.assertEqual({'VCPU': 4, 'MEMORY_MB': 4096},
                         about['placement'][0]['wanted'])
        self.assertIn('2 / 2048', report.text(settled))
        lines = []
        left = self.settle(tell=lines.append)
        self.assertEqual(report.NOTHING, report.code(left))
        self.assertIn('server %s: settled' % running['id'], lines)
        self.assertSettled(running)
        self.assertSettled(stopped)
        self._start_server(stopped)
        for host in ('host1', 'host2'):
            self.assertTracked(host, *MAXIMUM)
        self.assertEqual(report.NOTHING, report.code(self.list()))

    def test_shelved(self):
        server = self.boot()
        self._shelve_server(server)
        self.leave_off(server)
        self.assertEqual(report.NOTHING, report.code(self.settle()))
        self.assertSettled(server, has_host=False)
        self._unshelve_server(server)
        self.assertSettled(server)

    def leave_off(self, server):
        # nova-xloud's driver, where there is one, has counted it anew
        instance = self.instance(server)
        instance.vcpus, instance.memory_mb = 2, 2048
        instance.save()

    def test_soft_deleted(self):
        self.flags(reclaim_instance_interval=3600)
        server = self.boot()
        self.api.delete_server(server['id'])
        self._wait_for_state_change(server, 'SOFT_DELETED')
        self.assertEqual(report.NOTHING, report.code(self.settle()))
        self.assertSettled(server)

    def test_being_resized(self):
        bigger = self._create_flavor(
            vcpu=6, memory_mb=6144, disk=1, ephemeral=0)
        server = self._create_server(
            flavor_id=self.flavor, networks='none', host='host1')
        self._resize_server(server, bigger)
        self.leave(server, (3, 3072))
        migration = objects.Migration.get_by_instance_and_status(
            self.context(), server['id'], 'finished')
        self.hold(migration.uuid, (2, 2048))
        self.assertEqual(report.NOTHING, report.code(self.settle()))
        self.assertEqual((6, 6144), self.held(server))
        self._revert_resize(server)
        instance = self.instance(server)
        self.assertEqual(MAXIMUM, (instance.vcpus, instance.memory_mb))
        self.assertEqual(MAXIMUM, self.held(server))
        self.assertEqual(
            {'hw:watchdog_action': 'none'}, instance.flavor.extra_specs)

    def test_being_adjusted(self):
        server = self.boot()
        request_id = self.adjusting(server)
        if not IS_STOCK:
            # its host is at work
            left = self.settle()
            self.assertIn('is at work on an adjust',
                          self.hindrances(left)[server['id']])
            self.assertEqual(
                'xloud_adjusting', self.instance(server).task_state)
            self.computes['host1'].stop()
            service = self.api.get_services(
                binary='nova-compute', host='host1')[0]
            self.api.put_service(service['id'], {'forced_down': True})
        self.assertEqual(report.NOTHING, report.code(self.settle()))
        self.assertSettled(server)
        event, = self.api.api_get(
            '/servers/%s/os-instance-actions/%s' % (server['id'], request_id)
        ).body['instanceAction']['events']
        self.assertEqual(
            ('compute_xloud_adjust', 'Error'),
            (event['event'], event['result']))
        self.assertIsNotNone(event['finish_time'])
        self.assertIn('replaced by stock Nova', event['traceback'])

    def adjusting(self, server):
        instance = self.instance(server)
        context = instance._context
        context.request_id = 'req-adjust'
        with mock.patch.object(instance_actions, 'XLOUD_ADJUST',
                               'xloud_adjust', create=True):
            objects.InstanceAction.action_start(
                context, server['id'], 'xloud_adjust', want_result=False)
        instance.task_state = 'xloud_adjusting'
        instance.system_metadata['xloud_adjusting'] = jsonutils.dumps({
            'vcpus': 3, 'memory_mb': None, 'persist': True,
            'request_id': 'req-adjust'})
        instance.save()
        return 'req-adjust'

    def test_another_operation_has_it(self):
        server = self.boot()
        instance = self.instance(server)
        instance.task_state = 'rebooting'
        instance.save()
        self.assertIn('another operation has it (rebooting)',
                      self.hindrances(self.settle())[server['id']])
        self.assertUntouched(server)

    def test_an_operation_begins_meanwhile(self):
        server = self.boot()

        def begin(function, *args):
            instance = self.instance(server)
            instance.task_state = 'powering-off'
            instance.save()
            return function(*args)

        with self.each_time(settle_placement.Placement, 'assign', begin):
            left = self.settle()
        self.assertIn('has just begun', self.hindrances(left)[server['id']])
        self.assertEqual(report.LEFT, report.code(left))
        instance = self.instance(server)
        self.assertLessEqual(FLOORS.items(),
                             instance.flavor.extra_specs.items())
        self.assertEqual('powering-off', instance.task_state)

    def each_time(self, owner, name, function):
        """Call ``function(what there was, arguments...)`` instead."""
        was = getattr(owner, name)
        return mock.patch.object(
            owner, name, lambda *args, **kwargs: function(was, *args))

    def test_no_room(self):
        # 3584 MiB are free, and each of them wants 2048 more
        servers = [self.boot(), self.boot()]
        by_id = {each['id']: each for each in servers}
        predicted = {uuid for uuid, why in self.hindrances(
            self.list()).items() if why}
        self.assertEqual(1, len(predicted))
        left = self.settle()
        self.assertEqual(report.LEFT, report.code(left))
        (uuid, why), = self.hindrances(left).items()
        self.assertEqual({uuid}, predicted)
        self.assertIn('host host1 has no room for its maximum: '
                      '2048 more MEMORY_MB needed, 1536 free', why)
        self.assertUntouched(by_id.pop(uuid))
        done, = by_id.values()
        self.assertSettled(done)
        self._delete_server(done)
        self.assertEqual(report.NOTHING, report.code(self.settle()))

    def test_nothing_held(self):
        server = self.boot()
        self._delete_server_allocations(server['id'])
        self.assertIn('heal_allocations',
                      self.hindrances(self.settle())[server['id']])
        self.assertIn('xloud_current_vcpus',
                      self.instance(server).system_metadata)

    def test_one_host(self):
        here, there = self.boot(), self.boot(host='host2')
        self.floors_in_flavor()
        left = self.settle(host='host1')
        self.assertEqual(([], [], []),
                         (left.flavors, left.servers, left.hosts))
        self.assertSettled(here)
        self.assertUntouched(there)
        self.assertEqual(1, len(self.list().flavors))

    def floors_in_flavor(self):
        self.admin_api.post_extra_spec(
            self.flavor, {'extra_specs': FLOORS})

    def test_flavors(self):
        self.floors_in_flavor()
        flavor, = self.list().flavors
        self.assertEqual(
            'openstack flavor set --property minimum_cpu=1 '
            '--property minimum_memory=1024 %s' % self.flavor,
            flavor.command)
        lines = []
        self.assertEqual(
            report.NOTHING, report.code(self.settle(tell=lines.append)))
        self.assertIn(flavor.command, lines[0])
        self.assertEqual(
            {'hw:watchdog_action': 'none'},
            self.api.api_get('/flavors/%s' % self.flavor).body[
                'flavor']['extra_specs'])

    def test_trait(self):
        hosts = {host: self._get_provider_uuid_by_host(host)
                 for host in ('host1', 'host2')}
        self._create_trait(TRAIT)
        for provider in hosts.values():
            traits = self._get_provider_traits(provider)
            self._set_provider_traits(provider, traits + [TRAIT])
        found = self.list()
        self.assertEqual(['host1', 'host2'],
                         [each.name for each in found.hosts])
        left = self.settle(host='host1')
        if IS_STOCK:
            self.assertEqual([], left.hosts)
            self.assertNotIn(TRAIT, self._get_provider_traits(hosts['host1']))
            self.assertIn(TRAIT, self._get_provider_traits(hosts['host2']))
            self.assertEqual(report.NOTHING, report.code(self.settle()))
            self.assertNotIn(TRAIT, self._get_all_traits())
        else:
            self.assertIn('swap that back', left.hosts[0].hindrance)
            self.assertEqual(report.ONLY_HOSTS, report.code(self.settle()))
            self.assertIn('Only hosts are left', report.text(self.list()))
            self.assertIn(TRAIT, self._get_provider_traits(hosts['host1']))

    def test_killed_at_any_moment(self):
        """Each step may be the last of a run; the next run does the rest."""
        steps = ((settle_placement.Placement, 'assign'),
                 (objects.RequestSpec, 'save'),
                 (objects.Instance, 'save'),
                 (objects.instance.db, 'instance_extra_update_by_uuid'),
                 (objects.instance.db, 'instance_update_and_get_original'))
        for owner, name in steps:
            for is_done in (False, True):
                server = self.boot()

                def killed(function, *args):
                    if is_done:
                        function(*args)
                    raise Killed()

                with self.each_time(owner, name, killed):
                    self.assertRaises(Killed, self.settle)
                if not self.list().servers:
                    # the last step has been done
                    self.assertTrue(is_done, name)
                    self.assertSettled(server)
                self.assertEqual(report.NOTHING, report.code(self.settle()))
                self.assertSettled(server)
                self._delete_server(server)

    def test_two_at_once(self):
        """A second run does it all before each step of the first."""
        for owner, name in ((settle_placement.Placement, 'assign'),
                            (objects.RequestSpec, 'save'),
                            (objects.Instance, 'save')):
            server = self.boot()
            is_second = []

            def other_first(function, *args):
                if not is_second:
                    is_second.append(True)
                    self.settle()
                return function(*args)

            with self.each_time(owner, name, other_first):
                self.settle()
            self.assertTrue(is_second)
            self.settle()
            self.assertSettled(server)
            self.assertEqual(report.NOTHING, report.code(self.list()))
            self._delete_server(server)

    def test_what_a_host_of_before_takes_back_is_held_again(self):
        """A host that still runs nova-xloud brings Placement to the record.
        """
        if IS_STOCK:
            # Only hosts of nova-xloud do that
            return
        server = self.boot()
        saves = []

        def taken_back(function, *args):
            function(*args)
            if not saves:
                self.hold(server['id'], (2, 2048))
            saves.append(True)

        with self.each_time(objects.Instance, 'save', taken_back):
            self.assertEqual(report.NOTHING, report.code(self.settle()))
        self.assertSettled(server)

    def test_moves_on_stock_nova_want_no_floors(self):
        """Stock Nova's filters, with floors and without."""
        if not IS_STOCK:
            return
        aggregate = 'AggregateInstanceExtraSpecsFilter'
        capabilities = 'ComputeCapabilitiesFilter'
        self.flavor = self._create_flavor(
            vcpu=4, memory_mb=4096, disk=1, ephemeral=0)
        self.floors_in_flavor()
        for filters, state in (([capabilities], 'ACTIVE'),
                               ([aggregate], 'ERROR')):
            self.flags(enabled_filters=filters, group='filter_scheduler')
            self.restart_scheduler()
            server = self._create_server(
                flavor_id=self.flavor, networks='none',
                expected_state=state)
            if state == 'ACTIVE':
                # stock Nova makes it at the maximum
                self.assertEqual(MAXIMUM, self.held(server))
            self._delete_server(server)
        self.assertEqual(report.NOTHING, report.code(self.settle()))
        self._create_server(flavor_id=self.flavor, networks='none')

    def restart_scheduler(self):
        # it reads its filters when it starts
        self.scheduler_service.stop()
        self.scheduler_service = self.start_service('scheduler')


class CommandLineTest(SettleTestBase):
    """The output of the command, and its exit codes."""

    def setUp(self):
        super().setUp()
        # of the test: the user, the configuration
        for name in ('_become_nova', '_read_configuration'):
            self.useFixture(fixtures.MockPatchObject(cli, name))

    def run_command(self, *arguments):
        """Return the exit code, the standard output and the errors."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.main(list(arguments))
        return code, out.getvalue(), err.getvalue()

    def test_all_of_it(self):
        server = self.boot()
        code, out, _err = self.run_command('list')
        self.assertEqual(report.LEFT, code)
        self.assertIn(server['id'], out)
        code, out, err = self.run_command('apply', '--json')
        self.assertEqual(report.NOTHING, code)
        self.assertEqual([], jsonutils.loads(out)['servers'])
        self.assertIn('server %s: settled' % server['id'], err)
        self.assertEqual(
            (report.NOTHING, 'Nothing is left to settle.\n', ''),
            self.run_command('list'))

    def test_a_host_that_is_none(self):
        code, out, err = self.run_command('apply', '--host', 'nowhere')
        self.assertEqual((report.UNKNOWN, ''), (code, out))
        self.assertIn('no host nowhere', err)

    def test_without_placement(self):
        self.boot()
        with mock.patch.object(
                settle_placement.Placement, '_get',
                side_effect=ks_exc.ConnectFailure('Placement is away')):
            code, out, err = self.run_command('apply')
        self.assertEqual((report.UNKNOWN, ''), (code, out))
        self.assertIn('ConnectFailure: Placement is away', err)
        self.assertIn('run the same command again', err)


class SettleCellsTest(SettleTestBase):
    """Servers of several cells, and one that no host would take."""

    NUMBER_OF_CELLS = 2

    def _start_compute(self, host, cell_name=None):
        cells = {'host1': 'cell1', 'host2': 'cell2'}
        return super()._start_compute(host, cell_name=cells[host])

    def test_all_cells(self):
        servers = [self.boot(), self.boot(host='host2')]
        big = self._create_flavor(
            vcpu=12, memory_mb=4096, disk=1, ephemeral=0)
        lost = self._create_server(
            flavor_id=big, networks='none', expected_state='ERROR')
        instance = self.instance(lost)
        self.add_floors(instance)
        instance.system_metadata['xloud_current_vcpus'] = '1'
        instance.vcpus = 1
        instance.save()
        self.assertEqual(3, len(self.list().servers))
        self.assertEqual(report.NOTHING, report.code(self.settle()))
        for server in servers:
            self.assertSettled(server)
        self.assertEqual(12, self.instance(lost).vcpus)
