"""The wheel of each supported series, over its release and back; test_wheel.py has the main one."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from nova_xloud.cli.main import main
from nova_xloud.ground import root
from nova_xloud.packages import targets
from tests.nova.environment import NovaEnvironment
from tests.printed import commands
from tests.wheel.environment import Environment

WHEELS = [name for name, each in targets.known().items() if each.format == "wheel"]


@pytest.mark.slow
@pytest.mark.parametrize("name", WHEELS)
def test_there_and_back(name: str) -> None:
    """The main release, in test_wheel.py, is the cheaper proof: with each step, and killed."""
    release = targets.get(name).base
    place = Path(tempfile.mkdtemp(prefix="nova-xloud-wheel-", dir="/var/tmp"))
    try:
        main(["build", name, "--dist", str(place / "dist")], standalone_mode=False)
        (wheel,) = (place / "dist" / name).glob("*.whl")
        environment = NovaEnvironment(release)
        environment.prepare()
        tree = place / "tree"
        tree.mkdir()
        shutil.copy(wheel, tree)
        with root.overlay([environment.venv], place) as venv:
            _there_and_back(Environment(environment, venv, tree), release, wheel.name)
    finally:
        root.remove_tree(place)


def _there_and_back(installed: Environment, release: str, wheel: str) -> None:
    """Install the wheel over the release as documented, and the release over the wheel."""
    installed.succeeds(f"pip install -q --no-deps nova=={release}")
    before = installed.content()
    main_release = targets.get("29.4.0-wheel").base
    *_, install = commands("operator-wheel.md", "Install")
    (check,) = commands("operator-wheel.md", "Check")
    back, check_back = commands("operator-wheel.md", "Go back")

    installed.succeeds(install.replace(main_release, release))
    assert wheel in install.replace(main_release, release)
    assert installed.succeeds(check) == "Build: 1xloud\n"
    assert installed.succeeds("pip check") == "No broken requirements found.\n"
    for command in ("nova-compute", "nova-conductor", "nova-scheduler"):
        assert release in installed.succeeds(f"{command} --version")
    listed = installed.succeeds("oslopolicy-sample-generator --namespace nova")
    assert "os_compute_api:xloud:adjust" in listed
    installed.succeeds(
        "python -c 'from nova.api.validation.extra_specs import validators as v; "
        'v.validate("minimum_cpu", "1")\''
    )

    installed.succeeds(back.replace(main_release, release))
    assert "No module named 'nova.xloud'" in installed.fails(check_back)
    assert installed.content() == before
