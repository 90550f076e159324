"""Contacts: who is told. This service owns them; orders carry references."""

from datetime import timedelta
from typing import Any

from common.errors import NotFound, Problem
from common.mongo import Database, DuplicateKeyError, Index
from common.wire import utcnow
from services.notification.models import Contact, ContactBody

KEPT_UNUSED = timedelta(days=30)
"""How long a contact that came with an order is kept before the order uses it: the longest deadline a saga can have."""

INDEXES = (Index.on("contacts", "expires_at", expireAfterSeconds=0),)


class Contacts:
    """The collection `contacts` (`_id` = contact_ref). A contact with `expires_at` goes then, unless it is used."""

    def __init__(self, database: Database) -> None:
        self._contacts = database["contacts"]

    async def get(self, contact_ref: str) -> Contact:
        """One contact; raises NotFound."""
        found = await self._contacts.find_one({"_id": contact_ref})
        if found is None:
            raise NotFound(f"there is no contact {contact_ref}; PUT it first")
        return Contact(contact_ref=contact_ref, email=found["email"])

    async def put(self, contact_ref: str, body: ContactBody) -> tuple[Contact, bool]:
        """Create or replace a contact of a customer, which is kept; whether it is new."""
        change: dict[str, Any] = {"$set": body.model_dump(), "$unset": {"expires_at": ""}}
        new = await self._contacts.find_one({"_id": contact_ref}) is None
        await self._contacts.update({"_id": contact_ref}, change, upsert=True)
        return Contact(contact_ref=contact_ref, **body.model_dump()), new

    async def create(self, contact_ref: str, body: ContactBody) -> tuple[Contact, bool]:
        """Create a contact that came with an order: never overwritten, kept for 30 days unless it is used.

        Whether it is new; the same content again is fine and keeps it for 30 days from now. Raises Problem 412.
        """
        expires_at = utcnow() + KEPT_UNUSED
        contact = Contact(contact_ref=contact_ref, **body.model_dump())
        try:
            await self._contacts.insert({"_id": contact_ref, **body.model_dump(), "expires_at": expires_at})
        except DuplicateKeyError:
            same = {"_id": contact_ref, **body.model_dump()}
            await self._contacts.update({**same, "expires_at": {"$exists": True}}, {"$set": {"expires_at": expires_at}})
            if await self._contacts.find_one(same) is None:
                raise Problem(
                    f"contact {contact_ref} exists with other content, and If-None-Match: * never overwrites; "
                    "use another reference",
                    status=412,
                    code="exists",
                ) from None
            return contact, False
        return contact, True

    async def use(self, contact_ref: str) -> Contact | None:
        """The contact, which is kept from now on, or None if there is none (any more)."""
        found = await self._contacts.find_one({"_id": contact_ref})
        if found is not None and "expires_at" in found:
            found = await self._contacts.find_and_update({"_id": contact_ref}, {"$unset": {"expires_at": ""}})
        return None if found is None else Contact(contact_ref=contact_ref, email=found["email"])
