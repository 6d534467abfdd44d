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

"""Takes notes of a test, for a comparison with unmodified Nova.

The tests that use it, and this file, run on unmodified Nova too: they import
nothing of ours.
"""

import os
import re

from oslo_serialization import jsonutils

_UUID = re.compile(
    '[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}')


def anonymous(value):
    """Return the data of JSON, with one name for all UUIDs, in one order."""
    if isinstance(value, dict):
        pairs = [[anonymous(key), anonymous(each)]
                 for key, each in value.items()]
        return sorted(pairs, key=repr)
    if isinstance(value, list):
        return [anonymous(each) for each in value]
    return _UUID.sub('UUID', value) if isinstance(value, str) else value


class Notes(object):
    """Lines of text without the values that differ from run to run."""

    def __init__(self):
        self.lines = []
        self._names = []

    def add(self, line):
        """Take down a line."""
        for pattern, name in self._names:
            line = re.sub(pattern, name, line)
        self.lines.append(anonymous(line))

    def rename(self, pattern, name):
        """Write a name for matches of a regular expression from now on."""
        self._names.append((pattern, name))

    def save(self, name):
        """Write the lines where the environment says, if it does.

        :param name: the name of the lines; part of the file's name
        """
        directory = os.environ.get('NOVA_XLOUD_NOTES')
        if directory:
            with open(os.path.join(directory, name + '.json'), 'w') as out:
                jsonutils.dump(self.lines, out, indent=1)
