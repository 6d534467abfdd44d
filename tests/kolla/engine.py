"""Run kolla-build with an engine that keeps the contexts of the images, and builds none.

By the Python of Kolla's environment: ``engine.py DIRECTORY OPTION...``.  Each image gets its
directory below DIRECTORY, with all that Kolla hands to a container engine.
"""

import pathlib
import shutil
import sys

import docker
from kolla.cmd import build

DIRECTORY = pathlib.Path(sys.argv.pop(1))


class Images:
    def build(self, *, path, tag, **_):
        name = tag.rpartition("/")[2].partition(":")[0]
        shutil.copytree(path, DIRECTORY / name, symlinks=True)
        return None, []


class Client:
    images = Images()


docker.DockerClient = lambda **_: Client()
sys.exit(build.main())
