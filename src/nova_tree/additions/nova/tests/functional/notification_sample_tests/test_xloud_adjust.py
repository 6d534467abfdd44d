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

"""The notifications of adjusts are those of the samples in the documents."""

import copy
from unittest import mock

from oslo_serialization import jsonutils

from nova.notifications.objects import xloud_adjust
from nova.tests import fixtures as nova_fixtures
from nova.tests.fixtures import xloud as xloud_fixtures
from nova.tests.functional.notification_sample_tests \
    import notification_sample_base
from nova.xloud import exception


class TestXloudAdjustNotificationSample(
        notification_sample_base.NotificationSampleTestBase):

    def setUp(self):
        # before the compute service starts
        self.useFixture(xloud_fixtures.AdjustableFakeDriver())
        self.flags(bdms_in_notifications='True', group='notifications')
        if 'shares' in xloud_adjust.InstanceXloudAdjustPayload.fields:
            # since 31 (2025.1)
            self.flags(include_share_mapping='True', group='notifications')
        super().setUp()
        self.neutron = self.useFixture(nova_fixtures.NeutronFixture(self))
        self.useFixture(nova_fixtures.CinderFixture(self))
        self.server = self._boot_a_server(
            extra_params={'networks': [{'port': self.neutron.port_1['id']}]},
            additional_extra_specs={
                'minimum_cpu': '1', 'minimum_memory': '512'})
        self.notifier.reset()

    def _boot_a_server(self, **kwargs):
        """Boot a server of a flavor with floors.

        The flavor of the samples has 1 vCPU and 512 MiB; this one is as
        small at its floor, and can grow on the small host of the samples.
        """
        post_flavor = self.api.post_flavor

        def post_larger(body):
            body['flavor'].update(
                vcpus=2, ram=1024, name='elastic_flavor',
                id='c0ffee00-0000-4000-8000-000000000001')
            return post_flavor(body)

        with mock.patch.object(self.api, 'post_flavor', post_larger):
            with mock.patch.object(
                    self, '_pop_and_verify_dest_select_notification'):
                return super()._boot_a_server(**kwargs)

    def _adjust(self, end):
        """Adjust the server; compare its notifications with the samples."""
        response = self.admin_api.api_request(
            '/os-xloud-adjust/%s' % self.server['id'], method='POST',
            body=jsonutils.dumps(
                {'current_vcpus': 2, 'current_memory_mb': 1024}))
        self.assertEqual(202, response.status_code, response.text)
        self._wait_for_notification('instance.xloud_adjust.%s' % end)
        told = [each for each in self.notifier.versioned_notifications
                if each['event_type'].startswith('instance.xloud_adjust.')]
        self.assertEqual(2, len(told), told)
        for phase, notification in zip(('start', end), told):
            self._compare('instance-xloud_adjust-%s' % phase, notification)

    def _compare(self, sample, notification):
        notification = copy.deepcopy(notification)
        payload = notification['payload']
        self.assertEqual(
            xloud_adjust.InstanceXloudAdjustPayload.VERSION,
            payload['nova_object.version'])
        # the samples are those of the later version
        payload['nova_object.version'] = '1.9'
        extra_specs = payload['nova_object.data']['flavor'][
            'nova_object.data']['extra_specs']
        self.assertEqual('disabled', extra_specs.pop('hw:watchdog_action'))
        self._verify_notification(sample, actual=notification, replacements={
            'uuid': self.server['id'],
            'reservation_id': self.server['reservation_id'],
            'flavor.extra_specs': extra_specs,
            # an adjust is an administrator's
            'action_initiator_user': self.ANY,
            'action_initiator_project': self.ANY,
        })

    def test_success(self):
        self._adjust('end')

    def test_failure(self):
        refusal = exception.AdjustIncomplete(
            asked=2, unit='vCPUs', reason='the guest refuses')
        with mock.patch('nova.virt.fake.FakeDriver.set_current_vcpus',
                        side_effect=refusal):
            self._adjust('error')
