"""Signed dnf repositories of a tiny package; dnf's view of them is tested in tests/packages."""

from __future__ import annotations

import gzip
import re
import subprocess
from pathlib import Path

import pytest

from nova_xloud.ground.errors import MirrorError
from nova_xloud.mirrors import dnf as dnf_repository
from nova_xloud.mirrors.signing import Signer
from tests.tiny import make_rpms


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a package and its source."""
    return make_rpms(tmp_path_factory.mktemp("rpm") / "packages")


@pytest.fixture
def mirror(packages: Path, signer: Signer, tmp_path: Path) -> Path:
    """A mirror with one build in its pool, its indexes written."""
    build = tmp_path / "pool/el9/build"
    build.mkdir(parents=True)
    dnf_repository.add(dnf_repository.files(packages), build, signer)
    dnf_repository.write(tmp_path, "el9", signer, "https://mirror.example.org/nova")
    return tmp_path


def key_ring(mirror: Path, signer: Signer) -> list[str]:
    """Return the rpmkeys command that trusts the mirror's key and no other."""
    signer.export(mirror / "key", armor=True)
    command = ["rpmkeys", f"--dbpath={mirror}/db"]
    subprocess.run([*command, "--import", mirror / "key"], check=True)
    return command


def test_all_packages_are_signed_by_the_key(mirror: Path, signer: Signer) -> None:
    command = key_ring(mirror, signer)
    for package in ("tiny-1-1.noarch.rpm", "tiny-1-1.src.rpm"):
        told = subprocess.run(
            [*command, "--checksig", "--verbose", mirror / "pool/el9/build" / package],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        assert re.search(rf"key ID \w*{signer.key[-8:]}: OK", told, re.IGNORECASE), told


def test_a_tampered_package_is_told(mirror: Path, signer: Signer) -> None:
    package = mirror / "pool/el9/build/tiny-1-1.noarch.rpm"
    package.write_bytes(package.read_bytes()[:-1] + b"?")
    done = subprocess.run([*key_ring(mirror, signer), "--checksig", package], capture_output=True)
    assert done.returncode != 0


def test_the_index_is_signed_and_lists_the_packages(mirror: Path, signer: Signer) -> None:
    repodata = mirror / "pool/el9/repodata"
    signer.export(mirror / "key.gpg", armor=False)
    subprocess.run(
        ["gpgv", "--keyring", mirror / "key.gpg"]
        + [str(repodata / name) for name in ("repomd.xml.asc", "repomd.xml")],
        check=True,
        capture_output=True,
    )
    (primary,) = repodata.glob("*-primary.xml.gz")
    text = gzip.decompress(primary.read_bytes()).decode()
    assert '<location href="build/tiny-1-1.noarch.rpm"/>' in text


def test_the_clients_file_asks_for_all_signatures(mirror: Path) -> None:
    told = (mirror / "el9/nova-xloud.repo").read_text().splitlines()
    assert {"gpgcheck=1", "repo_gpgcheck=1"} < set(told)
    assert "baseurl=https://mirror.example.org/nova/pool/el9" in told


def test_a_directory_without_packages_is_refused(packages: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny-1-1.src.rpm").write_bytes((packages / "tiny-1-1.src.rpm").read_bytes())
    with pytest.raises(MirrorError, match="no packages"):
        dnf_repository.files(tmp_path)


def test_what_is_no_package_is_refused(signer: Signer, tmp_path: Path) -> None:
    broken = tmp_path / "broken-1-1.noarch.rpm"
    broken.write_bytes(b"no package")
    (tmp_path / "build").mkdir()
    with pytest.raises(MirrorError, match="rpmsign"):
        dnf_repository.add([broken], tmp_path / "build", signer)
