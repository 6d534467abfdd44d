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

"""Validators for the extra specs that give a flavor a floor.

That the value suits the flavor is checked in nova.xloud.flavors: a validator
does not see the flavor.
"""

from nova.api.validation.extra_specs import base


EXTRA_SPEC_VALIDATORS = [
    base.ExtraSpecValidator(
        name='minimum_cpu',
        description=(
            'The number of vCPUs that servers of this flavor start with. '
            'They can grow, live, to the vCPUs of the flavor and shrink '
            'again to this number. At most the vCPUs of the flavor. Without '
            'it the number of vCPUs cannot be adjusted. Cannot be combined '
            'with memory encryption that covers the state of the vCPUs, '
            'that is, any model but ``amd-sev``, nor with '
            '``hw:hide_hypervisor_id``. Only supported by the libvirt virt '
            'driver.'
        ),
        value={
            'type': int,
            'min': 1,
            'description': 'The smallest number of vCPUs.',
        },
    ),
    base.ExtraSpecValidator(
        name='minimum_memory',
        description=(
            'The memory in MiB that servers of this flavor start with. They '
            'can grow, live, to the memory of the flavor and shrink again '
            'to this size. At most the memory of the flavor. Without it the '
            'memory cannot be adjusted. Cannot be combined with anything '
            'that pins the memory of the guest: huge pages, locked or '
            'file-backed memory, realtime CPUs, memory encryption, devices '
            'that are passed through. Only supported by the libvirt virt '
            'driver.'
        ),
        value={
            'type': int,
            'min': 1,
            'description': 'The smallest memory in MiB.',
        },
    ),
]


def register():
    return EXTRA_SPEC_VALIDATORS
