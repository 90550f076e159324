"""The API keys in the database, and who their bearers are.

A key that was looked up is good for `GOOD` seconds, and is looked up again beside a call when half of them have passed.
So no call of a client that keeps calling waits for the database, and a revoked key is refused `GOOD` seconds later at
the latest.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from pymongo.errors import PyMongoError

from common.identity.authenticator import NotDecided
from common.identity.callers import Caller, Role
from common.identity.tokens import NotAuthentic
from common.mongo import Database, Index
from common.wire import utcnow
from services.order.door.api_keys import ApiKey, digest_of, document_of, is_key, key_of, made

log = logging.getLogger("ordersaga.door")

COLLECTION: Final = "api_keys"
INDEXES: Final = (Index.on(COLLECTION, "digest", unique=True),)
GOOD: Final = 10.0
"""Seconds for which a look into the database counts."""
AGAIN: Final = 5.0
"""Seconds after which it is repeated beside a call."""
KNOWN: Final = 10_000
"""Keys that are remembered; some 600 bytes each."""


class ApiKeys:
    """The collection `api_keys`."""

    def __init__(self, database: Database) -> None:
        self._keys = database[COLLECTION]

    async def make(self, role: Role, client: str, lasts: timedelta | None = None) -> tuple[str, ApiKey]:
        """A new key, which nobody can read again, and what is kept of it."""
        secret, key = made(role, client, now=utcnow(), lasts=lasts)
        await self._keys.insert(document_of(key, digest_of(secret)))
        return secret, key

    async def find(self, digest: str) -> ApiKey | None:
        """The key of this hash."""
        found = await self._keys.find_one({"digest": digest})
        return None if found is None else key_of(found)

    async def listed(self) -> list[ApiKey]:
        """All of them, also those that are good no more, the oldest first."""
        return [key_of(each) for each in await self._keys.find({}, sort="made_at")]

    async def revoke(self, key_id: str) -> ApiKey | None:
        """From now on it is good no more; None if there is no such key. Revoking it again changes nothing."""
        await self._keys.update({"_id": key_id, "revoked_at": None}, {"$set": {"revoked_at": utcnow()}})
        found = await self._keys.find_one({"_id": key_id})
        return None if found is None else key_of(found)


@dataclass(slots=True)
class _Known:
    key: ApiKey
    caller: Caller
    looked_at: float
    looking: "asyncio.Task[None] | None" = field(default=None, repr=False)


class Keyring:
    """Who the bearers of API keys are. Usable inside one event loop."""

    def __init__(self, keys: ApiKeys, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys, self._clock = keys, clock
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def known(self, digest: str) -> Caller | None:
        """Whose key this is, if that was looked up a moment ago and it is good."""
        known = self._known.get(digest)
        if known is None:
            return None
        age = self._clock() - known.looked_at
        if age > GOOD or known.key.why_not(utcnow()) is not None:
            return None
        if age > AGAIN and known.looking is None:
            known.looking = asyncio.create_task(self._look_again(digest, known))
        return known.caller

    def seen(self, digest: str) -> bool:
        """Whether this key was good when it was last looked up."""
        known = self._known.get(digest)
        return known is not None and known.key.why_not(utcnow()) is None

    async def identify(self, secret: str, digest: str) -> Caller:
        """Whose key this is. Raises NotAuthentic, NotDecided."""
        if not is_key(secret):
            raise NotAuthentic("it is no API key")
        began = self._clock()
        try:
            key = await self._keys.find(digest)
        except PyMongoError as error:
            raise NotDecided("API keys can't be looked up now: try again", retry_after=2) from error
        if key is None:
            self._known.pop(digest, None)
            raise NotAuthentic("there is no such API key")
        self._keep(digest, key, began)
        if why := key.why_not(utcnow()):
            raise NotAuthentic(why)
        return key.caller

    def _keep(self, digest: str, key: ApiKey, looked_at: float) -> None:
        self._known[digest] = _Known(key, key.caller, looked_at)
        self._known.move_to_end(digest)
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)

    async def _look_again(self, digest: str, known: _Known) -> None:
        began = self._clock()
        try:
            key = await self._keys.find(digest)
            if key is None:
                self._known.pop(digest, None)
            else:
                known.key, known.looked_at = key, began
        except PyMongoError as error:
            log.warning("an API key can't be looked up now: %s", str(error)[:200])
        finally:
            known.looking = None
