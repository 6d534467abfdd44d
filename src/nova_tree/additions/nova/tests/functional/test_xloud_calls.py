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

"""A server of a flavor without a floor costs as much as on stock Nova.

Statements to the databases, RPC and requests to Placement are taken down.
``make test-nova`` runs this on unmodified Nova too, and compares.
"""

import fixtures
from oslo_messaging import transport
from oslo_serialization import jsonutils
from placement import db_api as placement_db
import sqlalchemy

from nova import context as nova_context
from nova.scheduler.client import report
from nova.tests import fixtures as nova_fixtures
from nova.tests.functional.libvirt import base
from nova.tests.functional import xloud_pristine


class Calls(fixtures.Fixture):
    """Takes down the calls that Nova makes to others.

    :ivar notes: xloud_pristine.Notes of the calls in their order
    :ivar secrets: values that were sent but may be random: not compared
    """

    def setUp(self):
        super().setUp()
        self.notes = xloud_pristine.Notes()
        self.notes.rename(r'sa_savepoint_\d+', 'sa_savepoint')
        self.secrets = []
        self._placement_engine = placement_db.get_placement_engine()
        listen = (sqlalchemy.engine.Engine, 'before_cursor_execute',
                  self._note_statement)
        sqlalchemy.event.listen(*listen)
        self.addCleanup(sqlalchemy.event.remove, *listen)
        self._note_rpc(transport.Transport._send)
        for verb in ('get', 'post', 'put', 'delete'):
            self._note_placement(
                verb, getattr(report.SchedulerReportClient, verb))

    def _note_statement(
            self, connection, cursor, statement, parameters, context, many):
        if connection.engine is self._placement_engine:
            return
        self.notes.add('database: %s' % ' '.join(statement.split()))
        self.secrets.append(repr(parameters))

    def _note_rpc(self, send):
        def note(transport, target, context, message, *args, **kwargs):
            self.notes.add('rpc: %s' % jsonutils.dumps({
                'topic': target.topic,
                'namespace': message.get('namespace'),
                'method': message['method'],
                'version': message.get('version'),
                'arguments': sorted(message['args']),
            }, sort_keys=True))
            self.secrets.append(repr(message))
            return send(
                transport, target, context, message, *args, **kwargs)
        self.useFixture(fixtures.MonkeyPatch(
            'oslo_messaging.transport.Transport._send', note))

    def _note_placement(self, verb, request):
        def note(client, url, *args, **kwargs):
            body = kwargs.get('data', args[0] if args else None)
            if verb not in ('post', 'put'):
                body = None
            self.notes.add('placement: %s %s %s' % (
                verb.upper(), url,
                jsonutils.dumps(xloud_pristine.anonymous(body))))
            return request(client, url, *args, **kwargs)
        self.useFixture(fixtures.MonkeyPatch(
            'nova.scheduler.client.report.SchedulerReportClient.' + verb,
            note))


class CallsOfPlainServersTest(base.ServersTestBase):
    """Each test takes down one kind of operation."""

    ADMIN_API = True
    microversion = 'latest'

    def setUp(self):
        # when services say that they are up is a matter of time
        self.flags(service_down_time=7200)
        self.useFixture(fixtures.MockPatch(
            'nova.servicegroup.drivers.db.DbDriver._report_state'))
        super().setUp()
        self.flags(allow_resize_to_same_host=True)
        self.useFixture(fixtures.MockPatch(
            'nova.virt.libvirt.driver.LibvirtDriver.'
            'migrate_disk_and_power_off', return_value='{}'))
        # its driver waits for libvirt's events as long as it runs
        self.start_compute()
        self.useFixture(nova_fixtures.SpawnIsSynchronousFixture())
        self.flavor = self._create_flavor(vcpu=2, memory_mb=1024, disk=1)
        self.bigger = self._create_flavor(vcpu=4, memory_mb=2048, disk=1)

    def boot(self):
        return self._create_server(flavor_id=self.flavor, networks='none')

    def record(self, name, *operations):
        """Take down the calls of operations, which must all be made."""
        with Calls() as calls:
            for operation in operations:
                operation()
        calls.notes.save('calls-' + name)
        self.assertNotEqual([], calls.notes.lines)
        # a flavor without a floor has nothing of ours: no record of a size,
        # no trait, no RPC namespace
        for line in calls.notes.lines + calls.secrets:
            self.assertNotIn('xloud', line.lower())

    def act(self, server, action, **arguments):
        def operation():
            self.api.post_server_action(
                server['id'], {action: arguments or None})
        return operation

    def test_create_and_delete(self):
        body = self._build_server(
            flavor_id=self.flavor, networks='none')
        server = {}

        def create():
            server.update(self.api.post_server({'server': body}))

        def delete():
            self.api.delete_server(server['id'])

        self.record('create-delete', create, delete)
        self._wait_until_deleted(server)

    def test_stop_start_reboot(self):
        server = self.boot()
        self.record(
            'power', self.act(server, 'os-stop'),
            self.act(server, 'os-start'),
            self.act(server, 'reboot', type='HARD'))
        self._wait_for_state_change(server, 'ACTIVE')

    def test_resize(self):
        server = self.boot()
        self.record(
            'resize', self.act(server, 'resize', flavorRef=self.bigger),
            self.act(server, 'confirmResize'))
        self._wait_for_state_change(server, 'ACTIVE')

    def test_resource_periodic(self):
        self.boot()
        context = nova_context.get_admin_context()

        def update():
            manager = self.computes['compute1'].manager
            manager.update_available_resource(context)

        self.record('periodic', update)
