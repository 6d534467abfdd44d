"""Where Nova's suites run: a Debian 12 root with Python 3.11 and a release's pinned libraries.

Python 3.11 is the one interpreter that all pinned releases share, and not every
host has it; a root of its own makes the result independent of the host. The
root and the virtualenvs are cached, keyed by what went into them.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from nova_xloud import cache, root

HERE = Path(__file__).resolve().parent

RECIPE = root.Recipe(
    name="nova-tests",
    suite="bookworm",
    packages=(
        *("ca-certificates", "gcc", "libc6-dev", "python3-dev", "python3-venv"),
        *("procps", "qemu-utils"),  # uptime and qemu-img: some of Nova's tests run them
    ),
)

# Nova's tox.ini says the same, but for LC_ALL: a locale that every Debian has.
NOVA_ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "OS_NOVA_DISABLE_EVENTLET_PATCHING": "False",
    "OS_STDERR_CAPTURE": "1",
    "OS_STDOUT_CAPTURE": "1",
    "OS_TEST_TIMEOUT": "300",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONPATH": "/tree",
}

_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


class NoEnvironmentError(Exception):
    """The environment could not be made; says which step, and where its output is."""


def pinned_releases() -> list[str]:
    """Return the releases that have a pinned environment, oldest first."""
    names = (path.stem for path in (HERE / "pins").glob("*.txt"))
    return sorted(names, key=lambda name: [int(part) for part in name.split(".")])


class NovaEnvironment:
    """A root and a virtualenv of one release's libraries."""

    def __init__(self, release: str) -> None:
        """Name the environment of ``release`` (``29.4.0``); nothing is made yet."""
        self.release = release
        self.pins = HERE / "pins" / f"{release}.txt"
        if not self.pins.exists():
            known = ", ".join(pinned_releases())
            raise NoEnvironmentError(f"no pinned environment for {release}; there are: {known}")
        told = f"{RECIPE.digest} {self.pins.read_text()}"
        self.key = f"{release}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"
        self.root = Path()

    @property
    def venv(self) -> Path:
        """The virtualenv, as the host sees it; /venv/KEY in the root."""
        return cache.directory() / "nova-tests" / self.key

    def prepare(self) -> None:
        """Make root and virtualenv unless they are there.

        :raises NoEnvironmentError: the libraries could not be installed
        :raises nova_xloud.errors.RootError: the root could not be made
        """
        self.root = root.make(RECIPE)
        with cache.locked("nova-tests") as place:
            if self.venv.exists():
                return
            with cache.part(place) as made:
                self._install(made, place / f"{self.release}.log")
                (made / "venv").rename(self.venv)

    def _install(self, made: Path, log: Path) -> None:
        # A virtualenv knows its own path, so it is made where it will be.
        there = f"/venv/{self.key}"
        script = (
            f"python3 -m venv {there} && "
            f"{there}/bin/python -m pip install -q -r /pins.txt && "
            f"{there}/bin/python -c 'import oslo_config, placement, stestr' && "
            # Nova's tests run without writing byte code: have it there.
            f"{{ {there}/bin/python -m compileall -q {there}/lib || true; }}"
        )
        (made / "venv").mkdir()
        command = [*root.NSPAWN, f"--directory={self.root}", "--as-pid2", "--console=pipe"]
        command += ["--resolv-conf=copy-host", *_client_settings()]
        command += [f"--bind={made / 'venv'}:{there}", f"--bind-ro={self.pins}:/pins.txt"]
        with log.open("w") as out:
            done = subprocess.run(
                [*command, "sh", "-c", script],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        if done.returncode:
            raise NoEnvironmentError(f"installing the libraries of {self.release}: see {log}")

    def run(self, argv: Sequence[str], tree: Path, log: Path) -> int:
        """Run a command in the root, with ``tree`` as /tree and working directory.

        :param argv: the command; ``python`` is the virtualenv's
        :param tree: a Nova tree on the host; the command may write into it
        :param log: a file that gets what the command prints
        :returns: its exit code
        """
        there = f"/venv/{self.key}"
        words = [f"{there}/bin/python" if word == "python" else word for word in argv]
        return root.run_in(
            self.root,
            ["sh", "-c", 'cd /tree && exec "$@"', "sh", *words],
            log=log,
            binds={tree: "/tree", self.venv: there},
            environment={**NOVA_ENVIRONMENT, "PBR_VERSION": self.release},
        )


def _client_settings() -> list[str]:
    """Carry the host's package-client settings (proxy, certificates) into the root."""
    wanted = {name: os.environ[name] for name in _PROXIES if name in os.environ}
    wanted |= {
        name: value
        for name, value in os.environ.items()
        if name.startswith("PIP_") and name != "PIP_FIND_LINKS"
    }
    options = [f"--setenv={name}={value}" for name, value in wanted.items()]
    for file in ("/etc/ssl/certs", "/etc/pip.conf"):
        if Path(file).exists():
            options.append(f"--bind-ro={file}")
    return options
