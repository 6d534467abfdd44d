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

import importlib
import sys
import threading
from unittest import mock

import fixtures

from nova import test
from nova import utils
from nova.xloud import worker


class WorkerTestCase(test.NoDBTestCase):

    def test_work_is_done(self):
        done = threading.Event()
        worker.spawn(done.set)
        self.assertTrue(done.wait(timeout=10))

    def setUp(self):
        super().setUp()
        self.addCleanup(importlib.reload, worker)

    def test_novas_own_threads_of_either_release_are_used(self):
        with mock.patch.object(utils, 'spawn', create=True) as spawn:
            importlib.reload(worker)
            self.assertIs(spawn, worker.spawn)
        pool = mock.Mock()
        with mock.patch.dict(
                sys.modules, {'nova.thread_pool_factory': pool}), \
                mock.patch('nova.thread_pool_factory', pool, create=True):
            if hasattr(utils, 'spawn'):
                self.useFixture(
                    fixtures.MonkeyPatch('nova.utils.spawn', None))
                del utils.spawn
            importlib.reload(worker)
            self.assertIs(pool.spawn, worker.spawn)
