"""Where a Nova is installed, which release it is, and who has installed it."""

from __future__ import annotations

import email.parser
import email.policy
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import urllib.parse
from pathlib import Path
from typing import NamedTuple

from nova_xloud.ground.errors import DirectoryError, OwnedError

#: Where the tools of the field put Nova, below the root of a host or of a container.
_USUAL = (
    "var/lib/kolla/venv/lib/python3*/site-packages",
    "openstack/venvs/nova-*/lib/python3*/site-packages",
    "opt/stack/data/venv/lib/python3*/site-packages",
    "usr/local/lib/python3*/site-packages",
    "usr/local/lib/python3*/dist-packages",
    "usr/lib/python3*/site-packages",
    "usr/lib/python3/dist-packages",
)
_VERSION = re.compile(r"(\d+)((?:\.\d+)*)")


class Place(NamedTuple):
    """An installed Nova.

    :ivar code: the directory that has the directory ``nova``, without symbolic links
    :ivar metadata: its ``nova-*.dist-info``, ``nova-*.egg-info`` or ``nova.egg-info``
    :ivar version: the version that the metadata tell, ``29.4.0``
    :ivar root: the root of the file system that it belongs to, ``/`` or that of a container
    """

    code: Path
    metadata: Path
    version: str
    root: Path

    @property
    def series(self) -> int:
        """Nova's major version."""
        return int(self.version.partition(".")[0])

    @property
    def point(self) -> tuple[int, ...]:
        """The numbers behind the series: (4, 0) of 29.4.0."""
        found = _VERSION.match(self.version)
        return tuple(int(each) for each in found[2].split(".")[1:]) if found else ()

    @property
    def inside(self) -> str:
        """The path of the code as its own processes see it."""
        root = str(self.root).rstrip("/")
        code = str(self.code)
        return code[len(root) :] if code.startswith(root + "/") else code


def find(named: str, root: Path) -> Place:
    """Return the installed Nova that is meant.

    :param named: a site-packages directory, the checkout of an editable installation, or the
        directory ``nova`` in one of them; "": the Nova that this Python imports, or the one in a
        usual place below another root
    :param root: the root of the file system, ``/`` or that of a container
    :raises DirectoryError: if there is none, or more than one
    """
    root = root.resolve()
    if named:
        code = Path(named) if root == Path("/") else root / named.lstrip("/")
    elif root == Path("/"):
        code = _imported()
    else:
        code = _usual(root)
    code = code.resolve()
    if code.name == "nova" and (code / "version.py").is_file():
        code = code.parent
    if code.is_file():
        raise DirectoryError(code, "is a file: a zipped installation cannot be changed; unzip it")
    if not (code / "nova/__init__.py").is_file():
        code = _editable(code) or code
    if not (code / "nova/__init__.py").is_file():
        raise DirectoryError(code, "has no directory nova: name the site-packages of Nova")
    metadata = _metadata(code)
    return Place(code, metadata, _version(metadata), root)


def refuse_owned(place: Place) -> None:
    """Refuse a Nova that belongs to a package of dpkg or rpm.

    :raises OwnedError: if it does
    """
    file = place.inside + "/nova/__init__.py"
    lists = place.root / "var/lib/dpkg/info"
    for each in sorted(lists.glob("*.list")) if lists.is_dir() else ():
        if f"\n{file}\n" in each.read_text(errors="replace"):
            name = each.name[: -len(".list")].partition(":")[0]
            raise OwnedError(place.code, name, "apt install python3-nova-xloud")
    owner = _installer(place.metadata) if _installer(place.metadata) == "rpm" else ""
    if not owner and shutil.which("rpm") and (place.root / "var/lib/rpm").is_dir():
        command = ["rpm", "--root", str(place.root), "-qf", "--qf", "%{NAME}\n", file]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
        )
        owner = done.stdout.decode().partition("\n")[0] if not done.returncode else ""
    if owner:
        raise OwnedError(place.code, owner, "dnf swap python3-nova python3-nova-xloud")


def _imported() -> Path:
    """Return the directory of the Nova that this Python imports."""
    found = importlib.util.find_spec("nova")
    places = list(found.submodule_search_locations or ()) if found else []
    if not places:
        raise DirectoryError(
            Path(sys.executable),
            "imports no Nova: start this program by the Python of Nova's environment, or name "
            "the site-packages directory",
        )
    return Path(places[0]).parent


def _usual(root: Path) -> Path:
    """Return the one usual place below a root that has a Nova."""
    found: list[Path] = []
    for pattern in _USUAL:
        found += [
            each for each in sorted(root.glob(pattern)) if (each / "nova/__init__.py").is_file()
        ]
    if len(found) == 1:
        return found[0]
    if not found:
        raise DirectoryError(root, "has no Nova in a usual place: name its site-packages directory")
    names = ", ".join("/" + str(each.relative_to(root)) for each in found)
    raise DirectoryError(root, f"has more than one Nova: name one of {names}")


def _editable(site: Path) -> Path | None:
    """Return the checkout that an editable installation in a site-packages directory names."""
    for told in sorted(site.glob("nova-*.dist-info/direct_url.json")):
        about = json.loads(told.read_text())
        if about.get("dir_info", {}).get("editable"):
            return Path(urllib.parse.unquote(urllib.parse.urlparse(about["url"]).path))
    for link in sorted(site.glob("nova.egg-link")):
        return Path(link.read_text().partition("\n")[0])
    return None


def _metadata(code: Path) -> Path:
    """Return the metadata of the distribution ``nova`` in a directory, or of this Python.

    :raises DirectoryError: if there are none, or the metadata of two
    """
    found = [
        each
        for pattern in ("nova-*.dist-info", "nova-*.egg-info", "nova.egg-info")
        for each in sorted(code.glob(pattern))
        if each.is_dir()
    ]
    if len(found) > 1:
        names = " and ".join(each.name for each in found)
        raise DirectoryError(code, f"has the metadata of two installations, {names}: remove one")
    if found:
        return found[0]
    for site in (Path(each) for each in sys.path if each):
        for each in sorted(site.glob("nova-*.dist-info")):
            if _editable(site) == code:
                return each
    raise DirectoryError(
        code,
        "has a directory nova and no nova-*.dist-info or egg-info: pip has not installed it, or "
        "only half of it was copied",
    )


def _version(metadata: Path) -> str:
    """Return the version that metadata tell.

    :raises DirectoryError: if they are not those of Nova
    """
    for name in ("METADATA", "PKG-INFO"):
        file = metadata / name
        if file.is_file():
            parser = email.parser.HeaderParser(policy=email.policy.compat32)
            headers = parser.parsestr(file.read_text(errors="replace"))
            version = str(headers.get("Version", ""))
            if headers.get("Name") == "nova" and _VERSION.match(version):
                return version
    raise DirectoryError(metadata, "does not tell the name nova and a version")


def _installer(metadata: Path) -> str:
    file = metadata / "INSTALLER"
    return file.read_text().strip() if file.is_file() else ""
