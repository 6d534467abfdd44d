"""The nova of a distribution as a base: a source package, and the library that hosts install.

Where the archive does not serve the source of that library, the base is the nearest source with the
library laid over it. The difference between the two is a patch of its own.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from nova_xloud.bases import apt, binary
from nova_xloud.bases.base import Base
from nova_xloud.bases.directories import describe
from nova_xloud.ground.commands import run
from nova_xloud.ground.errors import DirectoryError, MissingToolError
from nova_xloud.ground.patches import Patch


def unpack(file: Path, into: Path) -> None:
    """Unpack a source package, its patches applied; apt has checked the signature before."""
    into.parent.mkdir(parents=True, exist_ok=True)
    if shutil.which("dpkg-source") is None:
        raise MissingToolError("dpkg-source", package="dpkg-dev")
    with tempfile.TemporaryDirectory(prefix=f".{into.name}.", dir=into.parent) as scratch:
        target = Path(scratch, "nova")
        command = ["dpkg-source", "--no-check", "-x", str(file), str(target)]
        run(command, f"unpacking {file.name}", places=[target])
        target.rename(into)


def laid_over(name: str, distribution: str, files: tuple[Path, ...], directory: Path) -> Base:
    """Give an unpacked source the library that the distribution's hosts have; describe both."""
    library = binary.read(files[-1])
    upstream = apt.upstream_version(library.version)
    try:
        source = describe(directory).version
    except DirectoryError:
        source = upstream  # a tarball without metadata
    base = Base(
        name,
        library.version,
        int(upstream.partition(".")[0]),
        library.date,
        files,
        source=source,
    )
    if source == library.version:
        return base
    told = binary.told_of(files[0], source, files[-1], library)
    found = binary.difference(directory, library, told)
    binary.lay_over(directory, found)
    named = f"{distribution}-{library.version}-from-binary.patch"
    patches = (Patch(named, found.patch),) if found.patch else ()
    return base._replace(patches=patches, aside=found.aside)


def notice(name: str, fetched: apt.Fetched) -> str:
    """Return the notice to operators about a base in the cache; "" where nothing is unusual."""
    if fetched.source == fetched.version:
        return ""
    source = f"the source of {fetched.source}"
    if not fetched.source:
        source = f"the upstream release {apt.upstream_version(fetched.version)}"
    return (
        f"the archive of {name} does not serve the source of nova {fetched.version}, which its "
        f"hosts install. The base is {source} with the library of the signed binary package "
        f"python3-nova {fetched.version} as a patch. Files outside of nova/, for example the "
        "documents, stay those of the source."
    )
