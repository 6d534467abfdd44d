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

"""When the guests of this host were started.

libvirt does not tell. A nova-compute that was restarted does not know either
when the guests were started that run already. Each of them may be booting
until nova-compute itself has run for as long as a boot may take.
"""

import time

_started = {}
_imported = time.monotonic()

# A guest that was started so many seconds ago boots no more
_FORGOTTEN_AFTER = 3600


def note(uuid):
    """Note that a guest is started now.

    :param uuid: UUID of the guest
    """
    now = time.monotonic()
    for other, since in list(_started.items()):
        if now - since > _FORGOTTEN_AFTER:
            _started.pop(other, None)
    _started[uuid] = now


def may_boot(uuid, seconds):
    """Tell whether a guest may still be booting.

    :param uuid: UUID of the guest
    :param seconds: how long a boot may take
    :returns: True if the guest was started less than so many seconds ago, or
        nobody knows when it was started and this process has not run for so
        long
    """
    since = _started.get(uuid, _imported)
    return time.monotonic() - since < seconds
