"""The machine of a mirror, whose operator follows docs/mirror.md, and its hosts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from nova_xloud.ground import root
from nova_xloud.mirrors import mirror, signing
from tests.packages.conftest import expire
from tests.printed import commands

PAGE = "mirror.md"
GUARDED = Path(".local/share/nova-xloud/gnupg")
#: Runs a script with a directory as /srv, and the variables of the operator's shell.
_SHELL = 'mount --bind "$1" /srv; . "$1/variables"; eval "$2"; declare -p OLD NEW >"$1/variables"'


def place(scratch: Path) -> Path:
    """Return a new directory of a short name: the path of a socket of GnuPG's has 108 signs."""
    return Path(tempfile.mkdtemp(prefix="m", dir=scratch))


class Machine:
    """A machine with a mirror in /srv/www/nova-xloud, and its operator's shell.

    :ivar place: the mirror, as this machine sees it
    """

    def __init__(self, top: Path, packages: Mapping[mirror.Repository, Sequence[Path]]) -> None:
        self.srv = top / "srv"
        self.place = self.srv / "www/nova-xloud"
        self.place.parent.mkdir(parents=True)
        (self.srv / "variables").write_text("OLD= NEW=\n")
        self.home = top / "home"
        self.gnupg = self.home / GUARDED
        self.old = signing.make_key(self.gnupg, "1y")
        signer = signing.Signer(self.gnupg, self.old)
        mirror.write(self.place, packages, signer, url="file:/srv/www/nova-xloud")

    def sh(self, *lines: str) -> str:
        """Run lines in the operator's shell; return their output.

        :raises AssertionError: if one fails
        """
        environment = {
            "HOME": str(self.home),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        script = "set -eo pipefail\n" + "\n".join(lines)
        shell = ["bash", "-euc", _SHELL, "bash", self.srv, script]
        done = subprocess.run(
            ["unshare", "--mount", *shell],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}"
        return done.stdout

    def end(self) -> None:
        """Stop GnuPG's agent."""
        subprocess.run(["gpgconf", "--homedir", self.gnupg, "--kill", "all"], check=True)


def end_in_the_past(machine: Machine, late: signing.Signer) -> None:
    """Have a machine with one key, which has ended, and a mirror that this key signed before.

    :param late: a key of six years ago that has not ended yet
    """
    machine.end()
    for file in machine.gnupg.rglob("*"):
        if file.is_file():
            file.unlink()
    mirror.sign(machine.place, late)
    expire(late)
    subprocess.run(["gpgconf", "--homedir", late.home, "--kill", "all"], check=True)
    subprocess.run(["cp", "-a", f"{late.home}/.", machine.gnupg], check=True)


def steps() -> tuple[list[str], list[str], str]:
    """Return how a key is replaced: both keys sign, the new one signs alone, dnf forgets."""
    first, second, third, alone, forget = commands(PAGE, "Replace a key")
    return [first, second, third], [alone], forget


def fetches() -> tuple[str, str]:
    """Return how a host gets the keys: with apt, with dnf."""
    *_, apt, dnf = commands(PAGE, "Prolong a key")
    return apt, dnf


class Host:
    """A host in a root, which has the mirror's machine mounted at /srv."""

    def __init__(self, merged: Path, srv: Path, log: Path) -> None:
        self.root = merged
        self._srv = srv
        self._log = log

    def __call__(self, command: str) -> tuple[bool, str]:
        """Run a shell command; return whether it succeeded, and its output."""
        self._log.write_text("")
        code = root.run_in(
            self.root,
            ["sh", "-euc", command],
            log=self._log,
            binds={self._srv: "/srv"},
            environment={"DEBIAN_FRONTEND": "noninteractive", "HOME": "/root", "LC_ALL": "C.UTF-8"},
        )
        return code == 0, self._log.read_text()

    def succeeds(self, command: str) -> str:
        """Run a command that must succeed; return its output."""
        succeeded, said = self(command)
        assert succeeded, f"{command}\n{said}"
        return said

    def fails(self, command: str) -> str:
        """Run a command that must fail; return its output."""
        succeeded, said = self(command)
        assert not succeeded, f"{command}\n{said}"
        return said


@contextmanager
def host(recipe: root.Recipe, machine: Machine, scratch: Path) -> Iterator[Host]:
    """Yield a new host of a root."""
    try:
        with root.overlay([root.make(recipe)], scratch) as merged:
            yield Host(merged, machine.srv, scratch / "log")
    finally:
        root.remove_tree(scratch)


def give(machine: Machine, keys: Sequence[str], public: Path, *, armor: bool) -> None:
    """Put public keys on a host in place of those that it has."""
    public.unlink(missing_ok=True)
    public.parent.mkdir(parents=True, exist_ok=True)
    signing.Signer(machine.gnupg, keys[0], tuple(keys[1:])).export(public, armor=armor)


def copy_client(machine: Machine, name: str, place: Path) -> None:
    """Put the mirror's own client file on a host."""
    place.mkdir(parents=True, exist_ok=True)
    for old in place.iterdir():
        old.unlink()
    shutil.copy(machine.place / name, place)
