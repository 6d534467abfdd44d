"""The one file as a user starts it, in every Python from 3.8 on that this host has."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from nova_xloud.packages import zipapp
from tests.unit.installed import small
from tests.unit.test_checkout import pythons


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("program") / zipapp.NAME
    zipapp.build(made)
    return made


def run(
    python: str, program: Path, *words: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("NOVA_")}
    return subprocess.run(
        [python, "-s", str(program), *words],
        env={**kept, **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("python", pythons())
def test_an_anchor_that_is_missing_is_named_and_nothing_is_written(
    python: str, program: Path, tmp_path: Path
) -> None:
    place = small.install(tmp_path / "site")
    before = small.content(place.code)
    done = run(python, program, "apply", str(place.code))
    assert done.returncode in (3, 6), done.stderr
    assert "nova/" in done.stderr
    assert small.content(place.code) == before


def test_the_variables_name_the_tree(program: Path, tmp_path: Path) -> None:
    place = small.install(tmp_path / "site")
    for name in ("NOVA_SITE_PACKAGES", "NOVA_ROOT"):
        done = run("python3", program, "verify", "--json", **{name: str(place.code)})
        assert done.returncode == 1
        (row,) = json.loads(done.stdout)
        assert row["found"] == "nova-xloud was not applied by this program"


def test_without_a_nova_it_says_what_to_do(program: Path) -> None:
    done = run("python3", program, "check", PYTHONPATH="")
    assert done.returncode == 6
    assert "start this program by the Python of Nova's environment" in done.stderr
