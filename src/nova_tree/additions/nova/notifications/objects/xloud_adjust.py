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

"""The versioned notification of an adjust.

The payload is that of Nova's server actions, with the sizes.
"""

from nova.notifications.objects import base
from nova.notifications.objects import instance as instance_payload
from nova.objects import base as nova_base
from nova.objects import fields

# Nova 31 (2025.1) has added them to the payload that ours is made from
_HAS_SHARES = 'shares' in instance_payload.InstanceActionPayload.fields


@nova_base.NovaObjectRegistry.register_notification
class InstanceXloudAdjustPayload(instance_payload.InstanceActionPayload):
    # No SCHEMA as all the additional fields are calculated

    # Version 1.8: Initial version. It starts at 1.8 to match with the version
    #              of the InstanceActionPayload that it is a child of: readers
    #              tell by the version which fields of Nova's are there.
    # Version 1.9: Add shares to InstancePayload
    VERSION = '1.9' if _HAS_SHARES else '1.8'
    fields = {
        'old_vcpus': fields.IntegerField(nullable=True),
        'old_memory_mb': fields.IntegerField(nullable=True),
        'asked_vcpus': fields.IntegerField(nullable=True),
        'asked_memory_mb': fields.IntegerField(nullable=True),
        'new_vcpus': fields.IntegerField(),
        'new_memory_mb': fields.IntegerField(),
        'persist': fields.BooleanField(),
    }

    def __init__(self, context, instance, fault, figures):
        """Make the payload of an adjust.

        :param context: nova.context.RequestContext
        :param instance: nova.objects.Instance
        :param fault: ExceptionPayload, None unless the adjust has failed
        :param figures: dict of the fields above, and of the request_id that
            the adjust belongs to
        """
        super().__init__(context=context, instance=instance, fault=fault)
        for name, value in figures.items():
            setattr(self, name, value)


@base.notification_sample('instance-xloud_adjust-start.json')
@base.notification_sample('instance-xloud_adjust-end.json')
@base.notification_sample('instance-xloud_adjust-error.json')
@nova_base.NovaObjectRegistry.register_notification
class InstanceXloudAdjustNotification(base.NotificationBase):
    # Version 1.0: Initial version
    VERSION = '1.0'

    fields = {
        'payload': fields.ObjectField('InstanceXloudAdjustPayload')
    }
