"""The wheel that was built: the same bytes twice; for pip the release, with what is ours in it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_xloud import builds, root, targets
from nova_xloud.cache import sha256
from nova_xloud.cli import main
from tests.nova.environment import NovaEnvironment

TARGET = targets.get("29.4.0-wheel")
BUILT = Path(__file__).parents[2] / "dist" / TARGET.name
#: Installs the wheel as /tree/site by pip, with the pinned libraries below it, and looks at it.
LOOK = """
set -eu
python=$1
"$python" -m pip install -q --no-deps --no-index --no-compile --target site *.whl
export PYTHONPATH=/tree/site
"$python" -c '
import nova.version, nova.xloud.adjust
from importlib.metadata import entry_points
assert nova.__file__.startswith("/tree/site/"), nova.__file__
assert nova.version.version_string() == "29.4.0", nova.version.version_string()
found = entry_points(group="nova.api.extra_spec_validators")
assert "minimum" in {each.name for each in found}, found
'
for name in api conductor scheduler compute; do
	"$python" "site/bin/nova-$name" --version
done
"${python%/*}/oslopolicy-sample-generator" --namespace nova >listed
grep -q os_compute_api:xloud:adjust listed
"""


@pytest.fixture(scope="module")
def wheel() -> Path:
    """The wheel under test."""
    assert (BUILT / builds.RECORD).exists(), f"no wheel in {BUILT}: run `make packages` first"
    (found,) = BUILT.glob("*.whl")
    return found


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that goes at the end."""
    made = Path(tempfile.mkdtemp(prefix="nova-xloud-wheel-", dir="/var/tmp"))
    yield made
    root.remove_tree(made)


def test_two_builds_give_the_same_bytes(wheel: Path, place: Path) -> None:
    revision = wheel.name.split("-")[2].removesuffix("xloud")
    command = ["build", TARGET.name, "--revision", revision, "--dist", str(place)]
    main(command, standalone_mode=False)
    assert sha256(place / TARGET.name / wheel.name) == sha256(wheel)


def test_it_is_the_release_with_ours_in_it(wheel: Path, place: Path) -> None:
    environment = NovaEnvironment(TARGET.base)
    environment.prepare()
    shutil.copy(wheel, place)
    python = f"/venv/{environment.key}/bin/python"
    log = place / "log"
    failed = environment.run(["sh", "-c", LOOK, "sh", python], place, log)
    assert failed == 0, log.read_text()
