"""The contents of a source RPM; building it is tested in tests/packages."""

from __future__ import annotations

import ast
import io
import re
import tarfile
from pathlib import Path

import pytest

from nova_xloud.ground.errors import PackageError
from nova_xloud.ground.patches import Patch
from nova_xloud.packages import builds, rpm, targets

PACKAGING = Path(__file__).parents[3] / "rpm"
TREE = PACKAGING.parent / "src/nova_tree"
TARGET = targets.get("el9")
DATE = 1761576201
REQUIRES = """\
pbr>=5.8.0
oslo.log>=4.6.1
python-cinderclient!=4.0.0,>=3.3.0

[osprofiler]
osprofiler>=1.4.0
"""
PROVIDED = """\
config(python3-nova-xloud) = 1:29.4.0-1+xloud1.el9
python3-nova = 1:29.2.0-1.el9
python3.9dist(nova) = 29.4
python3dist(nova) = 29.4
"""
REQUIRED = """\
((python3.9dist(python-cinderclient) < 4 or python3.9dist(python-cinderclient) > 4) with \
python3.9dist(python-cinderclient) >= 3.3)
python(abi) = 3.9
python3.9dist(oslo-log) >= 4.6.1
python3.9dist(pbr) >= 5.8
"""
NEEDED = ["pbr", "oslo.log", "python-cinderclient"]


@pytest.fixture
def sdist(tmp_path: Path) -> Path:
    """A release of a tiny nova."""
    place = tmp_path / "nova.tar.gz"
    member = tarfile.TarInfo("nova-29.4.0/nova.egg-info/requires.txt")
    member.size = len(REQUIRES)
    with tarfile.open(place, "w:gz") as archive:
        archive.addfile(member, io.BytesIO(REQUIRES.encode()))
    return place


@pytest.fixture
def material(sdist: Path, tmp_path: Path) -> rpm.Sources:
    """That release with two patches of ours."""
    sources = [tmp_path / name for name in (*rpm.SHARED, "operator-rpm.md")]
    for source in sources:
        source.write_text("source\n")
    patches = [Patch("xloud/one.patch", b"one\n"), Patch("xloud/two.patch", b"two\n")]
    return rpm.Sources(TARGET, "29.4.0", DATE, sdist, patches, PACKAGING, sources)


def revision(material: rpm.Sources, number: int) -> rpm.Sources:
    """Return a revision of the same."""
    return material._replace(target=material.target._replace(revision=number))


@pytest.fixture
def spec(material: rpm.Sources, tmp_path: Path) -> Path:
    """The spec of its third revision."""
    return rpm.assemble(revision(material, 3), tmp_path / "area")


def test_the_spec_names_what_lies_among_the_sources(spec: Path) -> None:
    named = re.findall(r"^(?:Source|Patch)\d+: +(.*)$", spec.read_text(), re.MULTILINE)
    assert sorted(named) == sorted(each.name for each in (spec.parents[1] / "SOURCES").iterdir())
    assert {"nova.tar.gz", "el9.macros", "10-xloud.yaml", "restart-services"} < set(named)


def words(text: str) -> str:
    """Return a text without its lines, and without the marks of comments."""
    return " ".join(re.sub("^# ?", "", text, flags=re.MULTILINE).split())


def test_the_policy_file_says_what_the_policies_in_the_tree_say() -> None:
    module = TREE / "additions/nova/policies/xloud_adjust.py"
    descriptions = [
        keyword.value.value
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "description" and isinstance(keyword.value, ast.Constant)
    ]
    shipped = words((PACKAGING / rpm.POLICY).read_text())
    assert len(descriptions) == shipped.count('"os_compute_api:xloud:')
    assert [each for each in descriptions if words(str(each)) not in shipped] == []


def test_patches_keep_their_order(spec: Path) -> None:
    patches = re.findall(r"^Patch(\d+): +(.*)$", spec.read_text(), re.MULTILINE)
    assert patches == [("1", "xloud-one.patch"), ("2", "xloud-two.patch")]
    assert (spec.parents[1] / "SOURCES/xloud-two.patch").read_text() == "two\n"


def test_the_spec_is_filled(spec: Path) -> None:
    text = spec.read_text()
    assert not re.search("@[A-Z]+@", text)
    assert "nova-29.4.0" in text
    fields = dict(re.findall(r"^(Epoch|Version|Release): +(.*)$", text, re.MULTILINE))
    assert fields == {"Epoch": "1", "Version": "29.4.0", "Release": "1+xloud3%{?dist}"}
    assert "%global provided 1:29.2.0-1.el9\n" in text


def test_a_place_that_nothing_fills_is_told() -> None:
    with pytest.raises(PackageError, match="EXTRA"):
        rpm.fill_spec("Version: @VERSION@\n@EXTRA@\n", {"VERSION": "29.4.0"})
    with pytest.raises(PackageError, match="REVISION"):
        rpm.fill_spec("Version: @VERSION@\n", {"VERSION": "29.4.0", "REVISION": "1"})


def test_all_dates_are_the_releases_and_differ_by_revision(
    spec: Path, material: rpm.Sources, tmp_path: Path
) -> None:
    dates = {each.stat().st_mtime for each in (spec, *(spec.parents[1] / "SOURCES").iterdir())}
    assert dates == {DATE + 3 * builds.REVISION_SECONDS}
    assert "\n* Mon Oct 27 17:43:21 UTC 2025 nova-xloud" in spec.read_text()
    other = rpm.assemble(revision(material, 4), tmp_path / "other")
    assert other.stat().st_mtime - spec.stat().st_mtime == builds.REVISION_SECONDS


def test_the_version_to_stand_in_for_is_a_parameter(material: rpm.Sources, tmp_path: Path) -> None:
    other = material._replace(target=TARGET._replace(provides="2:29.2.1-3.el9s"))
    text = rpm.assemble(other, tmp_path / "area").read_text()
    assert "%global provided 2:29.2.1-3.el9s\n" in text
    assert re.search(r"^Epoch: +2$", text, re.MULTILINE)


def test_the_bases_changelog_follows_ours_and_its_release_leads(
    material: rpm.Sources, tmp_path: Path
) -> None:
    entries = "* Thu Oct 30 2025 RDO <rdo@example.org> 1:29.4.0-3\n- 100% mended, @DATE@ and all"
    other = material._replace(changelog=entries, release="3")
    text = rpm.assemble(revision(other, 2), tmp_path / "area").read_text()
    assert re.search(r"^Release: +3\+xloud2%{\?dist}$", text, re.MULTILINE)
    head, _, told = text.partition("%changelog\n")[2].partition("\n\n")
    assert head.splitlines()[0].endswith(" - 1:29.4.0-3+xloud2")
    assert f"- Stands in for python3-nova {TARGET.provides}" in head
    assert told == entries.replace("%", "%%") + "\n"


def test_dependencies_are_those_of_the_release_without_extras(sdist: Path) -> None:
    assert rpm.dependencies(sdist) == NEEDED


def test_a_release_that_tells_no_dependencies_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "empty.tar.gz", "w:gz"):
        pass
    with pytest.raises(PackageError):
        rpm.dependencies(tmp_path / "empty.tar.gz")


def test_a_package_with_all_relations_has_lost_none() -> None:
    assert rpm.missing_relations(PROVIDED, REQUIRED, TARGET, "29.4.0", NEEDED) == []


@pytest.mark.parametrize("line", [*PROVIDED.splitlines()[1:], *REQUIRED.splitlines()])
def test_every_relation_is_missed(line: str) -> None:
    provided, required = (text.replace(f"{line}\n", "") for text in (PROVIDED, REQUIRED))
    lost = rpm.missing_relations(provided, required, TARGET, "29.4.0", NEEDED)
    assert len(lost) == 1, lost


def test_the_macros_are_of_the_targets_python() -> None:
    told = (PACKAGING / "el9.macros").read_text()
    assert f"%python3_version {TARGET.python}\n" in told
    assert TARGET.provides.endswith(re.findall(r"^%dist (.*)$", told, re.MULTILINE)[0])
