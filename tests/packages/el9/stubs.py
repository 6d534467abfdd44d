"""Stubs of the packages below Nova on an EL 9 host, for hosts on which no Nova runs."""

from __future__ import annotations

import re
from pathlib import Path

from nova_xloud.ground.commands import answer
from nova_xloud.ground.errors import PackageError


def platform(*packages: Path) -> str:
    """Return the spec of a package without files that has all that ours want beside Nova."""
    provided = {"system-release = 9", "system-release(releasever) = 9", "/bin/sh", "/usr/bin/sh"}
    for line in answer(["rpm", "-qp", "--requires", *packages], PackageError).splitlines():
        if re.match(r"rpmlib|config\(|\(?openstack-nova", line):
            continue
        name, _, minimum = line.lstrip("(").partition(" >= ")
        # an alternative, of which the last part has the minimum; else one that leaves versions out
        if line.startswith("("):
            name = name.split()[0]
            minimum = (re.findall(r">= ([\d.]+)", line) or ["99"])[0]
        provided.add(f"{name} = {minimum}" if minimum else name)
    head = "Name: platform-el9\nVersion: 9\nRelease: 1\nSummary: What is there\nLicense: none\n"
    told = "\n".join(f"Provides: {each}" for each in sorted(provided))
    return f"{head}BuildArch: noarch\nAutoReqProv: no\n{told}\n%description\nNone.\n%files\n"
