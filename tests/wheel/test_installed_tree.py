"""The one file in a virtual environment that has the release: there and back, and killed."""

from __future__ import annotations

import json
import random
import shutil
import time
from pathlib import Path

import pytest

from nova_xloud.ground.cache import sha256
from nova_xloud.packages import zipapp
from tests.printed import commands
from tests.wheel.environment import Environment

PAGE = "installed-trees.md"
#: Moments at which `apply` and `rollback` are killed, in shares of the time that they take.
KILLS = 3


@pytest.fixture
def environment(installed: Environment) -> Environment:
    """The environment with the release, beside it the one file; all byte code is there."""
    zipapp.build(installed.beside / zipapp.NAME)
    return installed


def exact(environment: Environment) -> dict[str, tuple[str, int, int]]:
    """Return the hash, the mode and the time of each file."""
    return {
        str(file.relative_to(environment.venv)): (
            sha256(file),
            (told := file.stat()).st_mode,
            told.st_mtime_ns,
        )
        for file in environment.venv.rglob("*")
        if file.is_file() and not file.is_symlink()
    }


def rows(environment: Environment) -> dict[str, str]:
    """Return the states that `verify --json` tells, by the subject of each."""
    code, said = environment(f"python {zipapp.NAME} verify --json")
    found = {each["what"]: each["state"] for each in json.loads(said)}
    assert code == ("WRONG" in found.values()), said
    return found


def test_the_documented_way_there_and_back_restores_every_byte(environment: Environment) -> None:
    before = exact(environment)
    scripts = environment.succeeds("pip show --files nova | grep bin/")
    (check, apply, verify) = commands(PAGE, "Apply")
    (back,) = commands(PAGE, "Go back")
    assert "all changes fit" in environment.succeeds(check)
    assert exact(environment) == before
    assert "was not applied" in environment.fails(verify)

    begun = time.monotonic()
    environment.succeeds(apply)
    print(f"apply: {time.monotonic() - begun:.2f} s")
    begun = time.monotonic()
    print(environment.succeeds(verify))
    print(f"verify: {time.monotonic() - begun:.2f} s")
    assert set(rows(environment).values()) == {"good"}
    assert environment.succeeds("pip check") == "No broken requirements found.\n"
    assert environment.succeeds("pip show --files nova | grep bin/") == scripts
    for name in ("api", "conductor", "scheduler", "compute"):
        assert "29.4.0" in environment.succeeds(f"nova-{name} --version")
    listed = environment.succeeds("oslopolicy-sample-generator --namespace nova")
    assert "os_compute_api:xloud:adjust" in listed
    assert "is up to date" in environment.succeeds(apply)

    environment.succeeds(back)
    assert exact(environment) == before
    assert "has no changes" in environment.fails(back)


def test_the_tree_is_that_of_the_wheel(environment: Environment, place: Path) -> None:
    """The wheel has our tests besides; each other file of ours is the same."""
    built = Path(__file__).parents[2] / "dist/29.4.0-wheel"
    (wheel,) = built.glob("*.whl")
    shutil.unpack_archive(wheel, place / "wheel", "zip")
    environment.succeeds(f"python {zipapp.NAME} apply")
    (site,) = environment.venv.glob("lib/python3*/site-packages")
    compared = 0
    for file in (place / "wheel/nova").rglob("*.py"):
        path = file.relative_to(place / "wheel")
        if path.parts[1] != "tests":
            assert file.read_bytes() == (site / path).read_bytes(), path
            compared += 1
    assert compared > 500
    theirs = set((place / "wheel/nova-29.4.0.dist-info/entry_points.txt").read_text().split("\n"))
    ours = set((site / "nova-29.4.0.dist-info/entry_points.txt").read_text().split("\n"))
    assert {each.replace(" ", "") for each in theirs} == {each.replace(" ", "") for each in ours}


def test_pip_knows_our_files_and_takes_them_along(environment: Environment) -> None:
    environment.succeeds(f"python {zipapp.NAME} apply")
    environment.succeeds("pip uninstall -q -y nova")
    (site,) = environment.venv.glob("lib/python3*/site-packages")
    assert not (site / "nova").exists()
    environment.succeeds("pip install -q --no-deps nova==29.4.0")
    assert rows(environment) == {"changes": "WRONG"}
    assert "pip has replaced" in environment.succeeds(f"python {zipapp.NAME} apply 2>&1")
    assert set(rows(environment).values()) == {"good"}


def test_a_service_that_was_not_restarted_is_named(environment: Environment) -> None:
    # the process of a service: it stands still before it reads a configuration
    start = "mkfifo wait; nova-api --config-file wait & sleep 3"
    verify = f"python {zipapp.NAME} verify; kill $!"
    said = environment.succeeds(f"{start}; python {zipapp.NAME} apply; {verify}")
    assert "run the code from before: restart nova-api (" in said, said
    said = environment.succeeds(f"rm wait; {start}; {verify}")
    assert "1 run, all started later" in said, said


@pytest.mark.parametrize("act", ["apply", "rollback"])
def test_killed_at_any_moment_it_is_finished_by_either_command(
    environment: Environment, act: str
) -> None:
    """The unit tests kill a small tree before each of its writes."""
    before = exact(environment)
    run = f"python {zipapp.NAME}"
    begun = time.monotonic()
    environment.succeeds(f"{run} apply")
    takes = time.monotonic() - begun
    if act == "apply":
        environment.succeeds(f"{run} rollback")
    dice = random.Random(29)  # noqa: S311
    for number in range(KILLS):
        after = takes * (number + dice.random()) / KILLS
        environment(f"{run} {act} & sleep {after:.3f}; kill -KILL $!; wait $!")
        if "changes" not in rows(environment):
            continue
        environment.succeeds(f"{run} apply")
        assert set(rows(environment).values()) == {"good"}
        if act == "apply":
            environment.succeeds(f"{run} rollback")
            assert exact(environment) == before
    if act == "rollback":
        environment.succeeds(f"{run} rollback")
    assert exact(environment) == before
