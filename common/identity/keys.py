"""The public keys of an issuer of tokens (a JSON Web Key Set, RFC 7517), and its name: a cluster's, above all."""

import asyncio
import json
import logging
import math
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import jwt

from common.identity.tokens import ALGORITHMS
from common.kube import KubeClient, KubeError

log = logging.getLogger("ordersaga.identity")

AGAIN: Final = 10.0
"""Seconds between two fetches: each made-up token names a key that isn't known, and must not become a request."""
FIRST: Final = 1.0
"""Seconds between two fetches as long as none has succeeded: until then the service isn't ready."""
JWKS: Final = "/openid/v1/jwks"
KEY_SET: Final = "application/jwk-set+json"
"""In a header Accept: an API server has them as nothing else."""
CONFIGURATION: Final = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class KeySet:
    """What a source says."""

    issuer: str
    keys: Mapping[str, jwt.PyJWK]


class KeySource(Protocol):
    """Where the keys come from."""

    async def load(self) -> KeySet:
        """Read them. Raises OSError or ValueError; the text says what to do."""


class ClusterKeys:
    """The API server's own: every ServiceAccount may read them (`system:service-account-issuer-discovery`)."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    async def load(self) -> KeySet:
        """Two requests."""
        try:
            about = await self._client.get(CONFIGURATION)
            found = await self._client.get(JWKS, accept=KEY_SET)
        except KubeError as error:
            raise OSError(f"the API server doesn't say which keys it signs tokens with: {error}") from error
        return KeySet(str(about.get("issuer", "")), keys_in(found))


class FileKeys:
    """A file that is mounted, for a service that doesn't reach the issuer. Read again as others are."""

    def __init__(self, path: Path, issuer: str, algorithms: Collection[str] = ALGORITHMS) -> None:
        self._path, self._issuer, self._algorithms = path, issuer, algorithms

    async def load(self) -> KeySet:
        """Read the file."""
        return KeySet(self._issuer, keys_in(json.loads(self._path.read_bytes()), self._algorithms))


def keys_in(document: Any, algorithms: Collection[str] = ALGORITHMS) -> dict[str, jwt.PyJWK]:
    """The keys of a set by their names; those that sign by other algorithms, or don't sign, are left out.

    Raises:
        ValueError: there is none.
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    found: dict[str, jwt.PyJWK] = {}
    for each in listed if isinstance(listed, list) else ():
        try:
            key = jwt.PyJWK(each)
        except (jwt.PyJWTError, AttributeError, TypeError, ValueError):
            continue
        if key.key_id and key.algorithm_name in algorithms and key.public_key_use in {None, "sig"}:
            found[key.key_id] = key
    if not found:
        raise ValueError(f"no key in it signs by {', '.join(algorithms)}: it has to be a JSON Web Key Set")
    return found


class Keys:
    """The keys as they were last read. Usable inside one event loop.

    A source that fails changes nothing: the last good keys are kept.
    """

    def __init__(self, source: KeySource, *, fresh: float = math.inf) -> None:
        """`fresh`: seconds after which they are read again beside a look, so that a key that was withdrawn is gone."""
        self._source, self._fresh = source, fresh
        self._again: asyncio.Task[None] | None = None
        self._set: KeySet | None = None
        self._asked_at = float("-inf")
        self._reading = asyncio.Lock()
        self.trouble = "the keys of their issuer have not been read yet"
        """Why the last reading failed; empty if it didn't."""

    @property
    def are_known(self) -> bool:
        """Whether they were ever read."""
        return self._set is not None

    async def find(self, key_id: str) -> tuple[str, jwt.PyJWK] | None:
        """The issuer and its key of that name, read again if it isn't known, but not more often than `AGAIN`."""
        if self._set is None or key_id not in self._set.keys:
            await self.read()
        elif time.monotonic() - self._asked_at > self._fresh and (self._again is None or self._again.done()):
            self._again = asyncio.create_task(self.read())
        if self._set is None or key_id not in self._set.keys:
            return None
        return self._set.issuer, self._set.keys[key_id]

    async def read(self) -> None:
        """Read them, unless that was tried just before (`AGAIN`); whoever comes meanwhile waits for it."""
        async with self._reading:
            if time.monotonic() - self._asked_at < (AGAIN if self.are_known else FIRST):
                return
            self._asked_at = time.monotonic()
            try:
                self._set = await self._source.load()
                self.trouble = ""
            except (OSError, ValueError) as error:
                self.trouble = str(error)[:300]
                log.warning("the keys for callers' tokens can't be read, the last ones are kept: %s", self.trouble)
