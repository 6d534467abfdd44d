"""The key that a mirror is signed with, and signatures by it: GnuPG's own commands."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from nova_xloud.commands import answer
from nova_xloud.errors import MirrorError, TimeLimitError

KEY_USER = "nova-xloud mirror"
#: How long gpg may take; it asks for a passphrase where nobody may see the question.
PASSPHRASE_MINUTES = 5


class Signer(NamedTuple):
    """A secret key.

    :ivar home: the GnuPG directory that has it
    :ivar key: its fingerprint
    """

    home: Path
    key: str

    def clear_sign(self, text: Path, signed: Path) -> None:
        """Write a text with its signature in it.

        :raises MirrorError: if the key is missing, expired or locked; the text is GnuPG's own
        """
        self._gpg("--clearsign", "--output", signed, text)

    def detach_sign(self, file: Path, signature: Path) -> None:
        """Write the armored signature of a file beside it.

        :raises MirrorError: as ``clear_sign``
        """
        self._gpg("--armor", "--detach-sign", "--output", signature, file)

    def export(self, public: Path, *, armor: bool) -> None:
        """Write the public key.

        :param armor: as text, which rpm wants, else binary, which apt wants
        """
        self._gpg("--armor" if armor else "--no-armor", "--output", public, "--export", self.key)

    def _gpg(self, *arguments: str | Path) -> None:
        command = [*_gpg(self.home), "--local-user", self.key, *arguments]
        try:
            answer(command, MirrorError, minutes=PASSPHRASE_MINUTES)
        except TimeLimitError as error:
            raise MirrorError(
                f"gpg has not signed within {PASSPHRASE_MINUTES} minutes. It may wait for the "
                f"passphrase of {self.key}: use a key without one, or give it to gpg-agent before"
            ) from error


def _gpg(home: Path) -> list[str]:
    """Return the command that every use of GnuPG begins with.

    :raises MirrorError: if GnuPG's agent does not start in that directory
    """
    if ":" in str(home):
        raise MirrorError(f"{home}: GnuPG takes no directory with a colon in the path")
    return ["gpg", "--homedir", str(home), "--batch", "--quiet"]


def signing_key(home: Path) -> str:
    """Return the fingerprint of the signing key in a GnuPG directory, made if there is none.

    :param home: created with mode 0700 if missing; keep it: clients trust this key
    :raises MirrorError: if there is no secret key and none can be made
    """
    gpg = _gpg(home)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    listing = [*gpg, "--with-colons", "--list-secret-keys"]
    if "\nfpr:" not in answer(listing, MirrorError):
        make = ["--passphrase", "", "--quick-generate-key", KEY_USER, "rsa3072", "sign", "never"]
        answer([*gpg, *make], MirrorError)
    for line in answer(listing, MirrorError).splitlines():
        if line.startswith("fpr:"):
            return line.split(":")[9]
    raise MirrorError(f"there is no secret key in {home}")
