"""Debian packages of a companion: its source package, built by debhelper in a clean root."""

from __future__ import annotations

import re
import shutil
import tarfile
from pathlib import Path

from nova_xloud.ground import root
from nova_xloud.packages import builds, companions, deb
from nova_xloud.packages.companions import Companion
from nova_xloud.packages.targets import Target


def recipe(companion: Companion, target: Target) -> root.Recipe:
    """Return the recipe of the clean root: the companion's build dependencies."""
    needed = deb.build_dependencies((companion.directory / "debian/control").read_text())
    named = target._replace(name=f"{companion.name}-{target.suite}")
    return builds.recipe(named, "build-essential", *needed)


def build(companion: Companion, target: Target, room: builds.Room) -> list[Path]:
    """Build the packages, and their source package.

    :param target: the target of Nova's packages, which is told behind the version
    :raises PackageError: if the build fails
    """
    source = assemble(companion, target, room.area)
    script = f"cd /build/{source.name} && exec dpkg-buildpackage -us -uc -sa"
    room.run(script, "dpkg-buildpackage", "the packages (half a minute)")
    return deb.listed(room.area)


def assemble(companion: Companion, target: Target, area: Path) -> Path:
    """Write the unpacked source package and its orig tarball below a directory.

    :returns: the source directory
    """
    entry = companions.changelog(companion)[0]
    orig = area / f"{entry.source}_{entry.version}.orig.tar.gz"
    orig.write_bytes(companions.upstream(companion))
    with tarfile.open(orig) as archive:
        archive.extractall(area, filter="data")
    source = area / f"{entry.source}-{entry.version}"
    packaging = companion.directory / "debian"
    for file in companions.files(packaging):
        place = source / "debian" / file.relative_to(packaging)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
        place.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)
    told = (packaging / "changelog").read_text()
    (source / "debian/changelog").write_text(for_target(told, target))
    return source


def for_target(changelog: str, target: Target) -> str:
    r"""Return a changelog whose first version names the target that it is built for.

    So two builds of one version have two versions, and that of a later Debian is the higher one.

    >>> from nova_xloud.packages import targets
    >>> for_target("a (1.0-1) unstable; urgency=low\n", targets.get("debian-13"))
    'a (1.0-1+debian13) trixie; urgency=low\n'
    """
    suffix = target.name.replace("-", "")
    return re.sub(
        r"\A(\S+ \([^)]*)\) [^;]*;",
        lambda found: f"{found[1]}+{suffix}) {target.repository};",
        changelog,
    )
