"""Repositories of Nova, made of its releases: upstream's own cannot be reached from here."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from nova_xloud import bases

#: The files that pbr adds to an sdist.
OF_AN_SDIST = ("AUTHORS", "ChangeLog", "PKG-INFO", "nova.egg-info")


def git(top: Path, *words: object) -> str:
    """Run git in a repository; return its output."""
    author = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    command = ["git", "-C", str(top), *author, *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def commit(top: Path, tag: str) -> None:
    """Make a repository of a directory: one commit, with a tag."""
    # git trusts no repository of another user; root's tar keeps the owners of an sdist.
    subprocess.run(["chown", "--recursive", f"{os.getuid()}:{os.getgid()}", top], check=True)
    git(top, "init", "--quiet", "--initial-branch=master")
    git(top, "add", "--all")
    git(top, "commit", "--quiet", "--message", tag)
    git(top, "tag", tag)


def make(release: str, top: Path) -> Path:
    """Make a repository with the text of a release, without what an sdist adds and rewrites."""
    bases.unpack(release, top)
    for name in OF_AN_SDIST:
        path = top / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    settings = (top / "setup.cfg").read_text()
    assert "[egg_info]" in settings, "setuptools has written the setup.cfg of the sdist"
    settings = settings.replace("\n\t", "\n    ").replace(" \n", "\n")
    settings = settings.replace("\n    nova = nova.pol", "\n    # a comment\n    nova = nova.pol")
    (top / "setup.cfg").write_text(settings.partition("[egg_info]")[0].rstrip() + "\n")
    commit(top, release)
    return top
