"""A virtual environment that the tests may change, with a release that pip has installed."""

from __future__ import annotations

from pathlib import Path

from nova_xloud.ground.cache import sha256
from tests.nova.environment import NovaEnvironment


class Environment:
    """A virtual environment that has the release, installed by pip with its pinned libraries."""

    def __init__(self, environment: NovaEnvironment, venv: Path, place: Path) -> None:
        self.venv = venv
        self.beside = place
        self._environment = environment
        self._place = place
        self._said = place / "said"

    def __call__(self, command: str) -> tuple[int, str]:
        """Run a shell command with the environment first in PATH; return exit code and output."""
        # systemd-nspawn says things of its own in the log
        bin_ = f"/venv/{self._environment.key}/bin"
        code = self._environment.run(
            ["bash", "-c", f'PATH={bin_}:$PATH; eval "$1" >said 2>&1', "bash", command],
            self._place,
            self._place.with_name("log"),
            {"PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": ""},
            venv=self.venv,
            online=True,
        )
        return code, self._said.read_text()

    def succeeds(self, command: str) -> str:
        """Run a command that must succeed; return its output."""
        code, said = self(command)
        assert code == 0, f"{command}: exit {code}\n{said}"
        return said

    def fails(self, command: str) -> str:
        """Run a command that must fail; return its output."""
        code, said = self(command)
        assert code != 0, f"{command}: succeeded\n{said}"
        return said

    def content(self) -> dict[str, str]:
        """Return the hash of every file; of byte code, which has dates in it, the name only."""
        return {
            str(each.relative_to(self.venv)): "" if each.suffix == ".pyc" else sha256(each)
            for each in self.venv.rglob("*")
            if each.is_file() and "site-packages/pip" not in str(each)
        }
