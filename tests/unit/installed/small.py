"""A small installed Nova, and a small program that changes it, for the tests of the wing."""

from __future__ import annotations

import base64
import hashlib
import os
import py_compile
from pathlib import Path

from nova_xloud.installed.ours import Ours
from nova_xloud.installed.places import Place, find

VERSION = "29.4.0"
MANAGER = "import os\n\n\nclass Manager:\n    def start(self):\n        return os.getpid()\n"
FILES = {
    "nova/__init__.py": "",
    "nova/version.py": f"VERSION = {VERSION!r}\n",
    "nova/compute/__init__.py": "",
    "nova/compute/manager.py": MANAGER,
    "nova/compute/other.py": "X = 1\n",
}
ENTRY_POINTS = """\
[console_scripts]
nova-api = nova.cmd.api:main

[nova.api.extra_spec_validators]
hw = nova.api.validation.extra_specs.hw
"""
CHANGE = '''\
"""Why."""


class Manager:
    @prepend
    def start(self):
        os.getppid()
'''
ADDED = "nova/xloud/size.py"


def ours(version: str = "1.0.0", **additions: str) -> Ours:
    """Return a small program; another version has another digest."""
    added = {"nova/xloud/__init__.py": "# xloud\n", ADDED: f"# xloud\nSIZE = {version!r}\n"}
    added.update({name.replace("__", "/") + ".py": text for name, text in additions.items()})
    changes = {
        "nova/compute/manager.py": CHANGE.encode(),
        "setup.cfg": b"# weave: until 32\n[entry_points]\nnova.api.extra_spec_validators =\n"
        b"    minimum = nova.api.validation.extra_specs.minimum\n",
    }
    encoded = {path: text.encode() for path, text in added.items()}
    return Ours(version, version, 26, 34, encoded, changes)


def record_row(path: str, content: bytes) -> str:
    """Return a row of RECORD as pip writes it."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(content)}\r\n"


def install(site: Path) -> Place:
    """Install a small Nova as pip does, byte code included."""
    info = site / f"nova-{VERSION}.dist-info"
    info.mkdir(parents=True)
    rows = []
    for path, text in FILES.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text)
        os.utime(site / path, (1_700_000_000, 1_700_000_000))
        rows.append(record_row(path, text.encode()))
        made = Path(py_compile.compile(str(site / path), doraise=True))
        rows.append(f"{made.relative_to(site)},,\r\n")
    (site / "nova/compute/manager.py").chmod(0o640)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: nova\nVersion: {VERSION}\n\nX\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (info / "INSTALLER").write_text("pip\n")
    rows.append(record_row(f"{info.name}/entry_points.txt", ENTRY_POINTS.encode()))
    rows.append(f"{info.name}/RECORD,,\r\n")
    (info / "RECORD").write_bytes("".join(rows).encode())
    return find(str(site), Path("/"))


def content(site: Path) -> dict[str, tuple[bytes, int, int, int, int]]:
    """Return all files: bytes, mode, owner, group and time."""
    return {
        str(file.relative_to(site)): (
            file.read_bytes(),
            *((told := file.stat()).st_mode, told.st_uid, told.st_gid, told.st_mtime_ns),
        )
        for file in sorted(site.rglob("*"))
        if file.is_file()
    }
