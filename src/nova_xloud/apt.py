"""Fetching a distribution's source package by apt, without touching the host's apt.

apt runs on a state directory of its own.  Its sources are the host's own Debian ones, asked for
source packages of the wanted suite, and only the Debian archive's keys are trusted.

An archive may list a source package that it does not serve (yet, or any more): then the newest one
that it does serve is taken, and the other is told as passed over.
"""

from __future__ import annotations

import contextlib
import functools
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from nova_xloud import cache
from nova_xloud.commands import run
from nova_xloud.errors import FetchError, HashError, MissingToolError

PACKAGE = "nova"
_CURRENT = "current"
#: In what apt says of a file that it knows of, but does not get.
_NOT_SERVED = "404  Not Found"
_KEYRINGS = (
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
)
_ETC = Path("/etc")


def cached(place: Path) -> tuple[Path, ...]:
    """Return the files of the source package that was fetched last, the .dsc first.

    :raises HashError: if one of them is not what it was
    """
    record = place / _CURRENT
    if not record.exists():
        return ()
    digest, _, name = record.read_text().splitlines()[0].partition("  ")
    dsc = place / name
    if not dsc.exists() or cache.sha256(dsc) != digest:
        raise HashError(f"{dsc} is damaged: its hash is not the one it came with")
    return (dsc, *_listed(dsc))


def passed_over(place: Path) -> str:
    """Return the version that was listed when the present files were fetched, but not served.

    :returns: "" if they are of the newest version that was listed
    """
    record = place / _CURRENT
    lines = record.read_text().splitlines() if record.exists() else []
    return lines[1] if len(lines) > 1 else ""


def download(suite: str, part: Path, place: Path) -> tuple[Path, ...]:
    """Fetch the newest source package that a suite serves, and record it as the current one.

    :param suite: a Debian codename
    :param part: a scratch directory on the same file system as ``place``
    :param place: where the files go
    :raises XloudError: see nova_xloud.bases.fetch
    """
    if shutil.which("apt-get") is None:
        raise MissingToolError("apt-get", package="apt")
    options = _private_state(suite, part)
    doing = f"fetching {PACKAGE} from Debian {suite}"
    run(["apt-get", *options, "--error-on=any", "update"], doing)
    dsc, passed = _fetch_newest(options, part, doing)
    for file in (dsc, *_listed(dsc)):
        file.replace(place / file.name)
    record = part / _CURRENT
    record.write_text(f"{cache.sha256(place / dsc.name)}  {dsc.name}\n{passed}")
    record.replace(place / _CURRENT)
    return cached(place)


def _fetch_newest(options: list[str], part: Path, doing: str) -> tuple[Path, str]:
    """Fetch the newest source package that is served.

    :returns: its .dsc, and the newest version that was listed, if that is another; else ""
    """
    try:
        return _fetch(options, part / "newest", PACKAGE, doing), ""
    except FetchError as error:
        if _NOT_SERVED not in str(error):
            raise
        newest, *older = _versions(options, doing)
        for version in older:
            with contextlib.suppress(FetchError):
                return _fetch(options, part / version, f"{PACKAGE}={version}", doing), newest
        raise


def _fetch(options: list[str], into: Path, package: str, doing: str) -> Path:
    """Have apt fetch a source package; return its .dsc."""
    into.mkdir()
    source = ["apt-get", *options, "source", "--download-only", package]
    run(["env", "-C", str(into), *source], doing)
    (dsc,) = into.glob("*.dsc")
    return dsc


def _versions(options: list[str], doing: str) -> list[str]:
    """Return the versions of the source package that apt knows, the newest first."""
    told = run(["apt-cache", *options, "showsrc", "--only-source", PACKAGE], doing)
    versions = set(re.findall(r"^Version: (\S+)$", told, re.MULTILINE))
    return sorted(versions, key=functools.cmp_to_key(_compared), reverse=True)


def _compared(one: str, other: str) -> int:
    """Compare two versions as dpkg does; they differ."""
    newer = subprocess.run(["dpkg", "--compare-versions", one, "gt", other]).returncode == 0
    return 1 if newer else -1


def _listed(dsc: Path) -> list[Path]:
    """Return the files that a .dsc lists, beside it.

    :raises HashError: if one is missing or not what is listed
    """
    section = re.search(r"^Checksums-Sha256:\n((?: .*\n)+)", dsc.read_text(), re.MULTILINE)
    files = []
    for line in section[1].splitlines() if section else ():
        digest, _size, name = line.split()
        file = dsc.with_name(name)
        if not file.exists() or cache.sha256(file) != digest:
            raise HashError(f"{file} is damaged: its hash is not the one in {dsc.name}")
        files.append(file)
    if not files:
        raise HashError(f"{dsc} lists no files")
    return files


def _private_state(suite: str, top: Path) -> list[str]:
    """Make apt's directories below ``top``; return the options that make apt use them."""
    keyring = next((each for each in _KEYRINGS if Path(each).exists()), None)
    if keyring is None:
        raise MissingToolError(_KEYRINGS[0], package="debian-archive-keyring")
    lines = []
    for kind, address in sorted(set(_host_archives())):
        lines.append(f"deb-src [signed-by={keyring}] {address} {suite}{kind} main")
    if not any(line.split()[3] == suite for line in lines):
        raise FetchError("this host's apt sources name no Debian archive to fetch from")
    for each in ("state/lists/partial", "cache/archives/partial", "etc/preferences.d"):
        (top / each).mkdir(parents=True)
    (top / "etc/sources.list").write_text("\n".join(lines) + "\n")
    (top / "status").touch()
    settings = {
        "Dir::State": top / "state",
        "Dir::State::status": top / "status",
        "Dir::Cache": top / "cache",
        "Dir::Etc::sourcelist": top / "etc/sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": top / "etc/preferences.d",
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
        "APT::Sandbox::User": "root",
    }
    return [f"-o{name}={value}" for name, value in settings.items()]


def _host_archives() -> Iterator[tuple[str, str]]:
    """Yield (suffix of a suite, address) of the Debian archives that the host installs from."""
    release = _ETC / "os-release"
    found = re.search(r"^VERSION_CODENAME=(\w+)", release.read_text(), re.MULTILINE)
    host = found[1] if found else "stable"
    for address, suites in _host_sources():
        for each in suites:
            name, _, suffix = each.partition("-")
            if name == host and suffix in {"", "updates", "security"}:
                yield f"-{suffix}" if suffix else "", address


def _host_sources() -> Iterator[tuple[str, list[str]]]:
    """Yield (address, suites) of every source that apt has on this host."""
    for file in [_ETC / "apt/sources.list", *sorted((_ETC / "apt/sources.list.d").glob("*.list"))]:
        for line in file.read_text().splitlines() if file.exists() else ():
            if match := re.match(r"deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)", line):
                yield match[1], [match[2]]
    for file in sorted((_ETC / "apt/sources.list.d").glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", file.read_text()):
            fields = dict(re.findall(r"^([\w-]+):\s*(.*)$", stanza, re.MULTILINE))
            if fields.get("Enabled", "yes") != "no" and "deb" in fields.get("Types", "").split():
                for address in fields.get("URIs", "").split():
                    yield address, fields.get("Suites", "").split()
