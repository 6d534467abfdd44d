"""The builds to compare with: Debian's own of nova, and stdeb's of the tree that we build."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from nova_xloud.ground import root
from nova_xloud.ground.errors import XloudError
from tests.bench.figures import Cost, measured

_USER = f'--customize-hook=chroot "$1" useradd --create-home {root.BUILDER}'


class Rival(NamedTuple):
    """Another way to a package.

    :ivar name: for people
    :ivar recipe: the clean root that it needs
    :ivar command: builds in the unpacked source, by a shell
    :ivar made: a glob of the packages that it leaves beside or in the source
    """

    name: str
    recipe: root.Recipe
    command: str
    made: str


def debian(suite: str) -> Rival:
    """Return Debian's own build, without the tests and documents that it could leave out."""
    sources = "s/^deb \\(.*\\)/deb \\1\\ndeb-src \\1/"
    hooks = (
        _USER,
        f"--customize-hook=find \"$1/etc/apt\" -name '*.list' -exec sed -i '{sources}' {{}} +",
        '--customize-hook=chroot "$1" apt-get update -q',
        '--customize-hook=chroot "$1" env DEBIAN_FRONTEND=noninteractive '
        "apt-get build-dep -q -y --no-install-recommends nova",
    )
    recipe = root.Recipe("bench-debian", suite, ("build-essential",), hooks)
    return Rival("Debian's nova", recipe, "dpkg-buildpackage -b -us -uc", "python3-nova_*.deb")


def stdeb(suite: str, version: str) -> Rival:
    """Return stdeb's build of a tree.

    :param version: the tree's, which pbr would ask git for
    """
    packages = (
        *("build-essential", "debhelper", "dh-python", "fakeroot", "python3-all"),
        *("python3-pbr", "python3-setuptools", "python3-stdeb"),
    )
    recipe = root.Recipe("bench-stdeb", suite, packages, (_USER,))
    command = (
        f"PBR_VERSION={version} SKIP_GENERATE_AUTHORS=1 SKIP_WRITE_GIT_CHANGELOG=1 "
        "python3 setup.py --command-packages=stdeb.command bdist_deb"
    )
    return Rival("stdeb", recipe, command, "source/deb_dist/python3-nova_*.deb")


def make_root(rival: Rival) -> Cost:
    """Make the clean root of a rival; return the cost of that."""
    return measured(lambda: root.make(rival.recipe) and 0)


def build(rival: Rival, dsc: Path, place: Path) -> Cost:
    """Build once, in a throw-away layer on the clean root.

    :param dsc: the source package whose source it gets, patches applied
    :param place: where the log goes
    """
    log = place / f"{rival.recipe.name}.log"
    scratch = Path(tempfile.mkdtemp(prefix="layer-", dir=place))
    try:
        with root.overlay([root.make(rival.recipe)], scratch) as merged:
            area = merged / "build"
            area.mkdir()
            unpack = ["dpkg-source", "--no-check", "-x", dsc, area / "source"]
            subprocess.run(unpack, check=True, capture_output=True)
            root.give_to_builder(merged, area)

            def work() -> int:
                failed = root.run_in(
                    merged,
                    ["sh", "-c", f"cd /build/source && {rival.command}"],
                    log=log,
                    user=root.BUILDER,
                    environment={"LC_ALL": "C.UTF-8", "DEB_BUILD_OPTIONS": "nocheck nodoc"},
                )
                if failed:
                    told = log.read_text(errors="replace")[-2000:]
                    raise XloudError(f"{rival.name} does not build {dsc.name}: {told}")
                return next(area.glob(rival.made)).stat().st_size

            return measured(work)
    finally:
        root.remove_tree(scratch)
