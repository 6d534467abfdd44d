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

"""Threads of our own: bounded, named, and apart from Nova's pools.

Builds and live migrations wait for a thread of Nova's pool; an adjust that
waits for a slow guest must not have it. Asks for the ability, not for a
version: nova-compute runs on eventlet or, since 33 (2026.1), on native
threads.
"""

import functools

import futurist
from futurist import rejection
from oslo_context import context as oslo_context

from nova import utils


def make(name, size, backlog=None):
    """Make an executor.

    :param name: for logs
    :param size: most threads at a time
    :param backlog: how many tasks may wait for a thread; None for any number.
        One more raises futurist.RejectedSubmission.
    :returns: futurist.ThreadPoolExecutor, or GreenThreadPoolExecutor where
        nova-compute runs on eventlet
    """
    is_native = getattr(utils, 'concurrency_mode_threading', None)
    kind = (futurist.ThreadPoolExecutor if is_native and is_native()
            else futurist.GreenThreadPoolExecutor)
    options = {}
    if backlog is not None:
        options['check_and_reject'] = rejection.reject_when_reached(backlog)
    executor = kind(max_workers=size, **options)
    executor.name = name
    return executor


def submit(executor, function, *args):
    """Run a function in an executor, with the context for the log.

    :param executor: see :func:`make`
    :param function: callable
    :returns: futurist.Future
    :raises: futurist.RejectedSubmission if too many tasks wait
    """
    context = oslo_context.get_current()

    @functools.wraps(function)
    def in_context():
        if context is not None:
            context.update_store()
        return function(*args)

    return executor.submit(in_context)
