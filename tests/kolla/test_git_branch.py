"""pip installs our branch as OpenStack-Ansible has it do, and nova-api answers on our routes."""

from __future__ import annotations

from pathlib import Path

import pytest

from nova_xloud.ground import root
from tests import repositories
from tests.kolla import image, page
from tests.kolla.answers import assert_answers
from tests.kolla.builder import KOLLA_OF, Kolla
from tests.nova.releases import series_of
from tests.printed import commands

PAGE = "openstack-ansible.md"
#: The requirement that the role os_nova writes, of the two variables of the page.
REQUIREMENT = "git+file:///srv/nova-for-our-cloud.git@{commit}#egg=nova"


@pytest.mark.slow
@pytest.mark.parametrize("release", ["31.3.1", "34.0.0"])
def test_pip_installs_the_branch_from_its_repository(release: str, place: Path) -> None:
    kolla = Kolla(KOLLA_OF[release])
    repositories.make(release, place / "nova")
    first = "--initial-branch=nova-xloud"
    repositories.git(place, "init", "--quiet", "--bare", first, "nova-for-our-cloud.git")
    *write, commit = commands(PAGE, "Write the branch")
    for command in write:
        said = kolla.succeeds(command, place)
    found = kolla.succeeds(commit, place).strip()
    assert found in said
    for command in commands(PAGE, "Let OpenStack-Ansible install it"):
        kolla.succeeds(command, place)

    # the virtual environment of Kolla's image openstack-base, with the pins of our tests
    image.site_settings(place, kolla, series_of(release))
    for command in page.of("Write the files", release) + page.of("Build", settings="source.conf"):
        kolla.succeeds(command, place, place / "contexts")
    scratch = place / "scratch"
    scratch.mkdir()
    with image.openstack_base(kolla, place / "contexts", scratch) as host:
        (host.top / "srv/nova-for-our-cloud.git").mkdir(parents=True)
        with_repository = root.bind(place / "nova-for-our-cloud.git", "/srv/nova-for-our-cloud.git")
        requirement = REQUIREMENT.format(commit=found)
        constraint = "--constraint /requirements/upper-constraints.txt"
        host.does(f"pip install {constraint} '{requirement}'", with_repository)
        imports, lists = commands(PAGE, "Check a host")
        host.says(imports)
        listed = host.says(lists)
        assert listed.startswith(f"nova=={release.rpartition('.')[0]}."), listed
        assert ".dev" in listed
        assert "No broken requirements" in host.says("pip check")
        host.does("mkdir -p /etc/nova /var/lib/nova")
        host.does("cp /var/lib/kolla/venv/etc/nova/api-paste.ini /etc/nova/")
        page.assert_is_the_tree(host.top, place / page.WRITTEN / f"source/nova-{release}")
        assert_answers(host)
