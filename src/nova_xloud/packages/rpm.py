"""RPM packages of a tree: the source RPM nova-xloud, built by rpmbuild in a clean root.

The packages are made of an upstream tarball and patches. The root is a Debian with the rpm and the
Python of the target: Debian's tools alone make no root of another distribution.
"""

from __future__ import annotations

import os
import re
import shutil
import tarfile
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from nova_xloud.ground import root
from nova_xloud.ground.errors import PackageError
from nova_xloud.ground.patches import Patch
from nova_xloud.packages import builds, checkout
from nova_xloud.packages.targets import Target, epoch
from nova_xloud.trees.patched import Tree

SPEC = "nova-xloud.spec"
POLICY = "10-xloud.yaml"

#: Builds the packages as an operator rebuilds a source RPM, and asks rpm for their relations.
_BUILD = f"""\
set -eu
cd /build
topdir="--define=_topdir /build"
rpmbuild "$topdir" -bs SPECS/{SPEC}
rpmbuild "$topdir" --rebuild SRPMS/*.src.rpm
for rpm in RPMS/noarch/{builds.LIBRARY}-[0-9]*.rpm; do
	rpm -qp --provides "$rpm" >provides
	rpm -qp --requires "$rpm" >requires
done
"""
#: Of the Debian packaging, the files that RPMs need too.
SHARED = (
    *("restart-services", "services.sh", "ask-api", "other-servers", "render-notes"),
    *("nova-xloud-settle", "nova-xloud-settle.8"),
)
GUIDE = checkout.DOCS / "operator-rpm.md"
PARTS = (checkout.DEBIAN, checkout.RPM, GUIDE)
NEXT = builds.NEXT_MIRROR


class Sources(NamedTuple):
    """The sources of a source RPM.

    :ivar target: gives its name, its Python, the version that it provides, and the revision
    :ivar version: the version of Nova, e.g. ``29.4.0``
    :ivar date: the date of that release, in seconds since 1970
    :ivar tarball: the upstream tarball
    :ivar patches: the patches of the distribution, then ours
    :ivar packaging: our rpm directory
    :ivar files: more files among the sources, e.g. the operator's guide
    :ivar release: the first part of the packages' release; where a source RPM is the base, the
        first part of its release
    :ivar changelog: the entries of the base's changelog, as a spec has them
    """

    target: Target
    version: str
    date: int
    tarball: Path
    patches: Sequence[Patch]
    packaging: Path
    files: Sequence[Path]
    release: str = "1"
    changelog: str = ""


def related(target: Target, *, refresh: bool) -> Target:
    """Return the target: rpm's generator makes the relations of the metadata."""
    return target


def recipe(target: Target) -> root.Recipe:
    """Return the recipe of the clean root: rpm, Python with tools that build a wheel, a user."""
    return builds.recipe(
        target,
        *("rpm", "patch", "python3-packaging", "python3-pip"),
        *("python3-pbr", "python3-setuptools", "python3-wheel", "python3-yaml"),
    )


def prepare(tree: Tree, target: Target) -> Sources:
    """Gather the sources of a source RPM."""
    base = tree.base
    return Sources(
        target,
        base.version,
        base.date,
        base.tarball,
        tree.patches,
        checkout.RPM,
        [*(checkout.DEBIAN / name for name in SHARED), GUIDE],
        base.release or "1",
        base.changelog,
    )


def build(sources: Sources, room: builds.Room) -> list[Path]:
    """Build the packages, and their source RPM.

    :raises PackageError: if the build fails, or the library has lost a relation
    """
    assemble(sources, room.area)
    room.run(_BUILD, "rpmbuild", "the packages (about a minute)")
    lost = missing_relations(
        (room.area / "provides").read_text(),
        (room.area / "requires").read_text(),
        sources.target,
        sources.version,
        dependencies(sources.tarball),
    )
    if lost:
        raise PackageError(f"the package has lost relations, see {room.log}: {', '.join(lost)}")
    return [*room.area.glob("RPMS/noarch/*.rpm"), *room.area.glob("SRPMS/*.rpm")]


def assemble(material: Sources, area: Path) -> Path:
    """Write the files that rpmbuild wants below a directory; return the spec."""
    target = material.target
    sources, specs = area / "SOURCES", area / "SPECS"
    sources.mkdir(parents=True)
    specs.mkdir()
    date = material.date + builds.REVISION_SECONDS * target.revision
    shutil.copyfile(material.tarball, sources / material.tarball.name)
    packaged = [material.packaging / name for name in (f"{target.name}.macros", POLICY)]
    for each in (*packaged, *material.files):
        shutil.copyfile(each, sources / each.name)
    for patch in material.patches:
        (sources / _flat(patch)).write_bytes(patch.content)
    for source in sources.iterdir():
        os.utime(source, (date, date))
    template = (material.packaging / f"{SPEC}.in").read_text()
    spec = specs / SPEC
    spec.write_text(
        fill_spec(
            template,
            {
                "VERSION": material.version,
                "RELEASE": material.release,
                "REVISION": str(target.revision),
                "TARBALL": material.tarball.name,
                "DIRECTORY": top_of(material.tarball),
                "PROVIDED": target.provides,
                "EPOCH": epoch(target.provides),
                "TARGET": target.name,
                "PATCHES": _patches(material.patches),
                # with its time: our revisions of one release must not have the same date
                "DATE": time.strftime("%a %b %d %H:%M:%S UTC %Y", time.gmtime(date)),
                "CHANGELOG": material.changelog.replace("%", "%%"),
            },
        )
    )
    os.utime(spec, (date, date))
    return spec


def fill_spec(template: str, values: dict[str, str], name: str = f"{SPEC}.in") -> str:
    """Return the spec of its template.

    :param name: of the template, for the error
    :raises PackageError: if the template asks for something else, or not for all of it
    """
    asked = set(re.findall(r"@([A-Z]+)@", template))
    if asked != set(values):
        odd = ", ".join(sorted(asked ^ set(values)))
        raise PackageError(f"{name} and the builder disagree on {odd}")
    return re.sub(r"@([A-Z]+)@", lambda found: values[found[1]], template).rstrip() + "\n"


def top_of(tarball: Path) -> str:
    """Return the directory that all of a tarball is in."""
    with tarfile.open(tarball) as archive:
        member = archive.next()
    if member is None:
        raise PackageError(f"{tarball.name} is empty")
    return member.name.removeprefix("./").partition("/")[0]


def dependencies(sdist: Path) -> list[str]:
    """Return the names of the distributions that a release of Nova depends on, by its metadata.

    :raises PackageError: if it has none
    """
    with tarfile.open(sdist) as archive:
        for member in archive:
            if member.name.endswith("/nova.egg-info/requires.txt"):
                content = archive.extractfile(member)
                text = content.read().decode() if content else ""
                # the first part; extras follow in parts of their own
                return re.findall(r"^([\w.-]+)", text.partition("\n[")[0], re.MULTILINE)
    raise PackageError(f"{sdist.name} does not tell what it depends on")


def missing_relations(
    provides: str, requires: str, target: Target, version: str, needed: Collection[str]
) -> list[str]:
    """Return the relations that the library must have and has not.

    rpm's generator of Python relations may fail, and rpmbuild end well without them.

    :param provides: the capabilities that the package provides, as rpm lists them, a line each
    :param needed: the Python distributions that Nova depends on
    """
    # the generator drops zeros at the end
    short = re.sub(r"(\.0)+$", "", version)
    there = set(provides.splitlines())
    told = [
        f"python3-nova = {target.provides}",
        f"python3dist(nova) = {short}",
        f"python{target.python}dist(nova) = {short}",
    ]
    lost = [f"Provides: {relation}" for relation in told if relation not in there]
    required = {re.split(r"\s", line)[0].lstrip("(") for line in requires.splitlines()}
    for name in needed:
        relation = f"python{target.python}dist({re.sub(r'[-_.]+', '-', name).lower()})"
        if relation not in required:
            lost.append(f"Requires: {relation}")
    if f"python(abi) = {target.python}" not in requires.splitlines():
        lost.append(f"Requires: python(abi) = {target.python}")
    return lost


def _patches(patches: Sequence[Patch]) -> str:
    """Return the lines of a spec that name patches, in the order in which they apply."""
    numbered = ((f"Patch{number}:", _flat(patch)) for number, patch in enumerate(patches, start=1))
    return "\n".join(f"{tag:<16}{name}" for tag, name in numbered)


def _flat(patch: Patch) -> str:
    """Return the name of a patch among the sources, where there are no directories."""
    return patch.name.replace("/", "-")
