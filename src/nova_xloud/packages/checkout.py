"""The parts of the checkout that packages are made of, beside the tree."""

from __future__ import annotations

from pathlib import Path

from nova_xloud.ground.errors import PackageError
from nova_xloud.ground.files import named

TOP = Path(__file__).parents[3]
DEBIAN = TOP / "debian"
RPM = TOP / "rpm"
DOCS = TOP / "docs"


def require() -> None:
    """Say before any work that this is no checkout.

    :raises PackageError: if the packaging is missing
    :raises DirectoryError: if the directory has a name that programs cannot be given
    """
    if not (named(DEBIAN) / "control.in").exists():
        raise PackageError(f"{DEBIAN} is missing: packages are built in a checkout")
