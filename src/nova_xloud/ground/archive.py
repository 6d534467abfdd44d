"""The archive that serves a suite, read by a private apt: the host's own apt is never touched.

The archive is the one that the operator names, else the one that the host installs from.  The
private apt keeps its lists in the cache: to read an archive again costs little.  This module knows
nothing of Nova.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from nova_xloud.ground import cache
from nova_xloud.ground.commands import run
from nova_xloud.ground.errors import ArchiveError, FetchError, MissingToolError, XloudError

_LOG = logging.getLogger(__name__)
#: The environment variable that names a .sources file; ``--archive`` sets it.
VARIABLE = "NOVA_XLOUD_ARCHIVE"
_ETC = Path("/etc")
#: The keys that are trusted for an entry that names none, by the distribution of the suite.
_KEYRINGS = {
    "debian": (
        "/usr/share/keyrings/debian-archive-keyring.pgp",
        "/usr/share/keyrings/debian-archive-keyring.gpg",
    ),
    "ubuntu": ("/usr/share/keyrings/ubuntu-archive-keyring.gpg",),
}
_POCKETS = ("", "-updates", "-security")
#: Suites that change every day and have neither updates nor a security suite.
_ROLLING = frozenset({"sid", "unstable"})


class Entry(NamedTuple):
    """One suite of an archive.

    :ivar address: URI of the archive
    :ivar suite: e.g. ``trixie-security``
    :ivar components: e.g. ``("main",)``
    :ivar keys: the value of Signed-By: the path of a keyring, or keys in armor
    :ivar check: the value of Check-Valid-Until; "" where the entry has none
    """

    address: str
    suite: str
    components: tuple[str, ...]
    keys: str
    check: str = ""


class Archive(NamedTuple):
    """The archive that serves a suite, as its private apt has read it.

    :ivar suite: e.g. ``trixie``
    :ivar sources: a file with the entries, in the format of apt's .sources files
    :ivar options: these make apt's programs use the private state
    :ivar lists: the directory with the indexes
    """

    suite: str
    sources: Path
    options: tuple[str, ...]
    lists: Path

    def for_root(self) -> str:
        """Return the sources that a root is made from, and that its own apt then has."""
        text = self.sources.read_text().replace("Types: deb deb-src", "Types: deb")
        if "\nSigned-By: \n" in text:
            return text
        lines = []
        for paragraph in text.split("\n\n"):
            told = dict(line.split(": ", 1) for line in paragraph.strip().splitlines())
            place = f"{told['URIs']} {told['Suites']} {told['Components']}"
            options = [f"signed-by={told['Signed-By']}"]
            if "Check-Valid-Until" in told:
                options.append(f"check-valid-until={told['Check-Valid-Until']}")
            lines.append(f"deb [{' '.join(options)}] {place}\n")
        return "".join(lines)

    def digest(self) -> str:
        """Return twelve hex digits that differ when a package of the archive does.

        They are made of the indexes' hashes in the signed Release files. A Release file that is
        only signed again, with a later date, changes nothing.
        """
        told = hashlib.sha256(self.sources.read_bytes())
        for release in sorted(self.lists.glob("*Release")):
            indexes = re.findall(r"^ (\w{64}) +\d+ (\S*Packages)$", release.read_text(), re.M)
            told.update(repr((release.name, sorted(set(indexes)))).encode())
        return told.hexdigest()[:12]


def read(suite: str, *, distribution: str = "debian") -> Archive:
    """Return the archive of a suite, its indexes read; a process reads each at most once.

    :param distribution: whose keys are trusted where the configuration names none
    :raises ArchiveError: if no archive is configured for the suite
    :raises NetworkError: if the archive does not answer
    :raises XloudError: if apt fails otherwise
    """
    found = _open(suite, distribution)
    known = _read.get(found)
    if isinstance(known, XloudError):
        raise known
    if not known:
        _LOG.info("%s: reading its archive", suite)
        try:
            with _locked(found):
                run(
                    ["apt-get", *found.options, "--error-on=any", "update"],
                    f"reading the archive of {distribution.capitalize()} {suite}",
                )
        except XloudError as error:
            _read[found] = error
            raise
        _read[found] = True
    return found


def as_read(suite: str, *, distribution: str = "debian") -> Archive:
    """Return the archive of a suite, with its indexes as they were read last, if ever.

    :raises ArchiveError: if no archive is configured for the suite
    """
    return _open(suite, distribution)


def serves(suite: str, distribution: str) -> bool:
    """Say whether an archive is configured for a suite."""
    return bool(_entries(suite, distribution))


@contextlib.contextmanager
def _locked(found: Archive) -> Iterator[None]:
    with cache.locked(str(found.sources.parent.relative_to(cache.directory()))):
        yield


_read: dict[Archive, XloudError | bool] = {}


def settings() -> list[str]:
    """Return the host's settings of apt that an apt in a root needs to read the same archive.

    They name proxies, and say whether a Release file may be older than it says itself.
    """
    told = run(["apt-config", "dump", "Acquire"], "reading apt's settings")
    wanted = r"(?:https?::Proxy\S*|Check-Valid-Until|Check-Date|Max-ValidTime)"
    return re.findall(rf'^(Acquire::{wanted} ".+");$', told, re.MULTILINE)


def forget() -> None:
    """Have the next ``read`` of each suite ask its archive again."""
    _read.clear()


def _open(suite: str, distribution: str) -> Archive:
    """Write apt's directories for a suite, unless they are there."""
    entries = _entries(suite, distribution)
    if not entries:
        told = os.environ.get(VARIABLE)
        where = f"{told} names" if told else "the apt sources of this host name"
        raise ArchiveError(
            f"{where} no archive of {distribution.capitalize()} {suite}: name a .sources file "
            f"that does by --archive, or by {VARIABLE}"
        )
    text = "\n".join(map(_stanza, entries))
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    with cache.locked(f"apt/{suite}-{digest}") as top:
        for each in ("state/lists/partial", "cache/archives/partial", "etc/preferences.d"):
            (top / each).mkdir(parents=True, exist_ok=True)
        sources = top / "etc/archive.sources"
        if not sources.exists() or sources.read_text() != text:
            sources.write_text(text)
        (top / "status").touch()
    settings = {
        "Dir::State": top / "state",
        "Dir::State::status": top / "status",
        "Dir::Cache": top / "cache",
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": top / "etc/preferences.d",
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
        "APT::Sandbox::User": "root",
    }
    options = tuple(f"-o{name}={value}" for name, value in settings.items())
    return Archive(suite, sources, options, top / "state/lists")


def _stanza(entry: Entry) -> str:
    """Return an entry as a paragraph of a .sources file."""
    keys = "\n ".join(line or "." for line in entry.keys.splitlines())
    if len(entry.keys.splitlines()) > 1:
        keys = "\n " + keys
    check = f"Check-Valid-Until: {entry.check}\n" if entry.check else ""
    return (
        f"Types: deb deb-src\nURIs: {entry.address}\nSuites: {entry.suite}\n"
        f"Components: {' '.join(entry.components)}\n{check}Signed-By: {keys}\n"
    )


def _entries(suite: str, distribution: str) -> list[Entry]:
    """Return the entries of the configuration that serve a suite.

    These are the entries that name the suite or one of its pockets.  Where none does, they are the
    entries of the host's own release, asked for the other suite: an archive has all its suites.
    """
    configured = list(_configured())
    wanted = {f"{suite}{pocket}" for pocket in _POCKETS}
    named = [each for each in configured if each.suite in wanted]
    if not any(each.suite == suite for each in named):
        named = []
        host, codename = _host()
        for each in configured if host == distribution else ():
            name, pocket = each.suite.removeprefix(codename), each.suite[len(codename) :]
            if name != pocket or pocket not in _POCKETS or (pocket and suite in _ROLLING):
                continue
            named.append(each._replace(suite=f"{suite}{pocket}"))
    if not any(each.suite == suite for each in named):
        return []
    keys = ""
    if not all(each.keys for each in named):
        keys = _distribution_keys(distribution)
    return [each._replace(keys=each.keys or keys) for each in named]


def _distribution_keys(distribution: str) -> str:
    keyrings = _KEYRINGS[distribution]
    found = next((each for each in keyrings if Path(each).exists()), None)
    if found is None:
        package = {"debian": "debian-archive-keyring", "ubuntu": "ubuntu-keyring"}[distribution]
        raise MissingToolError(keyrings[0], package=package)
    return found


def _host() -> tuple[str, str]:
    """Return the names of the host's distribution and of its release."""
    release = _ETC / "os-release"
    text = release.read_text() if release.exists() else ""
    told = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.MULTILINE))
    return told.get("ID", ""), told.get("VERSION_CODENAME", "stable")


def _configured() -> Iterator[Entry]:
    """Yield the entries that apt has, by the operator's file or the host's configuration."""
    if told := os.environ.get(VARIABLE):
        file = Path(told).absolute()
        if not file.is_file():
            raise ArchiveError(f"{file} is not there: --archive wants a .sources file of apt")
        if file.suffix not in {".sources", ".list"}:
            raise ArchiveError(f"{file} must be called .sources or .list, as apt wants it")
        options = [f"-oDir::Etc::sourcelist={file}", "-oDir::Etc::sourceparts=/dev/null"]
    else:
        options = [f"-oDir::Etc={_ETC}/apt"]
    try:
        told = run(
            ["apt-get", *options, "indextargets", "--no-release-info", "Created-By: Packages"],
            "reading apt's sources",
        )
    except FetchError as error:
        raise ArchiveError(str(error)) from error
    found: dict[tuple[str, str, str], list[str]] = {}
    for paragraph in told.split("\n\n"):
        fields = dict(re.findall(r"^([\w-]+): *(.*)$", paragraph, re.MULTILINE))
        if "Repo-URI" in fields and "Component" in fields:
            key = (fields["Repo-URI"], fields["Release"], fields["Sourcesentry"])
            components = found.setdefault(key, [])
            if fields["Component"] not in components:
                components.append(fields["Component"])
    for (address, suite, place), components in found.items():
        narrow = ("main",) if "main" in components else tuple(components)
        keys, check = (_option(place, name) for name in ("Signed-By", "Check-Valid-Until"))
        yield Entry(address.rstrip("/"), suite, narrow, keys, check)


def _option(place: str, name: str) -> str:
    """Return an option of an entry, which apt does not tell itself; "" if it has none.

    :param place: ``FILE:NUMBER`` of a line, or of a paragraph in a .sources file
    """
    file, _, number = place.rpartition(":")
    text = Path(file).read_text()
    if not file.endswith(".sources"):
        line = text.splitlines()[int(number) - 1]
        found = re.search(rf"\[[^]]*\b{name}=([^] ]+)", line, re.I)
        return found[1] if found else ""
    paragraph = _paragraphs(text.splitlines())[int(number) - 1]
    found = re.search(rf"^{name}:((?:.*\n?)(?:[ \t].*\n?)*)", paragraph, re.M | re.I)
    if found is None:
        return ""
    lines = [line.strip() for line in found[1].strip().splitlines()]
    return "\n".join("" if line == "." else line for line in lines)


def _paragraphs(lines: Iterable[str]) -> Sequence[str]:
    """Return the paragraphs of a file, comments left out, as apt counts them."""
    text = "\n".join(line for line in lines if not line.startswith("#"))
    return [each for each in re.split(r"\n\s*\n", text.strip()) if each.strip()]
