"""RPM packages of a tree: the source RPM nova-xloud, built by rpmbuild in a clean root.

Takes an upstream tarball and patches; never asks how they came to be. The root is a Debian
with the rpm and the Python of the target: there are no others to be had by Debian's tools alone.
"""

from __future__ import annotations

import logging
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
from nova_xloud.packages import builds
from nova_xloud.packages.targets import Target

_LOG = logging.getLogger(__name__)

SPEC = "nova-xloud.spec"
POLICY = "10-xloud.yaml"
LIBRARY = "python3-nova-xloud"

_EVR = re.compile(r"(?:(?P<epoch>\d+):)?(?P<version>[\w.+~^]+)-(?P<release>[\w.+~^]+)")
#: Builds as an operator would rebuild the source RPM, and asks rpm what came of it.
_BUILD = f"""\
set -eu
cd /build
topdir="--define=_topdir /build"
rpmbuild "$topdir" -bs SPECS/{SPEC}
rpmbuild "$topdir" --rebuild SRPMS/*.src.rpm
for rpm in RPMS/noarch/{LIBRARY}-[0-9]*.rpm; do
	rpm -qp --provides "$rpm" >provides
	rpm -qp --requires "$rpm" >requires
done
"""


class Material(NamedTuple):
    """What a source RPM is made of.

    :ivar version: Nova's, e.g. ``29.4.0``
    :ivar date: when it was released, in seconds since 1970
    :ivar sdist: its upstream tarball
    :ivar patches: the distribution's, then ours
    :ivar packaging: our rpm directory
    :ivar sources: more files for it, e.g. the operator's guide
    :ivar directory: the directory that all of the tarball is in
    :ivar release: the first part of the packages' release; the distribution's own where its source
        RPM is the base
    :ivar changelog: the entries of the base's changelog, as a spec has them
    """

    version: str
    date: int
    sdist: Path
    patches: Sequence[Patch]
    packaging: Path
    sources: Sequence[Path]
    directory: str
    release: str = "1"
    changelog: str = ""


def build(target: Target, material: Material, revision: int, dist: Path, inputs: str) -> list[Path]:
    """Build the packages of a target into ``dist/TARGET``, which is replaced as a whole.

    :param revision: N of ``+xloudN``
    :param inputs: told by ``builds.intact`` when asked for the same; a digest of all that goes in
    :returns: the files, sorted
    :raises PackageError: if the build fails, or has lost a relation; it names the log
    """
    with (
        builds.replacing(target, dist, inputs, material.version) as work,
        root.overlay([root.make(recipe(target))], work / "overlay") as merged,
    ):
        area = merged / "build"
        assemble(target, material, revision, area)
        root.give_to_builder(merged, area)
        log = dist / f"{target.name}.log"
        _LOG.info("%s: building the packages (about a minute), log: %s", target.name, log)
        _rpmbuild(merged, log)
        lost = missing_relations(
            (area / "provides").read_text(),
            (area / "requires").read_text(),
            target,
            material.version,
            dependencies(material.sdist),
        )
        if lost:
            raise PackageError(f"the package has lost relations, see {log}: {', '.join(lost)}")
        for made in [*area.glob("RPMS/noarch/*.rpm"), *area.glob("SRPMS/*.rpm")]:
            shutil.copyfile(made, work / "out" / made.name)
    return builds.built(target, dist)


def recipe(target: Target) -> root.Recipe:
    """Return what the clean root is made of: rpm, Python with what builds a wheel, a user."""
    return root.Recipe(
        name=f"{target.name}-build",
        suite=target.suite,
        packages=(
            *("rpm", "patch", "python3-packaging", "python3-pip"),
            *("python3-pbr", "python3-setuptools", "python3-wheel", "python3-yaml"),
        ),
        hooks=(f'--customize-hook=chroot "$1" useradd --create-home {root.BUILDER}',),
    )


def assemble(target: Target, material: Material, revision: int, area: Path) -> Path:
    """Write what rpmbuild wants to have below a directory; return the spec."""
    sources, specs = area / "SOURCES", area / "SPECS"
    sources.mkdir(parents=True)
    specs.mkdir()
    date = material.date + builds.REVISION_SECONDS * revision
    shutil.copyfile(material.sdist, sources / material.sdist.name)
    packaged = [material.packaging / name for name in (f"{target.name}.macros", POLICY)]
    for each in (*packaged, *material.sources):
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
                "REVISION": str(revision),
                "TARBALL": material.sdist.name,
                "DIRECTORY": material.directory,
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


def fill_spec(template: str, values: dict[str, str]) -> str:
    """Return the spec of its template.

    :raises PackageError: if the template asks for something else, or not for all of it
    """
    asked = set(re.findall(r"@([A-Z]+)@", template))
    if asked != set(values):
        odd = ", ".join(sorted(asked ^ set(values)))
        raise PackageError(f"{SPEC}.in and the builder disagree on {odd}")
    return re.sub(r"@([A-Z]+)@", lambda found: values[found[1]], template).rstrip() + "\n"


def epoch(provided: str) -> str:
    """Return the epoch of a version of the distribution's python3-nova.

    >>> epoch("1:29.2.0-1.el9")
    '1'

    :raises PackageError: if that is no EPOCH:VERSION-RELEASE
    """
    found = _EVR.fullmatch(provided)
    if found is None:
        raise PackageError(f"{provided} is no version of a package: EPOCH:VERSION-RELEASE")
    return found["epoch"] or "0"


def dependencies(sdist: Path) -> list[str]:
    """Return the names of what a release of Nova depends on, by its own metadata.

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

    :param provides: what rpm says the package provides, a line each
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


def _rpmbuild(merged: Path, log: Path) -> None:
    log.write_text("")
    failed = root.run_in(
        merged,
        ["sh", "-c", _BUILD],
        log=log,
        user=root.BUILDER,
        environment={"LC_ALL": "C.UTF-8", "TZ": "UTC"},
    )
    if failed:
        raise PackageError(f"rpmbuild ended with {failed}: see {log}")
