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

"""Random walks of operations and faults, with all views compared.

Each walk is made from a seed. A test that fails shows the seed and the steps;
NOVA_XLOUD_SEEDS=SEED walks the same way again, and NOVA_XLOUD_SEEDS=1-50
walks fifty. NOVA_XLOUD_STEPS is the length of a walk.
"""

import contextlib
import copy
import os
import random
import time
from unittest import mock

from oslo_serialization import jsonutils
from testtools import content

from nova import context as nova_context
from nova.limit import placement as placement_limits
from nova.limit import utils as limit_utils
from nova.tests.functional.api import client as api_client
from nova.tests.functional.libvirt import base
from nova.tests.functional.libvirt import test_vcpu_current
from nova.tests.functional.libvirt import xloud_chaos

SEEDS = os.environ.get('NOVA_XLOUD_SEEDS', '1')
STEPS = int(os.environ.get('NOVA_XLOUD_STEPS', '15'))

IMAGE = '155d900f-4e14-4e4c-a73d-069cbf4541e6'

# name -> (vCPUs, MiB, their floors; None without)
FLAVORS = {
    'elastic': (4, 4096, 1, 1024),
    'large': (6, 6144, 2, 2048),
    'vcpus': (5, 3072, 1, None),
    'plain': (2, 2048, None, None),
}

PATIENCE = 30


def seeds():
    """Return the seeds that the environment names."""
    found = []
    for part in SEEDS.split(','):
        first, _, last = part.partition('-')
        found += range(int(first), int(last or first) + 1)
    return found


def total(sizes):
    """Add sizes up."""
    return tuple(map(sum, zip((0, 0), *sizes)))


class Server:
    """The state that the test expects of a server.

    :ivar kept: (vCPUs, MiB) after its next cold start
    :ivar live: (vCPUs, MiB) of the running guest
    :ivar old: (flavor, kept, host) of before a resize, None without one
    :ivar has_drifted: whether the guest has changed by itself since its last
        cold start; libvirt's definition of it may say another size then
    """

    def __init__(self, number, server_id, flavor, host):
        self.name = 'server %d' % number
        self.id = server_id
        self.flavor = flavor
        self.host = host
        self.kept = self.live = self.bounds()[0]
        self.status = 'ACTIVE'
        self.old = None
        self.has_drifted = False

    def bounds(self):
        vcpus, memory_mb, min_vcpus, min_memory_mb = FLAVORS[self.flavor]
        return ((min_vcpus or vcpus, min_memory_mb or memory_mb),
                (vcpus, memory_mb))

    def fits(self, size):
        least, most = self.bounds()
        return tuple(min(max(figures), limit) for *figures, limit in zip(
            size, least, most))

    def held(self):
        return tuple(map(max, self.live, self.kept))

    def has_guest(self):
        return self.status in ('ACTIVE', 'PAUSED', 'VERIFY_RESIZE')

    def restart(self):
        self.live = self.kept
        self.has_drifted = False


class ChaosTest(base.LibvirtMigrationMixin,
                test_vcpu_current.AdjustTestBase):
    """Two hosts with room for all, and a few servers."""

    def configure(self):
        self.flags(cpu_allocation_ratio=4.0, ram_allocation_ratio=4.0)
        self.flags(instances=-1, cores=-1, ram=-1, group='quota')
        self.flags(shelved_offload_time=0, allow_resize_to_same_host=False)

    def setUp(self):
        super().setUp()
        # Nothing here waits for a real guest
        self.useFixture(base.fixtures.MonkeyPatch(
            'nova.virt.libvirt.xloud._Patience.is_over',
            lambda *args: True))
        self.useFixture(base.fixtures.MockPatch(
            'nova.xloud.placement._PAUSE', 0))
        self.useFixture(base.fixtures.MockPatch(
            'nova.virt.libvirt.driver.LibvirtDriver'
            '.migrate_disk_and_power_off', return_value='{}'))
        self.start_compute('two')
        self.flavors = {
            name: self.create_flavor(vcpus, memory_mb, {
                spec: str(floor) for spec, floor in zip(
                    ('minimum_cpu', 'minimum_memory'), floors) if floor})
            for name, (vcpus, memory_mb, *floors) in FLAVORS.items()}
        self.faults = xloud_chaos.Faults(self)
        self.servers = []
        self.steps = []
        self.made = 0

    # A walk

    def walk(self, seed):
        self.random = random.Random(seed)
        try:
            for flavor in ('elastic', 'large'):
                self.create(flavor)
            for _number in range(STEPS):
                self.step()
        except BaseException:
            self.addDetail('walk', content.text_content(
                'NOVA_XLOUD_SEEDS=%d NOVA_XLOUD_STEPS=%d\n%s' % (
                    seed, STEPS, '\n'.join(self.steps))))
            raise

    def step(self):
        """Do something that can be done, and compare all views."""
        chosen = self.random.choice(self.servers)
        operations = {
            'ACTIVE': ['adjust'] * 12 + [
                'stop', 'pause', 'suspend', 'soft_reboot', 'hard_reboot',
                'rebuild', 'resize', 'resize', 'migrate', 'live_migrate',
                'live_migrate', 'shelve', 'evacuate', 'drift', 'delete'],
            'PAUSED': ['adjust', 'adjust', 'unpause', 'delete'],
            'SHUTOFF': ['adjust', 'adjust', 'start', 'start', 'delete'],
            'SUSPENDED': ['adjust_refused', 'resume', 'resume'],
            'SHELVED_OFFLOADED': ['adjust_refused', 'unshelve', 'unshelve'],
            'VERIFY_RESIZE': ['adjust_refused', 'confirm', 'revert'],
        }[chosen.status] + ['periodic', 'restart_compute']
        getattr(self, self.random.choice(operations))(chosen)
        self.compare()

    def note(self, what, server=None, *details):
        words = [what] if server is None else [server.name, what]
        self.steps.append(' '.join(map(str, [*words, *details])))

    # Conditions that the walk waits for

    def wait_for(self, find, what):
        end = time.monotonic() + PATIENCE
        while not find():
            if time.monotonic() > end:
                self.fail('%s: %s' % (self.steps[-1], what()))
            time.sleep(0.02)

    def show(self, server):
        return self.api.get_server(server.id)

    def wait_for_status(self, server, *statuses):
        found = {}

        def find():
            found.update(self.show(server))
            return (found['status'] in statuses and
                    found['OS-EXT-STS:task_state'] is None)

        self.wait_for(find, lambda: 'status %s, task state %s' % (
            found['status'], found['OS-EXT-STS:task_state']))
        server.status = found['status']
        server.host = found['OS-EXT-SRV-ATTR:host']

    def wait_for_migration(self, server, status):
        found = []

        def find():
            found[:] = [
                each for each in
                self.api.api_get('/os-migrations').body['migrations']
                if each['instance_uuid'] == server.id]
            return found[0]['status'] == status

        self.wait_for(find, lambda: found[0]['status'])

    def wait_for_end(self, server):
        """Wait until no thread works on an adjust of a server."""
        running = self.computes[server.host].manager.xloud.running

        def find():
            with running.hold(server.id) as is_ours:
                return is_ours

        self.wait_for(find, lambda: 'at work')

    def act(self, server, action, *statuses, **details):
        self.api.post_server_action(
            server.id, {action: details or None})
        self.wait_for_status(server, *statuses)

    # Operations

    def create(self, flavor):
        self.made += 1
        self.note('create', None, 'server %d' % self.made, flavor)
        made = self.api.post_server({'server': self._build_server(
            flavor_id=self.flavors[flavor], networks='none')})
        server = Server(self.made, made['id'], flavor, None)
        self.servers.append(server)
        self.wait_for_status(server, 'ACTIVE')

    def delete(self, server):
        self.note('delete', server)
        self.api.delete_server(server.id)
        self._wait_until_gone(server)
        self.create(self.random.choice(sorted(FLAVORS)))

    def _wait_until_gone(self, server):
        def find():
            try:
                self.show(server)
            except api_client.OpenStackApiNotFoundException:
                return True

        self.wait_for(find, lambda: 'not deleted')
        self.servers.remove(server)

    def stop(self, server):
        self.note('stop', server)
        self.act(server, 'os-stop', 'SHUTOFF')
        server.restart()

    def start(self, server):
        self.note('start', server)
        self.act(server, 'os-start', 'ACTIVE')

    def pause(self, server):
        self.note('pause', server)
        self.act(server, 'pause', 'PAUSED')

    def unpause(self, server):
        self.note('unpause', server)
        self.act(server, 'unpause', 'ACTIVE')

    def suspend(self, server):
        self.note('suspend', server)
        self.act(server, 'suspend', 'SUSPENDED')

    def resume(self, server):
        self.note('resume', server)
        self.act(server, 'resume', 'ACTIVE')

    def soft_reboot(self, server):
        self.note('soft reboot', server)
        if server.has_drifted:
            # libvirt starts the guest that it has defined
            defined = self.guest({'id': server.id})._def['xloud_config']
            server.live = (defined['vcpus'], defined['kib'] // 1024)
        self.act(server, 'reboot', 'ACTIVE', type='SOFT')

    def hard_reboot(self, server):
        self.note('hard reboot', server)
        self.act(server, 'reboot', 'ACTIVE', type='HARD')
        server.restart()

    def rebuild(self, server):
        self.note('rebuild', server)
        self.act(server, 'rebuild', 'ACTIVE', imageRef=IMAGE)
        server.restart()

    def shelve(self, server):
        self.note('shelve', server)
        self.act(server, 'shelve', 'SHELVED_OFFLOADED')
        server.restart()

    def unshelve(self, server):
        self.note('unshelve', server)
        self.act(server, 'unshelve', 'ACTIVE')

    def resize(self, server):
        flavor = self.random.choice(
            sorted(set(FLAVORS) - {server.flavor}))
        self.note('resize', server, flavor)
        server.old = (server.flavor, server.kept, server.host)
        self.act(server, 'resize', 'VERIFY_RESIZE',
                 flavorRef=self.flavors[flavor])
        server.flavor = flavor
        server.kept = server.fits(server.kept)
        server.restart()

    def migrate(self, server):
        self.note('migrate', server)
        server.old = (server.flavor, server.kept, server.host)
        self.act(server, 'migrate', 'VERIFY_RESIZE')
        server.restart()

    def confirm(self, server):
        self.note('confirm', server)
        # The source undefines its guest if that has another host by now. All
        # hosts of a test share the option, which names the last one started.
        _flavor, _kept, source = server.old
        self.flags(host=source)
        self.act(server, 'confirmResize', 'ACTIVE')
        self.wait_for_migration(server, 'confirmed')
        server.old = None

    def revert(self, server):
        self.note('revert', server)
        self.act(server, 'revertResize', 'ACTIVE')
        self.wait_for_migration(server, 'reverted')
        server.flavor, server.kept, server.host = server.old
        server.old = None
        server.restart()

    def _migrate_stub(self, domain, destination, params, flags):
        super()._migrate_stub(domain, destination, params, flags)
        # libvirt defines it there (VIR_MIGRATE_PERSIST_DEST)
        self.dest.driver._host.get_connection().lookupByUUIDString(
            self.server['id'])._transient = False

    def live_migrate(self, server):
        self.note('live migrate', server)
        other, = set(self.computes) - {server.host}
        self.server = {'id': server.id}
        self.src = self.computes[server.host]
        self.dest = self.computes[other]
        self.api.post_server_action(server.id, {'os-migrateLive': {
            'host': None, 'block_migration': 'auto'}})
        self.wait_for_migration(server, 'completed')
        self.wait_for_status(server, 'ACTIVE')
        self.assertEqual(other, server.host)

    def evacuate(self, server):
        self.note('evacuate', server)
        host = server.host
        self.computes[host].stop()
        self.force_down(host)
        self.api.post_server_action(server.id, {'evacuate': {}})
        self.wait_for_migration(server, 'done')
        self.wait_for_status(server, 'ACTIVE', 'SHUTOFF')
        self.assertNotEqual(host, server.host)
        server.restart()
        self.restart_compute_service(host)
        service = self.api.get_services(
            binary='nova-compute', host=host)[0]
        self.api.put_service(service['id'], {'forced_down': False})

    def restart_compute(self, server):
        host = self.random.choice(sorted(self.computes))
        self.note('restart nova-compute', None, host)
        self.restart_compute_service(host)

    def periodic(self, server):
        self.note('periodic task')
        self.run_periodics()

    def drift(self, server):
        """Have a guest change by itself."""
        size = self._choose_size(server)
        self.note('drifts', server, size)
        server.has_drifted = True
        domain = self.guest({'id': server.id})
        if domain._def['xloud']['hotpluggable']:
            domain._def['xloud']['vcpus'] = size[0]
            server.live = (size[0], server.live[1])
        if FLAVORS[server.flavor][3]:
            domain._def['xloud']['kib'] = size[1] * 1024
            server.live = (server.live[0], size[1])

    # Adjusts

    def _choose_size(self, server):
        return tuple(map(self.random.randint, *server.bounds()))

    def _post(self, server, asked, persist):
        body = {name: figure for name, figure in zip(
            ('current_vcpus', 'current_memory_mb'), asked)
            if figure is not None}
        if not persist:
            body['persist'] = False
        try:
            return self.api.api_request(
                '/os-xloud-adjust/%s' % server.id, method='POST',
                body=jsonutils.dumps(body)).status_code
        except xloud_chaos.Death:
            return None

    def adjust_refused(self, server):
        asked = self._choose_size(server)
        self.note('adjust', server, asked)
        self.assertIn(self._post(server, asked, True), (400, 409))

    def _choose_adjust(self, server):
        """Choose a request, and the answers that it may get.

        :returns: ((vCPUs, MiB), persist, status codes)
        """
        size = list(self._choose_size(server))
        for number in self.random.choice(((), (0,), (1,))):
            size[number] = None
        persist = (server.status == 'SHUTOFF' or
                   self.random.random() < 0.6)
        floors = FLAVORS[server.flavor][2:]
        if any(figure is not None and floor is None
               for figure, floor in zip(size, floors)):
            return size, persist, (400,)
        if server.status == 'PAUSED' and any(
                figure is not None and figure < now
                for figure, now in zip(size, server.live)):
            return size, persist, (409,)
        return size, persist, (202,)

    def adjust(self, server):
        asked, persist, codes = self._choose_adjust(server)
        faults = []
        if codes == (202,):
            for names in (self.faults.AROUND, self.faults.OF_GUEST):
                if self.random.random() < 0.4:
                    name = self.random.choice(names)
                    faults.append((name, *self.faults.arguments(
                        name, self.random)))
        self.note('adjust', server, tuple(asked),
                  'persist' if persist else 'guest only',
                  *('despite: %s' % ' '.join(map(str, each))
                    for each in faults))
        before = copy.copy(server)
        known = len(self._adjusts(server))
        with contextlib.ExitStack() as stack:
            for fault in faults:
                stack.enter_context(self.faults.make(
                    {'id': server.id}, *fault))
            code = self._post(server, asked, persist)
            if not faults:
                self.assertIn(code, codes)
            self.wait_for_end(server)
        if code == 400:
            return
        self._mend(server)
        self._expect(server, before, asked, persist, code, faults, known)

    def _mend(self, server):
        """Have the product mend the state that a fault has left."""
        if self.random.random() < 0.5:
            self.faults.queue.deliver_late()
            self.wait_for_end(server)
        if self.faults.death.is_dead:
            self.faults.death.restart()
            self.restart_compute_service(server.host)
        self.faults.death.restart()
        if self.instance({'id': server.id}).task_state is not None:
            self.flags(rpc_response_timeout=0)
            self.run_periodics()
            self.flags(rpc_response_timeout=60)
        self.faults.queue.deliver_late()
        self.wait_for_end(server)

    def _expect(self, server, before, asked, persist, code, faults, known):
        """Find out how an adjust has ended; it must have ended well.

        :param known: number of the adjusts before it
        """
        wanted = tuple(was if figure is None else figure
                       for figure, was in zip(asked, before.live))
        kept = before.kept
        if persist:
            kept = tuple(was if figure is None else figure
                         for figure, was in zip(asked, before.kept))
        if server.status == 'SHUTOFF':
            wanted = kept
        has = wanted
        if server.has_guest():
            has = self.guest_size({'id': server.id})
        recorded = self.recorded(server)
        is_done = (has, recorded) == (wanted, kept)
        if not faults and server.status != 'PAUSED':
            self.assertEqual((wanted, kept), (has, recorded))
        self.assertTrue(is_done or faults or asked[1], 'not done')
        for was, is_now, figure in zip(before.live, has, wanted):
            self.assertTrue(min(was, figure) <= is_now <= max(was, figure),
                            (before.live, has, wanted))
        for was, is_now, live in zip(before.kept, recorded, has):
            self.assertIn(is_now, (was, live), (before.kept, recorded, has))
        result = self._result(server, known)
        if code in (403, 503):
            self.assertEqual(before.kept, recorded)
        server.live, server.kept = has, recorded
        if server.status == 'SHUTOFF':
            server.live = recorded
        if code != 202:
            return
        if result is None:
            self.assertEqual((before.live, before.kept), (wanted, kept))
        else:
            self.assertEqual('Success' if is_done else 'Error', result)

    def _adjusts(self, server):
        """Return the server actions of adjusts, the newest first."""
        return [action for action in self.api.get_instance_actions(server.id)
                if action['action'] == 'xloud_adjust']

    def _result(self, server, known):
        """Return the result of the newest adjust; all have ended.

        :param known: number of older adjusts: one that finds nothing to do
            has no action, and no result
        """
        results = []
        actions = self._adjusts(server)
        for action in actions:
            for event in self.api.api_get(
                    '/servers/%s/os-instance-actions/%s' % (
                        server.id, action['request_id'])
            ).body['instanceAction']['events']:
                self.assertIsNotNone(event['finish_time'], event)
                results.append(event['result'])
        return results[0] if len(actions) > known and results else None

    # Views

    def recorded(self, server):
        """Return the size in the system metadata, as it is there."""
        metadata = self.instance({'id': server.id}).system_metadata
        most = FLAVORS[server.flavor][:2]
        return tuple(
            int(metadata.get('xloud_current_' + name, limit))
            for name, limit in zip(('vcpus', 'memory_mb'), most))

    def compare(self):
        """Compare all views of all servers, and of the hosts."""
        # Memory counts when it was seen twice
        for _number in range(2):
            self.run_periodics()
        expected = {}
        views = {}
        for server in self.servers:
            expected[server.name] = self.expected_views(server)
            views[server.name] = self.views(server)
        expected.update(self.expected_sums())
        views.update(self.sums())
        self.assertEqual(expected, views)

    def expected_views(self, server):
        found = {
            'recorded': server.kept,
            'columns': server.held(),
            'Placement': server.held(),
            'task state': None,
            'intent': None,
        }
        if server.status == 'SHELVED_OFFLOADED':
            found['Placement'] = None
        if server.has_guest():
            found['guest'] = server.live
            found['status'] = server.live
        return found

    def views(self, server):
        instance = self.instance({'id': server.id})
        found = {
            'recorded': self.recorded(server),
            'columns': (instance.vcpus, instance.memory_mb),
            'Placement': None,
            'task state': instance.task_state,
            'intent': instance.system_metadata.get('xloud_adjusting'),
        }
        if server.host:
            found['Placement'] = self.held({'id': server.id})
        if server.has_guest():
            status = self.status({'id': server.id})
            found['guest'] = self.guest_size({'id': server.id})
            found['status'] = (status['current_vcpus'],
                               status['current_memory_mb'])
        return found

    def expected_sums(self):
        held_on = {host: [] for host in self.computes}
        for server in self.servers:
            if server.host:
                held_on[server.host].append(server.held())
            if server.old:
                _flavor, kept, host = server.old
                held_on[host].append(kept)
        held_on = {host: total(sizes) for host, sizes in held_on.items()}
        held = total(held_on.values())
        return {
            'tracker': held_on,
            'provider': held_on,
            'quota of the database': total(
                server.held() for server in self.servers),
            'quota of Placement': held,
            'unified limits': held,
        }

    def sums(self):
        context = nova_context.get_admin_context()
        project = self.instance({'id': self.servers[0].id}).project_id
        usages = {
            host: self._get_provider_usages(provider)
            for host, provider in self.compute_rp_uuids.items()}
        with mock.patch.object(
                limit_utils, 'use_unified_limits', return_value=True):
            unified = placement_limits._get_usage(
                context, project, ['class:VCPU', 'class:MEMORY_MB'])
        return {
            'tracker': {host: self.used(host) for host in self.computes},
            'provider': {host: (each['VCPU'], each['MEMORY_MB'])
                         for host, each in usages.items()},
            'quota of the database': self.counted(False),
            'quota of Placement': self.counted(True),
            'unified limits': (unified['class:VCPU'],
                               unified['class:MEMORY_MB']),
        }

    def counted(self, by_placement):
        """Return the usage that the limits of the project show."""
        self.flags(count_usage_from_placement=by_placement, group='quota')
        used = self.api.api_get('/limits').body['limits']['absolute']
        self.flags(count_usage_from_placement=False, group='quota')
        return used['totalCoresUsed'], used['totalRAMUsed']


def _walk(seed):
    def test(self):
        self.walk(seed)
    return test


for _seed in seeds():
    setattr(ChaosTest, 'test_walk_%d' % _seed, _walk(_seed))
