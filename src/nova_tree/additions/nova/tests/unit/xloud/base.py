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

"""Servers, flavors and hosts for the tests of nova.xloud."""

from unittest import mock

import fixtures
from oslo_utils.fixture import uuidsentinel as uuids
from oslo_utils import timeutils

from nova import context
from nova import objects
from nova import test
from nova.xloud.compute import host
from nova.xloud import exception
from nova.xloud import size as xloud_size

FLOORS = {'minimum_cpu': '1', 'minimum_memory': '1024'}


def make_flavor(vcpus=4, memory_mb=4096, flavorid='one', **extra_specs):
    """Make a flavor; extra specs with a colon are given as a dict."""
    return objects.Flavor(
        id=sum(flavorid.encode()), flavorid=flavorid, name=flavorid,
        vcpus=vcpus, memory_mb=memory_mb, root_gb=1, ephemeral_gb=0, swap=0,
        extra_specs=extra_specs)


def make_instance(flavor=None, size=None, **fields):
    """Make a server, with a recorded size if one is given."""
    flavor = flavor or make_flavor(**FLOORS)
    metadata = {}
    if size:
        metadata = {'xloud_current_vcpus': str(size[0]),
                    'xloud_current_memory_mb': str(size[1])}
    values = {
        'uuid': uuids.server, 'host': 'host', 'node': 'node',
        'vm_state': 'active', 'task_state': None, 'locked': False,
        'project_id': uuids.project, 'user_id': uuids.user,
        'display_name': 'server', 'created_at': timeutils.utcnow(),
        'updated_at': None, 'launched_at': timeutils.utcnow()}
    values.update(fields)
    instance = objects.Instance(
        context.get_admin_context(), flavor=flavor, old_flavor=None,
        new_flavor=None, system_metadata=metadata, **values)
    instance.obj_reset_changes(recursive=True)
    return instance


class FakeDriver:
    """A driver with one guest, which can be told to fail."""

    capabilities = {'supports_xloud_adjust': True}

    def __init__(self, vcpus, memory_mb):
        self.guest = xloud_size.GuestSize(vcpus, memory_mb, True, 0, False)
        self.calls = []
        self.failing = {}

    def check_can_adjust(self, instance, vcpus, memory_mb):
        pass

    def get_current_size(self, instance):
        return self.guest

    def get_guest_vcpus(self, instance):
        pass

    def _set(self, name, value):
        self.calls.append((name, value))
        result = self.failing.get((name, value), value)
        if self.guest is None or result is None:
            self.guest = None
            raise exception.AdjustIncomplete(
                asked=value, unit=name, reason='it died')
        self.guest = self.guest._replace(**{name: result})
        if result != value:
            raise exception.AdjustIncomplete(
                asked=value, unit=name, reason='refused')

    def set_current_vcpus(self, instance, vcpus):
        self._set('vcpus', vcpus)

    def set_current_memory_mb(self, instance, memory_mb):
        self._set('memory_mb', memory_mb)


class ServerTestCase(test.NoDBTestCase):
    """A server of 2 of 1..4 vCPUs and 2 of 1..4 GiB; nothing is saved.

    :ivar instance: the server; a second read returns the same object
    :ivar action: the server action of its adjust, which may be None
    :ivar newer: its actions since then
    :ivar events: those of the action that have been told
    """

    def setUp(self):
        super().setUp()
        self.context = context.RequestContext(uuids.user, uuids.project)
        self.instance = make_instance(size=(2, 2048))
        self.save = self.patch('nova.objects.Instance.save')
        self.refresh = self.patch('nova.objects.Instance.refresh')
        self.get_by_uuid = self.patch(
            'nova.objects.Instance.get_by_uuid',
            side_effect=lambda *args, **kwargs: self.instance)
        self.started = self.patch(
            'nova.objects.InstanceActionEvent.event_start')
        self.finished = self.patch(
            'nova.objects.InstanceActionEvent.event_finish_with_failure')
        self.action = objects.InstanceAction(
            id=1, action='xloud_adjust', request_id='req-of-the-adjust')
        self.newer = []
        self.patch(
            'nova.objects.InstanceActionList.get_by_instance_uuid',
            side_effect=lambda *args, **kwargs: self.newer + (
                [self.action] if self.action else []))
        self.patch(
            'nova.objects.InstanceAction.get_by_request_id',
            side_effect=lambda context, uuid, request_id: (
                self.action if self.action and
                self.action.request_id == request_id else None))
        self.events = []
        self.patch(
            'nova.objects.InstanceActionEventList.get_by_action',
            side_effect=lambda *args: self.events)

        self.addCleanup(self._check_log)

    def _check_log(self):
        """No message prints a named tuple."""
        self.assertNotIn('Size(', self.stdlog.logger.output)

    def patch(self, name, **kwargs):
        return self.useFixture(fixtures.MockPatch(name, **kwargs)).mock


def make_migration(instance, **fields):
    """Make the migration of a server that waits for its confirm or revert."""
    values = {'id': 5, 'uuid': uuids.migration, 'status': 'finished',
              'source_compute': 'host', 'source_node': 'node',
              'instance_uuid': instance.uuid}
    values.update(fields)
    migration = objects.Migration(context.get_admin_context(), **values)
    migration.instance = instance
    return migration


class HostTestCase(ServerTestCase):
    """The host of the server, without a Placement.

    :ivar host: nova.xloud.compute.host.Host
    :ivar driver: its driver, a FakeDriver
    """

    def setUp(self):
        super().setUp()
        self.assign = self.patch('nova.xloud.placement.assign')
        # The payloads are in the tests of the notifications
        self.patch('nova.xloud.notifications.Notifier._send')
        self.tracker = mock.Mock()
        self.tracker.compute_nodes = {'node': mock.Mock(uuid=uuids.node)}
        self.tracker.tracked_migrations = {}
        self.client = mock.Mock()
        self.driver = self.make_driver()
        self.host = host.Host('host', self.driver, self.tracker, self.client)
        self.running = self.host.running

    def make_driver(self):
        """Make the driver of the host."""
        return FakeDriver(2, 2048)
