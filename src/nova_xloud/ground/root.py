"""Clean Debian roots: made by mmdebstrap, cached, used as the lower layer of throw-away overlays.

A root is made anew when a package of its archive has changed.  This module needs root, mmdebstrap
and systemd-nspawn.  It knows nothing of the builds and tests in a root.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nova_xloud.ground import archive, cache, commands
from nova_xloud.ground.errors import MissingToolError, NetworkError, NotRootError, RootError
from nova_xloud.ground.files import locked

_LOG = logging.getLogger(__name__)

NSPAWN = ("systemd-nspawn", "-q", "--register=no", "--keep-unit", "--link-journal=no")
#: Where mmdebstrap finds the directory of a root. Its apt takes no path with a space, a colon or a
#: backslash, nor a symbolic link to one; the mount is in a namespace of its own.
_PLAIN = Path("/run/nova-xloud-root")
_ON_PLAIN = (
    *("unshare", "--mount", "--propagation=private", "sh", "-euc"),
    'mount --bind "$1" "$2"; shift 2; exec "$@"',
    "sh",
)
#: Lets mmdebstrap read an archive at a file: address.
_FILE_ARCHIVES = "--hook-dir=/usr/share/mmdebstrap/hooks/file-mirror-automount"
#: systemd-nspawn ends with the process that has started it, however that one ends. Killed by KILL,
#: it would leave the container behind.
TIED = ("setpriv", "--pdeathsig", "TERM")
#: The first line of a command's output in a root: without it, the root was not entered.
_ENTERED = "nova-xloud: in the clean root"
BUILDER = "builder"


@dataclass(frozen=True)
class Recipe:
    """The parts that a root is made of.

    :ivar name: the root's name in the cache, e.g. ``debian-13-build``
    :ivar suite: the Debian suite
    :ivar packages: packages to install besides dpkg, apt and their dependencies
    :ivar hooks: mmdebstrap's own options, e.g. ``--customize-hook=...``
    """

    name: str
    suite: str
    packages: tuple[str, ...]
    hooks: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Twelve hex digits that differ when the recipe does."""
        told = "\0".join((self.suite, *sorted(self.packages), *self.hooks))
        return hashlib.sha256(told.encode()).hexdigest()[:12]


def require_root(what: str) -> None:
    """Say at once, before any work, that a command needs root.

    :raises NotRootError: if this process is not root's
    """
    if os.geteuid() != 0:
        raise NotRootError(f"{what} needs root (it makes a clean Debian root and enters it)")


def require_tool(tool: str, package: str = "") -> None:
    """Say before any work that a program is missing.

    :param package: the Debian package that has it, if the name differs
    :raises MissingToolError: if it is not installed
    """
    if shutil.which(tool) is None:
        raise MissingToolError(tool, package)


def directory() -> Path:
    """Return where all roots are kept: in the cache, which takes a gigabyte or two of them."""
    return cache.directory() / "roots"


def make(recipe: Recipe) -> Path:
    """Return the directory of a root, made unless the cache has one of this recipe and archive.

    The root stays until this process ends; roots that it supersedes go, unless they are in use.
    Without network the newest root of this recipe serves, and a line on standard error says so.

    :raises RootError: if mmdebstrap fails; nothing half-made stays
    :raises ArchiveError: if the archive that the operator names does not have the suite
    """
    require_root("making a Debian root")
    require_tool("mmdebstrap")
    roots = directory()
    roots.mkdir(parents=True, exist_ok=True)
    stem = f"{recipe.name}-{recipe.digest}"
    with locked(roots / f".{recipe.name}.lock", f"waiting for another making of {recipe.name}"):
        try:
            sources, told = _archive(recipe.suite)
        except NetworkError:
            older = sorted(_roots(stem), key=lambda each: each.stat().st_mtime)
            if not older:
                raise
            _LOG.warning(
                "warning: the archive of Debian %s did not answer: the clean root %s is the one "
                "made before, and may be out of date",
                *(recipe.suite, recipe.name),
            )
            return hold(older[-1])
        for left in roots.glob(f".{recipe.name}.*"):
            if left.is_dir():  # of a process that was killed: this one has the lock
                remove_tree(left)
        root = roots / f"{stem}-{told}"
        if not root.is_dir():
            _make(recipe, sources, root)
        hold(root)
        for old in _roots(stem):
            if old != root:
                _remove_superseded(old, f".{recipe.name}.")
    return root


def hold(root: Path) -> Path:
    """Keep a root, or a layer made on one, from being removed while this process lives."""
    if root not in _held:
        _held[root] = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(_held[root], fcntl.LOCK_SH)
    return root


_held: dict[Path, int] = {}


def _remove_superseded(root: Path, prefix: str) -> None:
    """Remove a root and the layers made on it, unless a process holds them.

    :param prefix: of the name that they have while they are being removed
    """
    for each in (*root.parent.glob(f"{root.name}-*"), root):
        if each in _held:
            continue
        handle = os.open(each, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            # first out of sight, so that nothing half-removed is ever taken for a root
            gone = Path(tempfile.mkdtemp(prefix=prefix, dir=root.parent))
            each.rename(gone / "root")
            remove_tree(gone)
        finally:
            os.close(handle)


def _roots(stem: str) -> list[Path]:
    """Return the cached roots of a name without its last part."""
    wanted = re.compile(re.escape(stem) + r"-[0-9a-f]{12}")
    return [each for each in directory().iterdir() if wanted.fullmatch(each.name)]


def _archive(suite: str) -> tuple[str, str]:
    """Return the sources for a root of a suite, and twelve hex digits that change with them.

    A host of another distribution may name no archive of Debian: mmdebstrap then takes its own
    default, of which nobody tells when it changes.  Such a root is made anew each day.
    """
    if os.environ.get(archive.VARIABLE) or archive.serves(suite, "debian"):
        found = archive.read(suite)
        return found.for_root(), found.digest()
    today = time.strftime("%Y-%m-%d", time.gmtime())
    return "", hashlib.sha256(today.encode()).hexdigest()[:12]


def _make(recipe: Recipe, sources: str, root: Path) -> None:
    """Have mmdebstrap make a root; it gets its name when it is whole."""
    making = Path(tempfile.mkdtemp(prefix=f".{recipe.name}.", dir=root.parent))
    log = root.parent / f"{recipe.name}.log"
    _PLAIN.mkdir(exist_ok=True)
    _LOG.info("%s: making the clean root (a minute or two), log: %s", recipe.name, log)
    try:
        (making / "sources").write_text(sources)
        with log.open("w+") as out:
            done = commands.end_of(
                [
                    *(*_ON_PLAIN, str(making), str(_PLAIN)),
                    *("mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory"),
                    *(f"--aptopt={each}" for each in archive.settings()),
                    *(f"--include={package}" for package in recipe.packages),
                    *(*recipe.hooks, _FILE_ARCHIVES),
                    *(recipe.suite, str(_PLAIN / "root")),
                    *([str(_PLAIN / "sources")] if sources else []),
                ],
                f"making the clean root {recipe.name}, log: {log}",
                stdout=out,
                stderr=subprocess.STDOUT,
                places=[root.parent],
            )
        if done.code:
            said = commands.last_words(done.said)
            raise RootError(f"mmdebstrap ended with {done.code}, see {log}:\n{said}")
        # The settings of this host's apt, a proxy for instance, are for the making alone.
        (making / "root/etc/apt/apt.conf.d/99mmdebstrap").unlink(missing_ok=True)
        (making / "root").rename(root)
    finally:
        remove_tree(making)


@contextlib.contextmanager
def overlay(lower: Sequence[Path], scratch: Path) -> Iterator[Path]:
    """Mount the layers with a throw-away writable one on top; yield where.

    :param lower: read-only layers, the uppermost first
    :param scratch: holds ``upper``, ``work`` and ``root``; the caller removes it
    :raises RootError: if the kernel refuses
    """
    scratch = scratch.absolute()
    for name in ("upper", "work", "root"):
        (scratch / name).mkdir(parents=True, exist_ok=True)
    # Short relative names: the signs , : and \ have meanings of their own in overlayfs's options.
    names = [f"lower-{number}" for number in range(len(lower))]
    for name, layer in zip(names, lower, strict=True):
        hold(layer)
        (scratch / name).unlink(missing_ok=True)
        (scratch / name).symlink_to(layer.absolute())
    place = scratch / "root"
    mounted = subprocess.run(
        [
            *("mount", "-t", "overlay", "overlay", "-o"),
            *(f"lowerdir={':'.join(names)},upperdir=upper,workdir=work", str(place)),
        ],
        cwd=scratch,
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        raise RootError(
            f"the kernel mounts no overlay on {place}: {mounted.stderr.strip()}\n"
            "That needs root with all capabilities, as a container may not give them, and a file "
            "system of a disk below the directory of the packages: NFS or another overlay will not "
            "do"
        )
    try:
        yield place
    finally:
        commands.answer(["umount", "--lazy", place], RootError)


def run_in(
    root: Path,
    command: Sequence[str],
    *,
    log: Path,
    user: str = "root",
    binds: Mapping[Path, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Run a command in a root, without network, its output in a log; return its exit code.

    :param binds: directories of the host and where they appear, writable
    :raises RootError: if the root cannot be entered
    :raises NoSpaceError, OutOfMemoryError, TimeLimitError: if that is why the command fails
    """
    require_tool("systemd-nspawn", "systemd-container")
    arguments = [*NSPAWN, "-D", str(root), "--as-pid2", "--private-network"]
    arguments += ["--console=pipe", f"--user={user}"]
    arguments += [bind(host, there) for host, there in (binds or {}).items()]
    arguments += [f"--setenv={name}={value}" for name, value in (environment or {}).items()]
    entered = ["sh", "-c", f'echo "{_ENTERED}"; exec "$@"', "sh", *command]
    with log.open("a+") as out:
        done = commands.end_of(
            [*TIED, *arguments, "--", *entered],
            f"{command[0]} in a clean root, log: {log}",
            stdout=out,
            stderr=subprocess.STDOUT,
            places=[root.parent, log.parent],
        )
    if done.code and _ENTERED not in done.said:
        raise RootError(
            f"systemd-nspawn does not enter {root}:\n{commands.last_words(done.said)}\n"
            "It needs root with all capabilities, and a kernel that lets it mount file systems and "
            "make namespaces: a container may not give them"
        )
    return done.code


def bind(host: Path, there: str, option: str = "--bind") -> str:
    r"""Return the option of systemd-nspawn that shows a file or directory of the host in a root.

    :param option: ``--bind`` or ``--bind-ro``

    >>> print(bind(Path("/a:b"), "/tree"))
    --bind=/a\:b:/tree
    """
    source, target = (re.sub(r"([\\:])", r"\\\1", str(path)) for path in (host, there))
    return f"{option}={source}:{target}"


def give_to_builder(root: Path, directory: Path) -> None:
    """Let the user who builds own a directory of a root."""
    commands.answer(["chown", "-R", f"--reference={root}/home/{BUILDER}", directory], RootError)


def remove_tree(tree: Path) -> None:
    """Remove a root or a scratch directory, unless something is mounted below it.

    :raises RootError: if there is a mount: a file system of the host may be behind it
    """
    if held := _mounted_below(tree):
        raise RootError(f"not removed, since {held[0]} is mounted: {tree}")
    shutil.rmtree(tree, ignore_errors=True)
    # a process that was killed a moment ago may still have written into it
    for _ in range(20):
        if not tree.exists():
            break
        time.sleep(0.5)
        shutil.rmtree(tree, ignore_errors=True)


def remove_abandoned(tree: Path) -> None:
    """Remove the scratch directory of a process that was killed, its overlay unmounted.

    :raises RootError: if there is another mount below it
    """
    if str(tree.resolve() / "overlay/root") in _mounted_below(tree):
        commands.answer(["umount", "--lazy", tree / "overlay/root"], RootError)
    remove_tree(tree)


def _mounted_below(tree: Path) -> list[str]:
    """Return the mount points at and below a directory."""
    top = str(tree.resolve())
    return [mount for mount in _mount_points() if mount == top or mount.startswith(f"{top}/")]


def _mount_points() -> list[str]:
    """Return all mount points of this process; see proc_pid_mountinfo(5).

    The kernel writes a space, a tab, a newline and a backslash in a path as octal numbers.
    """
    lines = Path("/proc/self/mountinfo").read_bytes().split(b"\n")
    points = [line.split(b" ")[4] for line in lines if line]
    return [os.fsdecode(re.sub(rb"\\([0-7]{3})", _of_octal, point)) for point in points]


def _of_octal(digits: re.Match[bytes]) -> bytes:
    return bytes([int(digits[1], 8)])
