"""Packages for Ubuntu from its own nova: an archive of Ubuntu's shape, a real Nova 29.2.0 in it.

Pockets, versions and relations are as Ubuntu has them; the key is of the test, and so are the patch
and the binary packages.  Only a real Ubuntu can show that they are installed there.
"""

from __future__ import annotations

import difflib
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from nova_xloud.bases import sdists
from nova_xloud.cli import main as cli
from nova_xloud.ground import archive, cache
from tests.archives import Archive, Key
from tests.packages.deb.debs import control_of, field, named

pytestmark = pytest.mark.slow

RELEASE = sdists.Sdist(
    "nova", "29.2.0", "73eb69573a9bd237b7f4676412f0039c91086a203955a98124d4b044d708e03e"
)
FIRST, FIXED = "3:29.2.0-0ubuntu1", "3:29.2.0-0ubuntu1.4"
DEPENDS = "python3-os-traits (>= 3.0.0), python3-oslo.messaging (>= 14.1.0), python3:any, sudo"
PATCHED = "nova/utils.py"
FIX_NAME = "CVE-2026-1.patch"
FIX = b"\n\ndef closes_a_hole():\n    return True\n"


@pytest.fixture(scope="module")
def upstream() -> dict[str, bytes]:
    """The files of the release."""
    files = {}
    with tarfile.open(sdists.fetch(RELEASE)) as tar:
        for member in tar:
            if stream := tar.extractfile(member) if member.isfile() else None:
                files[member.name.partition("/")[2]] = stream.read()
    return files


def library(upstream: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files that Ubuntu's build installs of it."""
    files = {path: text for path, text in upstream.items() if path.startswith("nova/")}
    for name in ("entry_points.txt", "top_level.txt"):
        files[f"nova-29.2.0.egg-info/{name}"] = upstream[f"nova.egg-info/{name}"]
    # builds of a distribution write the optional requirements only, seen on Debian
    _, bracket, optional = upstream["nova.egg-info/requires.txt"].partition(b"[")
    files["nova-29.2.0.egg-info/requires.txt"] = bracket + optional
    return files


@pytest.fixture
def ubuntu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, upstream: dict[str, bytes]
) -> Iterator[Archive]:
    """Ubuntu's archive, and Debian's beside it, which the clean root comes from."""
    debian = archive._entries("bookworm", "debian")
    archive.forget()
    # a cache of its own, but for the clean roots: nothing of this archive is left for a real build
    roots = cache.directory() / "roots"
    roots.mkdir(parents=True, exist_ok=True)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/roots").symlink_to(roots)
    monkeypatch.setenv("NOVA_XLOUD_CACHE", str(tmp_path / "cache"))
    key = Key(tmp_path / "gnupg")
    pockets = ("noble", "noble-updates", "noble-security")
    with Archive(tmp_path / "ubuntu", key, *pockets) as made:
        made.add_source(FIRST, upstream)
        made.add_binary(FIRST, library(upstream), depends="older")
        old = upstream[PATCHED].decode()
        new = old + FIX.decode()
        lines = difflib.unified_diff(
            *(old.splitlines(keepends=True), new.splitlines(keepends=True)),
            *(f"a/{PATCHED}", f"b/{PATCHED}"),
        )
        patches = {FIX_NAME: "".join(lines).encode()}
        made.add_source(FIXED, upstream, "noble-security", patches=patches)
        fixed = {**library(upstream), PATCHED: new.encode()}
        made.add_binary(FIXED, fixed, "noble-security", depends=DEPENDS)
        made.publish(Origin="Ubuntu")
        entries = "\n".join(map(archive._stanza, debian))
        made.sources.write_text(f"{made.sources.read_text()}\n{entries}")
        monkeypatch.setenv(archive.VARIABLE, str(made.sources))
        yield made
    archive.forget()
    key.end()


def build(dist: Path) -> tuple[str, Path, bytes]:
    """Build as an operator does; return the output, the package, and the file of the fix."""
    done = CliRunner().invoke(
        cli.main, ["build", "ubuntu-24.04", "--no-companions", "--dist", str(dist)]
    )
    assert done.exit_code == 0, done.output
    package = named((dist / "ubuntu-24.04").glob("*.deb"), "python3-nova-xloud")
    unpacked = dist / "unpacked"
    subprocess.run(["dpkg-deb", "-x", package, unpacked], check=True)
    patched = unpacked / "usr/lib/python3/dist-packages" / PATCHED
    return done.output, package, patched.read_bytes()


def test_the_security_pockets_nova_is_the_base(ubuntu: Archive, tmp_path: Path) -> None:
    told, package, patched = build(tmp_path / "dist")
    assert "Note:" not in told
    control = control_of(package)
    assert field(control, "Version") == f"{FIXED}+xloud1"
    assert f"python3-nova (= {FIXED})" in field(control, "Provides")
    assert set(DEPENDS.split(", ")) <= set(field(control, "Depends").split(", "))
    assert FIX in patched
    tarball = next((tmp_path / "dist/ubuntu-24.04").glob("*.debian.tar.xz"))
    with tarfile.open(tarball) as tar:
        assert f"debian/patches/{FIX_NAME}" in tar.getnames()


def test_a_fix_whose_source_is_not_served_comes_from_the_library(
    ubuntu: Archive, tmp_path: Path
) -> None:
    ubuntu.withdraw("nova_29.2.0-0ubuntu1.4.*")
    told, package, patched = build(tmp_path / "dist")
    assert f"does not serve the source of nova {FIXED}" in told
    assert f"The base is the source of {FIRST}" in told
    assert field(control_of(package), "Version") == f"{FIXED}+xloud1"
    assert FIX in patched
