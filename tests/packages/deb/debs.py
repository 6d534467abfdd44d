"""Packages made of other packages: the same files under another version or other relations."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path


def repack(
    deb: Path,
    into: Path,
    replacements: Mapping[str, str],
    edit: Callable[[Path], None] | None = None,
) -> Path:
    """Write a package again with some text of its control file replaced; return the new file.

    :param edit: changes the files of the unpacked package
    :raises AssertionError: if a text to replace does not occur
    """
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(["dpkg-deb", "-R", deb, scratch], check=True)
        control = Path(scratch, "DEBIAN/control")
        text = control.read_text()
        for old, new in replacements.items():
            assert old in text, f"{deb.name}: no {old!r} in\n{text}"
            text = text.replace(old, new)
        control.write_text(text)
        if edit:
            edit(Path(scratch))
        name, version = field(text, "Package"), field(text, "Version").split(":")[-1]
        made = into / f"{name}_{version}_all.deb"
        subprocess.run(
            ["dpkg-deb", "-Zgzip", "-z1", "-b", scratch, made],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return made


def field(control: str, name: str) -> str:
    """Return a field of a control file, a line."""
    found = re.search(rf"^{name}: (.*)$", control, re.MULTILINE)
    assert found, f"no {name} in\n{control}"
    return found[1]


def control_of(deb: Path) -> str:
    """Return a package's control file."""
    return subprocess.run(
        ["dpkg-deb", "-f", deb], check=True, capture_output=True, text=True
    ).stdout


def index(repository: Path) -> None:
    """Write the index of a directory of packages, unsigned: a stand-in for the distribution's."""
    packages = subprocess.run(
        ["dpkg-scanpackages", "--multiversion", "."],
        cwd=repository,
        check=True,
        capture_output=True,
    ).stdout
    (repository / "Packages").write_bytes(packages)
    (repository / "Release").unlink(missing_ok=True)


def named(debs: Iterable[Path], name: str) -> Path:
    """Return the one of some packages that has a name."""
    return next(deb for deb in debs if deb.name.startswith(f"{name}_"))
