"""The protocol of package formats: each format follows it, and needs no other entry."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from types import ModuleType

import pytest

from nova_xloud.bases.base import Base
from nova_xloud.ground.errors import PackageError
from nova_xloud.ground.patches import Patch
from nova_xloud.ground.root import Recipe
from nova_xloud.packages import builds, formats, targets
from nova_xloud.trees.patched import Tree
from tests.unit.packages import rooms

FORMATS = sorted({each.format for each in targets.known().values()})
FUNCTIONS = ("related", "recipe", "prepare", "build")
TREE = Tree(Base("1.2.3", "1.2.3", 1, 0), (Patch("one.patch", b"1\n"),), frozenset())


def parameters(function: object) -> list[tuple[str, object]]:
    """Return the names and kinds of a function's parameters, without self."""
    told = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    return [(each.name, each.kind) for each in told if each.name != "self"]


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_of_the_table_follows_the_protocol(name: str) -> None:
    target = next(each for each in targets.known().values() if each.format == name)
    chosen = formats.of(target)
    for function in FUNCTIONS:
        expected = parameters(getattr(formats.Format, function))
        assert parameters(getattr(chosen, function)) == expected, function
    assert all(isinstance(part, Path) and part.exists() for part in chosen.PARTS)
    assert chosen.NEXT.startswith("Next")
    assert chosen.recipe(target).suite == target.suite


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> targets.Target:
    """A target of a format that is one module."""
    part = tmp_path / "part"
    part.write_text("of the checkout\n")

    def build(sources: bytes, room: builds.Room) -> list[Path]:
        made = room.area / "package.tiny"
        made.write_bytes(sources)
        return [made]

    module = ModuleType("nova_xloud.packages.tiny")
    for name, value in {
        "PARTS": (part,),
        "NEXT": "Next: nothing.",
        "related": lambda target, *, refresh: target,
        "recipe": lambda target: Recipe("tiny", target.suite, ()),
        "prepare": lambda tree, target: b"".join(each.content for each in tree.patches),
        "build": build,
    }.items():
        setattr(module, name, value)
    monkeypatch.setitem(sys.modules, module.__name__, module)

    monkeypatch.setattr(builds, "room", rooms.room)
    return targets.get("el9")._replace(name="tiny-1", format="tiny")


def test_a_format_is_a_module_and_a_row(tiny: targets.Target, tmp_path: Path) -> None:
    digest = formats.inputs(tiny, [])
    dist = tmp_path / "dist"
    dist.mkdir()
    (made,) = formats.build(TREE, tiny, dist, digest)
    assert made == dist / "tiny-1/package.tiny"
    assert made.read_bytes() == b"1\n"
    assert builds.intact(tiny, dist, digest) == [made]


def test_the_digest_is_of_target_base_and_checkout(tiny: targets.Target, tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.write_text("one")
    digests = [formats.inputs(tiny, [base]), formats.inputs(tiny._replace(revision=2), [base])]
    base.write_text("two")
    digests.append(formats.inputs(tiny, [base]))
    formats.of(tiny).PARTS[0].write_text("changed\n")
    digests.append(formats.inputs(tiny, [base]))
    assert len(set(digests)) == len(digests)
    assert formats.inputs(tiny, [base]) == digests[-1]


def test_a_script_that_fails_names_program_and_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, object] = {}

    def run_in(merged: Path, command: list[str], **options: object) -> int:
        told.update(options, command=command)
        return 3

    monkeypatch.setattr("nova_xloud.ground.root.run_in", run_in)
    monkeypatch.setattr("nova_xloud.ground.root.give_to_builder", lambda merged, area: None)
    room = builds.Room("tiny-1", tmp_path, tmp_path / "area", tmp_path / "log")
    with pytest.raises(PackageError, match=r"make ended with 3: see .*/log"):
        room.run("exec make", "make", "the packages (a moment)", EXTRA="1")
    assert told["command"] == ["sh", "-c", "exec make"]
    assert told["user"] == "builder"
    assert told["environment"] == {"LC_ALL": "C.UTF-8", "TZ": "UTC", "EXTRA": "1"}
