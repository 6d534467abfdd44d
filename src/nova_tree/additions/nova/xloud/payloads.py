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

"""The figures of servers with a floor in the payloads of Nova's notifications.

Nova tells the vCPUs and the memory of a server's flavor. Those of a server
with a floor are its current ones: the live size of :mod:`nova.xloud.record`.
A payload about a server without a floor stays as Nova has made it.
"""

from nova.xloud import record as xloud_record
from nova.xloud import size as xloud_size


def tell_current(payload, instance):
    """Have the flavor of a server's payload tell the current figures.

    :param payload: nova.notifications.objects.flavor.FlavorPayload of the
        server
    :param instance: nova.objects.Instance
    """
    if xloud_size.has_floor(instance.flavor):
        payload.vcpus, payload.memory_mb = xloud_record.live(instance)


def tell_current_legacy(info, instance):
    """Have a legacy payload tell the current figures of a server.

    :param info: dict that the payload is made of
    :param instance: nova.objects.Instance
    """
    if xloud_size.has_floor(instance.flavor):
        info.update(xloud_record.live(instance)._asdict())
