"""A site whose only archive is a mirror of its own: real roots and real packages come from it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_xloud.ground import archive, cache, root
from tests.archives import Archive, Key

pytestmark = pytest.mark.slow
SUITE = "trixie"
RECIPE = root.Recipe("site-archive", SUITE, ())


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The packages of a root, as the real archive serves them."""
    real = archive.read(SUITE)
    made = root.make(root.Recipe("site-archive-source", SUITE, ()))
    show = ["dpkg-query", f"--admindir={made}/var/lib/dpkg", "-W", "-f=${Package}=${Version}\n"]
    wanted = subprocess.run(show, check=True, capture_output=True, text=True).stdout.split()
    place = tmp_path_factory.mktemp("packages")
    command = ["apt-get", *real.options, "download", "-q", *wanted]
    subprocess.run(command, cwd=place, check=True, stdout=subprocess.DEVNULL)
    return sorted(place.glob("*.deb"))


@pytest.fixture
def site(
    packages: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Archive]:
    """A mirror with them, signed by a key of its own, which is the archive to build from."""
    monkeypatch.setenv("NOVA_XLOUD_CACHE", str(tmp_path / "cache"))
    archive.forget()
    key = Key(tmp_path / "gnupg")
    with Archive(tmp_path / "archive", key, SUITE) as made:
        pool = made.top / "pool" / SUITE
        pool.mkdir(parents=True)
        for package in packages:
            shutil.copy(package, pool)
        made.publish()
        monkeypatch.setenv(archive.VARIABLE, str(made.sources))
        yield made
    archive.forget()
    key.end()


def test_a_root_is_made_of_the_sites_packages_and_made_anew_when_they_change(
    site: Archive, packages: list[Path]
) -> None:
    first = root.make(RECIPE)
    debs = [each for each in site.asked if each.endswith(".deb")]
    assert len(debs) == len(packages)
    assert (first / "etc/apt/sources.list").read_text() == (
        f"deb [signed-by={site.key.public}] {site.address} {SUITE} main\n"
    )
    assert root.make(RECIPE) == first
    site.add_binary("1-1", {"nova/__init__.py": b""}, name="python3-nova")
    site.publish()
    archive.forget()
    second = root.make(RECIPE)
    assert second != first
    # this process may still use it
    assert first.is_dir()


def test_a_root_is_not_made_of_packages_that_another_key_has_signed(
    site: Archive, tmp_path: Path
) -> None:
    other = Key(tmp_path / "other")
    other.end()
    site.describe(str(other.public))
    with pytest.raises(Exception, match=r"NO_PUBKEY|not signed"):
        root.make(RECIPE)
    assert not [each for each in (cache.directory() / "roots").iterdir() if each.is_dir()]
