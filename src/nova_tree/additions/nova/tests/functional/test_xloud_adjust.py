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

"""Adjusting servers as users see it, on a driver that can do it all."""

from unittest import mock

import fixtures
from oslo_db import exception as db_exc
from oslo_limit import fixture as limit_fixture
import oslo_messaging as messaging
from oslo_serialization import jsonutils
from oslo_utils.fixture import uuidsentinel as uuids

from nova.compute import api
from nova import context
from nova import objects
from nova.tests.fixtures import xloud as xloud_fixtures
from nova.tests.functional.api import client
from nova.tests.functional import integrated_helpers
from nova.xloud.compute import endpoint
from nova.xloud import lifecycle

FLOOR = {'minimum_cpu': '1', 'minimum_memory': '1024'}


class XloudAdjustTestBase(integrated_helpers._IntegratedTestBase):
    """A project with a flavor of 1..4 vCPUs and 1024..4096 MiB."""

    def setUp(self):
        super().setUp()
        self.elastic = self._flavor(**FLOOR)

    def _setup_services(self):
        # a host with room for all sizes of these tests
        self.flags(compute_driver='fake.FakeDriver')
        self.driver = self.useFixture(xloud_fixtures.AdjustableFakeDriver())
        super()._setup_services()

    def _flavor(self, **extra_specs):
        return self._create_flavor(
            vcpu=4, memory_mb=4096, disk=1, ephemeral=0,
            extra_spec=extra_specs)

    def _server(self, flavor_id=None, image_uuid=None):
        return self._create_server(
            flavor_id=flavor_id or self.elastic, image_uuid=image_uuid,
            # later microversions ask for it
            networks='none' if self.microversion else None)

    def _post(self, server, api=None, **body):
        """Ask for an adjust, by default as an administrator."""
        return (api or self.admin_api).api_request(
            '/os-xloud-adjust/%s' % server['id'], method='POST',
            body=jsonutils.dumps(body))

    def _adjust(self, server, **body):
        """Adjust a server and wait for the end."""
        response = self._post(server, **body)
        self.assertEqual(
            (202, '{}'), (response.status_code, response.text))
        return self._wait_for_server_parameter(
            server, {'OS-EXT-STS:task_state': None}, api=self.admin_api)

    def _refused(self, code, server, api=None, **body):
        """Assert that an adjust is refused and has changed nothing.

        :returns: the message of the answer
        """
        before = self._views(server)
        response = self._post(server, api, **body)
        self.assertEqual(code, response.status_code, response.text)
        self.assertEqual(before, self._views(server))
        fault, = jsonutils.loads(response.text).values()
        return fault['message']

    def _status(self, server, api=None):
        return (api or self.api).api_get(
            '/servers/%s/xloud-status' % server['id']).body['xloud_status']

    def _size(self, server):
        status = self._status(server)
        return status['current_vcpus'], status['current_memory_mb']

    def _held(self, server):
        """Return the size that Placement holds for a server."""
        allocations = self._get_allocations_by_server_uuid(server['id'])
        resources, = [each['resources'] for each in allocations.values()]
        return resources['VCPU'], resources['MEMORY_MB']

    def _views(self, server):
        details = self.admin_api.get_server(server['id'])
        return (self._size(server), self._held(server), details['status'],
                details['OS-EXT-STS:task_state'])

    def _actions(self, server):
        return [each['action'] for each in
                self.api.get_instance_actions(server['id'])]


class AdjustTest(XloudAdjustTestBase):

    def test_a_server_starts_at_its_floor(self):
        server = self._server()
        self.assertEqual((1, 1024), self._size(server))
        self.assertEqual((1, 1024), self._held(server))

    def test_each_server_of_one_request_starts_at_its_floor(self):
        body = self._build_server(flavor_id=self.elastic)
        body.update(min_count=2, max_count=2)
        first = self.api.post_server({'server': body})
        self._wait_for_state_change(first, 'ACTIVE')
        servers = self.api.get_servers()
        self.assertEqual(2, len(servers))
        for server in servers:
            server = self._wait_for_state_change(server, 'ACTIVE')
            self.assertEqual((1, 1024), self._size(server))
            self.assertEqual((1, 1024), self._held(server))

    def test_metadata_of_the_user_is_no_size(self):
        body = self._build_server(flavor_id=self.elastic)
        body['metadata'] = {
            'minimum_cpu': '4', 'xloud_current_vcpus': '4',
            'xloud_live_vcpus': '4', 'xloud:current_vcpus': '4'}
        server = self.api.post_server({'server': body})
        self._wait_for_state_change(server, 'ACTIVE')
        self.assertEqual((1, 1024), self._size(server))
        self.assertEqual((1, 1024), self._held(server))

    def test_both_values_are_one_action(self):
        server = self._server()

        self._adjust(server, current_vcpus=3, current_memory_mb='2048')

        self.assertEqual((3, 2048), self._size(server))
        self.assertEqual((3, 2048), self._held(server))
        self.assertEqual(['xloud_adjust', 'create'], self._actions(server))

    def test_one_value_leaves_the_other_alone(self):
        server = self._server()
        self._adjust(server, current_vcpus='4')
        self.assertEqual((4, 1024), self._size(server))
        self._adjust(server, current_memory_mb=4096)
        self.assertEqual((4, 4096), self._size(server))
        self._adjust(server, current_vcpus=1)
        self.assertEqual((1, 4096), self._size(server))
        self.assertEqual((1, 4096), self._held(server))

    def test_equal_to_current_does_nothing(self):
        server = self._server()
        self._adjust(server, current_vcpus=1, current_memory_mb=1024)
        self.assertEqual(['create'], self._actions(server))

    def test_a_paused_server_grows(self):
        server = self._server()
        self.api.post_server_action(server['id'], {'pause': {}})
        self._wait_for_state_change(server, 'PAUSED')
        self._adjust(server, current_vcpus=2)
        self.assertEqual((2, 1024), self._held(server))
        message = self._refused(409, server, current_vcpus=1)
        self.assertIn('paused', message)

    def test_a_stopped_server_is_adjusted_for_its_next_start(self):
        server = self._stop_server(self._server())
        self._adjust(server, current_vcpus=2)
        self.assertEqual((2, 1024), self._size(server))
        self.assertEqual((2, 1024), self._held(server))
        self.assertIn('persist', self._refused(
            409, server, current_vcpus=3, persist=False))

    def test_the_action_tells_what_happened(self):
        server = self._server()
        self._adjust(server, current_vcpus=2)
        action, = [each for each in
                   self.admin_api.get_instance_actions(server['id'])
                   if each['action'] == 'xloud_adjust']
        details = self.admin_api.get_instance_action_details(
            server['id'], action['request_id'])
        self.assertIsNone(details['message'])
        events = {each['event']: each['result']
                  for each in details['events']}
        self.assertEqual({'compute_xloud_adjust': 'Success'}, events)

    def test_members_can_be_allowed_to_adjust(self):
        server = self._server()
        self.assertEqual(
            403, self._post(server, self.api, current_vcpus=2).status_code)
        self.policy.set_rules({
            'os_compute_api:xloud:adjust': 'rule:project_member_api'},
            overwrite=False)
        self.assertEqual(
            202, self._post(server, self.api, current_vcpus=2).status_code)


class AdjustErrorTest(XloudAdjustTestBase):
    """The rows of the table of errors that the API decides alone."""

    def setUp(self):
        super().setUp()
        self.server = self._server()

    def _allow_members(self):
        self.policy.set_rules({
            'os_compute_api:xloud:adjust': ''}, overwrite=False)

    def test_a_bad_body_is_400_and_says_what_is_wrong(self):
        for body, said in (
                ({}, ('current_vcpus', 'current_memory_mb',
                      '1 to 4 vCPUs', '1024 to 4096 MiB')),
                ({'persist': True}, ('Neither', '1 to 4 vCPUs')),
                ({'current_vcpus': 'two'}, ('current_vcpus', 'two')),
                ({'current_vcpus': None}, ('current_vcpus', 'None')),
                ({'current_vcpus': 1.5}, ('current_vcpus', '1.5')),
                ({'current_vcpus': True}, ('current_vcpus', 'True')),
                ({'current_vcpus': '-2'}, ('current_vcpus', '-2')),
                ({'current_vcpus': -2}, ('current_vcpus', '-2')),
                ({'current_memory_mb': '2 GiB'},
                 ('current_memory_mb', '2 GiB')),
                ({'current_memory_mb': []}, ('current_memory_mb', '[]')),
                ({'current_vcpus': 2, 'persist': 'yes'},
                 ('persist', 'yes')),
                ({'current_vcpus': 2, 'vcpus': 3}, ("'vcpus'",))):
            message = self._refused(400, self.server, **body)
            for each in said:
                self.assertIn(each, message)

    def test_a_body_that_is_no_object_is_400(self):
        for body in ([], 'two', 2):
            before = self._views(self.server)
            response = self.admin_api.api_request(
                '/os-xloud-adjust/%s' % self.server['id'], method='POST',
                body=jsonutils.dumps(body))
            self.assertEqual(400, response.status_code, body)
            self.assertEqual(before, self._views(self.server))

    def test_out_of_bounds_is_400_and_says_the_bounds(self):
        for value in (0, 5):
            message = self._refused(400, self.server, current_vcpus=value)
            self.assertIn('current_vcpus %d' % value, message)
            self.assertIn('1 to 4 vCPUs', message)
        for value in ('1023', '4097'):
            message = self._refused(
                400, self.server, current_memory_mb=value)
            self.assertIn('current_memory_mb %s' % value, message)
            self.assertIn('1024 to 4096 MiB', message)

    def test_one_bad_value_refuses_both(self):
        message = self._refused(400, self.server, current_vcpus=2,
                                current_memory_mb=9999)
        self.assertIn('current_memory_mb 9999', message)
        self.assertIn('1024 to 4096 MiB', message)

    def test_no_floor_is_400_and_says_which_extra_spec_is_missing(self):
        server = self._server(self._flavor(minimum_cpu='1'))
        message = self._refused(400, server, current_memory_mb=2048)
        self.assertIn("no extra spec 'minimum_memory'", message)
        server = self._server(self._flavor())
        message = self._refused(400, server, current_vcpus=4)
        self.assertIn("no extra spec 'minimum_cpu'", message)

    def test_no_such_server_is_404(self):
        for server in ({'id': uuids.other}, {'id': 'name'}):
            self.assertEqual(
                404, self._post(server, current_vcpus=2).status_code)
            self.assertRaises(client.OpenStackApiNotFoundException,
                              self._status, server)

    def test_a_server_of_another_project_is_404(self):
        self._allow_members()
        self.api.project_id = uuids.other_project
        self.assertEqual(404, self._post(
            self.server, self.api, current_vcpus=2).status_code)
        self.assertRaises(client.OpenStackApiNotFoundException,
                          self._status, self.server)

    def test_not_allowed_is_403(self):
        message = self._refused(
            403, self.server, self.api, current_vcpus=2)
        self.assertIn('os_compute_api:xloud:adjust', message)

    def test_a_locked_server_is_409(self):
        self._allow_members()
        self.admin_api.post_server_action(self.server['id'], {'lock': {}})
        self.assertIn('locked', self._refused(
            409, self.server, self.api, current_vcpus=2))
        self._adjust(self.server, current_vcpus=2)

    def test_another_state_is_409(self):
        self.api.post_server_action(self.server['id'], {'suspend': {}})
        self._wait_for_state_change(self.server, 'SUSPENDED')
        self.assertIn('vm_state suspended', self._refused(
            409, self.server, current_vcpus=2))

    def test_a_task_in_progress_is_409(self):
        instance = objects.Instance.get_by_uuid(
            context.get_admin_context(), self.server['id'])
        instance.task_state = 'xloud_adjusting'
        instance.save()
        self.assertIn('task_state xloud_adjusting', self._refused(
            409, self.server, current_vcpus=2))

    def test_a_host_that_is_down_is_409(self):
        service = objects.Service.get_by_host_and_binary(
            context.get_admin_context(), 'compute', 'nova-compute')
        service.forced_down = True
        service.save()
        self.assertIn('is down', self._refused(
            409, self.server, current_vcpus=2))
        self.assertEqual((1, 1024), self._size(self.server))


class LatestAdjustErrorTest(AdjustErrorTest):
    microversion = 'latest'


class OldHostTest(XloudAdjustTestBase):
    """A host that does not know our RPC namespace."""

    def _setup_services(self):
        self.useFixture(fixtures.MockPatchObject(
            endpoint.Endpoint, 'target',
            messaging.Target(namespace='unknown', version='1.0')))
        super()._setup_services()

    def test_a_host_that_is_too_old_is_409(self):
        self._assert_refused(self._server())

    def test_its_action_ends_though_the_database_is_restarted_then(self):
        server = self._server()
        start = objects.InstanceActionEvent.event_start
        lost = [db_exc.DBConnectionError()]

        def event_start(*args, **kwargs):
            if lost:
                raise lost.pop()
            return start(*args, **kwargs)

        with mock.patch.object(
                objects.InstanceActionEvent, 'event_start', event_start):
            self._assert_refused(server)
        self.assertEqual([], lost)
        self.assertIsNone(self.admin_api.get_server(
            server['id'])['OS-EXT-STS:task_state'])

    def _assert_refused(self, server):
        self.assertIn('cannot adjust servers', self._refused(
            409, server, current_vcpus=2))

        action = self.admin_api.get_instance_actions(server['id'])[0]
        self.assertEqual('xloud_adjust', action['action'])
        event, = self.admin_api.get_instance_action_details(
            server['id'], action['request_id'])['events']
        self.assertEqual(('api_xloud_adjust', 'Error'),
                         (event['event'], event['result']))

    def test_the_recorded_size_is_shown(self):
        self.assertEqual((1, 1024), self._size(self._server()))


class OldControllerTest(XloudAdjustTestBase):
    """A server that was made by controllers that know no floors."""

    def setUp(self):
        super().setUp()
        self.useFixture(xloud_fixtures.StockAPI())
        for name in ('vcpus', 'memory_mb'):
            ours = getattr(objects.RequestSpec, name).fget
            self.useFixture(fixtures.MockPatchObject(
                objects.RequestSpec, name, property(ours.__wrapped__)))

    def test_it_begins_at_its_floor_and_can_be_adjusted_later(self):
        server = self._server()
        self.assertEqual((1, 1024), self._size(server))
        # the size that its scheduler has asked for
        self.assertEqual((4, 4096), self._held(server))

        self.compute.manager.update_available_resource(
            context.get_admin_context())
        self.assertEqual((1, 1024), self._held(server))
        self._adjust(server, current_vcpus=2)

        self.assertEqual((2, 1024), self._size(server))
        self.assertEqual((2, 1024), self._held(server))


class OtherDriverTest(XloudAdjustTestBase):
    """A host whose driver cannot do it."""

    def test_it_refuses(self):
        server = self._server()
        self.compute.driver.capabilities = dict(
            self.compute.driver.capabilities, supports_xloud_adjust=False)
        self.assertIn('driver cannot', self._refused(
            409, server, current_vcpus=2))
        self._adjust(server, current_vcpus=1)


class QuotaTwiceTest(XloudAdjustTestBase):
    """Two requests are counted at the same time; there is room for one."""

    def setUp(self):
        super().setUp()
        self.flags(group='quota', cores=3)
        self.one, self.other = [self._server() for number in range(2)]

    def _before(self, name, do):
        """Do something once, before a move of an adjust."""
        move = getattr(lifecycle, name)
        pending = [do]

        def wrapper(*args):
            while pending:
                pending.pop()()
            return move(*args)

        self.useFixture(fixtures.MockPatchObject(lifecycle, name, wrapper))

    def test_the_later_one_is_refused_when_both_have_passed(self):
        self._before(
            'take', lambda: self._adjust(self.other, current_vcpus=2))
        message = self._refused(403, self.one, current_vcpus=2)
        self.assertIn('cores', message)
        # nothing of it is left
        self._adjust(self.other, current_vcpus=1)
        self._adjust(self.one, current_vcpus=2)

    def test_growth_counts_before_the_guest_has_it(self):
        # the host has accepted the first one, and not begun
        self._before('begin_event', lambda: self._refused(
            403, self.other, current_vcpus=2))
        self._adjust(self.one, current_vcpus=2)
        self._refused(403, self.other, current_vcpus=2)

    def test_nova_is_told_not_to_count_again(self):
        self.flags(group='quota', recheck_quota=False)
        self._before(
            'take', lambda: self._adjust(self.other, current_vcpus=2))
        self._adjust(self.one, current_vcpus=2)


class QuotaTest(XloudAdjustTestBase):
    """Quota by counting the servers in the database."""

    #: the word that tells that the cores are used up
    CORES = 'cores'

    def setUp(self):
        super().setUp()
        self._limit(servers=10, cores=5, ram=1048576)

    def _limit(self, servers, cores, ram):
        self.flags(group='quota', instances=servers, cores=cores, ram=ram)

    def _over_quota(self, call, *args, **kwargs):
        error = self.assertRaises(
            client.OpenStackApiException, call, *args, **kwargs)
        self.assertEqual(403, error.response.status_code)
        self.assertIn(self.CORES, error.response.text)

    def test_servers_count_at_their_size(self):
        servers = [self._server() for number in range(4)]

        self._adjust(servers[0], current_vcpus=2)
        message = self._refused(403, servers[1], current_vcpus=2)
        self.assertIn(self.CORES, message)
        self._over_quota(self._server)

        self._adjust(servers[0], current_vcpus=1)
        self._adjust(servers[1], current_vcpus=2)

    def test_memory_counts_too(self):
        self._limit(servers=10, cores=100, ram=3072)
        servers = [self._server() for number in range(2)]
        self._adjust(servers[0], current_memory_mb=2048)
        self._refused(403, servers[1], current_memory_mb=1025)

    def test_too_much_of_one_does_not_keep_the_other_from_growing(self):
        server = self._server()
        self._adjust(server, current_vcpus=2)
        self._limit(servers=10, cores=1, ram=1048576)
        self._adjust(server, current_memory_mb=2048)
        self._limit(servers=10, cores=100, ram=1024)
        self._adjust(server, current_vcpus=3)
        self._refused(403, server, current_memory_mb=2049)

    def test_a_resize_counts_the_size_that_it_keeps(self):
        server = self._server()
        self._adjust(server, current_vcpus=2)
        # 1..8 vCPUs, of which the server keeps its 2
        flavor = self._create_flavor(
            vcpu=8, memory_mb=4096, disk=1, ephemeral=0, extra_spec=FLOOR)
        self._limit(servers=10, cores=4, ram=1048576)
        self.flags(allow_resize_to_same_host=True)
        self.api.post_server_action(
            server['id'], {'resize': {'flavorRef': flavor}})
        self._wait_for_state_change(server, 'VERIFY_RESIZE')

    def test_a_resize_counts_what_it_adds_to_the_size(self):
        # 3 vCPUs more, though both flavors have 4
        server = self._server()
        self._limit(servers=10, cores=3, ram=1048576)
        self._over_quota(
            self.api.post_server_action, server['id'],
            {'resize': {'flavorRef': self._flavor()}})

    def test_dedicated_cpus_count_at_their_maximum(self):
        flavor = self._flavor(
            **dict(FLOOR, **{'hw:cpu_policy': 'dedicated'}))
        self._limit(servers=10, cores=3, ram=1048576)
        # the fake driver has no CPUs for it, but quota comes first
        self._dedicated_over_quota(flavor)

    def test_cpus_that_an_image_pins_count_at_their_maximum(self):
        image = xloud_fixtures.create_image(
            self.glance, hw_cpu_policy='dedicated')
        self._limit(servers=10, cores=3, ram=1048576)
        self._over_quota(self._server, image_uuid=image)

    def _dedicated_over_quota(self, flavor):
        self._over_quota(self._server, flavor)


class RestoreQuotaTest(XloudAdjustTestBase):
    """A server that is brought back from the dead counts at its size."""

    def setUp(self):
        super().setUp()
        # servers are only marked as deleted
        self.flags(reclaim_instance_interval=3600)
        self.flags(cores=5, group='quota')

    def test_a_restored_server_counts_at_its_size(self):
        server = self._server()
        self._adjust(server, current_vcpus=2)
        self.api.delete_server(server['id'])
        self._wait_for_state_change(server, 'SOFT_DELETED')
        other = self._server()
        self._adjust(other, current_vcpus=4)

        self.assertEqual(403, self._restore(server))
        self._adjust(other, current_vcpus=3)
        self.assertEqual(202, self._restore(server))

    def _restore(self, server):
        return self.admin_api.api_request(
            '/servers/%s/action' % server['id'], method='POST',
            body=jsonutils.dumps({'restore': {}})).status_code


class UnshelveQuotaMixin:
    """A server on no host does not count; it counts when it returns."""

    def test_a_server_comes_back_from_the_shelf_at_its_size(self):
        self.flags(shelved_offload_time=0)
        server = self._server()
        self._adjust(server, current_vcpus=2)
        self.api.post_server_action(server['id'], {'shelve': {}})
        self._wait_for_state_change(server, 'SHELVED_OFFLOADED')
        other = self._server()
        self._adjust(other, current_vcpus=4)
        # Nova itself checks this since 27 (2023.1)
        if hasattr(api.API, '_check_quota_unshelve_offloaded'):
            self._over_quota(
                self.api.post_server_action, server['id'],
                {'unshelve': {}})

        self._adjust(other, current_vcpus=3)
        self.api.post_server_action(server['id'], {'unshelve': {}})
        self._wait_for_state_change(server, 'ACTIVE')
        self.assertEqual((2, 1024), self._held(server))


class PlacementQuotaTest(UnshelveQuotaMixin, QuotaTest):
    """Quota that counts the usage in Placement."""

    def setUp(self):
        super().setUp()
        self.flags(count_usage_from_placement=True, group='quota')


class UnifiedLimitsQuotaTest(UnshelveQuotaMixin, QuotaTest):
    """Quota by the limits of Keystone."""

    CORES = 'VCPU'

    def setUp(self):
        self.limits = None
        super().setUp()
        self.flags(
            driver='nova.quota.UnifiedLimitsDriver', group='quota')

    def _limit(self, servers, cores, ram):
        limits = {
            'servers': servers,
            'class:VCPU': cores,
            'class:PCPU': cores,
            'class:MEMORY_MB': ram,
            'class:DISK_GB': 1048576,
            'server_metadata_items': 128,
            'server_injected_files': 5,
            'server_injected_file_content_bytes': 10240,
            'server_injected_file_path_bytes': 255,
        }
        if self.limits is None:
            self.limits = limits
            # oslo.limit since 2.3.0 requires it, and so do Nova's fixtures
            # since 29 (2024.1)
            self.flags(endpoint_id='ENDPOINT_ID', group='oslo_limit')
            self.useFixture(limit_fixture.LimitFixture(limits, {}))
        self.limits.update(limits)

    def _dedicated_over_quota(self, flavor):
        error = self.assertRaises(
            client.OpenStackApiException, self._server, flavor)
        self.assertEqual(403, error.response.status_code)
        self.assertIn('PCPU', error.response.text)
