"""Sources that users have, real ones: a git checkout, an sdist, a distribution's source.

Upstream's repository cannot be reached from here.  The text of a tag is real in one case: Debian's
upstream tarball of trixie is what ``git archive`` wrote of upstream's tag.  The repository of
29.4.0 is made of the sdist, without the ways in which an sdist differs.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from nova_xloud import bases
from nova_xloud.bases import distributions
from nova_xloud.trees import tree
from tests import repositories
from tests.nova.releases import of
from tests.repositories import commit, git

(MAIN,) = of("main")


def xloud(*words: object) -> bytes:
    command = [sys.executable, "-m", "nova_xloud", *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def apply(repository: Path, clone: Path, tag: str, mails: bytes) -> Path:
    """Clone a repository, and let git apply a series to a tag of it."""
    git(repository.parent, "clone", "--quiet", repository, clone)
    git(clone, "checkout", "--quiet", tag)
    file = clone.parent / f"{clone.name}.mbox"
    file.write_bytes(mails)
    git(clone, "am", "--quiet", file)
    return clone


def assert_same(one: Path, other: Path) -> None:
    """Compare all files that are ours, or that have lines of ours."""
    ours = [path for path in tree.paths() if (one / path).exists() or (other / path).exists()]
    assert len(ours) > 50
    assert [p for p in ours if (one / p).read_bytes() != (other / p).read_bytes()] == []


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the text of the release, without the changes of its sdist."""
    return repositories.make(MAIN, tmp_path_factory.mktemp("repository") / "nova")


def test_git_am_applies_the_series_of_a_release_and_of_a_checkout(
    repository: Path, tmp_path: Path
) -> None:
    xloud("tree", repository, tmp_path / "tree")
    for name, base in (("release", MAIN), ("checkout", repository)):
        mails = xloud("diff", base, "--for", "git")
        clone = apply(repository, tmp_path / name, MAIN, mails)
        assert_same(clone, tmp_path / "tree")
        assert git(clone, "status", "--porcelain") == ""
        assert "minimum = nova.api" in (clone / "setup.cfg").read_text()
        assert git(clone, "log", "--format=%an", f"{MAIN}..").split() == ["nova-xloud"] * len(
            re.findall(rb"(?m)^From 0{40} ", mails)
        )


def test_the_patches_of_a_checkout_fit_it_and_not_the_sdist(
    repository: Path, tmp_path: Path
) -> None:
    checkout = tmp_path / "checkout"
    git(tmp_path, "clone", "--quiet", repository, checkout)
    sdist = tmp_path / "sdist"
    bases.unpack(MAIN, sdist)
    for directory, other in ((checkout, sdist), (sdist, checkout)):
        patches = xloud("diff", directory)
        assert not fits(patches, other)
        assert fits(patches, directory)
        assert patch(patches, directory, "--quiet").returncode == 0


def patch(patches: bytes, directory: Path, *options: str) -> subprocess.CompletedProcess[bytes]:
    command = ["patch", "-F0", "-p1", "--batch", *options, "--directory", str(directory)]
    return subprocess.run(command, input=patches, capture_output=True)


def fits(patches: bytes, directory: Path) -> bool:
    return patch(patches, directory, "--dry-run").returncode == 0


def test_an_sdist_is_a_base(tmp_path: Path) -> None:
    (file,) = bases.fetch(MAIN)
    assert xloud("diff", file) == xloud("diff", MAIN)
    assert f"(Nova {MAIN})".encode() in xloud("check", file)


@pytest.fixture(scope="module")
def trixie() -> tuple[Path, Path]:
    """Debian's source package, and its upstream tarball, which git has written."""
    files = bases.fetch("debian:trixie")
    dsc = next(each for each in files if each.suffix == ".dsc")
    return dsc, next(each for each in files if ".orig.tar." in each.name)


def test_git_am_applies_to_the_text_of_a_real_tag(
    trixie: tuple[Path, Path], tmp_path: Path
) -> None:
    _, tarball = trixie
    named = re.search(r"_([\d.]+)\.orig\.", tarball.name)
    assert named
    version, series = named[1], named[1].partition(".")[0]
    with tarfile.open(tarball) as archive:
        assert "comment" in archive.pax_headers, "git archive names the commit there"
        archive.extractall(tmp_path, filter="tar")
    (top,) = tmp_path.iterdir()
    assert b"all fit" in xloud("check", tarball, "--version", version)
    commit(top, version)
    xloud("tree", top, tmp_path / "tree")
    clone = apply(top, tmp_path / "clone", version, xloud("diff", top, "--for", "git"))
    assert_same(clone, tmp_path / "tree")
    # The text of setup.cfg that the series of a release of the same series is made for.
    release = next(each for each in bases.known() if each.startswith(f"{series}."))
    mails = tmp_path / "release.mbox"
    mails.write_bytes(xloud("diff", release, "--for", "git"))
    settings = git(clone, "show", "HEAD:setup.cfg")
    git(clone, "checkout", "--quiet", version)
    git(clone, "apply", "--include=setup.cfg", "--include=pyproject.toml", mails)
    assert (clone / "setup.cfg").read_text() == settings


def test_the_patches_of_a_distribution_fit_its_source(
    trixie: tuple[Path, Path], tmp_path: Path
) -> None:
    """Those of the name begin with the difference to the library that hosts have."""
    for number, base in enumerate(("debian:trixie", None)):
        source = tmp_path / f"source-{number}"
        distributions.unpack(trixie[0], source)
        patches = xloud("diff", base or source)
        done = patch(patches, source)
        assert done.returncode == 0, done.stdout.decode()
        assert (source / "nova/xloud").is_dir()
