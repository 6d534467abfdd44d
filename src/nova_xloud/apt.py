"""Fetching a distribution's source package by apt, without touching the host's apt.

apt runs on a state directory of its own.  Its sources are the host's own Debian ones, asked for
source packages of the wanted suite, and only the Debian archive's keys are trusted.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from nova_xloud import cache
from nova_xloud.commands import run
from nova_xloud.errors import FetchError, HashError, MissingToolError

PACKAGE = "nova"
_CURRENT = "current"
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
    digest, _, name = record.read_text().strip().partition("  ")
    dsc = place / name
    if not dsc.exists() or cache.sha256(dsc) != digest:
        raise HashError(f"{dsc} is damaged: its hash is not the one it came with")
    return (dsc, *_listed(dsc))


def download(suite: str, part: Path, place: Path) -> tuple[Path, ...]:
    """Fetch the newest source package of a suite, and record it as the current one.

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
    fetched = part / "fetched"
    fetched.mkdir()
    source = ["apt-get", *options, "source", "--download-only", PACKAGE]
    run(["env", "-C", str(fetched), *source], doing)
    (dsc,) = fetched.glob("*.dsc")
    for file in (dsc, *_listed(dsc)):
        file.replace(place / file.name)
    record = part / _CURRENT
    record.write_text(f"{cache.sha256(place / dsc.name)}  {dsc.name}\n")
    record.replace(place / _CURRENT)
    return cached(place)


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
