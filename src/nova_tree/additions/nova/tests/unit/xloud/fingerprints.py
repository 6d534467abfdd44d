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

"""The fingerprints of our versioned notifications, for Nova's own test.

Nova 31 has added a field to the payload that ours is made from.
"""

from nova.notifications.objects import xloud_adjust

_PAYLOADS = {
    '1.8': '55c0d558f33c60555c025db6d1962c15',
    '1.9': '81c180c345c4228e2096fc2212ce539c',
}


def add_to(fingerprints):
    """Add ours to the fingerprints of the notifications' objects.

    :param fingerprints: dict of object name to version and fingerprint
    """
    version = xloud_adjust.InstanceXloudAdjustPayload.VERSION
    fingerprints.update({
        'InstanceXloudAdjustNotification':
            '1.0-a73147b93b520ff0061865849d3dfa56',
        'InstanceXloudAdjustPayload':
            '%s-%s' % (version, _PAYLOADS[version]),
    })
