"""The stories of ended sagas, as the operator has told them: the collection `sagas` (`_id` = the resource's uid)."""

from collections.abc import Mapping, Sequence
from typing import Any

from common.barrier import Document
from common.mongo import Database, Index

STORIES = "sagas"
INDEXES = (Index.on(STORIES, "order_id", "created_at"),)

LOOKED_AT = 50
"""Stories of one order of which the right one is chosen; a specification has up to 15 KB."""


class Stories:
    """Of every order that has had a saga: one for each resource."""

    def __init__(self, database: Database) -> None:
        self._stories = database[STORIES]

    async def keep(self, uid: str, story: Mapping[str, Any]) -> None:
        """Keep a story. One that is known already gets these fields."""
        await self._stories.update({"_id": uid}, {"$set": story}, upsert=True)

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

    async def whole(self, uid: str) -> Document | None:
        """The story of this resource, all of it."""
        return await self._stories.find_one({"_id": uid})
