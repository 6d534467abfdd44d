"""Print the spec of an RPM without files that stands for the platform below Nova.

It provides the packages that this Debian has under other package managers, at the same versions:
the programs of an EL 9, and each Python distribution that is installed.
"""

import importlib.metadata
import re

PROVIDED = (
    *("/bin/sh", "/usr/bin/sh", "/usr/bin/python3.9", "python(abi) = 3.9", "systemd = 252"),
    *("openssh", "openssl", "python3-memcached", "shadow-utils", "sudo"),
    # asked by dnf for the release that it is on
    *("system-release = 9", "system-release(releasever) = 9"),
)


def main() -> None:
    """Print it."""
    print("Name: platform-el9\nVersion: 9\nRelease: 1\nSummary: What is there\nLicense: none")
    print("BuildArch: noarch\nAutoReqProv: no")
    for relation in [*PROVIDED, *sorted(distributions())]:
        print(f"Provides: {relation}")
    print("%description\n%{summary}.\n%files")


def distributions() -> "set[str]":
    """Return the relations that name the Python distributions, as EL 9 writes them."""
    relations = set()
    for each in importlib.metadata.distributions():
        name = re.sub(r"[-_.]+", "-", each.metadata["Name"]).lower()
        # zeros at the end are dropped, and a local version is not told
        version = re.sub(r"(\.0)+$", "", each.version.partition("+")[0])
        if re.fullmatch(r"[0-9.]+", version):
            relations.add(f"python3.9dist({name}) = {version}")
    return relations


main()
