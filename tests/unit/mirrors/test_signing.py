"""Keys that sign mirrors: made, prolonged, refused."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_xloud.ground.errors import MirrorError
from nova_xloud.mirrors import signing
from nova_xloud.mirrors.signing import Signer
from tests.unit.conftest import Made, end_agent

YEAR = 365 * 24 * 3600


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A GnuPG directory that is made by whoever uses it first."""
    yield tmp_path / "gnupg"
    subprocess.run(["gpgconf", "--homedir", tmp_path / "gnupg", "--kill", "all"])


def gpg(home: Path, *arguments: str | Path) -> str:
    """Run GnuPG as an operator does."""
    command = ["gpg", "--homedir", str(home), "--batch", "--quiet", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def signed_by(home: Path, *signed: Path) -> set[str]:
    """Return the long key ids of the good signatures."""
    told = gpg(home, "--status-fd", "1", "--verify", *signed)
    return {line.split()[2] for line in told.splitlines() if " GOODSIG " in line}


def test_a_key_ends_when_it_was_said_and_is_prolonged(home: Path) -> None:
    key = signing.make_key(home, "90d")
    (found,) = signing.keys(home)
    assert found.fingerprint == key
    assert abs(found.expires - time.time() - 90 * 24 * 3600) < 3600
    assert abs(signing.prolong(home, key, "2y").expires - time.time() - 2 * YEAR) < 2 * 24 * 3600
    assert signing.prolong(home, key, "2031-12-31").ends() == "2031-12-31"
    assert signing.prolong(home, key, "never").ends() == "never"
    for wrong in ("", "soon", "0", "-1y", "2y; rm"):
        with pytest.raises(MirrorError, match="is no end of a key"):
            signing.prolong(home, key, wrong)


def test_two_keys_sign_and_are_exported_together(
    home: Path, made_keys: Made, tmp_path: Path
) -> None:
    old, new = made_keys.put(home, 2)
    assert old != new
    with pytest.raises(MirrorError, match=f"several keys, say by --key .*{old}, {new}"):
        signing.signing_key(home)
    both = signing.ready(Signer(home, old, (new,)))
    (tmp_path / "text").write_text("text\n")
    both.clear_sign(tmp_path / "text", tmp_path / "clear")
    both.detach_sign(tmp_path / "text", tmp_path / "detached")
    ids = {old[-16:], new[-16:]}
    assert signed_by(home, tmp_path / "clear") == ids
    assert signed_by(home, tmp_path / "detached", tmp_path / "text") == ids
    for armor in (True, False):
        both.export(tmp_path / "public", armor=armor)
        shown = gpg(tmp_path, "--show-keys", "--with-colons", tmp_path / "public")
        assert shown.count("pub:") == 2
        assert old in shown
        assert new in shown
    # by what name ever it is asked for, a key is itself
    assert signing.ready(Signer(home, old[-16:].lower(), (old,))).keys == (old,)


def test_who_names_no_key_signs_with_the_recorded_ones(home: Path, made_keys: Made) -> None:
    old, new = made_keys.put(home, 2)
    assert signing.ready(Signer(home, ""), [new, old]).keys == (new, old)
    assert signing.ready(Signer(home, old), [new]).keys == (old,)
    gpg(home, "--yes", "--delete-secret-keys", new)
    with pytest.raises(MirrorError, match=f"has no secret key {new}"):
        signing.ready(Signer(home, ""), [new])


@pytest.mark.parametrize("key", ["0" * 40, "nobody@example.org", "no such key"])
def test_a_key_that_is_not_there_is_refused(home: Path, made_keys: Made, key: str) -> None:
    made_keys.put(home)
    with pytest.raises(MirrorError, match=f"has no secret key {key}"):
        signing.ready(Signer(home, key))


def test_a_name_of_several_keys_is_refused(home: Path, made_keys: Made) -> None:
    made_keys.put(home, 2)
    with pytest.raises(MirrorError, match=r"has 2 secret keys .*give the fingerprint"):
        signing.ready(Signer(home, signing.KEY_USER))


def test_a_key_without_its_secret_part_is_refused(
    home: Path, made_keys: Made, tmp_path: Path
) -> None:
    _, key = made_keys.put(home, 2)
    Signer(home, key).export(tmp_path / "public", armor=False)
    other = tmp_path / "other"
    made_keys.put(other)
    gpg(other, "--import", tmp_path / "public")
    with pytest.raises(MirrorError, match=f"has no secret key {key}"):
        signing.ready(Signer(other, key))
    end_agent(other)
    # GnuPG's directory still lists it, and its file has gone
    for secret in home.glob("private-keys-v1.d/*.key"):
        secret.unlink()
    with pytest.raises(MirrorError, match="secret"):
        signing.ready(Signer(home, key))


def test_an_expired_key_is_refused_until_it_is_prolonged(home: Path) -> None:
    home.mkdir(mode=0o700)
    then = ("--faked-system-time", "20200101T000000", "--passphrase", "")
    gpg(home, *then, "--quick-generate-key", "late", "ed25519", "sign", "1y")
    (late,) = signing.keys(home)
    with pytest.raises(MirrorError, match=f"{late.fingerprint} signs nothing: it has expired"):
        signing.ready(Signer(home, late.fingerprint))
    signing.prolong(home, late.fingerprint, "1y")
    assert signing.ready(Signer(home, "")).key == late.fingerprint


def test_a_locked_key_is_refused_at_once(home: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "gpg-agent.conf").write_text("pinentry-program /bin/false\n")
    loopback = ("--pinentry-mode", "loopback", "--passphrase", "secret")
    gpg(home, *loopback, "--quick-generate-key", "locked", "ed25519", "sign", "never")
    end_agent(home)
    (locked,) = signing.keys(home)
    with pytest.raises(MirrorError, match=r"does not sign.*passphrase"):
        signing.ready(Signer(home, locked.fingerprint))
