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

"""The faults that a random walk meets while a server is adjusted.

Each is a context manager for the time of one adjust. The product has to mend
the state that a fault leaves, at the latest in its next periodic task.
"""

import contextlib
from unittest import mock

import fixtures
from oslo_serialization import jsonutils

from nova import exception
from nova import objects
from nova.tests.fixtures import libvirt as fakelibvirt
from nova.tests.functional.libvirt import test_vcpu_current_recovery
from nova.virt.libvirt import driver
from nova.xloud import exception as xloud_exception
from nova.xloud import lifecycle
from nova.xloud import rpcapi

Death = test_vcpu_current_recovery.Death

# The most steps of a thread that adjusts, with some to spare: it may end
# before it is killed.
_STEPS = 9


class Queue(fixtures.Fixture):
    """The message queue between nova-api and the hosts.

    :ivar fault: name of the fate of a message; None to deliver it
    :ivar late: functions that deliver messages which are still on their way
    """

    def setUp(self):
        super().setUp()
        self.fault = None
        self.late = []
        call = rpcapi.XloudAPI.adjust

        def adjust(api, ctxt, instance, *args):
            def deliver():
                # As it was when it was sent
                copy = objects.Instance.obj_from_primitive(sent, ctxt)
                return call(api, ctxt, copy, *args)

            sent = instance.obj_to_primitive()
            fault, self.fault = self.fault, None
            if fault in ('late', 'twice'):
                self.late.append(deliver)
            if fault == 'api dies':
                raise Death()
            if fault in ('lost', 'late'):
                raise xloud_exception.AdjustTimeout(server=instance.uuid)
            deliver()
            if fault == 'twice':
                deliver()
            if fault == 'no answer':
                raise xloud_exception.AdjustTimeout(server=instance.uuid)

        self.useFixture(fixtures.MockPatchObject(
            rpcapi.XloudAPI, 'adjust', adjust))

    def deliver_late(self):
        """Deliver the messages that are still on their way, come what may."""
        while self.late:
            with contextlib.suppress(xloud_exception.AdjustError):
                self.late.pop()()


class Faults:
    """Makes the faults of a test with servers on a fake libvirt.

    :ivar death: SuddenDeath of nova-compute
    :ivar queue: Queue
    """

    #: Faults beside the guest, which are mended afterwards
    AROUND = ('placement refuses', 'placement has no answer', 'host is full',
              'call lost', 'call late', 'call twice', 'call has no answer',
              'compute dies', 'conductor has no answer', 'api dies',
              'api dies early', 'libvirt goes away', 'periodic meanwhile')
    #: Faults of a guest
    OF_GUEST = ('driver refuses', 'keeps memory', 'keeps vcpus',
                'unplugs slowly', 'has no balloon driver', 'is paused')

    def __init__(self, test):
        """Make faults for a test.

        :param test: the AdjustTestBase
        """
        self._test = test
        self.death = test.useFixture(
            test_vcpu_current_recovery.SuddenDeath())
        self.queue = test.useFixture(Queue())

    def arguments(self, name, random):
        """Choose the arguments of a fault.

        :param name: one of AROUND or OF_GUEST
        :param random: random.Random
        :returns: a tuple
        """
        if name in ('compute dies', 'libvirt goes away'):
            return (random.randrange(_STEPS),)
        if name == 'keeps memory':
            return (random.randint(1024, 4096),)
        return ()

    def make(self, server, name, *arguments):
        """Make a fault.

        :param server: dict of the server that meets it
        :param name: one of AROUND or OF_GUEST
        :returns: a context manager
        """
        if name.startswith('call '):
            return self._of_queue({
                'lost': 'lost', 'late': 'late', 'twice': 'twice',
                'has no answer': 'no answer'}[name[len('call '):]])
        if name == 'api dies':
            return self._of_queue(name)
        return getattr(self, '_' + name.replace(' ', '_'))(
            server, *arguments)

    @contextlib.contextmanager
    def _of_queue(self, fault):
        self.queue.fault = fault
        yield
        self.queue.fault = None

    @contextlib.contextmanager
    def _compute_dies(self, server, number):
        # A dead nova-compute stays so until it is started again
        self.death.restart(dies_before=number)
        yield

    def _api_dies_early(self, server):
        return mock.patch.object(lifecycle, 'accept', side_effect=Death())

    @contextlib.contextmanager
    def _placement_refuses(self, server, is_done=False):
        client = self._test.host_of(server).manager.reportclient
        put = client.put

        def fail(url, *args, **kwargs):
            is_ours = url == '/allocations/%s' % server['id']
            if is_done or not is_ours:
                answer = put(url, *args, **kwargs)
            if is_ours:
                raise exception.PlacementAPIConnectFailure()
            return answer

        with mock.patch.object(client, 'put', fail):
            yield

    def _placement_has_no_answer(self, server):
        return self._placement_refuses(server, is_done=True)

    @contextlib.contextmanager
    def _host_is_full(self, server):
        """Leave no vCPU and no memory on the server's host."""
        provider = self._test.compute_rp_uuids[
            self._test.instance(server).host]
        url = '/resource_providers/%s/inventories' % provider
        client = self._test.placement
        before = client.get(url).body
        full = jsonutils.loads(jsonutils.dumps(before))
        for name, used in self._test._get_provider_usages(provider).items():
            stock = full['inventories'][name]
            stock['allocation_ratio'] = (
                (used + 0.5) / (stock['total'] - stock['reserved']))
        self._test.assertEqual(200, client.put(url, full).status)
        yield
        after = dict(before, resource_provider_generation=client.get(
            url).body['resource_provider_generation'])
        self._test.assertEqual(200, client.put(url, after).status)

    def _conductor_has_no_answer(self, server):
        return mock.patch.object(
            lifecycle, '_save', side_effect=exception.NovaException('lost'))

    @contextlib.contextmanager
    def _libvirt_goes_away(self, server, number):
        ask = driver.LibvirtDriver.get_current_size
        asked = []

        def get_current_size(virt_driver, instance):
            asked.append(instance)
            if len(asked) > number:
                raise exception.HypervisorUnavailable()
            return ask(virt_driver, instance)

        with mock.patch.object(driver.LibvirtDriver, 'get_current_size',
                               get_current_size):
            yield

    @contextlib.contextmanager
    def _periodic_meanwhile(self, server):
        """Run the periodic tasks while the guest is changed."""
        patches = []
        for name in ('set_current_vcpus', 'set_current_memory_mb'):
            def run(virt_driver, instance, figure,
                    change=getattr(driver.LibvirtDriver, name)):
                self._test.run_periodics()
                change(virt_driver, instance, figure)
                self._test.run_periodics()
            patches.append(mock.patch.object(
                driver.LibvirtDriver, name, run))
        with patches[0], patches[1]:
            yield

    def _domain(self, server):
        try:
            return self._test.guest(server)
        except fakelibvirt.libvirtError:
            return None

    @contextlib.contextmanager
    def _guest(self, **attributes):
        guests = self._test.guests
        before = {name: getattr(guests, name) for name in attributes}
        vars(guests).update(attributes)
        yield
        vars(guests).update(before)

    def _driver_refuses(self, server):
        return self._guest(error=fakelibvirt.make_libvirtError(
            fakelibvirt.libvirtError, 'broken', error_message='broken',
            error_code=fakelibvirt.VIR_ERR_OPERATION_FAILED))

    def _keeps_memory(self, server, memory_mb):
        domain = self._domain(server)
        has = domain._def['xloud']['kib'] if domain else 0
        return self._guest(keeps_kib=min(memory_mb * 1024, has))

    def _keeps_vcpus(self, server):
        return self._guest(unplugs=False)

    def _unplugs_slowly(self, server):
        return self._guest(times_out=True)

    def _has_no_balloon_driver(self, server):
        return self._guest(has_balloon_driver=False)

    @contextlib.contextmanager
    def _is_paused(self, server):
        """Have libvirt pause the guest, as after an I/O error."""
        domain = self._domain(server)
        was_running = (domain is not None and
                       domain._state == fakelibvirt.VIR_DOMAIN_RUNNING)
        if was_running:
            domain.suspend()
        yield
        if was_running:
            domain.resume()
