"""The signature of an event, by the Standard Webhooks scheme (v1: HMAC-SHA256), with secrets that others replace."""

import base64
import binascii
import hashlib
import hmac
import logging
from pathlib import Path
from typing import Final

from common.files import Stamp, stamp

log = logging.getLogger(__name__)

PREFIX: Final = "whsec_"
SHORTEST: Final = 24
"""Bytes of a secret, as the scheme has it."""
MOST: Final = 4
"""Secrets at once: two while one takes the place of another."""


class NoSecret(Exception):  # noqa: N818 - it reads as what happened
    """There is nothing to sign with. The message never has a part of the file."""


def signed(secrets: tuple[bytes, ...], id_: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of an event, sent at this time (seconds since the epoch), with a signature by each of the secrets."""
    content = f"{id_}.{timestamp}.".encode() + body
    digests = (hmac.digest(secret, content, hashlib.sha256) for secret in secrets)
    signatures = " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)
    return {"webhook-id": id_, "webhook-timestamp": str(timestamp), "webhook-signature": signatures}


class Secrets:
    """Those in a file, one a line; it is read again as soon as it has changed. What can't be read leaves the last."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stamp: Stamp | None = None
        self._secrets: tuple[bytes, ...] = ()
        self._said = ""

    def now(self) -> tuple[bytes, ...]:
        """The first is the newest. Raises `NoSecret`."""
        found = stamp(self._file)
        if found != self._stamp or found is None:
            try:
                self._secrets, self._stamp, self._said = _parsed(self._file), found, ""
            except (OSError, NoSecret) as error:
                self._tell(f"the secret of the events in {self._file} can't be used: {error}")
        if not self._secrets:
            raise NoSecret(self._said)
        return self._secrets

    def _tell(self, why: str) -> None:
        if why != self._said:
            self._said = why
            log.error("%s%s", why, "; going on with the one before" if self._secrets else "; events wait until it can")


def _parsed(file: Path) -> tuple[bytes, ...]:
    lines = file.read_bytes().split()
    if not lines:
        raise NoSecret("it is empty")
    return tuple(map(_secret, lines[:MOST]))


def _secret(line: bytes) -> bytes:
    try:
        secret = base64.b64decode(line.removeprefix(PREFIX.encode()), validate=True)
    except binascii.Error:
        raise NoSecret(f"a line is not {PREFIX}, and base64 behind it") from None
    if len(secret) < SHORTEST:
        raise NoSecret(f"a secret has fewer than {SHORTEST} bytes")
    return secret
