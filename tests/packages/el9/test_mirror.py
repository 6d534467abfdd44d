"""dnf and a mirror: the keys it trusts, the files it refuses."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from nova_xloud.mirrors import mirror, signing
from tests.packages.conftest import expire
from tests.packages.el9.cloud import KEY, RdoCloud


def tamper_with_the_package(mirror: Path) -> None:
    """Change a byte in the middle of the package."""
    (package,) = mirror.glob("pool/el9/*/python3-nova-xloud-[0-9]*.rpm")
    with package.open("r+b") as file:
        file.seek(package.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))


def tamper_with_the_index(mirror: Path) -> None:
    """Change the signed index."""
    index = mirror / "pool/el9/repodata/repomd.xml"
    index.write_text(index.read_text().replace("<revision>", "<revision>1"))


def sign_the_index_by_another(mirror: Path) -> None:
    """Sign the index, and nothing else, by another key."""
    home = mirror / "another"
    another = signing.Signer(home, signing.signing_key(home))
    index = mirror / "pool/el9/repodata/repomd.xml"
    index.with_name("repomd.xml.asc").unlink()
    another.detach_sign(index, index.with_name("repomd.xml.asc"))
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True)


def sign_nothing(mirror: Path) -> None:
    """Take the index's signature away."""
    (mirror / "pool/el9/repodata/repomd.xml.asc").unlink()


@pytest.mark.parametrize(
    "damage",
    [
        *(tamper_with_the_package, tamper_with_the_index),
        *(sign_the_index_by_another, sign_nothing),
    ],
)
def test_dnf_refuses_a_damaged_mirror(
    cloud: RdoCloud, our_mirror: Path, damage: Callable[[Path], None]
) -> None:
    cloud.use_mirror(our_mirror)
    cloud.sh("rm -rf /var/cache/dnf")
    before = cloud.versions()
    damage(cloud.container.root / "srv/mirror")
    said = cloud.refused("install --allowerasing python3-nova-xloud")
    assert re.search("GPG|signature|checksum", said), said
    assert cloud.versions() == before


def test_dnf_refuses_a_key_that_is_not_the_mirrors(
    cloud: RdoCloud, our_mirror: Path, tmp_path: Path
) -> None:
    cloud.use_mirror(our_mirror)
    cloud.sh("rm -rf /var/cache/dnf")
    another = signing.Signer(tmp_path / "gnupg", signing.signing_key(tmp_path / "gnupg"))
    (cloud.container.root / KEY).unlink()
    another.export(cloud.container.root / KEY, armor=True)
    subprocess.run(["gpgconf", "--homedir", another.home, "--kill", "all"], check=True)
    before = cloud.versions()
    said = cloud.refused("install --allowerasing python3-nova-xloud")
    assert re.search("GPG|signature|checksum", said), said
    assert cloud.versions() == before


def test_dnf_refuses_an_expired_key(
    cloud: RdoCloud, built: Path, late: signing.Signer, tmp_path: Path
) -> None:
    place = tmp_path / "mirror"
    mirror.write(place, {mirror.Repository("rpm", "el9"): [built]}, late)
    expire(late)
    (place / "RPM-GPG-KEY-nova-xloud").unlink()
    late.export(place / "RPM-GPG-KEY-nova-xloud", armor=True)
    cloud.use_mirror(place)
    cloud.sh("rm -rf /var/cache/dnf")
    before = cloud.versions()
    said = cloud.refused("install --allowerasing python3-nova-xloud")
    assert re.search("GPG|signature|checksum", said), said
    assert cloud.versions() == before


def test_the_same_mirror_undamaged_is_accepted(cloud: RdoCloud, our_mirror: Path) -> None:
    cloud.use_mirror(our_mirror)
    cloud.sh("rm -rf /var/cache/dnf")
    cloud.swap_in()
