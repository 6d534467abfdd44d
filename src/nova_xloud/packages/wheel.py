"""A wheel of a tree, for Nova in a virtualenv or a container image: built by pip in a clean root.

The wheel is made of an upstream release, or of a commit, and our patches. Nothing restarts and
nothing is swapped here: pip installs the wheel over the Nova that it stands in for.
"""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nova_xloud.bases import GIT
from nova_xloud.ground import root
from nova_xloud.ground.errors import PackageError
from nova_xloud.ground.patches import Patch
from nova_xloud.packages import builds
from nova_xloud.packages.targets import Target
from nova_xloud.trees.patched import Tree

#: The file that lists a wheel's entry points, and a text in the list of ours.
_ENTRY_POINTS, _OURS = "/entry_points.txt", "extra_specs.minimum"
_BUILD = """\
set -eu
cd /build
if [ -e nova.tar.gz ]; then
	tar --strip-components=1 -C tree -xf nova.tar.gz
else
	chmod -R u=rwX,go=rX tree  # whatever the umask was when git wrote it
fi
while read -r patch; do
	patch --quiet --fuzz=0 --strip=1 --directory=tree <"patches/$patch"
done <series
python3 -m pip wheel --quiet --no-deps --no-index --no-build-isolation --use-pep517 \\
	--config-settings=--build-option=--build-number="$BUILD_NUMBER" --wheel-dir=out ./tree
"""


PARTS = ()
NEXT = (
    "Next, in the environment of Nova: `pip install --force-reinstall --no-deps WHEEL`; without "
    "--force-reinstall pip does nothing. See docs/operator-wheel.md."
)


class Sources(NamedTuple):
    """The sources of a wheel.

    :ivar version: the version of Nova, e.g. ``29.4.0``; "" where git tells it, and pbr asks git
    :ivar revision: N of the build number ``Nxloud``
    :ivar date: the date of that release, in seconds since 1970
    :ivar source: the upstream tarball, or a clone of Nova's repository
    :ivar patches: our patches
    :ivar modules: the paths of the modules that we add
    """

    version: str
    revision: int
    date: int
    source: Path
    patches: Sequence[Patch]
    modules: Sequence[str]


def build_number(revision: int) -> str:
    """Return the wheel's build number: pip takes a higher one before a lower one, and before none.

    The version stays the release's: pbr, which Nova asks for its version, refuses one with
    ``+xloud1`` behind it.
    """
    return f"{revision}xloud"


def related(target: Target, *, refresh: bool) -> Target:
    """Return the target: pip reads the relations of a wheel in its metadata."""
    return target


def recipe(target: Target) -> root.Recipe:
    """Return the recipe of the clean root: Python with tools that build a wheel, a user.

    The wheels of a suite share it.
    """
    needed = ("git", "patch", "python3-pip", "python3-pbr", "python3-setuptools", "python3-wheel")
    return builds.recipe(target._replace(name=f"wheel-{target.suite}"), *needed)


def prepare(tree: Tree, target: Target) -> Sources:
    """Gather the sources of a wheel."""
    base = tree.base
    of_git = base.form == GIT
    return Sources(
        version="" if of_git else base.version,
        revision=target.revision,
        date=base.date,
        source=Path(base.name) if of_git else base.tarball,
        patches=tree.patches,
        modules=[each for each in tree.added if re.fullmatch(r"nova/.*\.py", each)],
    )


def build(sources: Sources, room: builds.Room) -> list[Path]:
    """Build the wheel.

    :raises PackageError: if the build fails, or the wheel lacks a part of ours
    """
    assemble(sources, room.area)
    room.run(
        _BUILD,
        "pip",
        "the wheel (half a minute)",
        BUILD_NUMBER=build_number(sources.revision),
        # pbr would ask git for the authors and the changelog, and without a version for that
        **({"PBR_VERSION": sources.version} if sources.version else {}),
        SKIP_GENERATE_AUTHORS="1",
        SKIP_WRITE_GIT_CHANGELOG="1",
        SOURCE_DATE_EPOCH=str(sources.date + builds.REVISION_SECONDS * sources.revision),
    )
    (made,) = (room.area / "out").glob("*.whl")
    if lacking := missing(made, sources.modules):
        raise PackageError(
            f"the wheel lacks files or entry points of ours, see {room.log}: {', '.join(lacking)}"
        )
    return [made]


def assemble(sources: Sources, area: Path) -> None:
    """Write the source and the patches, in their order, below a directory."""
    for name in ("tree", "patches", "out"):
        (area / name).mkdir(parents=True)
    if sources.source.is_dir():
        shutil.copytree(sources.source, area / "tree", symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copyfile(sources.source, area / "nova.tar.gz")
    for patch in sources.patches:
        place = area / "patches" / patch.name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(patch.content)
    (area / "series").write_text("".join(f"{patch.name}\n" for patch in sources.patches))


def missing(wheel: Path, modules: Sequence[str]) -> list[str]:
    """Return the modules and the entry points of ours that a wheel lacks, sorted.

    :param modules: the paths of the modules
    """
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        lacking = set(modules) - set(names)
        told = [archive.read(each).decode() for each in names if each.endswith(_ENTRY_POINTS)]
    if not any(_OURS in each for each in told):
        lacking.add(_ENTRY_POINTS)
    return sorted(lacking)
