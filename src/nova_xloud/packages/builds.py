"""The work around a build of any format: one at a time, in a clean root, whole or not at all."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from nova_xloud.ground import cache, root
from nova_xloud.ground.cache import sha256
from nova_xloud.ground.errors import PackageError
from nova_xloud.ground.files import RECORD, locked, replace_directory
from nova_xloud.packages.targets import Target

_LOG = logging.getLogger(__name__)

#: The name of the package with the library, in each format that has package names.
LIBRARY = "python3-nova-xloud"
#: The next step of an operator with packages of a repository.
NEXT_MIRROR = "Next: `nova-xloud mirror DIR` makes a signed repository of them."
#: Each revision dates its files so many seconds later than the revision before. Python keeps byte
#: code by the date of a module; stevedore keeps entry points by a date rounded to 128 seconds.
REVISION_SECONDS = 3600


class Room(NamedTuple):
    """A clean root in which the packages of a target are built, without network.

    :ivar target: the name of the target
    :ivar merged: the top of the root
    :ivar area: an empty directory in it, which programs in the root see as ``/build``
    :ivar log: the file that gets the output of the programs
    """

    target: str
    merged: Path
    area: Path
    log: Path

    def run(self, script: str, tool: str, progress: str, **environment: str) -> None:
        """Run a shell script in the root, as an unprivileged user who owns the area.

        :param tool: the program in it that may fail
        :param progress: names the packages, and about how long their build takes
        :param environment: variables beside those of every build
        :raises PackageError: if the script fails; the text names the log
        """
        root.give_to_builder(self.merged, self.area)
        self.log.write_text("")
        _LOG.info("%s: building %s, log: %s", self.target, progress, self.log)
        failed = root.run_in(
            self.merged,
            ["sh", "-c", script],
            log=self.log,
            user=root.BUILDER,
            environment={"LC_ALL": "C.UTF-8", "TZ": "UTC", **environment},
        )
        if failed:
            raise PackageError(f"{tool} ended with {failed}: see {self.log}")


def recipe(target: Target, *packages: str) -> root.Recipe:
    """Return the recipe of the clean root of a target: packages, and a user to build."""
    return root.Recipe(
        name=f"{target.name}-build",
        suite=target.suite,
        packages=packages,
        hooks=(f'--customize-hook=chroot "$1" useradd --create-home {root.BUILDER}',),
    )


@contextlib.contextmanager
def room(target: Target, recipe: root.Recipe, work: Path, log: Path) -> Iterator[Room]:
    """Yield the room for a build; nothing of it stays but the log.

    :param work: the scratch directory that ``replacing`` gave
    """
    with root.overlay([root.make(recipe)], work / "overlay") as merged:
        area = merged / "build"
        area.mkdir()
        yield Room(target.name, merged, area, log)


@contextlib.contextmanager
def turn(target: Target, dist: Path) -> Iterator[None]:
    """Be the only one who builds a target into a directory; a second builder waits.

    A builder that has waited asks ``intact`` again: the first one may have built the very same.
    """
    root.require_root("building packages")
    with (
        cache.space_on(dist),
        locked(dist / f".{target.name}.lock", f"waiting for another build of {target.name}"),
    ):
        yield


@contextlib.contextmanager
def replacing(target: Target, dist: Path, inputs: str, base: str = "") -> Iterator[Path]:
    """Yield a scratch directory to build in; the files in its ``out`` become ``dist/TARGET``.

    An error leaves ``dist/TARGET`` as it was. An overlay goes to ``overlay`` in the scratch
    directory: there the next build finds it if this one is killed. It is the caller's ``turn``.

    :param inputs: told by ``intact`` when asked for the same; a digest of all that goes in
    :param base: the version of Nova that the packages are made from
    """
    # a killed build has left these; no other build runs now
    for left in dist.glob(f".{target.name}.build-*"):
        root.remove_abandoned(left)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.build-", dir=dist))
    out = work / "out"
    try:
        out.mkdir()
        yield work
        sums = {file.name: sha256(file) for file in sorted(out.iterdir())}
        about = {"target": target.name, "of": target.base, "base": base}
        told = {**about, "input": inputs, "sha256": sums}
        record = json.dumps(told, indent=1)
        (out / RECORD).write_text(record + "\n")
        replace_directory(dist / target.name, out)
    finally:
        root.remove_tree(work)


def made(
    target: Target,
    recipe: root.Recipe,
    dist: Path,
    inputs: str,
    base: str,
    build: Callable[[Room], Iterable[Path]],
) -> list[Path]:
    """Build into ``dist/TARGET``, which is replaced as a whole; the caller's ``turn``.

    :param inputs: a digest; ``intact`` finds a finished build by it
    :param base: the version that the packages are made from
    :param build: builds in a room, and returns the files that are the result
    :returns: the files, sorted
    :raises PackageError: if the build fails; the text names the log
    """
    log = dist / f"{target.name}.log"
    with (
        replacing(target, dist, inputs, base) as work,
        room(target, recipe, work, log) as place,
    ):
        for file in build(place):
            shutil.copyfile(file, work / "out" / file.name)
    return built(target, dist)


def built(target: Target, dist: Path) -> list[Path]:
    """Return the files of a finished build, sorted."""
    place = dist / target.name
    record = json.loads((place / RECORD).read_text())
    return [place / name for name in sorted(record["sha256"])]


def intact(target: Target, dist: Path, inputs: str) -> list[Path]:
    """Return the files of a finished build of the same inputs, or none."""
    place = dist / target.name
    try:
        record = json.loads((place / RECORD).read_text())
        whole = all(sha256(place / name) == told for name, told in record["sha256"].items())
    except (OSError, ValueError, KeyError):
        return []
    return built(target, dist) if whole and record["input"] == inputs else []
