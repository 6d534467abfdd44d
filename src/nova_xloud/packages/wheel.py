"""A wheel of a tree, for Nova in a virtualenv or a container image: built by pip in a clean root.

Takes an upstream release and our patches; never asks how they came to be. Nothing restarts and
nothing is swapped here: pip installs it over the release that it stands in for.
"""

from __future__ import annotations

import logging
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nova_xloud.ground import root
from nova_xloud.ground.errors import PackageError
from nova_xloud.ground.patches import Patch
from nova_xloud.packages import builds
from nova_xloud.packages.targets import Target

_LOG = logging.getLogger(__name__)

#: Must be there, each brought by another kind of change: a package, a line in setup.cfg.
_OURS = {"nova/xloud/__init__.py": "", "/entry_points.txt": "extra_specs.minimum"}
_BUILD = """\
set -eu
cd /build
tar --strip-components=1 -C tree -xf nova.tar.gz
while read -r patch; do
	patch --quiet --fuzz=0 --strip=1 --directory=tree <"patches/$patch"
done <series
python3 -m pip wheel --quiet --no-deps --no-index --no-build-isolation --use-pep517 \\
	--config-settings=--build-option=--build-number="$BUILD_NUMBER" --wheel-dir=out ./tree
"""


class Material(NamedTuple):
    """What a wheel is made of.

    :ivar version: Nova's, e.g. ``29.4.0``
    :ivar date: when it was released, in seconds since 1970
    :ivar sdist: its upstream tarball
    :ivar patches: ours
    """

    version: str
    date: int
    sdist: Path
    patches: Sequence[Patch]


def build_number(revision: int) -> str:
    """Return the wheel's build number: pip takes a higher one before a lower one, and before none.

    The version stays the release's: pbr, which Nova asks for its version, refuses one with
    ``+xloud1`` behind it.
    """
    return f"{revision}xloud"


def build(target: Target, material: Material, revision: int, dist: Path, inputs: str) -> list[Path]:
    """Build the wheel of a target into ``dist/TARGET``, which is replaced as a whole.

    :param revision: N of the build number ``Nxloud``
    :param inputs: told by ``builds.intact`` when asked for the same; a digest of all that goes in
    :returns: the files, sorted
    :raises PackageError: if the build fails, or what is ours is not in it; it names the log
    """
    with (
        builds.replacing(target, dist, inputs, material.version) as work,
        root.overlay([root.make(recipe(target))], work / "overlay") as merged,
    ):
        area = merged / "build"
        assemble(material, area)
        root.give_to_builder(merged, area)
        log = dist / f"{target.name}.log"
        log.write_text("")
        _LOG.info("%s: building the wheel (half a minute), log: %s", target.name, log)
        failed = root.run_in(
            merged,
            ["sh", "-c", _BUILD],
            log=log,
            user=root.BUILDER,
            environment={
                "BUILD_NUMBER": build_number(revision),
                "LC_ALL": "C.UTF-8",
                # pbr would ask git for the version, and for the authors and the changelog
                "PBR_VERSION": material.version,
                "SKIP_GENERATE_AUTHORS": "1",
                "SKIP_WRITE_GIT_CHANGELOG": "1",
                "SOURCE_DATE_EPOCH": str(material.date + builds.REVISION_SECONDS * revision),
                "TZ": "UTC",
            },
        )
        if failed:
            raise PackageError(f"pip ended with {failed}: see {log}")
        (made,) = (area / "out").glob("*.whl")
        if lacking := missing(made):
            raise PackageError(f"the wheel lacks what is ours, see {log}: {', '.join(lacking)}")
        shutil.copyfile(made, work / "out" / made.name)
    return builds.built(target, dist)


def recipe(target: Target) -> root.Recipe:
    """Return what the clean root is made of: Python with what builds a wheel, a user."""
    return root.Recipe(
        name=f"{target.name}-build",
        suite=target.suite,
        packages=(*("patch", "python3-pip", "python3-pbr", "python3-setuptools", "python3-wheel"),),
        hooks=(f'--customize-hook=chroot "$1" useradd --create-home {root.BUILDER}',),
    )


def assemble(material: Material, area: Path) -> None:
    """Write the release and the patches, in their order, below a directory."""
    for name in ("tree", "patches", "out"):
        (area / name).mkdir(parents=True)
    shutil.copyfile(material.sdist, area / "nova.tar.gz")
    for patch in material.patches:
        place = area / "patches" / patch.name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(patch.content)
    (area / "series").write_text("".join(f"{patch.name}\n" for patch in material.patches))


def missing(wheel: Path) -> list[str]:
    """Return what of ours a wheel has not."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        return [
            end
            for end, text in _OURS.items()
            if not any(text in archive.read(name).decode() for name in names if name.endswith(end))
        ]
