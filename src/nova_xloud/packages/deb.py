"""Debian packages of a tree: the source package nova-xloud, built by debhelper in a clean root.

Takes the distribution's own source package and our patches; never asks how they came to be.
"""

from __future__ import annotations

import contextlib
import email.utils
import logging
import re
import shutil
import tarfile
import tempfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from nova_xloud.bases import binary
from nova_xloud.bases.apt import upstream_version
from nova_xloud.ground import root
from nova_xloud.ground.commands import answer
from nova_xloud.ground.errors import PackageError, UnlikeError
from nova_xloud.ground.patches import Patch
from nova_xloud.packages import backports, builds
from nova_xloud.packages.targets import Target
from nova_xloud.trees.comparison import compare

_LOG = logging.getLogger(__name__)

SOURCE = "nova-xloud"
_BASE = "nova"
LIBRARY = "python3-nova-xloud"

_CHANGELOG = """\
{source} ({version}) {suite}; urgency=medium

  * Nova {upstream} in the place of {provided}
    with live vertical resize between a flavor's floor and its size.

 -- {maintainer}  {date}
"""


class Material(NamedTuple):
    """The parts of a source package.

    :ivar provided: the version of the nova that the packages stand in for, with epoch
    :ivar upstream: that of the tree, which may be a later point release
    :ivar date: when its source was made, in seconds since 1970
    :ivar orig: its upstream tarball
    :ivar debian: the distribution's packaging of it, ``*.debian.tar.*``; None: pure upstream
    :ivar patches: in their order, applied after the distribution's series
    :ivar added: the paths of our own files in the tree
    :ivar record: the archive's paragraph about the library that the packages stand in for
    :ivar library: the distribution's binary package of it, to compare with; None: there is none
    :ivar packaging: our debian directory
    :ivar documents: more files for it, e.g. the operator's guide
    :ivar backports: sdists of libraries that the target lacks
    """

    provided: str
    upstream: str
    date: float
    orig: Path
    debian: Path | None
    patches: Sequence[Patch]
    added: Collection[str]
    record: str
    library: Path | None
    packaging: Path
    documents: Sequence[Path]
    backports: Sequence[Path] = ()


def package_version(provided: str, upstream: str, revision: int) -> str:
    """Return the version of our packages: the one they replace, and our revision.

    Where the tree is another point release than what they replace, it is that release's: lower than
    any of the distribution's own packages of it, and higher when what they replace is.

    >>> package_version("2:31.0.0-6", "31.0.0", 1)
    '2:31.0.0-6+xloud1'
    >>> package_version("3:29.2.0-0ubuntu1", "29.4.0", 1)
    '3:29.4.0-0~29.2.0+0ubuntu1+xloud1'
    """
    if upstream_version(provided) == upstream:
        return f"{provided}+xloud{revision}"
    epoch, colon, replaced = provided.rpartition(":")
    return f"{epoch}{colon}{upstream}-0~{replaced.replace('-', '+')}+xloud{revision}"


def build(target: Target, material: Material, revision: int, dist: Path, inputs: str) -> list[Path]:
    """Build the packages of a target into ``dist/TARGET``, which is replaced as a whole.

    :param revision: N of ``+xloudN``
    :param inputs: told by ``builds.intact`` when asked for the same; a digest of all that goes in
    :returns: the files, sorted
    :raises PackageError: if the build fails; it names the log
    :raises UnlikeError: if the library differs from the distribution's in more than our lines
    """
    base = material.provided if target.is_distributions() else target.base
    with builds.replacing(target, dist, inputs, base) as work:
        clean = root.make(recipe(target, material.packaging))
        with root.overlay([clean], work / "overlay") as merged:
            area = merged / "build"
            area.mkdir()
            stock = target.relations or library_relations(material.record)
            relations = newer_relations(stock, target.depends)
            source = assemble(target, material, revision, relations, area)
            root.give_to_builder(merged, area)
            log = dist / f"{target.name}.log"
            _LOG.info("%s: building the packages (about a minute), log: %s", target.name, log)
            _dpkg_buildpackage(merged, source, log)
            _collect(area, work / "out")
            _compare(target, material, work / "out")
            backports.build(merged, material.backports, work / "out", log)
    return builds.built(target, dist)


def assemble(
    target: Target, material: Material, revision: int, relations: Sequence[str], area: Path
) -> Path:
    """Write the unpacked source package and its orig tarball below a directory.

    :param relations: what the distribution's python3-nova depends on
    :returns: the source directory, its patches not applied
    """
    upstream = material.upstream
    source = area / f"{SOURCE}-{upstream}"
    source.mkdir()
    kind = material.orig.name.partition(".tar.")[2]
    orig = area / f"{SOURCE}_{upstream}.orig.tar.{kind}"
    shutil.copyfile(material.orig, orig)
    # a colon in a path is of no other host
    unpack = ["tar", "--force-local", "--strip-components=1"]
    answer([*unpack, "-C", source, "-xf", orig], PackageError, places=[source])
    ours = source / "debian"
    shutil.rmtree(ours, ignore_errors=True)
    shutil.copytree(material.packaging, ours, ignore=shutil.ignore_patterns("*.in"))
    for document in material.documents:
        shutil.copy(document, ours)
    with _distribution(material.debian) as theirs:
        _write_patches(theirs / "patches", material.patches, ours / "patches")
        older = _base_changelog(theirs / "changelog", material)
    control = (material.packaging / "control.in").read_text()
    (ours / "control").write_text(fill_control(control, material.provided, relations))
    (ours / "changelog").write_text(changelog(target, material, revision, control, older))
    return source


def library_relations(record: str) -> list[str]:
    r"""Return the relations of the distribution's python3-nova.

    :param record: the archive's paragraph about it

    >>> library_relations("Version: 2\nDepends: a (>= 1), b\nSection: x")
    ['a (>= 1)', 'b']
    """
    found = re.search(r"^Depends: (.*)$", record, re.MULTILINE)
    if found is None:
        raise PackageError("the archive's record of python3-nova has no Depends")
    return found[1].split(", ")


def newer_relations(stock: Sequence[str], newer: Sequence[str]) -> list[str]:
    """Return relations with some replaced, or added, by others on the same packages.

    >>> newer_relations(["a (>= 1)", "b"], ["a (>= 2)", "c"])
    ['b', 'a (>= 2)', 'c']
    """
    names = {relation.split()[0] for relation in newer}
    return [*(each for each in stock if each.split()[0] not in names), *newer]


def fill_control(template: str, provided: str, relations: Sequence[str]) -> str:
    """Return debian/control of its template."""
    depends = "\n".join(f" {relation}," for relation in relations)
    return template.replace("@PROVIDED@", provided).replace("@DEPENDS@", depends)


def changelog(
    target: Target, material: Material, revision: int, control: str, older: str = ""
) -> str:
    """Return debian/changelog: our entry, the same for the same input, above the base's entries.

    The entries of the base name the CVEs that it has mended.

    A revision adds an hour to the date of the source, so that no two revisions give a changed file
    the same date: byte code is kept by it, and so is stevedore's cache of entry points, which
    rounds it to 128 s.
    """
    maintainer = re.search(r"^Maintainer: (.*)$", control, re.MULTILINE)
    if maintainer is None:
        raise PackageError("debian/control.in has no Maintainer")
    entry = _CHANGELOG.format(
        source=SOURCE,
        version=package_version(material.provided, material.upstream, revision),
        suite=target.repository,
        upstream=material.upstream,
        provided=material.provided,
        maintainer=maintainer[1],
        date=email.utils.formatdate(material.date + builds.REVISION_SECONDS * revision),
    )
    return f"{entry}\n{older}" if older else entry


def _base_changelog(served: Path, material: Material) -> str:
    """Return the changelog of the distribution's package of the provided version.

    :param served: that of the source which the archive serves; it may be of an older version
    :returns: "" for a base that is no package of the distribution's
    """
    text = served.read_text() if served.exists() else ""
    if material.library is None or text.startswith(f"{_BASE} ({material.provided})"):
        return text
    return binary.read(material.library).changelog


def build_dependencies(control: str) -> list[str]:
    """Return the names in the first Build-Depends of a debian/control."""
    found = re.search(r"^Build-Depends:((?:.*\n)(?:[ \t].*\n)*)", control, re.MULTILINE)
    if found is None:
        raise PackageError("debian/control.in has no Build-Depends")
    names = [re.split(r"[\s(]", each.strip())[0] for each in found[1].split(",") if each.strip()]
    # a virtual package, which mmdebstrap cannot be asked for with its version
    return ["debhelper" if name == "debhelper-compat" else name for name in names]


def recipe(target: Target, packaging: Path) -> root.Recipe:
    """Return the recipe of the clean root: the build dependencies, and a user to build."""
    needed = build_dependencies((packaging / "control.in").read_text())
    return root.Recipe(
        name=f"{target.name}-build",
        suite=target.suite,
        packages=("build-essential", *needed, *(backports.TOOLS if target.backports else ())),
        hooks=(f'--customize-hook=chroot "$1" useradd --create-home {root.BUILDER}',),
    )


@contextlib.contextmanager
def _distribution(packaging: Path | None) -> Iterator[Path]:
    """Unpack the distribution's packaging for a moment; yield its debian directory."""
    with tempfile.TemporaryDirectory() as scratch:
        if packaging:
            with tarfile.open(packaging) as tar:
                tar.extractall(scratch, filter="data")
        yield Path(scratch) / "debian"


def _compare(target: Target, material: Material, out: Path) -> None:
    """Make sure that the library is the distribution's, apart from our lines."""
    if material.library is None:
        return
    (ours,) = out.glob(f"{LIBRARY}_*.deb")
    if wrong := compare(ours, material.library, material.added):
        raise UnlikeError(target.name, material.provided, wrong)


def _write_patches(theirs: Path, ours: Sequence[Patch], patches: Path) -> None:
    """Write debian/patches: the distribution's series, then ours."""
    patches.mkdir()
    series = []
    if (theirs / "series").exists():
        lines = (theirs / "series").read_text().splitlines()
        series = [line.split()[0] for line in lines if line.strip() and line[0] != "#"]
    for name in series:
        (patches / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(theirs / name, patches / name)
    for patch in ours:
        (patches / patch.name).parent.mkdir(parents=True, exist_ok=True)
        (patches / patch.name).write_bytes(patch.content)
    names = [*series, *(patch.name for patch in ours)]
    (patches / "series").write_text("".join(f"{name}\n" for name in names))


def _dpkg_buildpackage(merged: Path, source: Path, log: Path) -> None:
    log.write_text("")
    failed = root.run_in(
        merged,
        ["sh", "-c", f"cd /build/{source.name} && exec dpkg-buildpackage -us -uc -sa"],
        log=log,
        user=root.BUILDER,
        environment={"LC_ALL": "C.UTF-8", "TZ": "UTC"},
    )
    if failed:
        raise PackageError(f"dpkg-buildpackage ended with {failed}: see {log}")


def _collect(area: Path, out: Path) -> None:
    """Copy what the .changes file lists, and itself, out of the root."""
    changes = next(area.glob("*.changes"))
    listed = re.search(r"^Files:\n((?: .*\n)+)", changes.read_text(), re.MULTILINE)
    if listed is None:
        raise PackageError(f"{changes.name} lists no files")
    for name in [*(line.split()[-1] for line in listed[1].splitlines()), changes.name]:
        shutil.copyfile(area / name, out / name)
