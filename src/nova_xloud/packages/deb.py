"""Debian packages of a tree: the source package nova-xloud, built by debhelper in a clean root.

The packages are made of the distribution's own source package and our patches.
"""

from __future__ import annotations

import contextlib
import email.utils
import re
import shutil
import tarfile
import tempfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from nova_xloud import bases
from nova_xloud.bases import apt, binary, sdists
from nova_xloud.ground import root
from nova_xloud.ground.commands import answer
from nova_xloud.ground.errors import NetworkError, PackageError, UnlikeError
from nova_xloud.ground.patches import Patch
from nova_xloud.packages import backports, builds, checkout
from nova_xloud.packages.targets import Target
from nova_xloud.trees.comparison import compare
from nova_xloud.trees.patched import Tree

SOURCE = "nova-xloud"
_BASE = "nova"

_CHANGELOG = """\
{source} ({version}) {suite}; urgency=medium

  * Nova {upstream} in the place of {provided}
    with live vertical resize between a flavor's floor and its size.

 -- {maintainer}  {date}
"""


GUIDE = checkout.DOCS / "operator-deb.md"
PARTS = (checkout.DEBIAN, GUIDE)
NEXT = builds.NEXT_MIRROR


class Sources(NamedTuple):
    """The parts of a source package.

    :ivar target: gives its names, its relations and the revision
    :ivar provided: the version of the nova that the packages stand in for, with epoch
    :ivar upstream: the upstream version of the tree, which may be a later point release
    :ivar date: the date of the source, in seconds since 1970
    :ivar orig: the upstream tarball
    :ivar debian: the distribution's packaging, ``*.debian.tar.*``; None: pure upstream
    :ivar patches: our patches in their order; they apply after the distribution's series
    :ivar added: the paths of our own files in the tree
    :ivar library: the distribution's binary package, to compare with; None: there is none
    :ivar packaging: our debian directory
    :ivar documents: more files for that directory, e.g. the operator's guide
    :ivar backports: sdists of libraries that the target lacks
    """

    target: Target
    provided: str
    upstream: str
    date: float
    orig: Path
    debian: Path | None
    patches: Sequence[Patch]
    added: Collection[str]
    library: Path | None
    packaging: Path
    documents: Sequence[Path]
    backports: Sequence[Path] = ()


def package_version(provided: str, upstream: str, revision: int) -> str:
    """Return the version of our packages: the version of the replaced package, and our revision.

    Where the tree is another point release than the replaced package, the version is of that point
    release. It is lower than any version that the distribution gives its own package of that
    release, and it grows with the version of the replaced package.

    >>> package_version("2:31.0.0-6", "31.0.0", 1)
    '2:31.0.0-6+xloud1'
    >>> package_version("3:29.2.0-0ubuntu1", "29.4.0", 1)
    '3:29.4.0-0~29.2.0+0ubuntu1+xloud1'
    """
    if apt.upstream_version(provided) == upstream:
        return f"{provided}+xloud{revision}"
    epoch, colon, replaced = provided.rpartition(":")
    return f"{epoch}{colon}{upstream}-0~{replaced.replace('-', '+')}+xloud{revision}"


def related(target: Target, *, refresh: bool) -> Target:
    """Return a target with the relations of the library that its hosts have.

    A target whose archive is not the archive of the clean root has its relations in the table.
    For any other target the archive is asked at each build. Without network its last answer serves.

    :param refresh: fail without network
    """
    if target.relations:
        return target
    if target.is_distributions():
        record = bases.record(target.base)
    else:
        try:
            record = apt.newest(target.suite).record
        except NetworkError:
            record = apt.listed(target.suite).record
            if refresh or not record:
                raise
    return target._replace(relations=tuple(library_relations(record)))


def recipe(target: Target) -> root.Recipe:
    """Return the recipe of the clean root: the build dependencies, and a user to build."""
    needed = build_dependencies((checkout.DEBIAN / "control.in").read_text())
    tools = backports.TOOLS if target.backports else ()
    return builds.recipe(target, "build-essential", *needed, *tools)


def prepare(tree: Tree, target: Target) -> Sources:
    """Gather the parts of a source package."""
    base = tree.base
    return Sources(
        target,
        target.provides or base.version,
        apt.upstream_version(base.version),
        base.date,
        base.tarball,
        base.packaging,
        tree.patches,
        tree.added,
        base.library if target.is_distributions() else None,
        checkout.DEBIAN,
        [GUIDE],
        [sdists.fetch(each) for each in target.backports],
    )


def build(sources: Sources, room: builds.Room) -> list[Path]:
    """Build the packages, and their source package.

    :raises PackageError: if the build fails
    :raises UnlikeError: if the library differs from the distribution's in more than our lines
    """
    source = assemble(sources, room.area)
    script = f"cd /build/{source.name} && exec dpkg-buildpackage -us -uc -sa"
    room.run(script, "dpkg-buildpackage", "the packages (about a minute)")
    made = listed(room.area)
    _compare(sources, room.area)
    return [*made, *backports.build(room.merged, sources.backports, room.log)]


def assemble(sources: Sources, area: Path) -> Path:
    """Write the unpacked source package and its orig tarball below a directory.

    :returns: the source directory, its patches not applied
    """
    source = area / f"{SOURCE}-{sources.upstream}"
    source.mkdir()
    kind = sources.orig.name.partition(".tar.")[2]
    orig = area / f"{SOURCE}_{sources.upstream}.orig.tar.{kind}"
    shutil.copyfile(sources.orig, orig)
    # a colon in a path is of no other host
    unpack = ["tar", "--force-local", "--strip-components=1"]
    answer([*unpack, "-C", source, "-xf", orig], PackageError, places=[source])
    ours = source / "debian"
    shutil.rmtree(ours, ignore_errors=True)
    shutil.copytree(sources.packaging, ours, ignore=shutil.ignore_patterns("*.in"))
    for document in sources.documents:
        shutil.copy(document, ours)
    with _distribution(sources.debian) as theirs:
        _write_patches(theirs / "patches", sources.patches, ours / "patches")
        older = _base_changelog(theirs / "changelog", sources)
    control = (sources.packaging / "control.in").read_text()
    relations = newer_relations(sources.target.relations, sources.target.depends)
    (ours / "control").write_text(fill_control(control, sources.provided, relations))
    (ours / "changelog").write_text(changelog(sources, control, older))
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


def changelog(sources: Sources, control: str, older: str = "") -> str:
    """Return debian/changelog: our entry, the same for the same input, above the base's entries.

    The entries of the base name the CVEs that it has mended.

    A revision adds an hour to the date of the source, so that no two revisions give a changed file
    the same date: byte code is kept by it, and so is stevedore's cache of entry points, which
    rounds it to 128 s.
    """
    target = sources.target
    maintainer = re.search(r"^Maintainer: (.*)$", control, re.MULTILINE)
    if maintainer is None:
        raise PackageError("debian/control.in has no Maintainer")
    entry = _CHANGELOG.format(
        source=SOURCE,
        version=package_version(sources.provided, sources.upstream, target.revision),
        suite=target.repository,
        upstream=sources.upstream,
        provided=sources.provided,
        maintainer=maintainer[1],
        date=email.utils.formatdate(sources.date + builds.REVISION_SECONDS * target.revision),
    )
    return f"{entry}\n{older}" if older else entry


def listed(area: Path) -> list[Path]:
    """Return the .changes file of a build, and the files that it lists."""
    changes = next(area.glob("*.changes"))
    listed = re.search(r"^Files:\n((?: .*\n)+)", changes.read_text(), re.MULTILINE)
    if listed is None:
        raise PackageError(f"{changes.name} lists no files")
    return [*(area / line.split()[-1] for line in listed[1].splitlines()), changes]


def _base_changelog(served: Path, sources: Sources) -> str:
    """Return the changelog of the distribution's package of the provided version.

    :param served: that of the source which the archive serves; it may be of an older version
    :returns: "" for a base that is no package of the distribution's
    """
    text = served.read_text() if served.exists() else ""
    if sources.library is None or text.startswith(f"{_BASE} ({sources.provided})"):
        return text
    return binary.read(sources.library).changelog


def build_dependencies(control: str) -> list[str]:
    """Return the names in the first Build-Depends of a debian/control."""
    found = re.search(r"^Build-Depends:((?:.*\n)(?:[ \t].*\n)*)", control, re.MULTILINE)
    if found is None:
        raise PackageError("debian/control.in has no Build-Depends")
    names = [re.split(r"[\s(]", each.strip())[0] for each in found[1].split(",") if each.strip()]
    # a virtual package, which mmdebstrap cannot be asked for with its version
    return ["debhelper" if name == "debhelper-compat" else name for name in names]


@contextlib.contextmanager
def _distribution(packaging: Path | None) -> Iterator[Path]:
    """Unpack the distribution's packaging for a moment; yield its debian directory."""
    with tempfile.TemporaryDirectory() as scratch:
        if packaging:
            with tarfile.open(packaging) as tar:
                tar.extractall(scratch, filter="data")
        yield Path(scratch) / "debian"


def _compare(sources: Sources, area: Path) -> None:
    """Make sure that the library is the distribution's, apart from our lines."""
    if sources.library is None:
        return
    (ours,) = area.glob(f"{builds.LIBRARY}_*.deb")
    if wrong := compare(ours, sources.library, sources.added):
        raise UnlikeError(sources.target.name, sources.provided, wrong)


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
