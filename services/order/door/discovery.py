"""The public keys of the shop's identity provider, found by its name as an issuer.

OpenID Connect Discovery 1.0, 4: `{issuer}/.well-known/openid-configuration` says where its keys are. It has to name the
same issuer (4.3), and its keys have to come by a connection as safe as its own.
"""

import json
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from common.exchange import Exchanges, NoAnswer, NotSent
from common.identity.keys import CONFIGURATION, KeySet, keys_in

SECONDS: Final = 3.0
"""For each of the two questions. A client whose token names a new key waits for them."""
LIMIT: Final = 256 * 1024
"""Bytes of an answer: a large provider's set has some ten keys of 2 KiB, certificates included."""


class DiscoveredKeys:
    """Two requests; redirects aren't followed."""

    def __init__(self, issuer: str, algorithms: Sequence[str]) -> None:
        self._issuer, self._algorithms = issuer, algorithms
        self._exchanges: dict[str, Exchanges] = {}

    async def aclose(self) -> None:
        """Close the connections."""
        for each in self._exchanges.values():
            await each.aclose()

    async def load(self) -> KeySet:
        """Ask for them. Raises OSError or ValueError."""
        about = await self._get(self._issuer.rstrip("/") + CONFIGURATION)
        if about.get("issuer") != self._issuer:
            raise ValueError(f"{self._issuer} calls itself {str(about.get('issuer'))[:200]!r}: set the issuer to that")
        where = str(about.get("jwks_uri", ""))
        if urlsplit(where).scheme not in {"https", urlsplit(self._issuer).scheme}:
            raise ValueError(f"{self._issuer} has its keys at {where[:200]!r}, which isn't as safe as its own address")
        return KeySet(self._issuer, keys_in(await self._get(where), self._algorithms))

    async def _get(self, url: str) -> dict[str, Any]:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        exchanges = self._exchanges.setdefault(origin, Exchanges(origin, timeout=SECONDS, connections=2))
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        try:
            answer = await exchanges.exchange("GET", path, headers={}, limit=LIMIT)
        except (NoAnswer, NotSent) as error:
            raise OSError(f"{url}: {error}") from error
        if answer.status != 200:
            raise OSError(f"{url} was answered {answer.status}")
        found = json.loads(answer.body)
        if not isinstance(found, dict):
            raise ValueError(f"{url} was answered with something that is no JSON object")
        return found
