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


"""A hard reboot that is asked for while another one waits for its host.

``make test-nova`` runs this on unmodified Nova too, and compares: Nova itself
loses the second reboot. This imports nothing of ours.
"""

import itertools
import threading

import fixtures

from nova.compute import manager
from nova.tests.functional.libvirt import base
from nova.tests.functional import xloud_pristine


class QueuedRebootsMixin(object):
    """Reboots a server twice; casts must not be calls."""

    CAST_AS_CALL = False

    def reboot_twice(self, server, between=None):
        """Ask for a hard reboot before the host has begun another one.

        :param server: dict of the server
        :param between: function that is called when the first reboot has
            ended, and before the second one begins
        :returns: list of the results of both, the first one first
        """
        known = len(self.api.get_instance_actions(server['id']))
        has_come = threading.Event()
        may_go_on = threading.Event()
        self.addCleanup(may_go_on.set)
        numbers = itertools.count()
        reboot = manager.ComputeManager._reboot_instance

        def wait_and_reboot(*args, **kwargs):
            if next(numbers) == 0:
                has_come.set()
                may_go_on.wait(60)
            elif between is not None:
                between()
            return reboot(*args, **kwargs)

        with fixtures.MonkeyPatch(
                'nova.compute.manager.ComputeManager._reboot_instance',
                wait_and_reboot):
            self._ask(server)
            self.assertTrue(has_come.wait(60))
            self._ask(server)
            may_go_on.set()
            self._wait_for_assert(lambda: self._results(server, known))
        return self._results(server, known)

    def _ask(self, server):
        self.api.post_server_action(
            server['id'], {'reboot': {'type': 'HARD'}})

    def _results(self, server, known):
        """Return the results of the actions that came after the known ones."""
        actions = self.api.get_instance_actions(server['id'])
        results = []
        for action in reversed(actions[:len(actions) - known]):
            if action['action'] == 'reboot':
                results += [event['result'] for event in self.api.api_get(
                    '/servers/%s/os-instance-actions/%s' % (
                        server['id'], action['request_id'])
                ).body['instanceAction']['events']]
        self.assertEqual(2, len(results))
        self.assertNotIn(None, results)
        return results


class QueuedRebootsTest(QueuedRebootsMixin, base.ServersTestBase):

    ADMIN_API = True
    microversion = 'latest'

    def test_second_reboot_is_lost(self):
        self.start_compute()
        server = self._create_server(networks='none')
        results = self.reboot_twice(server)
        self.assertEqual(['Success', 'Error'], results)
        server = self.api.get_server(server['id'])
        state = (server['status'], server['OS-EXT-STS:task_state'])
        self.assertEqual(('ACTIVE', None), state)
        notes = xloud_pristine.Notes()
        for each in (*results, *state):
            notes.add(str(each))
        notes.save('queued-reboots')
