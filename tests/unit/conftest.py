"""Helpers that the builder's unit tests share: weaving snippets, a tiny Nova, a private cache."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from nova_xloud import weave as engine
from nova_xloud.mirrors.signing import KEY_USER, Signer
from tests.archives import Archive, Key

PATH = "nova/compute/manager.py"
TOP = '"""What changes, and why."""\n'


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Key]:
    """The key of the archives."""
    made = Key(tmp_path_factory.mktemp("gnupg") / "home")
    yield made
    made.end()


class Made(NamedTuple):
    """Signing keys that are made once for all tests: GnuPG takes a second for each.

    :ivar place: a directory with GnuPG directories, each called by the number of its keys
    :ivar fingerprints: of two keys, in the order in which they were made
    """

    place: Path
    fingerprints: tuple[str, str]

    def put(self, home: Path, count: int = 1) -> tuple[str, ...]:
        """Put the first of the keys into a GnuPG directory; return their fingerprints."""
        _copy(self.place / str(count), home)
        return self.fingerprints[:count]


@pytest.fixture(scope="session")
def made_keys(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Two signing keys; the processes of pytest-xdist share them."""
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "keys"
    place.mkdir(exist_ok=True)
    record = place / "fingerprints"
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not record.exists():
            shutil.rmtree(place / "1", ignore_errors=True)
            shutil.rmtree(place / "2", ignore_errors=True)
            first = _small_key(place / "1")
            _copy(place / "1", place / "2")
            second = _small_key(place / "2")
            record.write_text(f"{first} {second}")
    first, second = record.read_text().split()
    return Made(place, (first, second))


def _copy(home: Path, into: Path) -> None:
    """Copy a GnuPG directory without the sockets of its agent."""
    shutil.copytree(home, into, ignore=shutil.ignore_patterns("S.*"), dirs_exist_ok=True)


def _small_key(home: Path) -> str:
    """Make a key as ``make_key`` does, but of 2048 bits, which takes a fourth of the time."""
    home.mkdir(mode=0o700, exist_ok=True)
    command = ["gpg", "--homedir", str(home), "--batch", "--yes", "--status-fd=1"]
    make = ["--passphrase", "", "--quick-generate-key", KEY_USER, "rsa2048", "sign", "never"]
    told = subprocess.run([*command, *make], check=True, capture_output=True, text=True).stdout
    end_agent(home)
    (made,) = (line.split()[3] for line in told.splitlines() if " KEY_CREATED " in line)
    return made


def end_agent(home: Path) -> None:
    """End GnuPG's agent of a directory."""
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True)


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory, made_keys: Made) -> Iterator[Signer]:
    """A signing key in a GnuPG directory of its own."""
    home = tmp_path_factory.mktemp("gnupg") / "home"
    yield Signer(home, *made_keys.put(home))
    end_agent(home)


def weave(before: str, change: str, *, path: str = PATH, series: int = 34) -> str:
    """Weave a change into code, both dedented; the change gets a docstring if it has none."""
    base = textwrap.dedent(before)
    told = textwrap.dedent(change).lstrip("\n")
    if path.endswith(".py") and not told.startswith('"""'):
        told = TOP + told
    woven = engine.weave(base.encode(), told.encode(), path=path, series=series).decode()
    again = engine.weave(woven.encode(), told.encode(), path=path, series=series).decode()
    assert again == woven, "weaving twice changes something"
    taken_out = engine.unweave(woven.encode(), told.encode(), path=path, series=series)
    assert taken_out.decode() == base
    return woven


def check_woven(
    before: str, change: str, after: str, *, path: str = PATH, series: int = 34
) -> None:
    """Compare the woven file with the expected one."""
    assert weave(before, change, path=path, series=series) == textwrap.dedent(after)


def check_noop(before: str, change: str, *, path: str = PATH, series: int = 34) -> None:
    """Make sure that a change adds nothing."""
    check_woven(before, change, before, path=path, series=series)


@pytest.fixture
def as_root() -> None:
    """Fail a test that needs root, which mounts file systems or limits memory, without root."""
    if os.geteuid() != 0:
        pytest.fail("this test mounts file systems or limits memory: run the tests as root")


@pytest.fixture(autouse=True)
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep every test off the user's cache."""
    cache = tmp_path / "private-cache"
    monkeypatch.setenv("NOVA_XLOUD_CACHE", str(cache))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    return cache


NOVA_FILE = '''\
import os

from nova import utils


class ComputeManager:
    """Manages."""

    def start(self, instance):
        self.driver.start(instance)

    def stop(self, instance):
        return self.driver.stop(instance)
'''

CHANGE_FILE = '''\
"""Servers are adjusted when they start."""
from nova_xloud.weave import append

from nova.xloud import size


class ComputeManager:
    @append
    def start(self, instance):
        size.fit(instance)

    def adjust(self, instance):
        return size.live(instance)
'''
#: The version and the files of a library that a distribution has.
VERSION = "2:31.0.0-6"
INFO = "nova-31.0.0.egg-info"
STOCK = {
    "nova/__init__.py": b"",
    PATH: NOVA_FILE.encode(),
    "nova/locale/de/LC_MESSAGES/nova.mo": b"\xde\x12\x04\x95",
    f"{INFO}/requires.txt": b"oslo.config\n",
    f"{INFO}/entry_points.txt": b"[console_scripts]\nnova-api = nova.cmd.api:main\n",
}


def package(tmp_path: Path, files: Mapping[str, bytes], name: str = "theirs") -> Path:
    """Make a binary package."""
    return Archive(tmp_path / name, Key.__new__(Key), "x").add_binary(VERSION, files)


SETUP_CFG = """\
[metadata]
name = nova

[entry_points]
nova.api.extra_spec_validators =
    accel = nova.api.validation.extra_specs.accel

[egg_info]
tag_build =
"""


@pytest.fixture
def nova(tmp_path: Path) -> Path:
    """Return a directory with a Nova of two files."""
    top = tmp_path / "nova-34.9.0"
    (top / "nova" / "compute").mkdir(parents=True)
    (top / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: nova\nVersion: 34.9.0\n")
    (top / "setup.cfg").write_text(SETUP_CFG)
    (top / PATH).write_text(NOVA_FILE)
    (top / PATH).chmod(0o755)
    return top


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory with an addition and two changes for that Nova, and use it."""
    top = tmp_path / "ours"
    files = {
        "additions/nova/xloud/size.py": "# xloud: of ours\n\n\ndef fit(x):\n    return x\n",
        f"changes/{PATH}": CHANGE_FILE,
        "changes/setup.cfg": (
            "# Our validators.\n[entry_points]\nnova.api.extra_spec_validators =\n"
            "    minimum = nova.api.validation.extra_specs.minimum\n"
        ),
    }
    for path, text in files.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(text)
    monkeypatch.setattr("nova_xloud.trees.tree.sources", lambda: top)
    monkeypatch.setattr("nova_xloud.trees.tree.REQUIRED", (PATH, ("setup.cfg", "pyproject.toml")))
    return top


def git(top: Path, *words: str) -> str:
    author = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    done = subprocess.run(
        ["git", "-C", str(top), *author, *words],
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
        | {f"GIT_{who}_DATE": "1234567890 +0000" for who in ("AUTHOR", "COMMITTER")},
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(nova: Path) -> Path:
    """A repository with a commit of Nova, as upstream's: without the metadata of an sdist."""
    (nova / "PKG-INFO").unlink()
    (nova / ".gitreview").write_text("[gerrit]\nproject=openstack/nova.git\n")
    git(nova, "init", "-q", "-b", "master")
    git(nova, "add", "-A")
    git(nova, "commit", "-q", "-m", "Nova")
    return nova
