"""The facts in a source RPM's spec and version; a real one is built on in tests/packages."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from nova_xloud.bases import srpm
from nova_xloud.ground.errors import SourceRpmError


@pytest.mark.parametrize(
    ("version", "release"),
    [
        ("1:29.2.0-1.el9", "1"),
        ("1:29.2.0-2.el9s", "2"),
        ("1:29.2.0-2.el9_4", "2"),
        ("1:28.1.0-0.20240625002040.ecdd747.el9", "0.20240625002040.ecdd747"),
        ("1:29.2.0-1", "1"),
    ],
)
def test_a_release_is_told_without_the_distributions_tag(version: str, release: str) -> None:
    assert srpm.own_release(version) == release


def test_patches_apply_in_the_order_of_their_lines() -> None:
    spec = "Patch10: c.patch\nName: nova\npatch0002: b.patch\nPatch1: https://x.example/a.patch\n"
    assert srpm.patches_of(spec) == ["c.patch", "b.patch", "a.patch"]


def write_spec(place: Path, name: str, version: str, release: str) -> None:
    """Write a source RPM without sources."""
    spec = place / f"{release}.spec"
    spec.write_text(
        f"Name: {name}\nEpoch: 1\nVersion: {version}\nRelease: {release}\nSummary: x\n"
        "License: x\nBuildArch: noarch\n%description\nx\n"
    )
    command = ["rpmbuild", "--quiet", "-D", f"_topdir {place}", "-bs", str(spec)]
    subprocess.run(command, check=True)


def test_the_newest_of_a_repository_is_found_by_rpms_order(tmp_path: Path) -> None:
    for version, release in (("29.2.0", "9.el9"), ("29.2.0", "10.el9"), ("29.2.0", "10~rc1.el9")):
        write_spec(tmp_path, "openstack-nova", version, release)
    write_spec(tmp_path, "openstack-nova-other", "99", "1")
    assert srpm.find(tmp_path).name == "openstack-nova-29.2.0-10.el9.src.rpm"


def test_a_directory_without_any_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceRpmError, match="no source RPM of openstack-nova"):
        srpm.find(tmp_path)


def test_the_source_of_another_package_is_refused(tmp_path: Path) -> None:
    write_spec(tmp_path, "openstack-glance", "28.0.0", "1.el9")
    (file,) = tmp_path.glob("SRPMS/*")
    digest = subprocess.run(["sha256sum", file], check=True, capture_output=True, text=True).stdout
    with pytest.raises(SourceRpmError, match="source of openstack-glance"):
        srpm.verified(srpm.Given(file, None, digest.split()[0]))
