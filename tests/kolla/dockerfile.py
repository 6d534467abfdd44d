"""A rendered Dockerfile: its instructions, and how a root directory follows them."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from nova_xloud.ground import root
from tests.nova.environment import client_settings

_NOTHING = {"CMD", "ENTRYPOINT", "FROM", "LABEL"}


class Instruction(NamedTuple):
    """An instruction, e.g. ``RUN`` and the text of its commands."""

    name: str
    text: str


def instructions(context: Path) -> list[Instruction]:
    """Return the instructions of an image; a container engine reads the lines so."""
    lines = [
        line.rstrip()
        for line in (context / "Dockerfile").read_text().splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]
    joined = "\n".join(lines).replace("\\\n", " ")
    found = [line.strip().partition(" ") for line in joined.splitlines()]
    return [Instruction(name, text.strip()) for name, _, text in found]


def follow(
    step: Instruction,
    context: Path,
    top: Path,
    environment: dict[str, str],
    log: Path,
    options: Sequence[str] = (),
) -> None:
    """Carry out an instruction in a root directory.

    :param context: the directory that kolla-build hands to the engine
    :param environment: gets the variables that ``ENV`` sets
    :param log: gets the output of the commands
    :param options: of systemd-nspawn
    :raises AssertionError: if a command fails
    """
    if step.name == "RUN":
        failed = run(["sh", "-c", step.text], top, environment, log, options)
        assert failed == 0, f"{step.text}: exit {failed}\n{_end(log)}"
    elif step.name == "ENV":
        _set(step.text, environment)
    elif step.name == "ADD":
        archive, place = step.text.split()
        with tarfile.open(context / archive) as opened:
            opened.extractall(_inside(top, place), filter="tar", numeric_owner=True)
    elif step.name == "COPY":
        *sources, place = step.text.split()
        for source in sources:
            _copy(context / source, top, place)
    else:
        assert step.name in _NOTHING, f"an instruction that was not foreseen: {step}"


def run(
    command: list[str],
    top: Path,
    environment: Mapping[str, str],
    log: Path,
    options: Sequence[str] = (),
    *,
    online: bool = True,
) -> int:
    """Run a command in a root directory; return its exit code.

    :param online: let it reach the archive and the package index, with the host's settings
    """
    network = ["--resolv-conf=copy-host", *client_settings()] if online else ["--private-network"]
    arguments = [*root.TIED, *root.NSPAWN, f"--directory={top}", "--as-pid2", "--console=pipe"]
    arguments += ["--timezone=off", *network, *options]
    arguments += [f"--setenv={name}={value}" for name, value in environment.items()]
    with log.open("a") as out:
        return subprocess.run(
            [*arguments, "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            # /tmp is the image's, as with a container engine
            env={**os.environ, "SYSTEMD_NSPAWN_TMPFS_TMP": "0"},
        ).returncode


def _set(text: str, environment: dict[str, str]) -> None:
    """Set variables; ``NAME VALUE`` is the old form of ``NAME=VALUE``."""
    if "=" not in text.partition(" ")[0]:
        text = "=".join(text.split(None, 1))
    for word in shlex.split(text):
        name, _, value = word.partition("=")
        environment[name] = re.sub(r"\$(\w+)", lambda found: environment.get(found[1], ""), value)


def _copy(source: Path, top: Path, place: str) -> None:
    target = _inside(top, place)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
        return
    if place.endswith("/"):
        target /= source.name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def _inside(top: Path, place: str) -> Path:
    return top / place.lstrip("/")


def _end(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-25:])
