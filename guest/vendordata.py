#!/usr/bin/env python3
"""Print Nova's static vendor data: a script for cloud-init that puts the udev rules into a guest.

usage: vendordata.py RULES APPLY

RULES is the file of the rules, APPLY the script that has a running guest follow them. The vendor
data is a script and no "#cloud-config": keys of a user's own cloud-config would replace its keys.
"""

import json
import sys
from pathlib import Path

SCRIPT = """\
#!/bin/sh
# Vendor data of the cloud: the guest uses a vCPU, or memory, that the cloud adds while it runs.
# cloud-init runs this script once for each server. A guest without udev is left as it is, and so is
# a guest that has the package xloud-guest.
set -eu
command -v udevadm >/dev/null || exit 0
[ ! -e /usr/lib/udev/rules.d/{name} ] || exit 0
mkdir -p /etc/udev/rules.d
cat >/etc/udev/rules.d/{name} <<'END_OF_RULES'
{rules}END_OF_RULES
{apply}"""


def render(rules: Path, apply: Path) -> str:
    """Return the text of the JSON file."""
    _, _, commands = apply.read_text().partition("\n")  # without the line that names the shell
    script = SCRIPT.format(name=rules.name, rules=rules.read_text(), apply=commands)
    return json.dumps({"cloud-init": script}, indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render(*map(Path, sys.argv[1:])))
