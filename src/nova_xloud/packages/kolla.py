"""The files that kolla-build takes: patches of an installed Nova, and the source with our changes.

Kolla installs Nova from source into a virtual environment of the image nova-base, and makes all
images of Nova from that one.  Then the program kolla_patch of the image applies the patches of the
operator, in the root directory: so the patches name the installed files.  Kolla has that program
since its series for OpenStack 2025.1.
"""

from __future__ import annotations

import contextlib
import glob
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from nova_xloud.bases import GIT, SDIST, Base
from nova_xloud.ground import cache
from nova_xloud.ground.errors import DirectoryError
from nova_xloud.ground.files import locked, replace_directory
from nova_xloud.ground.patches import Patch
from nova_xloud.installed.metadata import declared
from nova_xloud.installed.ours import is_wanted
from nova_xloud.trees import quilt, tree

#: The difference between Nova's series and Kolla's, and the first of Kolla's that applies patches.
_OFFSET, _FIRST_WITH_PATCHES = 11, 20
#: The first words of each file of settings.
_HEAD = "# nova-xloud for Nova"
_IMAGE = "nova-base"
#: Where the image has Nova, seen from its root directory; Kolla links python3 to the true name.
SITE = "var/lib/kolla/venv/lib/python3/site-packages/"
#: A distribution of its own has our entry points: the name of Nova's directory has a version in it,
#: and the patches shall fit each commit of a branch. pip does not remove what lists no files.
_METADATA = """\
Metadata-Version: 2.1
Name: nova-xloud
Version: {version}
Summary: Live vertical resize, in the Nova of this environment. The patches of Kolla's image
 {image} have put it there: /etc/kolla/patched.
"""


def series(base: Base) -> int:
    """Return the major version of the Kolla that builds images with a Nova."""
    return base.series - _OFFSET


def patches(files: Sequence[tree.Ours], ours: Path | None = None) -> list[Patch]:
    """Return the patches of an installed Nova, in their order.

    No name of a patch is a part of another's: kolla_patch looks for a name in the list of those
    that it has applied.

    :param files: the files that tree.compose gave
    :param ours: our additions and changes, unless they are the package's own
    """
    ours = ours or tree.sources()
    steps = [
        (each.name.removeprefix("xloud/"), each.told, found)
        for each in quilt.steps(files, ours)
        if (found := [file for file in each.files if _is_installed(file.path)])
    ]
    told = ["Entry points of nova-xloud", "Nova finds its checks of extra specs by them."]
    steps.append(("entry-points.patch", told, _distribution(ours)))
    return [
        Patch(f"nova-xloud-{number:02}-{name}", quilt.patch(told, found, (SITE, SITE)))
        for number, (name, told, found) in enumerate(steps, 1)
    ]


def write(base: Base, directory: Path, files: Sequence[tree.Ours], target: Path) -> list[Path]:
    """Write all that kolla-build takes for a base, in the place of what an earlier run has written.

    :param directory: has the whole base
    :param files: the files that tree.compose gave
    :param target: a directory that is missing, empty, or was written here
    :returns: the settings for kolla-build
    :raises DirectoryError: if Kolla cannot build from the base, or the directory holds anything
        else
    :raises NoSpaceError: if the disk is full; nothing half-written stays
    """
    _check(base, directory, files)
    target = target.absolute()
    with _replacing(target) as new:
        settings = {}
        if series(base) >= _FIRST_WITH_PATCHES:
            _write_patches(files, new / "patches" / _IMAGE)
            told = f"[DEFAULT]\npatches_path = {_option(target / 'patches')}\n\n"
            settings["patches.conf"] = told + _local(_pristine(base, directory, new, target))
        if base.form == SDIST:
            made = Path("source", f"nova-{base.version}")
            tree.write(base, directory, files, new / made)
            settings["source.conf"] = _local(target / made)
        head = f"{_HEAD} {base.version}, which Kolla {series(base)} builds\n"
        for name, text in settings.items():
            (new / name).write_text(head + text)
    return [target / name for name in settings]


def _check(base: Base, directory: Path, files: Sequence[tree.Ours]) -> None:
    """Make sure that Kolla can build from a base, and that the patches fit it.

    :raises DirectoryError: if not
    """
    place = Path(base.name)
    if base.form not in {SDIST, GIT}:
        raise DirectoryError(place, "is no sdist and no git checkout: Kolla builds Nova from these")
    if base.form == GIT and series(base) < _FIRST_WITH_PATCHES:
        reason = f"Kolla {series(base)} applies no patches: see docs/kolla.md, Another Nova"
        raise DirectoryError(place, reason)
    for each in files:
        file = directory / each.path
        if (file.read_bytes() if file.exists() else None) != each.base:
            raise DirectoryError(file, "has the changes already")


def _is_installed(path: str) -> bool:
    """Say whether the services of an image read a file of the Nova tree."""
    return is_wanted(path) and path.startswith("nova/")


def _distribution(ours: Path) -> list[tree.Ours]:
    """Return the files of a distribution with the entry points that our changes declare."""
    version = metadata.version("nova-xloud")
    text = ""
    for group, line in declared((ours / "changes/setup.cfg").read_bytes()):
        text += f"[{group}]\n{line}\n"
    contents = {
        "INSTALLER": "kolla_patch\n",
        "METADATA": _METADATA.format(version=version, image=_IMAGE),
        "entry_points.txt": text,
    }
    place = f"nova_xloud-{version}.dist-info"
    return [
        tree.Ours(f"{place}/{name}", None, content.encode()) for name, content in contents.items()
    ]


def _write_patches(files: Sequence[tree.Ours], place: Path) -> None:
    place.mkdir(parents=True)
    series = patches(files)
    for each in series:
        (place / each.name).write_bytes(each.content)
    (place / "series").write_text("".join(f"{each.name}\n" for each in series))


def _pristine(base: Base, directory: Path, new: Path, target: Path) -> Path:
    """Return where Kolla finds the source that the patches fit; a tarball is copied.

    :param new: what becomes the target
    """
    if not base.files:
        return directory.absolute()
    shutil.copyfile(base.files[0], new / base.files[0].name)
    return target / base.files[0].name


def _local(location: Path) -> str:
    return f"[{_IMAGE}]\ntype = local\nlocation = {_option(location)}\n"


def _option(path: Path) -> str:
    """Return a path as the value of an option: oslo.config replaces what follows a single $."""
    return str(path).replace("$", "$$")


@contextlib.contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """Yield a directory that becomes the target; an error leaves the target as it was.

    :raises DirectoryError: if the target holds anything that `write` does not write
    """
    with cache.space_on(target.parent), locked(target.parent / f".{target.name}.lock"):
        _check_target(target)
        prefix = f".{target.name}.kolla-"
        for left in target.parent.glob(f"{glob.escape(prefix)}*"):
            shutil.rmtree(left)  # a killed run has left it; no other run works now
        work = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
        try:
            new = work / "new"
            new.mkdir()
            yield new
            replace_directory(target, new)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _check_target(target: Path) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise DirectoryError(target, "is not a directory")
    for each in sorted(target.iterdir()):
        if not _is_written_here(each):
            raise DirectoryError(
                target, f"has {each.name}, which `nova-xloud kolla` does not write"
            )


def _is_written_here(path: Path) -> bool:
    """Say whether a file or directory is one of those that `write` makes."""
    if path.name in {"patches.conf", "source.conf"}:
        return path.read_text(errors="replace").startswith(_HEAD)
    if path.name in {"patches", "source"}:
        return path.is_dir()
    return path.name.endswith(".tar.gz")
