"""Archives of a distribution on loopback, signed, with tiny packages of nova.

An archive can list a package that it does not serve, and serve a file that nobody signed.
"""

from __future__ import annotations

import functools
import gzip
import http.server
import io
import os
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

_CONTROL = """\
Source: nova
Section: net
Maintainer: Nobody <nobody@example.org>
Standards-Version: 4.6.2

Package: python3-nova
Architecture: all
Description: a tiny nova
"""
_BINARY = """\
Package: {name}
Version: {version}
Architecture: all
Maintainer: Nobody <nobody@example.org>
Depends: {depends}
Description: a tiny nova
"""
_CHANGELOG = """\
nova ({version}) unstable; urgency=medium

  * A change.

 -- Nobody <nobody@example.org>  {date}
"""
#: The date of all that is in an archive, unless a package says otherwise.
DATE = "Fri, 06 Feb 2026 08:34:00 +0000"


class Key:
    """A signing key and its public half."""

    def __init__(self, home: Path) -> None:
        home.mkdir(mode=0o700, parents=True)
        self.home = home
        self.public = home / "public.gpg"
        make = ["--passphrase", "", "--quick-generate-key", "archive", "ed25519", "sign", "never"]
        self._gpg(*make)
        self.public.write_bytes(self._gpg("--export"))

    def armored(self) -> str:
        """Return the public half as text."""
        return self._gpg("--armor", "--export").decode()

    def sign(self, release: Path) -> None:
        """Write InRelease beside a Release file."""
        self._gpg(
            "--yes", "--output", str(release.with_name("InRelease")), "--clearsign", str(release)
        )

    def end(self) -> None:
        """Stop the agent."""
        subprocess.run(["gpgconf", "--homedir", self.home, "--kill", "all"], check=True)

    def _gpg(self, *words: str) -> bytes:
        command = ["gpg", "--homedir", str(self.home), "--batch", "--quiet", *words]
        return subprocess.run(command, check=True, capture_output=True).stdout


class Archive:
    """An archive; ``publish`` makes added packages visible.

    :ivar top: its directory, served at ``address``
    :ivar sources: a .sources file that names it
    """

    def __init__(self, top: Path, key: Key, *suites: str) -> None:
        top.mkdir(parents=True)
        self.top, self.key, self.suites = top, key, suites
        self.sources = top.with_name(f"{top.name}.sources")
        self._scratch = top.with_name(f"{top.name}-scratch")
        self._server: http.server.ThreadingHTTPServer | None = None
        self.asked: list[str] = []
        self._published = int(time.time()) - 1000

    def __enter__(self) -> Archive:
        asked = self.asked

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *words: object) -> None:
                asked.append(self.path)

        handler = functools.partial(Handler, directory=str(self.top))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        # a server that is told to stop looks that often
        serve = functools.partial(self._server.serve_forever, poll_interval=0.01)
        threading.Thread(target=serve, daemon=True).start()
        self.describe()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """Where it is served."""
        assert self._server
        return f"http://127.0.0.1:{self._server.server_port}"

    def describe(self, keys: str = "") -> None:
        """Write the .sources file; ``keys`` is Signed-By."""
        self.sources.write_text(
            f"Types: deb deb-src\nURIs: {self.address}\nSuites: {' '.join(self.suites)}\n"
            f"Components: main\nSigned-By: {keys or self.key.public}\n"
        )

    def stop(self) -> None:
        """Answer no more."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()

    def add_source(
        self,
        version: str,
        files: Mapping[str, bytes],
        suite: str = "",
        *,
        patches: Mapping[str, bytes] | None = None,
    ) -> None:
        """Add a source package; its upstream tarball has the files.

        :param patches: of the distribution, by name, in their order
        """
        pool = self._pool(suite)
        made = _source(version, tuple(files.items()), tuple((patches or {}).items()))
        for name, content in made.items():
            (pool / name).write_bytes(content)

    def add_binary(
        self,
        version: str,
        files: Mapping[str, bytes],
        suite: str = "",
        *,
        name: str = "python3-nova",
        depends: str = "python3-os-traits (>= 3.0.0), sudo",
    ) -> Path:
        """Add a binary package with files below dist-packages."""
        work = self._scratch / f"{name}-{version}"
        below = "usr/lib/python3/dist-packages"
        _write(work, {f"{below}/{path}": content for path, content in files.items()})
        control = _BINARY.format(name=name, version=version, depends=depends)
        changelog = gzip.compress(_CHANGELOG.format(version=version, date=DATE).encode())
        _write(
            work,
            {
                "DEBIAN/control": control.encode(),
                f"usr/share/doc/{name}/changelog.Debian.gz": changelog,
            },
        )
        package = self._pool(suite) / f"{name}_{version.split(':')[-1]}_all.deb"
        subprocess.run(["dpkg-deb", "-Znone", "-b", work, package], check=True, capture_output=True)
        return package

    def publish(self, **fields: str) -> None:
        """Write the signed indexes of all suites; ``fields`` go into the Release files."""
        for suite in self.suites:
            self._pool(suite)
            top = self.top / "dists" / suite
            for kind, index in (
                ("packages", "binary-amd64/Packages"),
                ("sources", "source/Sources"),
            ):
                file = top / "main" / index
                file.parent.mkdir(parents=True, exist_ok=True)
                command = ["apt-ftparchive", kind, f"pool/{suite}"]
                file.write_bytes(self._answer(command))
            told = {"Suite": suite, "Codename": suite, "Components": "main", **fields}
            told["Architectures"] = "amd64 all"
            options = [f"-oAPT::FTPArchive::Release::{key}={value}" for key, value in told.items()]
            release = self._answer(["apt-ftparchive", *options, "release", f"dists/{suite}"])
            (top / "Release").write_bytes(release)
            self.key.sign(top / "Release")
            # a client asks for an index that is newer than its own, by the second
            self._published += 1
            os.utime(top / "InRelease", times=(self._published, self._published))

    def withdraw(self, pattern: str) -> None:
        """Serve some files no longer; they stay listed."""
        found = list((self.top / "pool").rglob(pattern))
        assert found, pattern
        for file in found:
            file.unlink()

    def _answer(self, command: list[str]) -> bytes:
        return subprocess.run(command, cwd=self.top, check=True, capture_output=True).stdout

    def _pool(self, suite: str) -> Path:
        pool = self.top / "pool" / (suite or self.suites[0])
        pool.mkdir(parents=True, exist_ok=True)
        return pool


@functools.cache
def _source(
    version: str, files: tuple[tuple[str, bytes], ...], patches: tuple[tuple[str, bytes], ...]
) -> dict[str, bytes]:
    """Return the files of a source package by their names; a process makes each package once."""
    upstream, _, _ = version.split(":")[-1].rpartition("-")
    with tempfile.TemporaryDirectory(prefix="nova-xloud-source-") as scratch:
        work = Path(scratch)
        tree = work / f"nova-{upstream}"
        _write(tree, dict(files))
        with (
            gzip.GzipFile(work / f"nova_{upstream}.orig.tar.gz", "wb", mtime=0) as stream,
            tarfile.open(fileobj=stream, mode="w") as tar,
        ):
            for name, content in sorted(files):
                member = tarfile.TarInfo(f"{tree.name}/{name}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        debian = {
            "control": _CONTROL,
            "changelog": _CHANGELOG.format(version=version, date=DATE),
            "source/format": "3.0 (quilt)\n",
            "rules": "#!/usr/bin/make -f\n",
        }
        _write(tree, {f"debian/{name}": text.encode() for name, text in debian.items()})
        if patches:
            series = "".join(f"{name}\n" for name, _ in patches).encode()
            _write(tree / "debian/patches", {"series": series, **dict(patches)})
        subprocess.run(["dpkg-source", "-b", tree.name], cwd=work, check=True, capture_output=True)
        return {file.name: file.read_bytes() for file in work.glob("nova_*")}


def _write(top: Path, files: Mapping[str, bytes]) -> None:
    for path, content in files.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_bytes(content)
