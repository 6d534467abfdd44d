"""Labs: roots with a cloud configured on them, in a layer of its own that is cached."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from nova_xloud.ground import root
from nova_xloud.ground.files import locked
from tests.packages.container import Container, booted


def configured(
    name: str, lower: Path, told: Sequence[str], configure: Callable[[Container], None]
) -> tuple[Path, Path]:
    """Return a layer with a configured cloud, and the root below it; made if the cache has none.

    :param name: of the lab
    :param told: texts that differ when the configuration differs
    :param configure: does it in a booted container: about five minutes
    """
    digest = hashlib.sha256("\0".join(told).encode()).hexdigest()[:12]
    # the root's name first: a root that is superseded takes its layers with it
    layer = lower.with_name(f"{lower.name}-{name}-configured-{digest}")
    with locked(lower.with_name(f".{name}-configured.lock")):
        if not layer.is_dir():
            scratch = Path(tempfile.mkdtemp(prefix=".configured.", dir=lower.parent))
            try:
                with booted([lower], scratch) as container:
                    configure(container)
                (scratch / "upper").rename(layer)
            finally:
                root.remove_tree(scratch)
    return layer, lower


def run_scripts(container: Container, files: Iterable[Path]) -> None:
    """Copy files into a container's /root/lab, and run the configure.sh among them."""
    place = container.root / "root/lab"
    place.mkdir()
    for file in files:
        shutil.copy(file, place)
    container.run("bash", "/root/lab/configure.sh")
