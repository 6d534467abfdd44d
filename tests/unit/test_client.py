"""The plugin of the OpenStack client is built from this checkout, in Pythons that clients have."""

from __future__ import annotations

import ast
import configparser
import re

from nova_xloud.packages import companions

CLIENT = companions.known()["client"]
MODULES = sorted((CLIENT.directory / "openstackclient_xloud").rglob("*.py"))


def test_its_modules_are_python_3_8() -> None:
    assert len(MODULES) > 4
    for module in [*MODULES, CLIENT.directory / "setup.py"]:
        tree = ast.parse(module.read_text(), feature_version=(3, 8))
        if module.name != "__init__.py" and module in MODULES:
            imported = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
            assert "__future__" in {node.module for node in imported}, module


def test_its_version_is_in_one_place() -> None:
    version = companions.changelog(CLIENT)[0].version
    told = [
        file
        for file in companions.source_files(CLIENT)
        if re.search(rf"(?<![\w.=-]){re.escape(version)}(?![\w.])", file.read_text())
    ]
    assert told == [CLIENT.directory / "debian/changelog"]


def test_its_packages_are_all_of_its_packages() -> None:
    settings = configparser.ConfigParser()
    settings.read(CLIENT.directory / "setup.cfg")
    there = {".".join(each.parent.relative_to(CLIENT.directory).parts) for each in MODULES}
    assert set(settings["options"]["packages"].split()) == there
