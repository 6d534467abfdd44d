"""A wheel of a git checkout: over Nova of the same commit, and back."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from nova_xloud.cli.main import main
from nova_xloud.ground import root
from nova_xloud.ground.cache import sha256
from tests import repositories
from tests.nova.environment import DOCUMENTS_RECIPE, NovaEnvironment
from tests.printed import commands
from tests.wheel.environment import Environment

PAGE = "operator-wheel.md"
HEADING = "From a checkout"
#: The variable is for other tests of the environment.
_GIT_TELLS = "unset PBR_VERSION"


@pytest.mark.slow
@pytest.mark.parametrize("release", ["31.3.1", "34.0.0"])
def test_a_wheel_of_a_commit_there_and_back(
    release: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    nova = repositories.make(release, place / "nova")
    for each in ("one", "two"):
        (nova / each).touch()
        repositories.git(nova, "add", each)
        repositories.git(nova, "commit", "--quiet", "--message", f"stable, {each}")
    series, _, patch = release.rpartition(".")
    version = f"{series}.{int(patch) + 1}.dev2"
    (nova / "nova/uncommitted.py").touch()
    build, stock, ours, back = commands(PAGE, HEADING)
    for dist in ("dist", "again"):
        words = build.removeprefix("nova-xloud ").split()
        assert not main([*words, "--no-companions", "--dist", dist], standalone_mode=False)
    (wheel,) = Path("dist/wheel").glob("*.whl")
    assert wheel.name == f"nova-{version}-1xloud-py3-none-any.whl"
    assert sha256(wheel) == sha256(Path("again/wheel", wheel.name))
    assert repositories.git(nova, "status", "--porcelain") == "?? nova/uncommitted.py\n"

    environment = NovaEnvironment(release)
    environment.recipe = DOCUMENTS_RECIPE  # its root has git, which tells pip the version
    environment.prepare()
    tree = place / "tree"
    (nova / "nova/uncommitted.py").unlink()
    tree.mkdir()
    shutil.copy(wheel, tree)
    nova.rename(tree / "nova")
    printed = "nova-31.3.2.dev2-1xloud-py3-none-any.whl"
    assert printed in ours
    scratch = Path(tempfile.mkdtemp(dir=place))
    with root.overlay([environment.venv], scratch) as venv:
        installed = Environment(environment, venv, tree)
        # the first time pbr writes AUTHORS into the checkout, the second time pip installs that too
        for _ in range(2):
            installed.succeeds(f"{_GIT_TELLS}; {stock}")
        before = installed.content()
        installed.succeeds(ours.replace(printed, wheel.name))
        (check,) = commands(PAGE, "Check")
        assert installed.succeeds(check) == "Build: 1xloud\n"
        assert f"Version: {version}\n" in installed.succeeds("pip show nova")
        assert installed.succeeds("pip check") == "No broken requirements found.\n"
        number = version.partition(".dev")[0]
        assert f"{number}\n" == installed.succeeds("nova-scheduler --version")
        listed = installed.succeeds("oslopolicy-sample-generator --namespace nova")
        assert "os_compute_api:xloud:adjust" in listed
        installed.succeeds(f"{_GIT_TELLS}; {back}")
        assert "No module named 'nova.xloud'" in installed.fails(check)
        assert installed.content() == before
