"""The image nova-api, made of the contexts of kolla-build, in a root of Debian.

Three things of Kolla's images are not to be had here: the archives of other makers, OpenStack's
list of constraints, and Blazar's plugin.  So the packages of Debian that the images begin with come
with the root, the constraints are the pins of our tests, and the plugin is disabled.  All steps of
nova-base and nova-api are as rendered.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from nova_xloud.bases import sdists
from nova_xloud.ground import cache, root
from tests.kolla import dockerfile
from tests.kolla.builder import Kolla
from tests.kolla.dockerfile import Instruction, follow, instructions
from tests.nova.environment import PINS, requirements

SUITES = {18: "bookworm", 20: "bookworm", 21: "bookworm", 22: "trixie", 23: "trixie"}
_START = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
_PACKAGES = (
    *("adduser", "build-essential", "ca-certificates", "git", "locales", "netbase", "patch"),
    *("libffi-dev", "libpq-dev", "libssl-dev", "libxml2-dev", "libxslt1-dev", "pkg-config"),
    *("procps", "python3", "python3-dev", "python3-pip", "python3-venv", "sudo"),
)
#: Kolla 18 takes a file from it, and would fetch it from OpenStack.
_PYCADF = sdists.Sdist(
    "pycadf", "3.1.1", "2be491143d21fa3dd1f842ce8dd4973e95f580893887960faa5c11a6190081e8"
)
#: Steps of the image base that fetch packages of others than Debian, or prepare for that.
_OF_OTHERS = re.compile(r"\bapt(-get)?\b|gpg --|\bcurl |/etc/apt/|apache2")


def site_settings(place: Path, kolla: Kolla, nova: int) -> None:
    """Write ``kolla-build.conf``, the settings of a site.

    :param nova: the series of Nova, whose pins are the constraints
    """
    constraints = place / "requirements"
    constraints.mkdir()
    pins = [line.split(";")[0].strip() for line in requirements(PINS / f"{nova}.txt")]
    # OpenStack's list leaves setuptools out: Kolla has a wish of its own
    named = [each.replace("==", "===") for each in pins if not each.startswith("setuptools=")]
    text = "".join(f"{each}\n" for each in named)
    (constraints / "upper-constraints.txt").write_text(text)
    pycadf = f"[openstack-base-plugin-pycadf]\ntype = local\nlocation = {sdists.fetch(_PYCADF)}\n"
    (place / "kolla-build.conf").write_text(
        "[DEFAULT]\nbase = debian\nbuildkit = false\n"
        f"[openstack-base]\ntype = local\nlocation = {constraints}\n"
        + (pycadf if kolla.series == 18 else "")
        + "[nova-base-plugin-blazar]\nenabled = false\n"
    )


class Image(NamedTuple):
    """A file system that Kolla's steps have made.

    :ivar top: its root directory
    :ivar environment: the variables that its commands get
    :ivar log: the file that gets the output of commands
    """

    top: Path
    environment: dict[str, str]
    log: Path

    def says(self, command: str) -> str:
        """Run a shell command, without network; return its output.

        :raises AssertionError: if it fails
        """
        # systemd-nspawn says things of its own in the log
        words = ["sh", "-c", 'eval "$1" >/said 2>&1', "sh", command]
        failed = dockerfile.run(words, self.top, self.environment, self.log, online=False)
        said = (self.top / "said").read_text(errors="replace")
        assert failed == 0, f"{command}: exit {failed}\n{said[-5000:]}"
        return said

    def does(self, command: str, *options: str) -> None:
        """Run a shell command that may reach the archive and the package index.

        :param options: of systemd-nspawn
        :raises AssertionError: if it fails
        """
        follow(Instruction("RUN", command), self.top, self.top, self.environment, self.log, options)


@contextlib.contextmanager
def made(kolla: Kolla, prepared: Path, scratch: Path) -> Iterator[Image]:
    """Yield the image nova-api, in a file system that may be changed.

    :param prepared: has a directory for each image, with all that kolla-build hands to an engine
    :param scratch: an empty directory
    """
    with openstack_base(kolla, prepared, scratch) as image:
        for name in ("nova-base", "nova-api"):
            for step in instructions(prepared / name):
                follow(step, prepared / name, image.top, image.environment, image.log)
        yield image


@contextlib.contextmanager
def openstack_base(kolla: Kolla, prepared: Path, scratch: Path) -> Iterator[Image]:
    """Yield the image openstack-base; see `made`."""
    log = scratch / "log"
    debian = root.make(_recipe(kolla))
    layer = _openstack_base(debian, prepared, log)
    environment = dict(_START)
    for name in ("base", "openstack-base"):
        for step in instructions(prepared / name):
            if step.name == "ENV":
                follow(step, prepared / name, debian, environment, log)
    with root.overlay([layer, debian], scratch) as top:
        yield Image(top, environment, log)


def _recipe(kolla: Kolla) -> root.Recipe:
    # the images of Debian that Kolla begins with start no service
    policy = """--customize-hook=printf '#!/bin/sh\\nexit 101\\n' >"$1/usr/sbin/policy-rc.d" """
    start_none = (policy.strip(), '--customize-hook=chmod 755 "$1/usr/sbin/policy-rc.d"')
    suite = SUITES[kolla.series]
    return root.Recipe(f"kolla-{suite}", suite, _PACKAGES, start_none)


def _openstack_base(debian: Path, prepared: Path, log: Path) -> Path:
    """Return the layer of the images base and openstack-base; it is cached, by its steps."""
    names = ("base", "openstack-base")
    steps = {name: [_here(each) for each in instructions(prepared / name)] for name in names}
    told = [debian.name, *(repr(each) for name in names for each in steps[name] if each)]
    with tarfile.open(prepared / "openstack-base/plugins-archive") as archive:
        told += archive.getnames()
    with tarfile.open(prepared / "openstack-base/openstack-base-archive") as archive:
        pins = archive.extractfile("requirements/upper-constraints.txt")
        assert pins
        told.append(pins.read().decode())
    key = hashlib.sha256("\n".join(told).encode()).hexdigest()[:12]
    with cache.locked("kolla-tests") as place:
        layer = place / f"openstack-base-{key}"
        if not layer.exists():
            with cache.part(place) as part:
                environment = dict(_START)
                with root.overlay([debian], part) as top:
                    for name in names:
                        for step in filter(None, steps[name]):
                            follow(step, prepared / name, top, environment, log)
                (part / "upper").rename(layer)
    return layer


def _here(step: Instruction) -> Instruction | None:
    """Return a step of the first images as it can be done here; None if it cannot."""
    if found := re.search(r"mkdir -p /etc/kolla/\S+", step.text):
        return Instruction("RUN", found[0])  # for the keys of archives, which it then fetches
    if _OF_OTHERS.search(step.text) or step.name == "LABEL":
        return None
    if step.name == "RUN" and " keystonemiddleware " in step.text:
        tools, _ = step.text.split("&&")
        pins = "/requirements/upper-constraints.txt"
        return Instruction("RUN", f"{tools} && python3 -m pip --no-cache-dir install -r {pins}")
    return step
