"""Signed apt indexes of a tiny package; apt's view of them is tested in tests/packages."""

from __future__ import annotations

import hashlib
import lzma
import re
from pathlib import Path

import pytest

from nova_xloud.ground.errors import MirrorError
from nova_xloud.mirrors import apt as apt_repository
from nova_xloud.mirrors.signing import Signer
from tests.tiny import make_deb


@pytest.fixture
def mirror(tmp_path: Path, signer: Signer) -> Path:
    """A mirror with one build in its pool, its indexes not written."""
    build = tmp_path / "mirror/pool/trixie/build"
    build.mkdir(parents=True)
    packages = make_deb(tmp_path / "packages", "1.0")
    apt_repository.add(apt_repository.files(packages), build, signer)
    return tmp_path / "mirror"


def test_a_directory_without_a_package_is_told(tmp_path: Path) -> None:
    (tmp_path / "nova-xloud_1.dsc").touch()
    with pytest.raises(MirrorError, match="build them first"):
        apt_repository.files(tmp_path)


def test_every_index_is_there_under_the_hash_that_the_release_file_names(
    mirror: Path, signer: Signer
) -> None:
    apt_repository.write(mirror, "trixie", signer, "https://mirror.example.org")
    top = mirror / "dists/trixie"
    release = (top / "InRelease").read_text()
    listed = re.findall(r"^ ([0-9a-f]{64}) +\d+ (main/\S+)$", release, re.MULTILINE)
    indexes = [each for each in listed if "by-hash" not in each[1]]
    assert len(indexes) >= 2 * (len(apt_repository.ARCHITECTURES) + 1)
    for digest, name in indexes:
        content = (top / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
        if re.search(r"/(Packages|Sources)(\.xz)?$", name):
            assert (top / name).parent.joinpath("by-hash/SHA256", digest).read_bytes() == content
    packed = lzma.decompress((top / "main/binary-arm64/Packages.xz").read_bytes()).decode()
    assert "Filename: pool/trixie/build/tiny_1.0_all.deb\n" in packed


def test_a_package_that_cannot_be_read_is_named(mirror: Path, signer: Signer) -> None:
    (mirror / "pool/trixie/build/broken_1_all.deb").write_bytes(b"!<arch>\n")
    with pytest.raises(MirrorError, match=r"broken_1_all\.deb"):
        apt_repository.write(mirror, "trixie", signer, "")
