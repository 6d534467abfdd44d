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

"""All that we hook on nova-api: on its controllers and on nova.compute.api.

The change files of that side name these functions, and data of ours. A
function here does no work itself: it calls the module that does.
"""

import functools

from nova.xloud.api import conflict
from nova.xloud.api import details
from nova.xloud.api import flavors
from nova.xloud import record


def check_instance_state(function):
    """Decorate nova.compute.api.check_instance_state."""
    return conflict.tells_conflicts(function)


def server_is_made(instance, flavor):
    """End of API._populate_instance_for_create."""
    record.start_at_floor(instance, flavor)


def check_create(flavor, image):
    """Begin of API._checks_for_create_and_rebuild."""
    flavors.check_create(flavor, image)


def check_resize(instance, flavor, same_flavor):
    """In API.resize, when the new flavor is known."""
    flavors.check_resize(instance, flavor, same_flavor)


def check_specs(flavor, specs):
    """In FlavorExtraSpecsController.create and .update."""
    flavors.check_specs(flavor, specs)


def held_at_create(flavor, image):
    """In API._provision_instances, before it checks quota."""
    return flavors.held_at_create(flavor, image)


def held(instance, flavor):
    """Where API checks the quota of a server that exists."""
    return flavors.held(instance, flavor)


def held_size(instance):
    """In API._check_quota_unshelve_offloaded."""
    return record.held_with(instance, instance.flavor)


def check_num_instances_quota(function):
    """Decorate nova.compute.utils.check_num_instances_quota."""
    @functools.wraps(function)
    def wrapper(context, flavor, *args, **kwargs):
        return function(context, flavors.at_floor(flavor), *args, **kwargs)
    return wrapper


def show_details(shown, req, context, instance, action):
    """In InstanceActionsController.show, before it reads the events.

    :param shown: whether Nova shows the details of the events
    """
    return shown or details.may_see(req, context, instance, action)
