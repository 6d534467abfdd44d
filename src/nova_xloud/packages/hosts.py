"""The version that packages stand in for: by the operator, the table, or a configured archive.

This module does not know how packages are made.
"""

from __future__ import annotations

from nova_xloud.bases.apt import upstream_version
from nova_xloud.ground import archive
from nova_xloud.ground.errors import ProvidesError
from nova_xloud.packages.targets import Target, epoch

_ON_RPM = (
    " There: `rpm -q --changelog python3-nova`. With --source the distribution's own is the base."
)


def asked(target: Target, provides: str | None) -> Target:
    """Return a target that says which version of python3-nova it stands in for.

    A target with a preferred base gets that base where an archive of it is configured: the version
    is then the one that the archive serves.

    :param provides: the operator's word, which goes first
    :raises ProvidesError: if nobody says, or the version does not fit the target's base
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
    elif target.preferred and _is_configured(target.preferred):
        return target._replace(base=target.preferred, relations=())
    elif target.preferred and not target.provides:
        raise ProvidesError(
            f"{target.name} is built from the nova of {target.preferred}, and no archive of it is "
            "configured: name one by --archive. Or build the release: ask a host by "
            "`dpkg-query -W nova-common`, and say the version: `nova-xloud build --provides 3:29.…`"
        )
    else:
        told = target
    if told.provides:
        epoch(told.provides)
        _check_series(told)
    return told


def notice(target: Target) -> str:
    """Return a warning where a release stands in for a distribution's nova; "" otherwise."""
    if target.is_distributions() or not target.stands_in():
        return ""
    return (
        f"the base is the upstream release {target.base}, not the source of {target.provides}. If "
        "the nova of your hosts carries patches of its distribution, these packages lack them, "
        "security patches too: compare the changelog of python3-nova on a host with the release."
        f"{_ON_RPM if target.format == 'rpm' else ''}"
    )


def _is_configured(base: str) -> bool:
    distribution, _, suite = base.partition(":")
    return archive.serves(suite, distribution)


def _check_series(target: Target) -> None:
    """Refuse to stand in for another series of Nova than the base's: their services differ."""
    wanted, base = (
        version.partition(".")[0] for version in (upstream_version(target.provides), target.base)
    )
    if wanted != base:
        raise ProvidesError(
            f"{target.provides} is Nova {wanted}, and {target.name} is built from {target.base}"
        )
