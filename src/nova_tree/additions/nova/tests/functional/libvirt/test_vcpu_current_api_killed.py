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

"""nova-api is killed before each of its writes of an adjust.

The host, its periodic task or its restart then ends the adjust, or gives the
server back. All views of the server are compared afterwards.
"""

import collections
import contextlib
import itertools
import threading
from unittest import mock

import fixtures
from oslo_serialization import jsonutils
from sqlalchemy import engine
from sqlalchemy import event

from nova import context as nova_context
from nova import objects
from nova.tests.functional.libvirt import test_vcpu_current
from nova.tests.functional.libvirt import test_vcpu_current_recovery
from nova.xloud.api import adjust
from nova.xloud import intent
from nova.xloud import lifecycle
from nova.xloud import quota
from nova.xloud import rpcapi

Death = test_vcpu_current_recovery.Death

# The moves of the table that nova-api makes; its hosts begin the event.
MOVES = {(row.state, move)
         for row in lifecycle.LIFE if 'nova-api' in row.mover
         for move in row.function.split(', ')} - {('accepted', 'begin_event')}

# what: figures of the request, as AdjustTestBase.adjust() takes them
# moves: the moves that nova-api makes, in their order
# before: the size that the server has at first
# after: the size that it has when nobody was killed
# left: the size that it has when the host was not asked
# meanwhile: the act of another between the first check and the first move
# afterwards: the act that ends that
Case = collections.namedtuple(
    'Case', 'what moves before after left meanwhile afterwards',
    defaults=(lambda: None, lambda: None))

ACCEPTED = (('none', 'take'), ('taken', 'accept'))
REFUSED = ACCEPTED + (('accepted', 'end'),)
NOTHING_LEFT = (('none', 'take'), ('taken', 'give_back'))
REFUSED_THEN = (('none', 'take'), ('taken', 'end'))

SMALL = (1, 1024)
LARGE = (3, 2048)


def state_of(instance):
    """Tell the state of the table in which nova-api finds a server.

    :param instance: nova.objects.Instance
    """
    server = objects.Instance.get_by_uuid(
        nova_context.get_admin_context(), instance.uuid,
        expected_attrs=['system_metadata'])
    if server.task_state is None:
        return 'none'
    return 'taken' if intent.Intent.of(server) is None else 'accepted'


class DeathOfApi(fixtures.Fixture):
    """nova-api dies before one of its writes of an adjust.

    :ivar is_dead: whether it has died
    :ivar done: names of the writes that were done; 'message' to the host is
        one, and 'answer' stands for the receipt of its answer
    :ivar moves: list of (state, function of nova.xloud.lifecycle)
    :ivar others: statements that have changed a database beside these writes
    """

    def setUp(self):
        super().setUp()
        self._local = threading.local()
        self.restart()
        self._wrap(adjust.API, 'adjust', self._adjust)
        self._wrap(rpcapi.XloudAPI, 'adjust', self._send)
        for owner, name in (
                (objects.Instance, 'save'),
                (objects.InstanceAction, 'action_start'),
                (objects.InstanceActionEvent, 'event_start'),
                (objects.InstanceActionEvent, 'event_finish_with_failure')):
            self._wrap(owner, name, self._write)
        for name in {name for _state, name in MOVES}:
            self._wrap(lifecycle, name, self._move)
        watch = (engine.Engine, 'before_cursor_execute', self._watch)
        event.listen(*watch)
        self.addCleanup(event.remove, *watch)

    def restart(self, dies_before=None):
        """Start anew.

        :param dies_before: number of the write that is not done, from 0
        """
        self.is_dead = False
        self.done = []
        self.moves = []
        self.others = []
        self._dies_before = dies_before

    def _wrap(self, owner, name, wrapper):
        function = getattr(owner, name)

        def wrapped(*args, **kwargs):
            return wrapper(name, function, *args, **kwargs)

        self.useFixture(fixtures.MockPatchObject(owner, name, wrapped))

    def _is(self, what):
        return getattr(self._local, what, False)

    @contextlib.contextmanager
    def _being(self, what, value=True):
        before = self._is(what)
        setattr(self._local, what, value)
        try:
            yield
        finally:
            setattr(self._local, what, before)

    def another(self, function):
        """Have another, who does not die, do something."""
        with self._being('is_another'), self._being('adjusts', False):
            function()

    def _adjust(self, name, function, *args, **kwargs):
        if self._is('is_another'):
            return function(*args, **kwargs)
        with self._being('adjusts'):
            return function(*args, **kwargs)

    def _step(self, name):
        if len(self.done) == self._dies_before:
            self.is_dead = True
            raise Death()
        self.done.append(name)

    def _write(self, name, function, *args, **kwargs):
        if not self._is('adjusts'):
            return function(*args, **kwargs)
        self._step(name)
        with self._being('writes'):
            return function(*args, **kwargs)

    def _send(self, name, function, *args, **kwargs):
        if not self._is('adjusts'):
            return function(*args, **kwargs)
        self._step('message')
        function(*args, **kwargs)
        self._step('answer')

    def _move(self, name, function, *args, **kwargs):
        if not self._is('adjusts') or self._is('moves'):
            return function(*args, **kwargs)
        instance, = [each for each in args
                     if isinstance(each, objects.Instance)]
        self.moves.append((state_of(instance), name))
        with self._being('moves'):
            return function(*args, **kwargs)

    def _watch(self, connection, cursor, statement, *args):
        if (self._is('adjusts') and not self._is('writes') and
                statement.split()[0] in ('INSERT', 'UPDATE', 'DELETE')):
            self.others.append(statement)


class ApiKilledTest(test_vcpu_current.AdjustTestBase):
    """nova-api is killed before each of its writes."""

    def setUp(self):
        super().setUp()
        self.server = self.boot()
        # An older adjust, which has ended
        self.adjust(self.server, vcpus=2)
        # The size that other servers hold
        self.others = (0, 0)
        self.death = self.useFixture(DeathOfApi())

    def _post(self, vcpus=None, memory_mb=None, persist=True):
        body = {'current_vcpus': vcpus, 'current_memory_mb': memory_mb,
                'persist': persist}
        try:
            return self.api.api_request(
                '/os-xloud-adjust/%s' % self.server['id'], method='POST',
                body=jsonutils.dumps({
                    key: value for key, value in body.items()
                    if value is not None})).status_code
        except Death:
            return None

    def _actions(self):
        """Return the adjusts with their events, the newest first."""
        return [
            (action['request_id'], self.api.api_get(
                '/servers/%s/os-instance-actions/%s' % (
                    self.server['id'], action['request_id'])
            ).body['instanceAction']['events'])
            for action in self.api.get_instance_actions(self.server['id'])
            if action['action'] == 'xloud_adjust']

    def _wait_for_host(self):
        def find():
            with self.host_of(self.server).manager.xloud.running.hold(
                    self.server['id']) as is_ours:
                self.assertTrue(is_ours)

        self._wait_for_assert(find)

    def _ask(self, case, dies_before):
        """Ask for an adjust of a server that has its size of before."""
        self.adjust(self.server, *case.before)
        self.assertSize(self.server, *case.before)
        self.death.restart(dies_before)
        check = quota.check_growth
        pending = [case.meanwhile]

        def check_growth(*args):
            check(*args)
            while pending:
                self.death.another(pending.pop())

        with mock.patch.object(quota, 'check_growth', check_growth):
            code = self._post(**case.what)
        self._wait_for_host()
        return code

    def _check(self, case, size):
        """Compare all views of the server, and adjust it once more."""
        case.afterwards()
        kept = size if case.what.get('persist', True) else case.before
        held = tuple(map(max, size, kept))
        self.assertSize(
            self.server, *kept, guest=size, kept=kept, held=held)
        self.assertUsed(*map(sum, zip(held, self.others)))
        self.adjust(self.server, memory_mb=1536)

    def _mend(self, case, mends):
        """End the adjust that a dead nova-api has left, and look at it.

        :param mends: function that has the host end it
        """
        done = self.death.done
        instance = self.instance(self.server)
        noted = intent.Intent.of(instance)
        ours = None if noted is None else noted.request_id
        # The host has done the work, and needs no nova-api for its end
        is_done = case.moves == ACCEPTED and 'message' in done
        is_begun = bool(done) and not is_done
        self.assertEqual(is_begun, instance.task_state is not None, done)
        before = self._actions()
        if is_begun:
            self.assertIn(state_of(instance), {
                state for state, _move in MOVES}, done)
            self.death.restart()
            self.assertEqual(409, self._post(**case.what))
            mends()
        actions = self._actions()
        # No older adjust has another event, or another end
        self.assertEqual(
            [each for each in before if each[0] != ours],
            [each for each in actions if each[0] != ours], done)
        self.assertTrue(all(events for _request, events in actions), done)
        for request_id, events in actions:
            self.assertNotIn(
                None, [each['finish_time'] for each in events], done)
            if request_id == ours:
                self.assertEqual(
                    {'Error'}, {each['result'] for each in events}, done)
        self.death.restart()
        self._check(case, case.after if is_done else case.left)

    def _die_before_each_write(self, case, code, mends=None):
        """Ask for an adjust again and again, killed before each write.

        :param code: status of the answer when nobody is killed
        :param mends: function that has the host end a dead adjust
        :returns: the writes
        """
        for number in itertools.count():
            answer = self._ask(case, dies_before=number)
            if not self.death.is_dead:
                break
            self.assertIsNone(answer)
            self._mend(case, mends or self._periodic_task_mends)
        self.assertEqual(code, answer)
        self.assertEqual(list(case.moves), self.death.moves)
        self.assertEqual([], self.death.others)
        writes = self.death.done
        self.death.restart()
        self._check(case, case.after)
        return writes

    def _periodic_task_mends(self):
        # The host does not know whether nova-api is only slow
        self.run_periodics()
        self.assertEqual(
            'xloud_adjusting', self.instance(self.server).task_state)
        self.flags(rpc_response_timeout=0)
        self.run_periodics()
        self.flags(rpc_response_timeout=60)

    def test_no_move_of_the_table_is_missing(self):
        self.assertEqual(MOVES, {*REFUSED, *NOTHING_LEFT, *REFUSED_THEN})

    def test_growth(self):
        self.assertEqual(
            ['save', 'save', 'action_start', 'message', 'answer'],
            self._die_before_each_write(Case(
                {'vcpus': 3, 'memory_mb': 2048}, ACCEPTED, before=SMALL,
                after=LARGE, left=SMALL), 202))

    def test_shrink_without_persist_and_a_restart_of_the_host(self):
        self.assertEqual(5, len(self._die_before_each_write(Case(
            {'vcpus': 1, 'memory_mb': 1024, 'persist': False}, ACCEPTED,
            before=LARGE, after=SMALL, left=LARGE), 202,
            mends=lambda: self.restart_compute_service('one'))))

    def test_host_refuses(self):
        self.others = (6, 2048)
        self.boot(self.create_flavor(*self.others, {}))
        self.assertEqual(
            ['save', 'save', 'action_start', 'message', 'event_start',
             'event_finish_with_failure', 'save'],
            self._die_before_each_write(Case(
                {'vcpus': 4}, REFUSED, before=SMALL, after=SMALL,
                left=SMALL), 409))

    def test_another_adjust_leaves_nothing_to_do(self):
        self.assertEqual(['save', 'save'], self._die_before_each_write(Case(
            {'vcpus': 3, 'memory_mb': 2048}, NOTHING_LEFT, before=SMALL,
            after=LARGE, left=LARGE,
            meanwhile=lambda: self.adjust(self.server, *LARGE)), 202))

    def test_server_is_in_another_state_when_it_is_read_again(self):
        self.assertEqual(['save', 'save'], self._die_before_each_write(Case(
            {'vcpus': 1}, REFUSED_THEN, before=LARGE, after=LARGE,
            left=LARGE,
            meanwhile=lambda: self.act(self.server, 'pause', 'PAUSED'),
            afterwards=lambda: self.act(self.server, 'unpause', 'ACTIVE')),
            409))
