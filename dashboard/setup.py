"""The plugin as a distribution; its version is the upstream part of debian/changelog's."""

import pathlib
import re

from setuptools import setup

_CHANGELOG = pathlib.Path(__file__).resolve().parent / "debian" / "changelog"
_TOP = re.match(r"[\w-]+ \((?:\d+:)?([^)-]+)", _CHANGELOG.read_text(encoding="utf-8"))

setup(version=_TOP.group(1))
