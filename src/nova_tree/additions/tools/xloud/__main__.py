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

"""Starts nova-xloud-settle: ``python3 DIRECTORY list``.

The directory needs no installation: it works in a package, in a container
and beside any tree, with whichever Nova the Python can import.
"""

import os
import sys
import warnings

# Before Nova is imported: this process has no use for green threads.
os.environ.setdefault('OS_NOVA_DISABLE_EVENTLET_PATCHING', '1')
# Root runs it, and must leave no files beside the package's.
sys.dont_write_bytecode = True
# Warnings of Nova's libraries are for Nova's developers
if not sys.warnoptions:
    warnings.simplefilter('ignore')

from nova_xloud_settle import cli  # noqa: E402

sys.exit(cli.main(sys.argv[1:]))
