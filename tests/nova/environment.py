"""Where Nova's suites run: a Debian 12 root with Python 3.11 and a release's pinned libraries.

Python 3.11 is the one interpreter that all pinned releases share, and not every
host has it; a root of its own makes the result independent of the host. The
root and its virtualenvs are cached, keyed by what went into them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
SUITE = "bookworm"
PACKAGES = "ca-certificates,gcc,libc6-dev,python3-dev,python3-venv,qemu-utils"

# Nova's tox.ini says the same; LC_ALL is a locale that every Debian has.
NOVA_ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "OS_NOVA_DISABLE_EVENTLET_PATCHING": "False",
    "OS_STDERR_CAPTURE": "1",
    "OS_STDOUT_CAPTURE": "1",
    "OS_TEST_TIMEOUT": "300",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
}


class EnvironmentFailure(Exception):
    """The environment could not be made; says which step, and where its output is."""


def cache_dir() -> Path:
    """Return the directory of the cached root (override: NOVA_XLOUD_CACHE)."""
    base = os.environ.get("NOVA_XLOUD_CACHE")
    if base:
        return Path(base) / "nova-tests"
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "nova-xloud" / "nova-tests"


def pinned_releases() -> list[str]:
    """Return the releases that have a pinned environment, oldest first."""
    names = (path.stem for path in (HERE / "pins").glob("*.txt"))
    return sorted(names, key=lambda name: [int(part) for part in name.split(".")])


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _step(argv: Sequence[str], log: Path, what: str) -> None:
    with open(log, "ab") as out:
        done = subprocess.run(argv, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    if done.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise EnvironmentFailure(f"{what} failed (exit {done.returncode}); {log} ends:\n{tail}")


def _client_settings() -> list[str]:
    """Carry the host's package-client settings (proxy, certificates) into the root."""
    names = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    options = [f"--setenv={n}={os.environ[n]}" for n in names if n in os.environ]
    options += [
        f"--setenv={n}={v}"
        for n, v in os.environ.items()
        if n.startswith("PIP_") and n != "PIP_FIND_LINKS"
    ]
    if Path("/etc/ssl/certs/ca-certificates.crt").exists():
        options.append("--bind-ro=/etc/ssl/certs")
    if Path("/etc/pip.conf").exists():
        options.append("--bind-ro=/etc/pip.conf")
    return options


class NovaEnvironment:
    """A root with a virtualenv of one release's libraries."""

    def __init__(self, release: str) -> None:
        """Name the environment of ``release`` (``29.4.0``); nothing is made yet."""
        self.release = release
        self.pins = HERE / "pins" / f"{release}.txt"
        if not self.pins.exists():
            known = ", ".join(pinned_releases())
            raise EnvironmentFailure(f"no pinned environment for {release}; there are: {known}")
        self.cache = cache_dir()
        key = hashlib.sha256(f"{SUITE} {PACKAGES}".encode()).hexdigest()[:12]
        self.root = self.cache / f"root-{key}"
        pins_key = hashlib.sha256(self.pins.read_bytes()).hexdigest()[:12]
        self.venv = f"/venv/{release}-{pins_key}"

    def prepare(self) -> None:
        """Make root and virtualenv unless they are there.

        :raises EnvironmentFailure: a step failed; what was cached before is intact
        """
        if os.geteuid() != 0:
            raise EnvironmentFailure("Nova's suites run in a root of their own: run this as root")
        with _locked(self.cache / "lock"):
            self._make_root()
            self._make_venv()

    def _make_root(self) -> None:
        if self.root.exists():
            return
        tar = self.cache / "root.tar"
        log = self.cache / "root.log"
        log.unlink(missing_ok=True)
        command = ["mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(tar)]
        _step(command, log, "bootstrapping the root")
        fresh = self.root.with_suffix(".new")
        if fresh.exists():
            shutil.rmtree(fresh)
        fresh.mkdir()
        _step(["tar", "-C", str(fresh), "-xpf", str(tar)], log, "unpacking the root")
        tar.unlink()
        fresh.rename(self.root)

    def _make_venv(self) -> None:
        if (self.root / self.venv.lstrip("/")).exists():
            return
        log = self.cache / f"venv-{self.release}.log"
        log.unlink(missing_ok=True)
        new = f"{self.venv}.new"
        pins = f"/pins-{self.release}.txt"
        # A virtualenv holds its own path in its scripts, so it is only ever
        # entered as "python -m", and may be renamed when it is whole.
        script = (
            f"rm -rf {new} && python3 -m venv {new} && "
            f"{new}/bin/python -m pip install -q -r {pins} && "
            f"{new}/bin/python -m compileall -q {new}/lib >/dev/null; "
            f"{new}/bin/python -c 'import stestr, oslo_config, placement' && mv {new} {self.venv}"
        )
        shutil.copy(self.pins, self.root / pins.lstrip("/"))
        command = self._command(["sh", "-c", script], extra=_client_settings())
        _step(command, log, f"installing the libraries of {self.release}")

    def _command(self, argv: Sequence[str], extra: Sequence[str] = ()) -> list[str]:
        return [
            "systemd-nspawn",
            "--quiet",
            f"--directory={self.root}",
            f"--machine=nova-tests-{os.getpid()}",
            "--register=no",
            "--keep-unit",
            "--link-journal=no",
            "--resolv-conf=copy-host",
            "--as-pid2",
            "--console=pipe",
            *extra,
            *argv,
        ]

    def run(self, argv: Sequence[str], tree: Path, log: Path) -> int:
        """Run ``argv`` in the root with ``tree`` as /tree and working directory.

        :param argv: the command; ``python`` is the virtualenv's
        :param tree: a Nova tree on the host; the command may write into it
        :param log: a file that gets what the command prints
        :returns: its exit code
        """
        extra = [f"--bind={tree}:/tree", "--chdir=/tree", "--setenv=PYTHONPATH=/tree"]
        extra += [f"--setenv={name}={value}" for name, value in NOVA_ENVIRONMENT.items()]
        extra.append(f"--setenv=PBR_VERSION={self.release}")
        words = [f"{self.venv}/bin/python" if word == "python" else word for word in argv]
        with open(log, "ab") as out:
            done = subprocess.run(
                self._command(words, extra),
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        return done.returncode
