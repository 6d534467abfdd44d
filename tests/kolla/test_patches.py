"""What `nova-xloud kolla` writes, in the hands of kolla-build and of the image's kolla_patch."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from nova_xloud import bases
from tests.kolla import page
from tests.kolla.builder import FIRST_WITH_PATCHES, KOLLA_OF, Kolla

OLDEST, *OTHERS, NEWEST = (
    name for name, series in KOLLA_OF.items() if series >= FIRST_WITH_PATCHES
)
RELEASES = [OLDEST, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS), NEWEST]
#: Runs a program in a root directory that has the programs of this host.
_IN = """
for each in usr bin lib lib64; do
	[ -L "/$each" ] && ln -s "$(readlink "/$each")" "$1/$each" && continue
	mkdir -p "$1/$each" && mount --bind "/$each" "$1/$each"
done
exec chroot "$@"
"""


def kolla_patch(top: Path) -> subprocess.CompletedProcess[str]:
    command = ["unshare", "--mount", "sh", "-euc", _IN, "sh", str(top), "bash", "/kolla_patch.sh"]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(params=RELEASES)
def top(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The part of an image that kolla_patch works on: the release, the patches, the program."""
    release = request.param
    kolla = Kolla(KOLLA_OF[release])
    (tmp_path / "kolla-build.conf").write_text("[DEFAULT]\nbase = debian\n")
    for command in page.of("Write the files", release):
        kolla.succeeds(command, tmp_path)
    render, tail = page.of("Look before you build")
    kolla.succeeds(render, tmp_path)
    ends = kolla.succeeds(tail, tmp_path)
    assert ends.split("COPY patches /patches\n")[1].split()[:2] == ["RUN", "kolla_patch"]

    top = tmp_path / "top"
    # Kolla makes the link: python3 stands for the Python of the image
    venv = top / page.SITE.removesuffix("python3/site-packages")
    bases.unpack(release, tmp_path / "stock")
    shutil.copytree(tmp_path / "stock/nova", venv / "python3.99/site-packages/nova")
    (venv / "python3").symlink_to("python3.99")
    for name in ("etc/kolla", "tmp"):
        (top / name).mkdir(parents=True)
    images = tmp_path / "rendered/docker"
    shutil.copytree(images / "nova/nova-base/patches", top / "patches")
    shutil.copy(images / "base/kolla_patch.sh", top)
    return top


def test_the_patches_make_our_tree_of_the_release(top: Path) -> None:
    names = (top / "patches/series").read_text().split()
    done = kolla_patch(top)
    assert done.returncode == 0, done.stdout
    assert "offset" not in done.stdout
    assert "fuzz" not in done.stdout
    (source,) = (top.parent / page.WRITTEN / "source").iterdir()
    page.assert_is_the_tree(top, source)
    assert len((top / "etc/kolla/patched").read_text().splitlines()) == len(names) > 30
    assert not list((top / page.SITE).resolve().rglob("*.orig"))
    # as in the images that Kolla makes of nova-base
    assert "nothing to patch" in kolla_patch(top).stdout


def test_the_tarball_of_a_branch_is_taken(tmp_path: Path) -> None:
    (sdist,) = bases.fetch(OLDEST)
    shutil.copy(sdist, tmp_path / "nova-stable-2025.1.tar.gz")
    kolla = Kolla(KOLLA_OF[OLDEST])
    (command,) = page.of("Another Nova")
    assert "Kolla 20" in kolla.succeeds(command, tmp_path)
    written = tmp_path / page.WRITTEN
    assert (written / "nova-stable-2025.1.tar.gz").read_bytes() == sdist.read_bytes()
    assert len(list((written / "patches/nova-base").iterdir())) > 30
