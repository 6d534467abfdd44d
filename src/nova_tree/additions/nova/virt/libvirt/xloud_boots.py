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

libvirt does not tell. A nova-compute that was restarted does not know it
either, and takes such a guest for one that has booted.
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
    """Tell whether a guest may have been started less than some time ago.

    :param uuid: UUID of the guest
    :param seconds: the time
    :returns: False when the guest was started earlier; True where that is not
        known, when this process itself has not run for so long
    """
    since = _started.get(uuid, _imported)
    return time.monotonic() - since < seconds


def age(uuid):
    """Tell how many seconds ago a guest was started.

    :param uuid: UUID of the guest
    :returns: seconds; None where that is not known
    """
    since = _started.get(uuid)
    return None if since is None else time.monotonic() - since
