"""The rules of the house inside Nova that an import or a name can show."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from nova_xloud.trees import tree

ADDITIONS = tree.sources() / "additions"
CHANGES = tree.sources() / "changes"

# The sides of Nova, each with the module that has all hooks on it.
SIDES = {
    "nova/compute/api.py": "nova.xloud.api",
    "nova/compute/utils.py": "nova.xloud.api",
    "nova/api/": "nova.xloud.api",
    "nova/scheduler/": "nova.xloud.scheduler",
    "nova/objects/": "nova.xloud.scheduler",
    "nova/compute/": "nova.xloud.compute",
}
# Other modules that a change file may name: data, and the RPC client.
DATA = {"nova.xloud.exception", "nova.xloud.rpcapi"}


def imports(module: Path) -> set[str]:
    """Return the names of ours that a module imports from nova.xloud and below."""
    return {
        f"{node.module}.{name.name}"
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nova.xloud")
        for name in node.names
    }


def changed(side: str) -> list[Path]:
    """Return the change files of a side of Nova."""
    place = CHANGES / side
    return sorted(place.rglob("*.py")) if place.is_dir() else [place]


def test_a_change_names_the_hooks_of_its_side_only() -> None:
    seen: dict[Path, str] = {}
    for side, package in SIDES.items():
        for module in changed(side):
            seen.setdefault(module, package)
    assert len(seen) > 10
    found = {
        str(module.relative_to(CHANGES)): sorted(names)
        for module, package in seen.items()
        if (names := imports(module) - DATA - {f"{package}.hooks"})
    }
    assert not found


def test_values_know_no_other_module() -> None:
    assert imports(ADDITIONS / "nova/xloud/size.py") == set()
    assert imports(ADDITIONS / "nova/xloud/record.py") == {"nova.xloud.size"}


def test_each_key_of_an_instance_has_one_owner() -> None:
    """Only record.py and intent.py write the keys, and only record.py the columns of quota."""
    owners = {"record.py": r"instance\.(vcpus|memory_mb)\b.* = |'xloud_(current|live|old)_"}
    owners["intent.py"] = r"system_metadata\[_KEY\] = "
    modules = sorted((ADDITIONS / "nova/xloud").rglob("*.py"))
    modules += sorted((ADDITIONS / "nova/virt").rglob("*.py"))
    for owner, pattern in owners.items():
        writers = {each.name for each in modules if re.search(pattern, each.read_text())}
        assert writers == {owner}
