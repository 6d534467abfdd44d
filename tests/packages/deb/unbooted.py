"""Hosts that are not booted: a root with Debian's Nova, apt, aptitude and Ansible.

The relations of packages are tried on them. The archive's index is the real one, with nova in
the versions that a test wants. The libraries have no modules: only their relations are of interest.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from nova_xloud.ground import root
from nova_xloud.packages import targets
from tests.packages.deb.debs import control_of, field, named, repack
from tests.packages.deb.lab import DEBCONF, STOCK

HERE = Path(__file__).parent
LIBRARY = "usr/lib/python3/dist-packages/nova"
#: Of which package managers are asked, besides apt.
MANAGERS = ("apt-utils", "aptitude", "ansible-core", "python3-apt", "unattended-upgrades")


class Attempt(NamedTuple):
    """One command that was given to a package manager.

    :ivar code: its exit code
    :ivar before: the state and version of each package, e.g. ``ii 2:31.0.0-6``
    """

    command: str
    code: int
    output: str
    before: Mapping[str, str]
    after: Mapping[str, str]

    def changed(self) -> dict[str, tuple[str, str]]:
        """Return the packages that it changed, with the states before and after; "" is none."""
        names = sorted({*self.before, *self.after})
        states = {name: (self.before.get(name, ""), self.after.get(name, "")) for name in names}
        return {name: pair for name, pair in states.items() if pair[0] != pair[1]}


def recipe(target: targets.Target) -> root.Recipe:
    """Return the recipe of the root: Debian's Nova of today, and the index of the archive."""
    debconf = f"printf %s {shlex.quote(DEBCONF)}"
    return root.Recipe(
        name=f"test-apt-{target.suite}",
        suite=target.suite,
        packages=(*MANAGERS, *STOCK),
        hooks=(
            f'--essential-hook={debconf} | chroot "$1" debconf-set-selections',
            '--customize-hook=mkdir -p "$1/srv/nova" "$1/srv/lists"',
            '--customize-hook=chroot "$1" sh -c "cd /srv/nova && apt-get download -q '
            f'-o APT::Sandbox::User=root {" ".join(STOCK)}"',
            '--customize-hook=cp "$1"/var/lib/apt/lists/*_Packages "$1/srv/lists"',
            '--customize-hook=rm -f "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/*',
        ),
    )


def stock(made: Path) -> str:
    """Return the version of Debian's nova that a root of ``recipe`` has."""
    return field(control_of(named((made / "srv/nova").glob("*.deb"), "python3-nova")), "Version")


class Shelf:
    """Packages of nova in any version, Debian's and ours, made when they are asked for."""

    def __init__(self, made: Path, built: Path, place: Path) -> None:
        """Take packages to make others of.

        :param made: a root of ``recipe``
        :param built: our packages
        :param place: where the packages go that are made
        """
        self._stock = made / "srv/nova"
        self._built = built
        self._place = place
        provided = field(control_of(named(built.glob("*.deb"), "python3-nova-xloud")), "Provides")
        self._provided = provided.split("(= ")[1].rstrip(")")
        self._version = stock(made)

    def debians(self, version: str) -> Path:
        """Return a directory with Debian's packages in a version."""
        return self._again(self._stock, self._version, version, "debian")

    def ours(self, version: str) -> Path:
        """Return a directory with our packages for Debian's in a version."""
        return self._again(self._built, self._provided, version, "ours")

    def _again(self, source: Path, before: str, version: str, name: str) -> Path:
        into = self._place / f"{name}-{version}"
        if not into.is_dir():
            into.mkdir(parents=True)
            for deb in source.glob("*.deb"):
                if "nova" in deb.name:
                    repack(deb, into, {before: version}, _without_modules)
                else:  # a library that the target has too old: it fits any version of nova
                    shutil.copy(deb, into)
        return into


def _without_modules(unpacked: Path) -> None:
    library = unpacked / LIBRARY
    for each in library.glob("*"):
        if each.is_dir():
            shutil.rmtree(each)
        elif each.name != "__init__.py":
            each.unlink()
    (unpacked / "DEBIAN/md5sums").unlink(missing_ok=True)


def index_without_nova(made: Path, into: Path) -> None:
    """Write the archive's index as the root has it, without the packages of nova."""
    with into.open("wb") as out:
        for index in sorted((made / "srv/lists").iterdir()):
            for record in index.read_bytes().split(b"\n\n"):
                if record.strip() and b"\nSource: nova" not in record:
                    out.write(record.strip(b"\n") + b"\n\n")


class Host:
    """A host that is not booted.

    :ivar root: its merged file system
    """

    def __init__(self, merged: Path, scratch: Path) -> None:
        """Take a root that is mounted, and a directory for logs."""
        self.root = merged
        self._scratch = scratch
        # nova-common asks for the address of the host, which is called as its directory is
        (merged / "etc/hosts").write_text(f"127.0.0.1 localhost {merged.name}\n")

    def serve(self, name: str, *directories: Path, suite: str, label: str = "Debian") -> None:
        """Make directories of packages a source of its apt, in the place of an earlier one."""
        place = self.root / "srv" / name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        for directory in directories:
            for file in directory.iterdir():
                shutil.copy(file, place)
        if not (place / "Packages").exists():
            self._ftparchive(place, "packages", "Packages", {})
        told = {"Origin": label.partition("-")[0], "Label": label, "Suite": suite}
        self._ftparchive(place, "release", "Release", {**told, "Codename": suite})
        source = f"deb [trusted=yes] file:/srv/{name} ./\n"
        (self.root / f"etc/apt/sources.list.d/{name}.list").write_text(source)

    def attempt(self, *commands: str) -> list[Attempt]:
        """Run commands, one after the other; return their outcomes."""
        shutil.copy(HERE / "attempts.py", self.root / "root")
        (self.root / "root/commands.json").write_text(json.dumps(["apt-get update", *commands]))
        log = self._scratch / "attempts.log"
        script = ["python3", *(f"/root/{n}" for n in ("attempts.py", "commands.json", "told.json"))]
        failed = root.run_in(self.root, script, log=log)
        assert failed == 0, log.read_text()
        told: list[dict[str, Any]] = json.loads((self.root / "root/told.json").read_text())
        updated, *attempts = [Attempt(**each) for each in told]
        assert updated.code == 0, updated.output
        return attempts

    @staticmethod
    def _ftparchive(place: Path, what: str, into: str, fields: Mapping[str, str]) -> None:
        options = [f"-oAPT::FTPArchive::Release::{name}={text}" for name, text in fields.items()]
        command = ["apt-ftparchive", *options, what, "."]
        told = subprocess.run(command, cwd=place, check=True, capture_output=True).stdout
        (place / into).write_bytes(told)


@contextmanager
def host(layers: Sequence[Path], scratch: Path, keep: Path | None = None) -> Iterator[Host]:
    """Mount a host on layers for a moment.

    :param keep: gets the changed files of the host, as a layer for other hosts
    """
    place = Path(tempfile.mkdtemp(prefix="unbooted-", dir=scratch))
    with root.overlay(layers, place) as merged:
        yield Host(merged, place)
    if keep:
        (place / "upper").rename(keep)
    root.remove_tree(place)
