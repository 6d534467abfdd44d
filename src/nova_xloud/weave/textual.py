"""Weaving into files that are not Python: setup.cfg, pyproject.toml and reStructuredText.

Each kind is a pair of functions like ``weave`` and ``unweave``, over lines instead of bytes. A
first comment line ``# weave: since 33`` or ``until 32`` (``.. weave:`` in rst) limits the change.
Above a table of pyproject.toml, such a line limits the additions to that table.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from nova_xloud.ground.errors import AnchorError, ChangeError, WeaveError
from nova_xloud.weave import limits, marks

_RST_BEGIN = ".. xloud begin"
_RST_END = ".. xloud end"
_LIMIT = re.compile(r"\b(since|until)\s+(\S+)")
_WEAVE = re.compile(r"^(?:#|\.\.) weave:(.*)$")
_SECTION = re.compile(r'(before|after) section "([^"]+)"')
_UNDERLINE = re.compile(r"([!-/:-@\[-`{-~])\1{2,}\s*$")


class _Job(NamedTuple):
    """One file to weave into.

    :ivar path: its path in the tree
    :ivar version: the release, as ``since`` and ``until`` count it
    :ivar release: the name of the release in errors
    :ivar base: its lines
    :ivar change: the change file's lines
    """

    path: str
    version: tuple[int, ...]
    release: str
    base: list[str]
    change: list[str]

    def unfit(self, anchor: str, reason: str) -> AnchorError:
        return AnchorError(self.path, anchor, self.release, reason)

    def wrong(self, index: int, reason: str) -> ChangeError:
        return ChangeError(self.path, index + 1, reason)

    def applies(self, index: int) -> bool:
        """Say whether limits such as ``since 31 until 33.0`` in a line include the release."""
        given = dict(_LIMIT.findall(_SECTION.sub("", self.change[index])))
        try:
            return limits.include(given, self.version)
        except ValueError as error:
            raise self.wrong(index, str(error)) from None


def knows(path: str) -> bool:
    """Say whether a file is one of the kinds that are woven here."""
    return _kind(path) is not None


def weave(base: bytes, change: bytes, *, path: str, version: Sequence[int], release: str) -> bytes:
    """Insert the lines of a change file; see nova_xloud.weave.weave."""
    job = _Job(
        path, tuple(version), release, base.decode().split("\n"), change.decode().split("\n")
    )
    first = _WEAVE.match(job.change[0])
    if first and not _SECTION.search(first[1]) and not job.applies(0):
        return base
    weaver = {"cfg": _weave_cfg, "toml": _weave_toml, "rst": _weave_rst}[_kind(path) or ""]
    return "\n".join(weaver(job)).encode()


def marked(content: bytes, *, path: str) -> list[tuple[int, str]]:
    """Return the parts that carry a mark, each after the number of its first line."""
    finder: Callable[[Sequence[str]], list[tuple[int, str]]]
    finder = {"cfg": _marked_cfg, "toml": marks.marked, "rst": _marked_rst}[_kind(path) or ""]
    return finder(content.decode().split("\n"))


def without_marked(content: bytes, *, path: str) -> bytes:
    """Return a file without the lines that carry a mark."""
    taker: Callable[[Sequence[str]], list[str]]
    taker = {"cfg": _without_cfg, "toml": marks.without_marked, "rst": _without_rst}[
        _kind(path) or ""
    ]
    return "\n".join(taker(content.decode().split("\n"))).encode()


def _kind(path: str) -> str | None:
    suffix = path.rpartition(".")[2]
    return suffix if suffix in {"cfg", "toml", "rst"} else None


# -- setup.cfg ---------------------------------------------------------------------------------
# Knows no comments behind a value: a line ``# xloud`` stands above each line of ours.


def _weave_cfg(job: _Job) -> list[str]:
    lines = list(job.base)
    section = key = ""
    for index, line in enumerate(job.change):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if match := re.match(r"\[(.+)\]\s*$", line):
            section, key = match[1], ""
            continue
        if match := re.match(r"([\w.:-]+)\s*=\s*(.*)$", line):
            key = match[1]
            if _cfg_key(lines, section, key) is not None:
                if match[2]:
                    raise job.wrong(index, f"{key} is there already: only lines can be added to it")
                continue
        elif not line[0].isspace() or not key:
            raise job.wrong(index, "is neither section, key nor value")
        if not _cfg_sections(lines, section):
            raise job.unfit(f"[{section}]", "not found")
        if len(_cfg_sections(lines, section)) > 1:
            raise job.unfit(f"[{section}]", "ambiguous: found more than once")
        at = _cfg_end(lines, section, key if line[0].isspace() else "")
        indent = line[: len(line) - len(line.lstrip())]
        lines[at:at] = [indent + marks.MARK, line.rstrip()]
    _check_cfg(job, lines)
    return lines


def _marked_cfg(lines: Sequence[str]) -> list[tuple[int, str]]:
    found = []
    ours = False
    for number, line in enumerate(lines, 1):
        ours = not ours and line.strip() == marks.MARK
        if ours:
            found.append((number, "\n".join(lines[number - 1 : number + 1])))
    return found


def _without_cfg(lines: Sequence[str]) -> list[str]:
    kept: list[str] = []
    ours = False
    for line in lines:
        if ours or line.strip() == marks.MARK:
            ours = not ours
        else:
            kept.append(line)
    return kept


def _cfg_sections(lines: Sequence[str], section: str) -> list[int]:
    return [index for index, line in enumerate(lines) if line.rstrip() == f"[{section}]"]


def _cfg_body(lines: Sequence[str], section: str) -> range:
    """Return the indexes of the lines of a section."""
    (start,) = _cfg_sections(lines, section)[:1] or [len(lines)]
    end = start + 1
    while end < len(lines) and not lines[end].startswith("["):
        end += 1
    return range(start + 1, end)


def _cfg_key(lines: Sequence[str], section: str, key: str) -> int | None:
    for index in _cfg_body(lines, section):
        if re.match(re.escape(key) + r"\s*[=:]", lines[index], re.IGNORECASE):
            return index
    return None


def _cfg_end(lines: Sequence[str], section: str, key: str) -> int:
    """Return the index behind a key's last line; without a key, behind the section's."""
    start = _cfg_key(lines, section, key) if key else None
    end = last = (start if start is not None else _cfg_body(lines, section).start - 1) + 1
    while end < len(lines) and not lines[end].startswith("["):
        if start is not None and lines[end].strip() and not lines[end][0].isspace():
            break
        if lines[end].strip():
            last = end + 1
        end += 1
    return last


def _check_cfg(job: _Job, lines: Sequence[str]) -> None:
    """Make sure that the woven file reads as the base plus the lines that the change adds."""
    wanted = _read_cfg(job, job.base)
    added = _read_cfg(job, job.change)
    for section, keys in added.items():
        for key, more in keys.items():
            has = wanted.setdefault(section, {}).setdefault(key, [])
            for name in sorted(_entry_names(has) & _entry_names(more)):
                raise job.unfit(f"[{section}] {key}", f"has {name} already")
            has += more
    if _read_cfg(job, lines) != wanted:
        raise WeaveError(job.path, job.release, "does not read as Nova's file with the lines added")


def _read_cfg(job: _Job, lines: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """Return the lines of each value, by section and key.

    :raises AnchorError: if no reader of such files would take it
    """
    parser = configparser.RawConfigParser()
    try:
        parser.read_string("\n".join(lines))
    except configparser.Error as error:
        line = getattr(error, "lineno", None) or 1
        raise job.unfit(f"line {line}", f"cannot be read: {error.message}") from error
    return {
        section: {
            key: [line for line in value.split("\n") if line]
            for key, value in parser.items(section)
        }
        for section in parser.sections()
    }


def _entry_names(lines: Sequence[str]) -> set[str]:
    """Return the names in lines such as ``name = module``."""
    return {line.partition("=")[0].strip() for line in lines if "=" in line}


# -- pyproject.toml ----------------------------------------------------------------------------


def _weave_toml(job: _Job) -> list[str]:
    lines = list(job.base)
    change = _of_release(job)
    table = ""
    for index, line in enumerate(change):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("["):
            table = line.split("#")[0].strip()
            found = [number for number, each in enumerate(lines) if each.strip() == table]
            if len(found) != 1:
                raise job.unfit(table, "ambiguous" if found else "not found")
            continue
        if not table:
            raise job.wrong(index, "stands in no table")
        at = end = found[0] + 1
        while end < len(lines) and not lines[end].startswith("["):
            end += 1
            if lines[end - 1].strip() and not lines[end - 1].startswith("#"):
                at = end
        lines.insert(at, marks.mark(line.rstrip()))
    _check_toml(job, change, lines)
    return lines


def _of_release(job: _Job) -> list[str]:
    """Return the lines of the change; those of a table that is not for the release are empty."""
    kept = []
    applies = next_applies = True
    for index, line in enumerate(job.change):
        if _WEAVE.match(line):
            next_applies = job.applies(index)
        elif line.startswith("["):
            applies, next_applies = next_applies, True
        kept.append(line if applies else "")
    return kept


def _check_toml(job: _Job, change: Sequence[str], lines: Sequence[str]) -> None:
    """Make sure that the woven file reads as the base plus the entries of the change.

    The standard library reads TOML since Python 3.11.
    """
    try:
        import tomllib
    except ImportError as error:
        raise WeaveError(job.path, job.release, "weaving TOML needs Python 3.11") from error

    def read(text: Sequence[str]) -> dict[str, Any]:
        try:
            return tomllib.loads("\n".join(text))
        except tomllib.TOMLDecodeError as error:
            found = re.search(r"line (\d+)", str(error))
            line = found[1] if found else len(text)
            raise job.unfit(f"line {line}", f"would not be TOML: {error}") from error

    wanted, added = read(job.base), read(change)
    _add_to_table(job, wanted, added, "")
    if read(lines) != wanted:
        raise WeaveError(job.path, job.release, "does not read as Nova's file with the lines added")


def _add_to_table(job: _Job, table: dict[str, Any], more: dict[str, Any], name: str) -> None:
    """Add the entries of one table to another.

    :param name: of the table, in messages
    :raises AnchorError: if the table has such an entry already
    """
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(table.get(key), dict):
            _add_to_table(job, table[key], value, f"{name}.{key}" if name else key)
        elif key in table:
            raise job.unfit(f"[{name}]", f"has {key} already")
        else:
            table[key] = value


# -- reStructuredText --------------------------------------------------------------------------
# A block stands between comments, and brings one blank line that keeps it from its neighbour.


def _weave_rst(job: _Job) -> list[str]:
    starts = [index for index, line in enumerate(job.change) if _WEAVE.match(line)]
    if not any(_SECTION.search(job.change[start]) for start in starts):
        raise job.wrong(0, 'has no line like: .. weave: before section "Title"')
    lines = list(job.base)
    for start, end in zip(starts, [*starts[1:], len(job.change)]):
        place = _SECTION.search(job.change[start])
        if place is None:
            if start:
                raise job.wrong(start, 'says neither before nor after section "..."')
            continue
        if not job.applies(start):
            continue
        body = [line.rstrip() for line in job.change[start + 1 : end]]
        while body and not body[-1]:
            body.pop()
        while body and not body[0]:
            body.pop(0)
        block = [_RST_BEGIN, "", *body, "", _RST_END]
        at = _rst_place(job, lines, place[1], place[2])
        if any(lines[at:]):
            lines[at:at] = [*block, ""]
        else:
            lines[at:at] = ["", *block]
    return lines


def _without_rst(lines: Sequence[str]) -> list[str]:
    kept = list(lines)
    while _RST_BEGIN in kept:
        start = kept.index(_RST_BEGIN)
        end = kept.index(_RST_END, start) + 1 if _RST_END in kept[start:] else len(kept)
        if any(kept[end:]):
            end += not kept[end]
        elif start and not kept[start - 1]:
            start -= 1
        del kept[start:end]
    return kept


def _marked_rst(lines: Sequence[str]) -> list[tuple[int, str]]:
    found = []
    start = -1
    for index, line in enumerate(lines):
        if line == _RST_BEGIN and start < 0:
            start = index
        elif line == _RST_END and start >= 0:
            found.append((start + 1, "\n".join(lines[start : index + 1])))
            start = -1
    return found if start < 0 else [*found, (start + 1, "")]


def _rst_place(job: _Job, lines: Sequence[str], side: str, title: str) -> int:
    """Return the index that a block goes to."""
    titles = [
        index
        for index, line in enumerate(lines[:-1])
        if line.strip()
        and not _UNDERLINE.match(line)
        and _UNDERLINE.match(lines[index + 1])
        and len(lines[index + 1].rstrip()) >= len(line.rstrip())
    ]
    found = [index for index in titles if lines[index].strip() == title]
    if len(found) != 1:
        reason = f"ambiguous: {len(found)} sections" if found else "no such section"
        raise job.unfit(f'section "{title}"', reason)
    index = found[0]
    if side == "after":
        level = lines[index + 1][0]
        levels = list(dict.fromkeys(lines[each + 1][0] for each in titles))
        later = [
            each
            for each in titles
            if each > index and levels.index(lines[each + 1][0]) <= levels.index(level)
        ]
        if not later:
            return len("\n".join(lines).rstrip("\n").split("\n"))
        index = later[0]
    if index and _UNDERLINE.match(lines[index - 1]):
        index -= 1
    while index >= 2 and (
        lines[index - 1].startswith(".. _")
        or (not lines[index - 1] and lines[index - 2].startswith(".. _"))
    ):
        index -= 1
    return index
