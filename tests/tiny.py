"""Packages of next to nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

_CONTROL = """\
Package: tiny
Version: {version}
Architecture: all
Maintainer: Nobody <nobody@example.org>
Section: misc
Priority: optional
Description: a package of nothing
"""
SPEC = """\
Name: tiny
Version: 1
Release: 1
Summary: A package of nothing
License: none
BuildArch: noarch
%description
%{summary}.
%files
"""


def make_deb(directory: Path, version: str, text: str = "nothing") -> Path:
    """Write the package ``tiny`` with a file ``text`` into a new directory; return it."""
    content = directory.parent / f"tiny-{version}-{text}"
    (content / "DEBIAN").mkdir(parents=True)
    (content / "DEBIAN/control").write_text(_CONTROL.format(version=version))
    (content / "text").write_text(text)
    directory.mkdir()
    subprocess.run(["dpkg-deb", "-b", content, directory], check=True, capture_output=True)
    return directory


def make_rpms(directory: Path) -> Path:
    """Write the RPM ``tiny``, and its source, into a new directory; return it."""
    top = directory.parent / f"{directory.name}-build"
    top.mkdir()
    (top / "tiny.spec").write_text(SPEC)
    command = ["rpmbuild", "--quiet", f"--define=_topdir {top}", f"--define=_dbpath {top}/db"]
    subprocess.run([*command, "-ba", top / "tiny.spec"], check=True, capture_output=True)
    directory.mkdir()
    for made in (*top.glob("RPMS/noarch/*.rpm"), *top.glob("SRPMS/*.rpm")):
        made.rename(directory / made.name)
    return directory
