"""Where Nova's suites run: a Debian 12 root with Python 3.11 and a release's pinned libraries.

Python 3.11 is the one interpreter that all pinned releases share, and not every
host has it; a root of its own makes the result independent of the host. The
root and the virtualenvs are cached, keyed by their contents.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from nova_xloud.ground import cache, root
from tests.nova.releases import newest_of, series_of

HERE = Path(__file__).resolve().parent
PINS = HERE / "pins"

RECIPE = root.Recipe(
    name="nova-tests",
    suite="bookworm",
    packages=(
        *("ca-certificates", "gcc", "libc6-dev", "python3-dev", "python3-venv"),
        *("procps", "qemu-utils"),  # uptime and qemu-img: some of Nova's tests run them
    ),
)

# Nova's documents have drawings, and reno reads notes from a git repository.
DOCUMENTS_RECIPE = dataclasses.replace(
    RECIPE, name="nova-documents", packages=(*RECIPE.packages, "git", "graphviz")
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

# Variables of the environment that our tests read: the seeds and the length of random walks.
HANDED_ON = ("NOVA_XLOUD_SEEDS", "NOVA_XLOUD_STEPS")

# The first series whose unit tests, and whose functional tests, have a tox environment with native
# threads. The functional tests of 33 wait by eventlet.
THREADING_SINCE = 33
FUNCTIONAL_THREADING_SINCE = 34

_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


class NoEnvironmentError(Exception):
    """The environment could not be made; says which step, and where its output is."""


def pinned_releases(place: Path = PINS) -> list[str]:
    """Return the releases that have a pinned environment, oldest first: one of each series."""
    return [name for series, name in newest_of().items() if (place / f"{series}.txt").exists()]


def requirements(pins: Path) -> list[str]:
    """Return the lines of a pins file and of those that it includes, sorted."""
    found: list[str] = []
    for line in pins.read_text().splitlines():
        if line.startswith("-r "):
            found += requirements(pins.parent / line.removeprefix("-r "))
        elif line and not line.startswith("#"):
            found.append(line)
    return sorted(found)


class NovaEnvironment:
    """A root and a virtualenv of one release's libraries."""

    def __init__(self, release: str, *, threading: bool = False, documents: bool = False) -> None:
        """Name the environment of ``release`` (``29.4.0``); nothing is made yet.

        :param documents: with the libraries that build Nova's documents
        :param threading: Nova's tests run with native threads, as its tox environments of that
            name do; releases before 33 know eventlet only
        """
        self.release = release
        self._threading = threading
        handed_on = {name: os.environ[name] for name in HANDED_ON if name in os.environ}
        self.variables = {**NOVA_ENVIRONMENT, "PBR_VERSION": release, **handed_on}
        if threading:
            if self._series < THREADING_SINCE:
                raise NoEnvironmentError(f"Nova {release} cannot run with native threads")
            self.variables["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "True"
        self.recipe = DOCUMENTS_RECIPE if documents else RECIPE
        place = PINS / "docs" if documents else PINS
        self.pins = place / f"{self._series}.txt"
        if not self.pins.exists():
            known = ", ".join(pinned_releases(place))
            raise NoEnvironmentError(f"no pinned environment for {release}; there are: {known}")
        told = "\n".join([self.recipe.digest, *requirements(self.pins)])
        # Releases whose libraries are the same share a virtualenv.
        self.key = f"libraries-{hashlib.sha256(told.encode()).hexdigest()[:12]}"
        self.root = Path()

    @property
    def _series(self) -> int:
        return series_of(self.release)

    def can_run(self, pattern: str) -> bool:
        """Say whether Nova has an environment of this kind for tests of a name."""
        return not (
            self._threading
            and self._series < FUNCTIONAL_THREADING_SINCE
            and pattern.startswith("nova.tests.functional")
        )

    @property
    def venv(self) -> Path:
        """The virtualenv, as the host sees it; /venv/KEY in the root."""
        return cache.directory() / "nova-tests" / self.key

    def prepare(self) -> None:
        """Make root and virtualenv unless they are there.

        :raises NoEnvironmentError: the libraries could not be installed
        :raises nova_xloud.ground.errors.RootError: the root could not be made
        """
        self.root = root.make(self.recipe)
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
            f"{there}/bin/python -m pip install -q -r /pins/{self.pins.relative_to(PINS)} && "
            f"{there}/bin/python -c 'import oslo_config, placement, stestr' && "
            # Nova's tests run without writing byte code: have it there.
            f"{{ {there}/bin/python -m compileall -q {there}/lib || true; }}"
        )
        (made / "venv").mkdir()
        command = [*self._nspawn(), "--resolv-conf=copy-host", *client_settings()]
        command += [root.bind(made / "venv", there), root.bind(PINS, "/pins", "--bind-ro")]
        if run_script(command, script, log):
            raise NoEnvironmentError(f"installing the libraries of {self.release}: see {log}")

    def run(
        self,
        argv: Sequence[str],
        tree: Path,
        log: Path,
        variables: Mapping[str, str] | None = None,
        *,
        venv: Path | None = None,
        online: bool = False,
    ) -> int:
        """Run a command in the root, with ``tree`` as /tree and working directory.

        :param argv: the command; ``python`` is the virtualenv's
        :param tree: a Nova tree on the host; the command may write into it
        :param log: a file that gets the output of the command
        :param variables: environment variables besides those of all runs
        :param venv: a copy of the virtualenv that the command may change
        :param online: let the command reach the package index, with the host's settings
        :returns: its exit code
        """
        there = f"/venv/{self.key}"
        words = [f"{there}/bin/python" if word == "python" else word for word in argv]
        network = ["--resolv-conf=copy-host", *client_settings()]
        arguments = [*self._nspawn(), *(network if online else ["--private-network"])]
        arguments += [root.bind(tree, "/tree"), root.bind(venv or self.venv, there)]
        setting = {**self.variables, **(variables or {})}
        arguments += [f"--setenv={name}={value}" for name, value in setting.items()]
        with log.open("a") as out:
            return subprocess.run(
                [*arguments, "--", "sh", "-c", 'cd /tree && exec "$@"', "sh", *words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            ).returncode

    def _nspawn(self) -> list[str]:
        return entering(self.root)


def entering(directory: Path) -> list[str]:
    """Return the command that enters a root; all that it writes there is thrown away.

    For systemd-nspawn the root is read-only then: several commands can be in it at a time. The
    container ends with this process, also when this process is killed.
    """
    options = ["--volatile=overlay", "--as-pid2", "--console=pipe"]
    return [*root.TIED, *root.NSPAWN, f"--directory={directory}", *options]


def run_script(command: Sequence[str], script: str, log: Path) -> int:
    """Run a shell script in a root; return its exit code.

    :param command: enters the root
    :param log: a file that is written anew with the output
    """
    with log.open("w") as out:
        return subprocess.run(
            [*command, "sh", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        ).returncode


def client_settings() -> list[str]:
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
