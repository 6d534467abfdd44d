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

import threading
from unittest import mock

import futurist
from oslo_context import context as oslo_context

from nova import test
from nova import utils
from nova.xloud.compute import executors


class ExecutorsTestCase(test.NoDBTestCase):

    def make(self, *args):
        executor = executors.make('name', *args)
        self.addCleanup(executor.shutdown, wait=True)
        return executor

    def test_work_is_done_with_the_context_of_the_log(self):
        context = oslo_context.RequestContext(request_id='req-one')

        def work(figure):
            return figure, oslo_context.get_current().request_id

        self.assertEqual(
            (1, context.request_id),
            executors.submit(self.make(1), work, 1).result())

    def test_without_a_context(self):
        with mock.patch.object(oslo_context, 'get_current',
                               return_value=None):
            future = executors.submit(self.make(1), lambda: 'done')
        self.assertEqual('done', future.result())

    def test_threads_and_waiting_tasks_are_bounded(self):
        executor = self.make(1, 1)
        begun, may_end = threading.Event(), threading.Event()

        def work():
            begun.set()
            may_end.wait(30)

        first = executors.submit(executor, work)
        self.assertTrue(begun.wait(30))
        second = executors.submit(executor, lambda: 'waits')
        self.assertRaises(futurist.RejectedSubmission,
                          executors.submit, executor, lambda: 'too many')
        self.assertFalse(second.done())
        may_end.set()
        first.result()
        self.assertEqual('waits', second.result())

    def test_threads_are_those_of_the_service(self):
        # A process with native threads cannot make the green kind.
        for is_native, kind in ((True, 'ThreadPoolExecutor'),
                                (False, 'GreenThreadPoolExecutor')):
            with mock.patch.object(utils, 'concurrency_mode_threading',
                                   return_value=is_native, create=True), \
                    mock.patch.object(futurist, kind) as made:
                self.assertIs(made.return_value, executors.make('name', 1))
            made.assert_called_once_with(max_workers=1)
