"""What packages stand in for: told by the operator, the table, or apt on a host of the target's.

Knows how to ask apt, and nothing of how packages are made.
"""

from __future__ import annotations

import re
from pathlib import Path

from nova_xloud.apt import upstream_version
from nova_xloud.commands import answer
from nova_xloud.deb import library_relations
from nova_xloud.errors import ProvidesError
from nova_xloud.rpm import epoch
from nova_xloud.targets import Target

_OS_RELEASE = Path("/etc/os-release")


def asked(target: Target, provides: str | None) -> Target:
    """Return a target that says which version of python3-nova it stands in for.

    :param provides: the operator's word, which goes first
    :raises ProvidesError: if nobody says, or what is said does not fit the target's base
    :raises PackageError: if it is no version
    """
    if target.is_distributions() or not target.stands_in():
        if provides:
            raise ProvidesError(
                f"{target.name} has no version to choose: leave --provides out, it is for "
                "packages of a release that stand in for a distribution's"
            )
        return target
    if provides:
        told = target._replace(provides=provides)
    elif target.provides or not target.host:
        told = target
    else:
        told = _ask_this_host(target)
    if told.provides:
        epoch(told.provides)
        _check_series(told)
    return told


def _ask_this_host(target: Target) -> Target:
    """Return a target with the version and the relations that this host's apt would install."""
    if _codename() != target.host:
        raise ProvidesError(
            f"{target.name} stands in for the python3-nova of a site, which its hosts' apt knows "
            f"({target.host}), and this is no such host. Ask one by `dpkg-query -W nova-common`, "
            "and say it: `nova-xloud build --provides 3:29.…`"
        )
    command = ["apt-cache", "show", "--no-all-versions", "python3-nova"]
    record = answer(command, ProvidesError)
    found = re.search(r"^Version: (.*)$", record, re.MULTILINE)
    if found is None:
        raise ProvidesError("apt has no version of python3-nova: `apt update`, or --provides")
    return target._replace(provides=found[1], relations=tuple(library_relations(record)))


def _codename() -> str:
    """Return what this host's release is called."""
    text = _OS_RELEASE.read_text() if _OS_RELEASE.exists() else ""
    found = re.search(r"^VERSION_CODENAME=\"?(\w+)", text, re.MULTILINE)
    return found[1] if found else ""


def _check_series(target: Target) -> None:
    """Refuse to stand in for another series of Nova than the base's: their services differ."""
    wanted, base = (
        version.partition(".")[0] for version in (upstream_version(target.provides), target.base)
    )
    if wanted != base:
        raise ProvidesError(
            f"{target.provides} is Nova {wanted}, and {target.name} is built from {target.base}"
        )
