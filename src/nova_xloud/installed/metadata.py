"""What pip and setuptools have written about a distribution: its entry points, its files."""

from __future__ import annotations

import base64
import configparser
import csv
import hashlib
import io
import re
from pathlib import Path
from typing import Mapping

from nova_xloud.ground.errors import DirectoryError

ENTRY_POINTS = "entry_points.txt"
RECORD = "RECORD"
#: What `setup.py install` has written instead of RECORD.
INSTALLED = "installed-files.txt"


def declared(setup_cfg: bytes) -> list[tuple[str, str]]:
    """Return the entry points that a change of setup.cfg declares: groups and lines."""
    parser = configparser.ConfigParser()
    parser.read_string(setup_cfg.decode())
    return [
        (group, line.strip())
        for group, lines in parser["entry_points"].items()
        for line in lines.strip().splitlines()
    ]


def with_entry_points(content: bytes, wanted: list[tuple[str, str]], file: Path) -> bytes:
    """Return the text of entry_points.txt with more entry points in its groups.

    :raises DirectoryError: if a group is missing, or has another entry point of the name
    """
    lines = content.decode().split("\n")
    for group, line in wanted:
        heads = [number for number, each in enumerate(lines) if each.strip() == f"[{group}]"]
        if len(heads) != 1:
            raise DirectoryError(file, f"has {len(heads)} groups {group}, and not one")
        end = heads[0] + 1
        name = line.partition("=")[0].strip()
        there = ""
        while end < len(lines) and lines[end].strip() and not lines[end].startswith("["):
            if lines[end].partition("=")[0].strip() == name:
                there = lines[end]
            end += 1
        if not there:
            lines.insert(end, line)
        elif re.sub(r"\s", "", there) != re.sub(r"\s", "", line):
            raise DirectoryError(file, f"has another entry point {name}: {there}")
    return "\n".join(lines).encode()


def with_record(content: bytes, written: Mapping[str, bytes]) -> bytes:
    """Return the text of RECORD with the hashes of files that were written.

    :param written: the content of each by its path in RECORD; a path that RECORD lacks is added
    """
    left: dict[str, bytes] = dict(written)
    end = b"\r\n" if b"\r\n" in content else b"\n"
    lines = []
    for line in content.splitlines():
        path = next(csv.reader([line.decode()]), [""])[0]
        new = left.pop(path, None)
        lines.append(line if new is None or _is_bare(line) else _row(path, new))
    lines += [_row(path, new) for path, new in sorted(left.items())]
    return b"".join(line + end for line in lines)


def with_installed(content: bytes, added: list[str]) -> bytes:
    """Return the text of installed-files.txt with more files.

    :param added: their paths relative to the metadata
    """
    lines = content.decode().splitlines()
    return "".join(f"{each}\n" for each in [*lines, *sorted(set(added) - set(lines))]).encode()


def _is_bare(line: bytes) -> bool:
    """Say whether a row of RECORD has no hash: RECORD itself, or byte code."""
    return line.endswith(b",,")


def _row(path: str, content: bytes) -> bytes:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([path, f"sha256={digest}", len(content)])
    return text.getvalue().encode()
