"""apt and a mirror on a web server: trusted keys, refused files, a mirror that is always whole."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_xloud.ground import root
from nova_xloud.ground.errors import MirrorError
from nova_xloud.mirrors import mirror
from nova_xloud.mirrors.mirror import Repository
from nova_xloud.mirrors.signing import Signer
from nova_xloud.packages import targets
from tests.packages.conftest import expire
from tests.packages.deb import lab
from tests.tiny import make_deb

URL = "http://127.0.0.1:8000"
TARGET = targets.get("debian-13")
SUITE = Repository("deb", "trixie")


class Client:
    """apt in a root, with a mirror's own client file and key, nothing else."""

    def __init__(self, merged: Path, place: Path, log: Path) -> None:
        self.root = merged
        self._place = place
        self._log = log
        for old in (merged / "etc/apt/sources.list.d").iterdir():
            old.unlink()
        (merged / "etc/apt/sources.list").unlink(missing_ok=True)
        told = (place / SUITE.name / "nova-xloud.sources").read_text()
        told = told.replace(f"file:{place}", URL)
        (merged / "etc/apt/sources.list.d/nova-xloud.sources").write_text(told)
        shutil.copy(place / "nova-xloud.gpg", merged / "usr/share/keyrings")

    def __call__(self, command: str) -> tuple[bool, str]:
        """Run a shell command; return whether it succeeded, and its output."""
        self._log.write_text("")
        code = root.run_in(
            self.root, ["sh", "-c", command], log=self._log, binds={self._place: "/srv/mirror"}
        )
        return code == 0, self._log.read_text()

    def fetch(self) -> tuple[bool, str]:
        """Read the indexes and fetch the package."""
        return self(
            "python3 -m http.server -d /srv/mirror -b 127.0.0.1 8000 >/dev/null 2>&1 & "
            "until curl -s -o /dev/null 127.0.0.1:8000; do sleep 0.1; done; "
            "rm -rf /var/lib/apt/lists && cd /srv && rm -f tiny*.deb && "
            "apt-get update --error-on=any && apt-get -o APT::Sandbox::User=root download tiny"
        )


@pytest.fixture
def place(tmp_path: Path, signer: Signer) -> Path:
    """A mirror of one package."""
    packages = make_deb(tmp_path / "packages", "1.0")
    mirror.write(tmp_path / "mirror", {SUITE: [packages]}, signer)
    return tmp_path / "mirror"


@pytest.fixture
def client(place: Path, scratch: Path, tmp_path: Path) -> Iterator[Client]:
    """A client of that mirror."""
    with root.overlay([root.make(lab.packages(TARGET))], scratch / "client") as merged:
        yield Client(merged, place, tmp_path / "log")
    root.remove_tree(scratch / "client")


def change(file: Path) -> None:
    """Change a byte of a file; its size stays."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.unlink()
    file.write_bytes(content)


def test_what_is_whole_is_fetched(client: Client) -> None:
    succeeded, said = client.fetch()
    assert succeeded, said
    assert list((client.root / "srv").glob("tiny_1.0_all.deb"))


def test_a_tampered_package_is_refused(client: Client, place: Path) -> None:
    (package,) = place.rglob("*.deb")
    change(package)
    succeeded, said = client.fetch()
    assert not succeeded
    assert "Hash Sum mismatch" in said


def test_a_tampered_index_is_refused(client: Client, place: Path) -> None:
    for index in [*place.rglob("Packages*"), *place.rglob("by-hash/SHA256/*")]:
        if index.stat().st_size:
            change(index)
    succeeded, said = client.fetch()
    assert not succeeded
    assert "Hash Sum mismatch" in said


def test_a_tampered_release_is_refused(client: Client, place: Path) -> None:
    entrance = place / f"dists/{SUITE.name}/InRelease"
    entrance.write_text(entrance.read_text().replace("Description: Open", "Description: Shut"))
    succeeded, said = client.fetch()
    assert not succeeded
    assert "is not signed" in said


def test_another_key_is_refused(client: Client, late: Signer) -> None:
    public = client.root / "usr/share/keyrings/nova-xloud.gpg"
    public.unlink()
    late.export(public, armor=False)
    succeeded, said = client.fetch()
    assert not succeeded
    assert "is not signed" in said


def test_an_expired_key_is_refused(client: Client, place: Path, late: Signer) -> None:
    mirror.write(place, {}, late)
    public = client.root / "usr/share/keyrings/nova-xloud.gpg"
    shutil.copy(place / "nova-xloud.gpg", public)
    succeeded, said = client.fetch()
    assert succeeded, said
    expire(late)
    public.unlink()
    late.export(public, armor=False)
    succeeded, said = client.fetch()
    assert not succeeded
    assert "is not signed" in said
    before = (place / f"dists/{SUITE.name}/InRelease").read_bytes()
    with pytest.raises(MirrorError, match="it has expired"):
        mirror.write(place, {}, late)
    assert (place / f"dists/{SUITE.name}/InRelease").read_bytes() == before


def test_a_reader_is_served_while_the_mirror_is_written(
    client: Client, place: Path, signer: Signer, tmp_path: Path
) -> None:
    failures: list[str] = []
    reads = 0
    writing = threading.Event()

    def read() -> None:
        nonlocal reads
        while not writing.is_set():
            succeeded, said = client.fetch()
            reads += 1
            if not succeeded:
                failures.append(said)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        written = 0
        while written < 8 or (reads < 4 and reader.is_alive()):
            written += 1
            newer = make_deb(tmp_path / f"newer{written}", f"1.{written}")
            mirror.write(place, {SUITE: [newer]}, signer)
            time.sleep(1)
    finally:
        writing.set()
        reader.join()
    assert failures == [], failures[0]
    assert reads > 3
