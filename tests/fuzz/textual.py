"""Mutations of the files that are not Python, and the conditions of a right weave.

The readers of the standard library judge setup.cfg and pyproject.toml; of reStructuredText, the
titles that stand around our block.
"""

from __future__ import annotations

import configparser
import random
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.mutation import Verdict

Mutated = tuple[str, Verdict]
Maker = Callable[[str, str, random.Random], Mutated]
TITLE = re.compile(r"^ ?(\S.*)\n([=\-~^*#\"'])\2{2,}[ ]*$", re.MULTILINE)
BLOCK = re.compile(r"\.\. xloud begin\n(.*?)\n\.\. xloud end\n", re.DOTALL)


class Kind(NamedTuple):
    """A kind of mutation.

    :ivar ending: the ending of the files that it is for; "" for all
    :ivar make: gives the mutated text and the verdict; takes the text and the anchor
    """

    name: str
    ending: str
    make: Maker


KINDS: list[Kind] = []


def mutation(ending: str = "") -> Callable[[Maker], Maker]:
    def enter(make: Maker) -> Maker:
        name = getattr(make, "__name__", "").replace("_", " ")
        KINDS.append(Kind(name, ending, make))
        return make

    return enter


def knows(file: Path) -> bool:
    """Say whether a change is of a file that is not Python."""
    return file.suffix in {".cfg", ".toml", ".rst"}


def anchor_of(path: str, change: str) -> str:
    """Return the section, table or title of Nova's that a change names."""
    if path.endswith(".rst"):
        found = re.search(r'section "(.*)"', change)
    else:
        found = re.search(r"^\[(.+)\]$", change, re.MULTILINE)
    assert found
    return found[1]


# -- right -------------------------------------------------------------------------------------


def unlike(path: str, base: str, change: str, woven: str, series: int) -> str:
    """Say in which way a weave is wrong; "" if it is right.

    :param series: of the release, e.g. 33
    """
    ending = path.rpartition(".")[2]
    if ending == "toml":
        change = _tables_of(change, series)
    return {"cfg": _unlike_cfg, "toml": _unlike_toml, "rst": _unlike_rst}[ending](
        base, change, woven
    )


def _tables_of(change: str, series: int) -> str:
    """Return a change of pyproject.toml without the tables that are for other releases."""
    kept, applies, next_applies = [], True, True
    for line in change.splitlines(keepends=True):
        if line.startswith("# weave:"):
            told = {word: int(number) for word, number in re.findall(r"(since|until) (\d+)", line)}
            next_applies = told.get("since", series) <= series <= told.get("until", series)
        elif line.startswith("["):
            applies, next_applies = next_applies, True
        if applies:
            kept.append(line)
    return "".join(kept)


def _unlike_cfg(base: str, change: str, woven: str) -> str:
    before, added, after = map(_read_cfg, (base, change, woven))
    for section, keys in added.items():
        for key, lines in keys.items():
            before.setdefault(section, {}).setdefault(key, []).extend(lines)
    if before != after:
        return "setup.cfg does not read as that of Nova's with our entries"
    ours = re.sub(r"^[ \t]*# xloud\n.*\n?", "", woven, flags=re.MULTILINE)
    return "" if ours.rstrip("\n") == base.rstrip("\n") else "more than our lines was added"


def _read_cfg(text: str) -> dict[str, dict[str, list[str]]]:
    parser = configparser.RawConfigParser(strict=True)
    parser.read_string(text)
    return {
        section: {key: [each for each in value.split("\n") if each] for key, value in keys.items()}
        for section, keys in parser.items()
    }


def _unlike_toml(base: str, change: str, woven: str) -> str:
    before, added, after = map(tomllib.loads, (base, change, woven))
    _merge(before, added)
    if before != after:
        return "pyproject.toml does not read as that of Nova's with our entries"
    kept = "".join(
        each
        for each in woven.splitlines(keepends=True)
        if not each.rstrip("\n").endswith("  # xloud")
    )
    return "" if kept.rstrip("\n") == base.rstrip("\n") else "more than our lines was added"


def _merge(table: dict[str, object], more: dict[str, object]) -> None:
    for key, value in more.items():
        inner = table.get(key)
        if isinstance(inner, dict) and isinstance(value, dict):
            _merge(inner, value)
        else:
            table[key] = value


def _unlike_rst(base: str, change: str, woven: str) -> str:
    wanted = re.findall(r'^\.\. weave: (before|after) section "(.*)"$', change, re.MULTILINE)
    blocks = list(BLOCK.finditer(woven))
    if len(blocks) != len(wanted):
        return f"has {len(blocks)} blocks, not {len(wanted)}"
    if re.sub(r"\n+", "\n", BLOCK.sub("", woven)).strip() != re.sub(r"\n+", "\n", base).strip():
        return "more than our block was added"
    for side, title in wanted:
        behind = {
            next(iter(TITLE.findall(woven[each.end() :])), ("", ""))[0].strip() for each in blocks
        }
        ahead = {
            TITLE.findall(woven[: each.start()])[-1][0].strip()
            for each in blocks
            if TITLE.search(woven[: each.start()])
        }
        if side == "before" and title not in behind:
            return f"no block stands before {title}, but before {behind}"
        if side == "after" and title not in ahead:
            return f"no block stands in {title}, but in {ahead}"
    return ""


def _titles(text: str) -> list[str]:
    return [found[0].strip() for found in TITLE.findall(text)] or [""]


# -- setup.cfg and pyproject.toml --------------------------------------------------------------


def parts(text: str) -> list[str]:
    """Return the head of a file and its sections."""
    return re.split(r"(?m)^(?=\[)", text)


@mutation("cfg")
@mutation("toml")
def sections_change_places(text: str, anchor: str, rng: random.Random) -> Mutated:
    head, *rest = parts(text if text.endswith("\n") else f"{text}\n")
    return head + "".join(rng.sample(rest, len(rest))), Verdict.WOVEN


@mutation("cfg")
@mutation("toml")
def comments_and_blank_lines(text: str, anchor: str, rng: random.Random) -> Mutated:
    lines = []
    # Within a value that spans lines of TOML a comment is allowed only between elements.
    for line in text.split("\n"):
        if rng.random() < 0.1 and (not line or line.startswith(("[", "#"))):
            lines += rng.choice([["# why"], [""], ["# [entry_points]"], ["# x = 1", ""]])
        lines.append(line)
    return "\n".join(lines), Verdict.WOVEN


@mutation("cfg")
def values_written_anew(text: str, anchor: str, rng: random.Random) -> Mutated:
    indent = rng.choice(["  ", "\t", "        "])
    text = re.sub(r"(?m)^[ \t]+(?=\S)", indent, text)
    equals = rng.choice(["=", " =", "= ", "  =  "])
    return re.sub(r"(?m)^([\w.-]+) *= *", rf"\1{equals}", text), Verdict.WOVEN


@mutation("cfg")
def a_colon_for_an_equals_sign(text: str, anchor: str, rng: random.Random) -> Mutated:
    return re.sub(r"(?m)^([\w.-]+) *= *", r"\1: ", text), Verdict.EITHER


@mutation("cfg")
def a_key_in_capitals(text: str, anchor: str, rng: random.Random) -> Mutated:
    key = "nova.api.extra_spec_validators"
    return text.replace(f"{key} =", f"{key.upper()} ="), Verdict.EITHER


@mutation("cfg")
def a_value_on_the_line_of_its_key(text: str, anchor: str, rng: random.Random) -> Mutated:
    return re.sub(r"(extra_spec_validators =) *\n\s+", r"\1 ", text), Verdict.WOVEN


@mutation("cfg")
def a_key_is_doubled(text: str, anchor: str, rng: random.Random) -> Mutated:
    more = rng.choice(
        ["nova.api.extra_spec_validators =\n", "nova.api.extra_spec_validators: x = y\n"]
    )
    return text.replace("[entry_points]\n", f"[entry_points]\n{more}"), Verdict.REFUSED


@mutation("cfg")
@mutation("toml")
def a_section_is_renamed(text: str, anchor: str, rng: random.Random) -> Mutated:
    return text.replace(
        f"[{anchor}]", rng.choice(["[other]", f"# [{anchor}]\n[other]", ""])
    ), Verdict.REFUSED


@mutation("cfg")
@mutation("toml")
def a_section_is_doubled(text: str, anchor: str, rng: random.Random) -> Mutated:
    return f"{text}\n[{anchor}]\nother =\n    1\n", Verdict.REFUSED


@mutation("cfg")
@mutation("toml")
def a_section_is_written_anew(text: str, anchor: str, rng: random.Random) -> Mutated:
    ways = [f"[{anchor}]  # why", f"[{anchor}]   ", f"[ {anchor} ]", f" [{anchor}]"]
    ways += ["[" + anchor.replace('"', "'") + "]", "[" + anchor.replace(".", " . ", 1) + "]"]
    return text.replace(f"[{anchor}]", rng.choice(ways)), Verdict.EITHER


@mutation("cfg")
@mutation("toml")
def nova_has_the_entry(text: str, anchor: str, rng: random.Random) -> Mutated:
    value = rng.choice(["nova.api.validation.extra_specs.minimum", "nova.other"])
    if "[entry_points]" in text:
        key = re.compile(r"(extra_spec_validators = *\n)(\s+)")
        return key.sub(rf"\1\2minimum = {value}\n\2", text), Verdict.REFUSED
    name = rng.choice(["minimum", '"minimum"'])
    return text.replace(f"[{anchor}]\n", f'[{anchor}]\n{name} = "{value}"\n'), Verdict.REFUSED


@mutation("toml")
def values_over_many_lines(text: str, anchor: str, rng: random.Random) -> Mutated:
    ways = ['"""\n[other]\nx = 1\n"""', "'''\n[other]\n'''", '"""\n# x  \n"""']
    entry = f"other = {rng.choice(ways)}\n"
    table = f"[{anchor}]\n"
    if rng.random() < 0.5:
        return text.replace(table, table + entry), Verdict.EITHER
    return text.replace(table, f'x = """\n{table}"""\n{table}'), Verdict.EITHER


# -- reStructuredText --------------------------------------------------------------------------


@mutation("rst")
def other_underlines(text: str, anchor: str, rng: random.Random) -> Mutated:
    new = dict(zip("=-~", rng.sample("=-~^*#\"'", 3), strict=True))
    longer = rng.choice(["", "  ", "XX"])

    def underline(found: re.Match[str]) -> str:
        sign = new.get(found[2], found[2])
        return f"{found[1]}\n" + sign * (len(found[1]) + 2 * (longer == "XX")) + longer.strip("X")

    return TITLE.sub(underline, text), Verdict.WOVEN


@mutation("rst")
def titles_with_overlines(text: str, anchor: str, rng: random.Random) -> Mutated:
    line = "=" * len(anchor)
    return re.sub(rf"(?m)^{re.escape(anchor)}\n", f"{line}\n{anchor}\n", text), Verdict.EITHER


@mutation("rst")
def a_label_or_comment_above(text: str, anchor: str, rng: random.Random) -> Mutated:
    above = rng.choice(
        [".. _label:\n\n", ".. _a:\n.. _b:\n\n", ".. why\n\n", "\n\n", "Text.\n\n* list\n\n"]
    )
    return re.sub(rf"(?m)^{re.escape(anchor)}\n", f"{above}{anchor}\n", text), Verdict.WOVEN


@mutation("rst")
def a_title_is_quoted(text: str, anchor: str, rng: random.Random) -> Mutated:
    """A literal block, or a paragraph, that looks like the title."""
    quoted = f"\n::\n\n    {anchor}\n    {'-' * len(anchor)}\n\n{anchor} is a title.\n\n"
    where = rng.choice(TITLE.findall(text))[0]
    return text.replace(f"\n{where}\n", f"{quoted}\n{where}\n", 1), Verdict.EITHER


@mutation("rst")
def a_title_is_doubled(text: str, anchor: str, rng: random.Random) -> Mutated:
    return f"{text}\n\n{anchor}\n{'~' * len(anchor)}\n\nMore.\n", Verdict.REFUSED


@mutation("rst")
def a_title_is_renamed(text: str, anchor: str, rng: random.Random) -> Mutated:
    new = rng.choice([f"{anchor} of Nova", "Other", anchor.lower(), f"``{anchor}``"])
    return re.sub(rf"(?m)^{re.escape(anchor)}\n", f"{new}\n", text), Verdict.REFUSED


# -- all ---------------------------------------------------------------------------------------


@mutation()
def other_bytes(text: str, anchor: str, rng: random.Random) -> Mutated:
    ways = ["\ufeff" + text, text.replace("\n", "\r\n"), text.replace("\n", "\r", 1), ""]
    return rng.choice(ways), Verdict.REFUSED


@mutation()
def a_foreign_mark(text: str, anchor: str, rng: random.Random) -> Mutated:
    mark = (
        ".. xloud begin\n\nx\n\n.. xloud end\n\n"
        if "\n[" not in text
        else "# xloud\n# x  # xloud\n"
    )
    return mark + text, Verdict.REFUSED


@mutation()
def another_end(text: str, anchor: str, rng: random.Random) -> Mutated:
    return text.rstrip("\n") + rng.choice(["", "\n\n\n", "\n   \n"]), Verdict.WOVEN
