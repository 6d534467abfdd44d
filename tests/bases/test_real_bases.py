"""The real bases, fetched over the network once: the claims of the unit tests, on real trees."""

from __future__ import annotations

import filecmp
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from nova_xloud import bases
from nova_xloud.ground import archive, cache
from nova_xloud.ground.errors import FetchError
from nova_xloud.trees import quilt, tree
from nova_xloud.weave import without_marked

CHECKED = [each.name for each in bases.known().values() if each.checked]


class Trees(NamedTuple):
    """A base, unpacked and woven."""

    base: bases.Base
    pristine: Path
    woven: Path
    files: list[tree.Ours]


@pytest.fixture(scope="module", params=CHECKED)
def trees(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Trees]:
    top = tmp_path_factory.mktemp("base")
    # A source package is unpacked whole; of a release, the files that are ours are enough.
    base = bases.unpack(request.param, top / "pristine", only=tree.paths())
    files, failures = tree.compose(base, top / "pristine")
    assert [str(each.error) for each in failures] == []
    tree.write(base, top / "pristine", files, top / "woven")
    yield Trees(base, top / "pristine", top / "woven", files)
    shutil.rmtree(top)


def holders(text: str) -> set[str]:
    """Return the first words of the holders that a text names, without a leading "The"."""
    named = re.findall(r"Copyright\b[ :]*(?:\([cC]\)|©)?[ \d,-]*\d{4}[ ,]+(.{3,})", text)
    plain = (re.sub(r"\([cC]\)|©|^by |^- |^The ", "", each).strip() for each in named)
    return {re.split(r"[ ,]", each)[0] for each in plain if each}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKED)
def test_every_holder_of_a_copyright_is_in_the_packages_list(name: str) -> None:
    listed = (Path(__file__).parents[2] / "debian/copyright").read_text()
    known = set(re.findall(r"^ [\d-]+, (?:The )?([^ ,\n]+)", listed, re.MULTILINE))
    # translations have this word of their template
    known.add("ORGANIZATION")
    sources = [each for each in bases.fetch(name) if ".tar." in each.name]
    assert sources
    seen: set[str] = set()
    for source in sources:
        with tarfile.open(source) as archive_:
            for member in archive_:
                stream = archive_.extractfile(member) if member.isfile() else None
                if stream:
                    found = holders(stream.read().decode(errors="replace"))
                    assert found <= known, f"{member.name}: {found - known}"
                    seen |= found
    assert {"OpenStack", "Red", "VMware"} <= seen


def differing(one: Path, other: Path) -> set[str]:
    """Return the paths of the files in which two directories differ."""
    found: set[str] = set()

    def look(compared: filecmp.dircmp[str], prefix: str) -> None:
        for name in compared.left_only + compared.right_only:
            for top in (one, other):
                place = top / prefix / name
                if place.is_dir():
                    inner = (each for each in place.rglob("*") if each.is_file())
                    found.update(str(each.relative_to(top)) for each in inner)
                elif place.exists():
                    found.add(str(place.relative_to(top)))
        found.update(prefix + name for name in compared.diff_files + compared.funny_files)
        for name, each in compared.subdirs.items():
            look(each, f"{prefix}{name}/")

    look(filecmp.dircmp(one, other, ignore=[], hide=[]), "")
    return found


def test_nothing_but_what_is_ours_differs_from_the_base(trees: Trees) -> None:
    assert differing(trees.pristine, trees.woven) == {each.path for each in trees.files}


def test_the_base_comes_back_when_our_lines_are_dropped(trees: Trees) -> None:
    for each in trees.files:
        if each.base is not None:
            woven = (trees.woven / each.path).read_bytes()
            assert (
                without_marked(woven, path=each.path) == (trees.pristine / each.path).read_bytes()
            )


def test_the_series_gives_the_tree(trees: Trees) -> None:
    for patch in quilt.series(trees.files):
        subprocess.run(
            ["patch", "-F0", "-p1", "--batch", "--directory", trees.pristine],
            input=patch.content,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    assert differing(trees.pristine, trees.woven) == set()


def test_apt_refuses_an_archive_that_debian_has_not_signed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wrong = tmp_path / "keyring.gpg"
    wrong.touch()
    named = tmp_path / "archive.sources"
    entries = [each._replace(keys=str(wrong)) for each in archive._entries("trixie", "debian")]
    named.write_text("\n".join(map(archive._stanza, entries)))
    monkeypatch.setenv(archive.VARIABLE, str(named))
    monkeypatch.setenv("NOVA_XLOUD_CACHE", str(tmp_path / "cache"))
    with pytest.raises(FetchError, match="NO_PUBKEY"):
        bases.fetch("debian:trixie")
    assert not list(cache.directory().rglob("*.dsc"))
