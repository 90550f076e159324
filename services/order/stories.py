"""The stories of ended sagas, as the operator has told them: the collection `sagas` (`_id` = the resource's uid)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from common.barrier import Document
from common.mongo import Database, Index
from common.shop.erasure import references_in, without
from common.web.pagination import Paging, page
from common.wire import Page

T = TypeVar("T")

STORIES = "sagas"
INDEXES = (
    Index.on(STORIES, "order_id", "created_at"),
    Index.on(STORIES, "spec.customerID"),
    Index.on(STORIES, "created_at"),
    Index.on(STORIES, "alone_since", partialFilterExpression={"alone_since": {"$exists": True}}),
)

LOOKED_AT = 50
"""Stories of one order of which the right one is chosen; a specification has up to 15 KB."""


class Stories:
    """Of every order that has had a saga: one for each resource."""

    def __init__(self, database: Database) -> None:
        self._stories = database[STORIES]

    async def keep(self, uid: str, story: Mapping[str, Any]) -> None:
        """Keep a story. One that is known already gets these fields, and isn't erased any more."""
        await self._stories.update({"_id": uid}, {"$set": story, "$unset": {"erased": ""}}, upsert=True)

    async def note_alone(self, uid: str, since: datetime) -> None:
        """This story is of no order that there is: nothing but its own age says when it is erased."""
        await self._stories.update({"_id": uid, "erased": None}, {"$set": {"alone_since": since}})

    async def alone_before(self, moment: datetime, limit: int) -> Sequence[str]:
        """The stories that have been alone since before that moment, the first ones of them, by `_id`."""
        where = {"alone_since": {"$lte": moment}}
        found = await self._stories.find(where, sort="alone_since", limit=limit, fields=["_id"])
        return [story["_id"] for story in found]

    async def of(self, order_id: str) -> Sequence[Document]:
        """An order's latest stories, the last one first: `_id`, namespace, spec, and of the status its phase."""
        return await self._stories.aggregate(
            [
                {"$match": {"order_id": order_id}},
                {"$sort": {"created_at": -1}},
                {"$limit": LOOKED_AT},
                {"$project": {"namespace": 1, "spec": 1, "status.phase": 1}},
            ]
        )

    async def not_erased(self, customer_id: str, limit: int) -> Sequence[Document]:
        """A customer's stories that still have their references: `_id`, order_id, spec."""
        where = {"spec.customerID": customer_id, "erased": {"$ne": True}}
        return await self._stories.find(where, limit=limit, fields=["order_id", "spec"])

    async def erase(self, uid: str) -> None:
        """Replace the references in a story."""
        if (story := await self.whole(uid)) is None or story.get("erased"):
            return
        content = story["spec"]
        names = ("payment.methodRef", "shipTo.addressRef", "notify.contactRef")
        found = references_in({**content, "customer_id": content.get("customerID")}, names).values()
        parts = {part: without(story[part], found) for part in ("spec", "status") if part in story}
        erased = {"$set": {**parts, "erased": True}, "$unset": {"alone_since": ""}}
        await self._stories.update({"_id": uid}, erased)

    async def list(
        self,
        paging: Paging,
        make: Callable[[Document], T],
        *,
        customer_id: str | None,
        phase: str | None,
        reason: str | None,
        since: datetime | None,
        until: datetime | None,
    ) -> Page[T]:
        """Those that match, by the time at which they were created: at `since` or later, before `until`."""
        created = {"$gte": since, "$lt": until}
        where = {
            "spec.customerID": customer_id,
            "status.phase": phase,
            "status.failure.reason": reason,
            "created_at": {name: moment for name, moment in created.items() if moment is not None} or None,
        }
        return await page(self._stories, where, paging, make, sort="created_at")

    async def whole(self, uid: str) -> Document | None:
        """The story of this resource, all of it."""
        return await self._stories.find_one({"_id": uid})
