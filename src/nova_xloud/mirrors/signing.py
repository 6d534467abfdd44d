"""The keys that a mirror is signed with, and signatures by them: GnuPG's own commands."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nova_xloud.ground.commands import answer
from nova_xloud.ground.errors import MirrorError, TimeLimitError

KEY_USER = "nova-xloud mirror"
#: How long gpg may take; it asks for a passphrase where nobody may see the question.
PASSPHRASE_MINUTES = 5
#: How GnuPG writes when a key ends: a time from now, or a day.
_EXPIRES = re.compile(r"never|[1-9]\d*[dwmy]|\d{4}-\d\d-\d\d")
_NO_USE = {"e": "it has expired", "r": "it is revoked", "i": "it is invalid", "d": "it is disabled"}


class Key(NamedTuple):
    """A key pair in a GnuPG directory.

    :ivar fingerprint: 40 hex digits
    :ivar expires: when it ends, in seconds since 1970; 0 if it does not
    :ivar unusable: why GnuPG signs nothing with it; "" if it does
    """

    fingerprint: str
    expires: int
    unusable: str

    def ends(self) -> str:
        """Return the day on which it ends, for people."""
        return time.strftime("%Y-%m-%d", time.gmtime(self.expires)) if self.expires else "never"


class Signer(NamedTuple):
    """Secret keys that sign together.

    :ivar home: the GnuPG directory that has them
    :ivar key: the fingerprint of the key that signs packages, and indexes; "" until ``ready``
    :ivar others: fingerprints of the keys that sign indexes too
    """

    home: Path
    key: str
    others: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """All fingerprints, the one that signs packages first."""
        return (self.key, *self.others) if self.key else ()

    def clear_sign(self, text: Path, signed: Path) -> None:
        """Write a text with a signature by each key in it.

        :raises MirrorError: if a key is missing, expired or locked; the text is GnuPG's own
        """
        self._gpg("--clearsign", "--output", signed, text)

    def detach_sign(self, file: Path, signature: Path) -> None:
        """Write the armored signatures of a file beside it, one by each key.

        :raises MirrorError: as ``clear_sign``
        """
        self._gpg("--armor", "--detach-sign", "--output", signature, file)

    def export(self, public: Path, *, armor: bool) -> None:
        """Write the public keys.

        :param armor: as text, a block for each key, which rpm wants; else binary, which apt wants
        """
        exported = b""
        for key in self.keys:
            part = public.with_name(f".{public.name}.part")
            self._gpg("--armor" if armor else "--no-armor", "--output", part, "--export", key)
            exported += part.read_bytes()
            part.unlink()
        public.write_bytes(exported)

    def _gpg(self, *arguments: str | Path) -> None:
        users = [word for key in self.keys for word in ("--local-user", key)]
        written = [each.parent for each in arguments if isinstance(each, Path)]
        _sign([*_gpg(self.home), *users, *arguments], written)


def ready(signer: Signer, recorded: Sequence[str] = ()) -> Signer:
    """Return a signer whose keys are there and sign, each by its whole fingerprint.

    :param signer: names its keys as GnuPG does, or none: then the recorded ones sign, or else the
        only key in its directory, made if there is none
    :param recorded: the keys that signed before
    :raises MirrorError: if a key is missing, has no secret part, has ended, or is locked
    """
    asked = signer.keys or tuple(recorded) or (signing_key(signer.home),)
    found = [_find(signer.home, key) for key in asked]
    for key in found:
        if key.unusable:
            raise MirrorError(f"the key {key.fingerprint} signs nothing: {key.unusable}")
    first, *others = dict.fromkeys(key.fingerprint for key in found)
    complete = Signer(signer.home, first, tuple(others))
    for fingerprint in complete.keys:
        try:
            trial = ["--local-user", fingerprint, "--output", "-", "--clearsign", "/dev/null"]
            _sign([*_gpg(signer.home), *trial])
        except MirrorError as error:
            raise MirrorError(
                f"the key {fingerprint} does not sign. If it has a passphrase, have gpg-agent know "
                f"it first. GnuPG says: {error}"
            ) from error
    return complete


def keys(home: Path) -> list[Key]:
    """Return the keys of a GnuPG directory that have a secret part, or had one.

    :raises MirrorError: if it cannot be read
    """
    return _listed(home, [])


def signing_key(home: Path) -> str:
    """Return the fingerprint of the only signing key in a GnuPG directory, made if there is none.

    :param home: created with mode 0700 if missing; keep it: clients trust this key
    :raises MirrorError: if there are several, or none can be made
    """
    _gpg(home)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = keys(home)
    if len(found) > 1:
        told = ", ".join(key.fingerprint for key in found)
        raise MirrorError(f"{home} has several keys, say by --key which one signs: {told}")
    return found[0].fingerprint if found else make_key(home)


def make_key(home: Path, expire: str = "never") -> str:
    """Make a key pair without a passphrase; return its fingerprint.

    :param home: created with mode 0700 if missing
    :param expire: when it ends: ``never``, a time from now (``90d``, ``2y``), or a day
        (``2031-12-31``)
    :raises MirrorError: if it cannot be made
    """
    gpg = _gpg(home)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    # RSA: the rpm of EL 9 is not sure to read newer kinds
    make = ["--quick-generate-key", KEY_USER, "rsa3072", "sign", _checked(expire)]
    told = answer(
        # --yes: there may be one of the name, which this one shall replace
        [*gpg, "--yes", "--status-fd", "1", "--passphrase", "", *make],
        MirrorError,
        places=[home],
    )
    made = re.search(r"KEY_CREATED \w (\w+)", told)
    if made is None:
        raise MirrorError(f"GnuPG has made no key in {home}: {told}")
    return made[1]


def prolong(home: Path, key: str, expire: str) -> Key:
    """Have a key end at another time, also one that has ended; return it.

    :param expire: as for ``make_key``
    :raises MirrorError: if there is no such key with a secret part, or it is locked
    """
    found = _find(home, key)
    moment = "0" if _checked(expire) == "never" else expire
    change = ["--quick-set-expire", found.fingerprint, moment]
    answer([*_gpg(home), *change], MirrorError, places=[home])
    return _find(home, found.fingerprint)


def _sign(command: Sequence[str | Path], places: Sequence[Path] = ()) -> None:
    """Run a command of GnuPG that may ask for a passphrase.

    :param places: directories that it writes to
    :raises MirrorError: if it fails, or waits too long
    """
    try:
        answer(command, MirrorError, places=places, minutes=PASSPHRASE_MINUTES)
    except TimeLimitError as error:
        raise MirrorError(
            f"gpg has not signed within {PASSPHRASE_MINUTES} minutes. It may wait for the "
            "passphrase of the key: use a key without one, or give it to gpg-agent before"
        ) from error


def _checked(expire: str) -> str:
    """Return when a key shall end.

    :raises MirrorError: if it is not written as GnuPG wants it
    """
    if not _EXPIRES.fullmatch(expire):
        raise MirrorError(f"{expire!r} is no end of a key: never, 90d, 2y, or 2031-12-31")
    return expire


def _find(home: Path, key: str) -> Key:
    """Return the one key that is called so.

    :raises MirrorError: if there is none, or there are several
    """
    try:
        found = _listed(home, [key])
    except MirrorError as error:
        raise MirrorError(f"{home} has no secret key {key}: {error}") from error
    if len(found) != 1:
        raise MirrorError(f"{home} has {len(found)} secret keys {key!r}: give the fingerprint")
    return found[0]


def _listed(home: Path, wanted: list[str]) -> list[Key]:
    if not home.is_dir():
        raise MirrorError(f"there is no GnuPG directory {home}")
    listing = answer([*_gpg(home), "--with-colons", "--list-secret-keys", *wanted], MirrorError)
    found = []
    record: list[str] = []
    for line in listing.splitlines():
        fields = line.split(":")
        if fields[0] == "sec":
            record = fields
        elif fields[0] == "fpr" and record:
            unusable = _NO_USE.get(record[1], "")
            if record[14] == "#":
                unusable = f"its secret part is not in {home}"
            found.append(Key(fields[9], int(record[6] or 0), unusable))
            record = []
    return found


def _gpg(home: Path) -> list[str]:
    """Return the command that every use of GnuPG begins with.

    :raises MirrorError: if GnuPG's agent does not start in that directory
    """
    if ":" in str(home):
        raise MirrorError(f"{home}: GnuPG takes no directory with a colon in the path")
    return ["gpg", "--homedir", str(home), "--batch", "--quiet"]
