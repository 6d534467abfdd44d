"""Images of each OpenStack release, made by Kolla's own steps: nova-api answers on our routes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kolla import image, page
from tests.kolla.answers import assert_answers
from tests.kolla.builder import FIRST_WITH_PATCHES, KOLLA_OF, Kolla
from tests.nova.releases import series_of

WAYS = [
    pytest.param(release, settings, id=f"{release}-{settings.removesuffix('.conf')}")
    for release, series in KOLLA_OF.items()
    for settings in ("patches.conf", "source.conf")
    if series >= FIRST_WITH_PATCHES or settings == "source.conf"
]


@pytest.mark.slow
@pytest.mark.parametrize(("release", "settings"), WAYS)
def test_nova_api_of_the_image_answers(release: str, settings: str, place: Path) -> None:
    kolla = Kolla(KOLLA_OF[release])
    image.site_settings(place, kolla, series_of(release))
    prepared = place / "contexts"
    for command in page.of("Write the files", release) + page.of("Build", settings=settings):
        kolla.succeeds(command, place, prepared)
    written = place / page.WRITTEN
    scratch = place / "scratch"
    scratch.mkdir()
    with image.made(kolla, prepared, scratch) as nova_api:
        page.assert_is_the_tree(nova_api.top, written / f"source/nova-{release}")
        imports, lists, patched = page.of("Check an image")
        nova_api.says(imports)
        found = [f"nova=={release}"]
        if settings == "patches.conf":
            found.append("nova-xloud==1.0.0")
            names = (written / "patches/nova-base/series").read_text().split()
            applied = [f"[i] Applied /patches/{each}" for each in names]
            assert nova_api.says(patched).splitlines() == applied
        assert nova_api.says(lists).splitlines() == found
        assert "No broken requirements" in nova_api.says("pip check")
        assert_answers(nova_api)
