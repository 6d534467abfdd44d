"""Sphinx makes the manual page of this: ``sphinx-build -b man doc DIRECTORY``."""

import pathlib
import re

_changelog = pathlib.Path(__file__).resolve().parents[1] / "debian" / "changelog"
_top = re.match(r"[\w-]+ \((?:\d+:)?([^)-]+)", _changelog.read_text(encoding="utf-8"))

project = "openstackclient-xloud"
author = "nova-xloud developers"
version = release = _top.group(1)
extensions = ["cliff.sphinxext"]
master_doc = root_doc = "openstack-xloud"
autoprogram_cliff_application = "openstack"
# the output formats are those of every command of openstack
autoprogram_cliff_ignored = [
    "--help",
    "--format",
    "--column",
    "--noindent",
    "--prefix",
    "--max-width",
    "--fit-width",
    "--print-empty",
]
man_pages = [
    (
        "openstack-xloud",
        "openstack-xloud",
        "resize running servers of an OpenStack cloud",
        author,
        1,
    )
]
