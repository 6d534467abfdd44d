"""The built wheel: the same bytes twice; for pip the release, with our files in it."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from nova_xloud.cli.main import main
from nova_xloud.ground.cache import sha256
from nova_xloud.packages import builds, companions, targets
from tests.nova.environment import NovaEnvironment
from tests.packages.companions import built, built_again
from tests.printed import commands
from tests.wheel.environment import Environment

TARGET = targets.get("29.4.0-wheel")
BUILT = Path(__file__).parents[2] / "dist" / TARGET.name
#: Installs the wheel as /tree/site by pip, with the pinned libraries below it, and looks at it.
LOOK = """
set -eu
python=$1
"$python" -m pip install -q --no-deps --no-index --no-compile --target site *.whl
export PYTHONPATH=/tree/site
"$python" -c '
import nova.version, nova.xloud.lifecycle
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


def test_two_builds_give_the_same_bytes(wheel: Path, place: Path) -> None:
    revision = wheel.name.split("-")[2].removesuffix("xloud")
    command = [
        "build",
        TARGET.name,
        "--no-companions",
        "--revision",
        revision,
        "--dist",
        str(place),
    ]
    main(command, standalone_mode=False)
    assert sha256(place / TARGET.name / wheel.name) == sha256(wheel)


@pytest.mark.parametrize("companion", companions.of(TARGET), ids=lambda companion: companion.name)
def test_the_wheel_of_a_companion_is_the_same_bytes_twice(
    companion: companions.Companion, place: Path
) -> None:
    again = built_again(companion, TARGET, place)
    (wheel,) = built(companion, TARGET).glob("*.whl")
    assert sha256(again / wheel.name) == sha256(wheel)


def test_it_is_the_release_with_ours_in_it(wheel: Path, place: Path) -> None:
    environment = NovaEnvironment(TARGET.base)
    environment.prepare()
    shutil.copy(wheel, place)
    python = f"/venv/{environment.key}/bin/python"
    log = place / "log"
    failed = environment.run(["sh", "-c", LOOK, "sh", python], place, log)
    assert failed == 0, log.read_text()


@pytest.fixture
def installed(installed: Environment, wheel: Path) -> Environment:
    """An environment with the release, beside it the wheel."""
    shutil.copy(wheel, installed.beside)
    return installed


def test_the_documented_way_there_and_back_restores_the_release(
    installed: Environment, wheel: Path
) -> None:
    release = installed.content()
    scripts = installed.succeeds("pip show --files nova | grep bin/")
    *_, install = commands("operator-wheel.md", "Install")
    assert wheel.name in install
    (check,) = commands("operator-wheel.md", "Check")
    back, check_back = commands("operator-wheel.md", "Go back")

    # the check tells that pip has done nothing: without the option nothing changes
    for short in ("pip install --no-deps", "pip install --upgrade --no-deps"):
        assert "already installed" in installed.succeeds(f"{short} ./{wheel.name}")
        assert installed.content() == release
        assert "No module named 'nova.xloud'" in installed.fails(check)

    for command in commands("operator-wheel.md", "Install"):
        installed.succeeds(command)
    number = wheel.name.split("-")[2]
    assert installed.succeeds(check) == f"Build: {number}\n"
    assert installed.succeeds("pip check") == "No broken requirements found.\n"
    assert installed.succeeds("pip show --files nova | grep bin/") == scripts
    for name in ("api", "conductor", "scheduler", "compute"):
        assert "29.4.0" in installed.succeeds(f"nova-{name} --version")

    assert "already satisfied" in installed.succeeds(f"pip install nova=={TARGET.base}")
    assert installed.succeeds(check) == f"Build: {number}\n"
    # where pip finds our wheel beside the release, it prefers ours, and the second command tells
    installed.succeeds(f"{back} --find-links .")
    installed.succeeds(check_back)

    installed.succeeds(back)
    assert "No module named 'nova.xloud'" in installed.fails(check_back)
    assert "No module named 'nova.xloud'" in installed.fails(check)
    assert installed.succeeds("pip check") == "No broken requirements found.\n"
    assert installed.content() == release


def test_a_killed_pip_is_told_and_the_same_command_completes_it(
    installed: Environment, wheel: Path
) -> None:
    *_, install = commands("operator-wheel.md", "Install")
    (check,) = commands("operator-wheel.md", "Check")
    # killed when the release has gone, and the wheel is written
    moment = "until ls -d /venv/*/lib/python3*/site-packages/~ova; do :; done >/dev/null 2>&1"
    code, said = installed(f"{install} & {moment}; kill -KILL $!; wait $!")
    assert code == 128 + signal.SIGKILL, said
    installed.fails(check)
    assert "Ignoring invalid distribution" in installed.succeeds(f"{install}")
    assert "Build: " in installed.succeeds(check)
    installed.succeeds("rm -r /venv/*/lib/python3*/site-packages/~ova*")
    assert "Ignoring" not in installed.succeeds("pip check")
