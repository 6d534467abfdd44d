"""The one file for installed trees: the wing ``installed``, the weaver, and our changes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import zipapp
from importlib import metadata
from pathlib import Path

from nova_xloud.bases import releases
from nova_xloud.ground.files import put
from nova_xloud.installed import ours
from nova_xloud.trees import tree

#: The name of the file.
NAME = "nova-xloud-tree.pyz"
_PACKAGE = Path(__file__).parents[1]
_PARTS = (
    *("__init__.py", "ground/__init__.py", "ground/errors.py", "weave", "installed"),
    *("cli/__init__.py", "cli/installed.py"),
)
_MAIN = """\
import sys

from nova_xloud.cli import installed

sys.exit(installed.main(sys.argv[0]))
"""
#: The first moment that a zip file can name, 1980-01-01; each file of ours has it.
_DATE = 315532800


def build(file: Path) -> None:
    """Write the one file; the same checkout gives the same bytes.

    :param file: the path to write to; an older file there is replaced as a whole
    """
    with tempfile.TemporaryDirectory(prefix="nova-xloud-") as scratch:
        top = Path(scratch, "top")
        _fill(top)
        made = Path(scratch, NAME)
        zipapp.create_archive(top, made, "/usr/bin/env python3", compressed=True)
        put(file, made.read_bytes())
        file.chmod(0o755)


def _fill(top: Path) -> None:
    """Gather the content of the zip file below a directory."""
    for part in _PARTS:
        source, target = _PACKAGE / part, top / "nova_xloud" / part
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    digest = hashlib.sha256()
    for part in ("additions", "changes"):
        for path in tree.paths(part):
            if ours.is_wanted(path):
                content = (tree.sources() / part / path).read_bytes()
                digest.update(f"{part} {path} {hashlib.sha256(content).hexdigest()}\n".encode())
                put(top / ours.TREE / part / path, content)
    series = releases.supported()
    about = {
        "version": metadata.version("nova-xloud"),
        "digest": digest.hexdigest(),
        "first": series[0],
        "last": series[-1],
    }
    (top / ours.ABOUT).write_text(json.dumps(about) + "\n")
    (top / "__main__.py").write_text(_MAIN)
    for each in sorted(top.rglob("*"), reverse=True):
        each.chmod(0o755 if each.is_dir() else 0o644)
        os.utime(each, (_DATE, _DATE))
