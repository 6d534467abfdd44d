"""RPM packages of a companion: its source RPM, built by rpmbuild in a clean root."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from nova_xloud.ground import root
from nova_xloud.packages import builds, checkout, companions, rpm
from nova_xloud.packages.companions import Companion, Entry
from nova_xloud.packages.targets import Target

#: rpm's generator of Python relations may fail without rpmbuild failing.
_BUILD = """\
set -eu
cd /build
topdir="--define=_topdir /build"
rpmbuild "$topdir" -bs SPECS/*.spec
rpmbuild "$topdir" --rebuild SRPMS/*.src.rpm
for rpm in RPMS/noarch/*.rpm; do
	rpm -qpl "$rpm" >files
	grep -q '\\.dist-info/METADATA$' files || continue
	rpm -qp --provides "$rpm" >provides
	grep -q '^python3dist(' provides || { echo "$rpm has lost its Python relations"; exit 1; }
done
"""


def recipe(companion: Companion, target: Target) -> root.Recipe:
    """Return the recipe of the clean root: rpm, Python with tools that build a wheel, others."""
    named = target._replace(name=f"{companion.name}-{target.suite}")
    tools = {*rpm.recipe(target).packages, *companion.rpm_tools}
    return builds.recipe(named, *sorted(tools))


def build(companion: Companion, target: Target, room: builds.Room) -> list[Path]:
    """Build the packages, and their source RPM.

    :param target: the target of Nova's packages
    :raises PackageError: if the build fails
    """
    assemble(companion, target, room.area)
    room.run(_BUILD, "rpmbuild", "the packages (half a minute)")
    return [*room.area.glob("RPMS/noarch/*.rpm"), *room.area.glob("SRPMS/*.rpm")]


def assemble(companion: Companion, target: Target, area: Path) -> Path:
    """Write the files that rpmbuild wants below a directory; return the spec."""
    entries = companions.changelog(companion)
    newest = entries[0]
    sources, specs = area / "SOURCES", area / "SPECS"
    sources.mkdir(parents=True)
    specs.mkdir()
    tarball = sources / f"{newest.source}-{newest.version}.tar.gz"
    tarball.write_bytes(companions.upstream(companion))
    macros = f"{target.name}.macros"
    shutil.copyfile(checkout.RPM / macros, sources / macros)
    template = companion.directory / f"rpm/{newest.source}.spec.in"
    values = {
        "VERSION": newest.version,
        "RELEASE": newest.revision,
        "TARGET": target.name,
        "CHANGELOG": changelog(entries),
    }
    spec = specs / f"{newest.source}.spec"
    spec.write_text(rpm.fill_spec(template.read_text(), values, template.name))
    for file in (tarball, sources / macros, spec):
        os.utime(file, (newest.date, newest.date))
    return spec


def changelog(entries: Iterable[Entry]) -> str:
    """Return the entries of a changelog as a spec has them."""
    return "\n\n".join(_entry(each) for each in entries)


def _entry(entry: Entry) -> str:
    date = time.strftime("%a %b %d %H:%M:%S UTC %Y", time.gmtime(entry.date))
    head = f"* {date} {entry.author} - {entry.version}-{entry.revision}"
    return "\n".join([head, *(f"- {each}" for each in entry.changes)]).replace("%", "%%")
