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

"""The names by which nova-xloud's traces in a cloud are known.

These names are stored in databases and in Placement. nova.xloud has them
too, but stock Nova has no nova.xloud.
"""

# Extra specs of a flavor
FLOORS = ('minimum_cpu', 'minimum_memory')
# Extra specs in the copy of a flavor that a request spec holds
_CARRIED = 'xloud:'
# System metadata of a server
_RECORD = 'xloud_'
INTENT = 'xloud_adjusting'

TASK_STATE = 'xloud_adjusting'
ACTION = 'xloud_adjust'
EVENT = 'compute_xloud_adjust'
TRAIT = 'CUSTOM_XLOUD_ADJUST'


def _is_ours(spec):
    return spec in FLOORS or spec.startswith(_CARRIED)


def floors(flavor):
    """Tell the extra specs of nova-xloud in a flavor.

    :param flavor: nova.objects.Flavor, or None
    :returns: dict of name to value
    """
    if flavor is None or 'extra_specs' not in flavor:
        return {}
    return {name: value for name, value in flavor.extra_specs.items()
            if _is_ours(name)}


def without_floors(flavor):
    """Make a copy of a flavor that has no extra specs of nova-xloud.

    :param flavor: nova.objects.Flavor; left as it is
    """
    flavor = flavor.obj_clone()
    if 'extra_specs' in flavor:
        flavor.extra_specs = {
            name: value for name, value in flavor.extra_specs.items()
            if not _is_ours(name)}
    return flavor


def record(instance):
    """Tell the system metadata of nova-xloud that a server has.

    :param instance: nova.objects.Instance
    :returns: dict of name to value
    """
    return {name: value for name, value in instance.system_metadata.items()
            if name.startswith(_RECORD)}
