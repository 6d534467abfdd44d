"""Debian packages of Python libraries that a target has too old or not at all: by stdeb."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

from nova_xloud.ground import root
from nova_xloud.ground.errors import PackageError

_LOG = logging.getLogger(__name__)

#: More packages of the clean root; stdeb writes packaging that needs fakeroot.
TOOLS = ("fakeroot", "python3-all", "python3-setuptools", "python3-stdeb")
#: Lower than any revision of a distribution: its own package of the version takes over.
REVISION = "0xloud1"
#: A date that changes with nothing: builds are the same bytes.
DATE = "1700000000"


def build(merged: Path, sdists: Sequence[Path], log: Path) -> list[Path]:
    """Build packages in a clean root; return their files in that root.

    :param sdists: files named ``NAME-VERSION.tar.gz``
    :raises PackageError: if one does not build; it names the log
    """
    made = []
    area = merged / "backports"
    area.mkdir()
    for sdist in sdists:
        _LOG.info("building a package of %s (half a minute), log: %s", sdist.name, log)
        shutil.copy(sdist, area)
        version = sdist.name.removesuffix(".tar.gz").rpartition("-")[2]
        failed = root.run_in(
            merged,
            [
                *("sh", "-c", 'cd /backports && exec "$@"', "sh"),
                *("py2dsc-deb", f"--debian-version={REVISION}", f"--dist-dir={sdist.name}.d"),
                *("--maintainer", "nova-xloud developers <nova-xloud@example.org>"),
                sdist.name,
            ],
            log=log,
            environment={
                "DEB_BUILD_OPTIONS": "nocheck",
                "LC_ALL": "C.UTF-8",
                "PBR_VERSION": version,
                "SOURCE_DATE_EPOCH": DATE,
                "TZ": "UTC",
            },
        )
        if failed:
            raise PackageError(f"stdeb ended with {failed} for {sdist.name}: see {log}")
        (package,) = (area / f"{sdist.name}.d").glob("*.deb")
        made.append(package)
    return made
