"""What an API key is. Pure: the time is given.

A key is random, 256 bits of it, so its hash needs neither salt nor stretching: nobody guesses it, and whoever reads the
hash can't go back. It is found by its hash, so that nothing of the key itself is ever compared.
"""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from common.identity.callers import Caller, Role

PREFIX: Final = "osk_"
"""By it a scanner of repositories knows such a key, and we know it from a token."""
_SECRET_BYTES: Final = 32
_SHAPE: Final = re.compile(r"osk_[A-Za-z0-9_-]{43}")
_LAST: Final = 4
_PERIOD: Final = re.compile(r"([1-9][0-9]{0,4})([hd])")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of a key."""

    key_id: str
    """Names it: `k-` and eight hex digits."""
    role: Role
    client: str
    """A customer's id, or the name of one of the shop's own people or tools."""
    last: str
    """Its last four characters, by which people know it again."""
    made_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    @property
    def caller(self) -> Caller:
        """Who its bearer is."""
        own = self.client if self.role is Role.CUSTOMER else None
        return Caller(f"{self.role}:{self.client}", self.role, own, self.key_id)

    def why_not(self, now: datetime) -> str | None:
        """None if it is good; else what is wrong with it."""
        if self.revoked_at is not None:
            return f"{self.key_id} is revoked"
        if self.expires_at is not None and now >= self.expires_at:
            return f"{self.key_id} has expired"
        return None


def made(role: Role, client: str, *, now: datetime, lasts: timedelta | None = None) -> tuple[str, ApiKey]:
    """A new key, and what is to be kept of it."""
    secret = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    expires = None if lasts is None else now + lasts
    return secret, ApiKey(f"k-{secrets.token_hex(4)}", role, client, secret[-_LAST:], now, expires)


def digest_of(secret: str) -> str:
    """Under which it is kept."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def is_key(text: str) -> bool:
    """Whether it has the shape of a key."""
    return _SHAPE.fullmatch(text) is not None


def period(text: str) -> timedelta:
    """`30d`, `12h`. Raises ValueError."""
    match = _PERIOD.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no period: write 12h or 30d")
    return timedelta(hours=int(match[1])) if match[2] == "h" else timedelta(days=int(match[1]))


def document_of(key: ApiKey, digest: str) -> dict[str, Any]:
    """As the database keeps it."""
    return {
        "_id": key.key_id,
        "digest": digest,
        "role": str(key.role),
        "client": key.client,
        "last": key.last,
        "made_at": key.made_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    }


def key_of(document: Mapping[str, Any]) -> ApiKey:
    """What the database keeps."""
    return ApiKey(
        document["_id"],
        Role(document["role"]),
        document["client"],
        document["last"],
        document["made_at"],
        document.get("expires_at"),
        document.get("revoked_at"),
    )
