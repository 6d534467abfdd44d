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

"""The parts of nova-compute that adjust servers, put together."""

import functools

from nova.objects import fields
from nova.xloud import accounting
from nova.xloud.compute import endpoint
from nova.xloud.compute import executors
from nova.xloud.compute import looks
from nova.xloud.compute import reconcile
from nova.xloud.compute import running
from nova.xloud.compute import work
from nova.xloud import notifications

# Notifications that wait for a bus that does not take them. One more is lost.
# One thread sends them all: in order, and a bus that hangs holds up no adjust.
_WAITING = 1000


class Host:
    """The part of a compute manager that is ours.

    :ivar running: the memory of this process of adjusts
    :ivar accounting: the sizes that Placement and the tracker hold
    :ivar looks: looks at the guests
    :ivar adjuster: takes on adjusts
    :ivar reconciler: makes records and guests agree again
    :ivar endpoint: answers the RPC namespace
    """

    def __init__(self, name, driver, tracker, reportclient):
        """Put the parts together.

        :param name: name of the host
        :param driver: nova.virt.driver.ComputeDriver
        :param tracker: nova.compute.resource_tracker.ResourceTracker
        :param reportclient:
            nova.scheduler.client.report.SchedulerReportClient
        """
        self.running = running.Running()
        self.accounting = accounting.Accounting(name, tracker, reportclient)
        self.looks = looks.Looks(driver)
        notifier = notifications.Notifier(
            name, fields.NotificationSource.COMPUTE,
            submit=functools.partial(executors.submit, executors.make(
                'xloud notifications', 1, _WAITING)))
        self.adjuster = work.Adjuster(
            name, driver, self.accounting, self.running, notifier)
        self.reconciler = reconcile.Reconciler(
            name, driver, self.looks, self.accounting, self.running, notifier)
        self.endpoint = endpoint.Endpoint(self.looks, self.adjuster)
