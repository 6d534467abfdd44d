"""Which Nova is meant, and whose it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from nova_xloud.ground.errors import DirectoryError, OwnedError
from nova_xloud.installed import places
from tests.unit.installed import small

HOST = Path("/")


def test_a_site_packages_directory_the_nova_in_it_and_a_link_to_it(tmp_path: Path) -> None:
    place = small.install(tmp_path / "site")
    (tmp_path / "link").symlink_to("site")
    for named in ("site", "site/nova", "link"):
        found = places.find(str(tmp_path / named), HOST)
        assert found == place
    assert (place.version, place.series, place.point) == ("29.4.0", 29, (4, 0))


def test_a_version_between_releases(tmp_path: Path) -> None:
    place = small.install(tmp_path / "site")
    metadata = place.metadata / "METADATA"
    metadata.write_text(metadata.read_text().replace("29.4.0", "29.4.1.dev12"))
    found = places.find(str(tmp_path / "site"), HOST)
    assert (found.series, found.point) == (29, (4, 1))


def test_the_file_system_of_a_container(tmp_path: Path) -> None:
    site = tmp_path / "root/var/lib/kolla/venv/lib/python3.10/site-packages"
    small.install(site)
    found = places.find("", tmp_path / "root")
    assert found.code == site
    assert found.inside == "/var/lib/kolla/venv/lib/python3.10/site-packages"
    assert places.find(found.inside, tmp_path / "root") == found


def test_two_in_a_container_are_named(tmp_path: Path) -> None:
    for python in ("python3.10", "python3.12"):
        small.install(tmp_path / f"var/lib/kolla/venv/lib/{python}/site-packages")
    with pytest.raises(DirectoryError, match=r"name one of /var/lib/kolla.*3\.10.*3\.12"):
        places.find("", tmp_path)
    with pytest.raises(DirectoryError, match="has no Nova in a usual place"):
        places.find("", tmp_path / "var")


def test_an_editable_installation_leads_to_its_checkout(tmp_path: Path) -> None:
    place = small.install(tmp_path / "site")
    checkout = tmp_path / "my nova"
    checkout.mkdir()
    shutil.move(str(place.code / "nova"), str(checkout))
    about = {"url": f"file://{tmp_path}/my%20nova", "dir_info": {"editable": True}}
    (place.metadata / "direct_url.json").write_text(json.dumps(about))
    shutil.copytree(place.metadata, checkout / "nova.egg-info")
    assert places.find(str(tmp_path / "site"), HOST).code == checkout


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda place: shutil.rmtree(place.metadata), "pip has not installed it"),
        (lambda place: shutil.rmtree(place.code / "nova"), "has no directory nova"),
        (
            lambda place: shutil.copytree(place.metadata, place.code / "nova-29.3.0.dist-info"),
            "two installations",
        ),
        (lambda place: (place.metadata / "METADATA").write_text("Name: x\n"), "does not tell"),
    ],
)
def test_a_tree_that_is_not_whole_is_refused(tmp_path: Path, damage: object, reason: str) -> None:
    place = small.install(tmp_path / "site")
    damage(place)  # type: ignore[operator]
    with pytest.raises(DirectoryError, match=reason):
        places.find(str(tmp_path / "site"), HOST)


def test_a_zipped_installation_is_refused(tmp_path: Path) -> None:
    (tmp_path / "nova.egg").write_bytes(b"PK")
    with pytest.raises(DirectoryError, match="unzip it"):
        places.find(str(tmp_path / "nova.egg"), HOST)


def test_a_nova_of_dpkg_is_refused_with_the_command(tmp_path: Path) -> None:
    site = tmp_path / "usr/lib/python3/dist-packages"
    small.install(site)
    place = places.find("", tmp_path)
    places.refuse_owned(place)
    lists = tmp_path / "var/lib/dpkg/info"
    lists.mkdir(parents=True)
    (lists / "python3-nova.list").write_text(
        "/.\n/usr/lib/python3/dist-packages/nova/__init__.py\n/usr\n"
    )
    with pytest.raises(OwnedError, match="python3-nova: use `apt install python3-nova-xloud`"):
        places.refuse_owned(place)


def test_a_nova_of_rpm_is_refused_with_the_command(tmp_path: Path) -> None:
    site = tmp_path / "usr/lib/python3.9/site-packages"
    place = small.install(site)
    (place.metadata / "INSTALLER").write_text("rpm\n")
    with pytest.raises(OwnedError, match="dnf swap"):
        places.refuse_owned(places.find("", tmp_path))
