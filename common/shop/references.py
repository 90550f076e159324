"""What orders only refer to (addresses, contacts): personal data that one service owns, under a reference.

A registered entry stays until somebody changes or deletes it. An entry that came along with one order
(`{order_id}-{12 hex digits}`) is created only, never overwritten, and expires after 30 days unless the order has used
it by then; when the order is rolled back, the 30 days begin again. So neither an order that was never placed nor one
that was rolled back leaves personal data behind.

An entry may have an owner, a customer: whoever stores it says so, and for what comes along with an order the order
service does. To the orders of others it is as one that doesn't exist.

What has expired is deleted here and not by a TTL index, since only the order service knows whether the order is over:
one that was suspended for two months still needs its address. Nothing of an entry is ever logged.
"""

import asyncio
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from pydantic import BaseModel

from common.background import Rounds
from common.errors import NotFound, Problem, Refused, Unavailable
from common.mongo import Database, Document, DuplicateKeyError, Index, PyMongoError
from common.shop.erasure import Erase
from common.shop.orders import OVER, UNDECIDED, Orders

Kept = TypeVar("Kept", bound=BaseModel)

log = logging.getLogger("ordersaga.references")

UNUSED_FOR = timedelta(days=30)
"""How long an entry of an order waits to be used: the longest deadline that a saga can have."""

STILL_NEEDED_FOR = timedelta(days=1)
"""After this an entry that has expired while its order isn't over is looked at again."""

NOT_KNOWN_FOR = timedelta(hours=1)
"""The same, if the order service doesn't say how the order is."""

SWEEP_SECONDS = 60.0
"""Pause between two looks for what has expired; MongoDB's own TTL monitor has the same."""

TELLS_FOR = NOT_KNOWN_FOR.total_seconds() + 2 * SWEEP_SECONDS
"""Seconds for which a look at nothing says nothing: what could not be decided isn't due again before."""

SWEPT_AT_ONCE = 100
"""How many expired entries are read at a time."""

_CAME_WITH = re.compile(r"(?P<order_id>[a-z0-9][-a-z0-9]{0,62})-[0-9a-f]{12}")
_FORMER_INDEX = "expires_at_1"
"""A TTL index of earlier releases, which deleted entries of orders that were suspended."""


OWNER = "customer_id"
"""The field of an entry that says whose it is; without it, every order may name it."""


def _owned_by(owner: str | None) -> Document:
    return {} if owner is None else {OWNER: owner}


def _open_to(customer_id: str | None, reference: str) -> Document:
    """A filter for the entry, if it is this customer's or nobody's."""
    return {"_id": reference, OWNER: {"$in": [None, customer_id]}}


def expiry_index(collection: str) -> Index:
    """The index that `References` need to find what has expired."""
    return Index.on(collection, "expires_at", "_id")


def order_of(reference: str) -> str | None:
    """The order with which an entry came along; None for a registered one."""
    match = _CAME_WITH.fullmatch(reference)
    return match["order_id"] if match else None


@dataclass(frozen=True, slots=True)
class UsedBy:
    """Who uses entries: documents of `collection` that name one, as long as they have one of the `live` statuses."""

    collection: str
    live: Sequence[str]


class References(Generic[Kept]):
    """The entries of one collection (`_id` = reference).

    `model` is an entry on the wire: the content, and the reference in its field `key`. `noun` names an entry in
    messages, `exists` is the code of the 412.
    """

    def __init__(
        self,
        database: Database,
        collection: str,
        model: type[Kept],
        *,
        orders: Orders,
        used_by: UsedBy,
        noun: str,
        key: str,
        exists: str,
    ) -> None:
        self._entries = database[collection]
        self._users = database[used_by.collection]
        self._live = {"status": {"$in": list(used_by.live)}}
        self._orders = orders
        self._now = database.now
        self._model = model
        self._noun = noun
        self._key = key
        self._exists = exists

    async def find(self, reference: str) -> Kept | None:
        """One entry, or None."""
        found = await self._entries.find_one({"_id": reference})
        return None if found is None else self._entry(found)

    async def look(self, reference: str, customer_id: str) -> tuple[Kept | None, bool]:
        """One entry that this customer may name, or None; and whether it stays without being used (`use`): a registered
        one does.
        """
        found = await self._entries.find_one(_open_to(customer_id, reference))
        return (None, False) if found is None else (self._entry(found), "expires_at" not in found)

    async def get(self, reference: str) -> Kept:
        """One entry; raises NotFound."""
        if (found := await self.find(reference)) is None:
            raise NotFound(f"there is no {self._noun} {reference}: store it with PUT on the same path")
        return found

    async def put(self, reference: str, content: BaseModel, owner: str | None = None) -> tuple[Kept, bool]:
        """Create or overwrite an entry, and whether it is new. It doesn't expire, even if it would have before.

        Without an `owner` it keeps the one that it has.
        """
        new = await self._entries.find_one({"_id": reference}) is None
        fields = self._fields(reference, content) | _owned_by(owner)
        stored = await self._entries.find_and_update(
            {"_id": reference}, {"$set": fields, "$unset": {"expires_at": ""}}, upsert=True
        )
        assert stored is not None, "an upsert returns its document"  # noqa: S101
        return self._entry(stored), new

    async def create(self, reference: str, content: BaseModel, owner: str | None = None) -> tuple[Kept, bool]:
        """Create an entry that expires unless it is used, and whether it is new. Equal content may be there already:
        its 30 days begin again then, so that it can't expire between this answer and its use.

        Raises:
            Problem: 412, the entry exists with other content, or is another customer's.
        """
        expiry = self._now() + UNUSED_FOR
        owned = _owned_by(owner)
        try:
            document = {"_id": reference, **self._fields(reference, content), **owned, "expires_at": expiry}
            await self._entries.insert(document)
            return self._entry(document), True
        except DuplicateKeyError:
            # One that an earlier release has stored has no owner yet.
            same = {**_open_to(owner, reference), **content.model_dump(), "expires_at": {"$exists": True}}
            await self._entries.update(same, {"$set": {"expires_at": expiry, **owned}})
        stored = await self._entries.find_one({"_id": reference})
        if stored is None:  # it expired just before its 30 days began again
            return await self.create(reference, content, owner)
        is_anothers = owner is not None and stored.get(OWNER) not in (None, owner)
        if is_anothers or any(stored.get(name) != value for name, value in content.model_dump().items()):
            raise Problem(
                f"{self._noun} {reference} exists with other content, and If-None-Match: * only creates; "
                "use another reference, or overwrite it by a PUT without that header",
                status=412,
                code=self._exists,
            )
        return self._entry(stored), False

    async def use(self, reference: str, customer_id: str) -> Kept | None:
        """The entry, which is kept from now on, or None if there is none for this customer, or none any more."""
        found = await self._entries.find_one(_open_to(customer_id, reference))
        if found is not None and "expires_at" in found:
            found = await self._entries.find_and_update({"_id": reference}, {"$unset": {"expires_at": ""}})
        return None if found is None else self._entry(found)

    async def give_back(self, reference: str, order_id: str) -> None:
        """The order was rolled back: if the entry came along with it, it expires again in 30 days."""
        if order_of(reference) == order_id:
            await self._entries.update({"_id": reference}, {"$set": {"expires_at": self._now() + UNUSED_FOR}})

    async def delete(self, reference: str) -> None:
        """Delete an entry.

        Raises:
            NotFound, Refused (`in_use`: an order that isn't over needs it), Unavailable.
        """
        await self.get(reference)
        order_id = order_of(reference)
        waits = order_id is not None and await self._orders.status_of(order_id) in UNDECIDED
        if waits or await self._is_used(reference):
            raise Refused(
                "in_use",
                f"{self._noun} {reference} is needed by an order that isn't over: cancel the order, or wait until it "
                "is delivered, then repeat this",
            )
        await self._entries.delete({"_id": reference})

    async def erase(self, request: Erase) -> int:
        """Delete these entries of finished orders, unless they are somebody else's, or somebody else's order has used
        them, or an order that isn't finished does; how many were deleted.
        """
        erased = 0
        for reference in request.references:
            users = {self._key: reference, "order_id": {"$nin": request.order_ids}}
            shared = {**users, "customer_id": {"$ne": request.customer_id}}
            if not any([await self._users.find_one(each) for each in (shared, {**users, **self._live})]):
                erased += await self._entries.delete(_open_to(request.customer_id, reference))
        return erased

    async def keep_clean(self, rounds: Rounds) -> None:
        """Delete what has expired until cancelled."""
        only_the_database = False
        while True:
            try:
                await self._entries.drop_index(_FORMER_INDEX)
                if not await self.delete_expired(rounds) and only_the_database:
                    rounds.done()
                only_the_database = False
            except PyMongoError as error:
                log.warning("can't read what has expired: %s", type(error).__name__)
                only_the_database = only_the_database or rounds.state != "failing"
                rounds.failed(f"the database: {type(error).__name__}")
            await asyncio.sleep(SWEEP_SECONDS)

    async def delete_expired(self, rounds: Rounds | None = None) -> int:
        """Delete what has expired, unless its order isn't over: that is looked at again later. Of how many entries it
        isn't known whether they are needed.
        """
        rounds = rounds or Rounds()
        decided, undecided = 0, 0
        while due := await self._entries.find(
            {"expires_at": {"$lte": self._now()}}, sort="expires_at", limit=SWEPT_AT_ONCE, fields=["expires_at"]
        ):
            for entry in due:
                rounds.going_on()
                # Whoever uses the entry, or makes its 30 days begin again, has changed `expires_at`, and wins.
                where = {"_id": entry["_id"], "expires_at": entry["expires_at"]}
                try:
                    needed_for = await self._needed_for(entry["_id"])
                except PyMongoError:
                    raise
                except Exception as error:  # whatever ails one entry is no reason to look at no others
                    log.error("can't tell whether an expired entry is still needed: %s", type(error).__name__)
                    needed_for = NOT_KNOWN_FOR
                undecided += needed_for is NOT_KNOWN_FOR
                decided += needed_for is not NOT_KNOWN_FOR
                if needed_for is None:
                    await self._entries.delete(where)
                else:
                    await self._entries.update(where, {"$set": {"expires_at": self._now() + needed_for}})
        if undecided:
            rounds.failed(
                f"it isn't known whether {undecided} expired entries are still needed: is the order service up?"
            )
        elif decided or rounds.since_failure > TELLS_FOR:
            rounds.done()
        else:
            rounds.going_on()
        return undecided

    async def _needed_for(self, reference: str) -> timedelta | None:
        """How long an expired entry stays; None if nobody needs it any more."""
        order_id = order_of(reference)
        try:
            status = None if order_id is None else await self._orders.status_of(order_id)
        except Unavailable:
            return NOT_KNOWN_FOR
        if (status is not None and status not in OVER) or await self._is_used(reference):
            return STILL_NEEDED_FOR
        return None

    async def _is_used(self, reference: str) -> bool:
        return await self._users.find_one({self._key: reference, **self._live}) is not None

    def _fields(self, reference: str, content: BaseModel) -> Document:
        return {self._key: reference, **content.model_dump()}

    def _entry(self, document: Document) -> Kept:
        return self._model.model_validate({**document, self._key: document["_id"]})
