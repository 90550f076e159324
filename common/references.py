"""What orders only refer to (addresses, contacts): personal data that one service owns, under a reference.

A registered entry stays until somebody changes it. An entry that came along with one order is created only, never
overwritten, and expires after 30 days unless the order has used it by then: an order that was never placed leaves no
personal data behind. MongoDB's TTL index on `expires_at` removes it. Nothing of an entry is ever logged.
"""

from datetime import timedelta
from typing import Generic, TypeVar

from pydantic import BaseModel

from common.errors import NotFound, Problem
from common.mongo import Database, Document, DuplicateKeyError, Index
from common.wire import utcnow

Kept = TypeVar("Kept", bound=BaseModel)

UNUSED_FOR = timedelta(days=30)
"""How long an entry of an order waits to be used: the longest deadline that a saga can have."""


def expiry_index(collection: str) -> Index:
    """The index that `References` need: it removes what has expired."""
    return Index.on(collection, "expires_at", expireAfterSeconds=0)


class References(Generic[Kept]):
    """The entries of one collection (`_id` = reference).

    `model` is an entry on the wire: the content, and the reference in its field `key`. `noun` names an entry in
    messages, `exists` is the code of the 412.
    """

    def __init__(
        self, database: Database, collection: str, model: type[Kept], *, noun: str, key: str, exists: str
    ) -> None:
        self._entries = database[collection]
        self._model = model
        self._noun = noun
        self._key = key
        self._exists = exists

    async def find(self, reference: str) -> Kept | None:
        """One entry, or None."""
        found = await self._entries.find_one({"_id": reference})
        return None if found is None else self._entry(found)

    async def get(self, reference: str) -> Kept:
        """One entry; raises NotFound."""
        if (found := await self.find(reference)) is None:
            raise NotFound(f"there is no {self._noun} {reference}: store it with PUT on the same path")
        return found

    async def put(self, reference: str, content: BaseModel) -> tuple[Kept, bool]:
        """Create or overwrite an entry, and whether it is new. It doesn't expire, even if it would have before."""
        new = await self._entries.find_one({"_id": reference}) is None
        stored = await self._entries.find_and_update(
            {"_id": reference}, {"$set": self._fields(reference, content), "$unset": {"expires_at": ""}}, upsert=True
        )
        assert stored is not None, "an upsert returns its document"  # noqa: S101
        return self._entry(stored), new

    async def create(self, reference: str, content: BaseModel) -> tuple[Kept, bool]:
        """Create an entry that expires unless it is used, and whether it is new. Equal content may be there already:
        its 30 days begin again then, so that it can't expire between this answer and its use.

        Raises:
            Problem: 412, the entry exists with other content.
        """
        expiry = utcnow() + UNUSED_FOR
        try:
            document = {"_id": reference, **self._fields(reference, content), "expires_at": expiry}
            await self._entries.insert(document)
            return self._entry(document), True
        except DuplicateKeyError:
            same = {"_id": reference, **content.model_dump(), "expires_at": {"$exists": True}}
            await self._entries.update(same, {"$set": {"expires_at": expiry}})
        stored = await self._entries.find_one({"_id": reference})
        if stored is None:  # it expired just before its 30 days began again
            return await self.create(reference, content)
        if any(stored[name] != value for name, value in content.model_dump().items()):
            raise Problem(
                f"{self._noun} {reference} exists with other content, and If-None-Match: * only creates; "
                "use another reference, or overwrite it by a PUT without that header",
                status=412,
                code=self._exists,
            )
        return self._entry(stored), False

    async def use(self, reference: str) -> Kept | None:
        """The entry, which is kept from now on, or None if there is none, or none any more."""
        found = await self._entries.find_one({"_id": reference})
        if found is not None and "expires_at" in found:
            found = await self._entries.find_and_update({"_id": reference}, {"$unset": {"expires_at": ""}})
        return None if found is None else self._entry(found)

    def _fields(self, reference: str, content: BaseModel) -> Document:
        return {self._key: reference, **content.model_dump()}

    def _entry(self, document: Document) -> Kept:
        return self._model.model_validate({**document, self._key: document["_id"]})
