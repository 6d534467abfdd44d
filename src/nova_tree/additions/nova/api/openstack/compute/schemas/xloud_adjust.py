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

"""Schemas of the calls that adjust servers and show their sizes."""

# Neither the bounds nor that there is a value are checked here: the answer
# names the bounds of the server's flavor.
_amount = {
    'type': ['integer', 'string'],
    'pattern': '^[0-9]+\\Z',
    'maxLength': 10,
}

adjust = {
    'type': 'object',
    'properties': {
        'current_vcpus': _amount,
        'current_memory_mb': _amount,
        'persist': {'type': 'boolean'},
    },
    'additionalProperties': False,
}

adjust_response = {
    'type': 'object',
    'properties': {},
    'additionalProperties': False,
}

status_query = {
    'type': 'object',
    'properties': {},
    'additionalProperties': True,
}

_figure = {'type': 'integer', 'minimum': 0}

status_response = {
    'type': 'object',
    'properties': {
        'xloud_status': {
            'type': 'object',
            'properties': {
                'current_vcpus': _figure,
                'current_memory_mb': _figure,
                'min_vcpus': _figure,
                'min_memory_mb': _figure,
                'max_vcpus': _figure,
                'max_memory_mb': _figure,
                'balloon_driver_active': {'type': 'boolean'},
                'attached_dimms_mb': _figure,
                'has_virtiomem': {'type': 'boolean'},
                'guest_online_vcpus': {
                    'type': ['integer', 'null'], 'minimum': 1},
            },
            'required': [
                'current_vcpus',
                'current_memory_mb',
                'min_vcpus',
                'min_memory_mb',
                'max_vcpus',
                'max_memory_mb',
                'balloon_driver_active',
                'attached_dimms_mb',
                'has_virtiomem',
                'guest_online_vcpus',
            ],
            'additionalProperties': False,
        },
    },
    'required': ['xloud_status'],
    'additionalProperties': False,
}
