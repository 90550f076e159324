"""The addresses: personal data that lives in this database only and is never logged.

A registered address stays until somebody changes it. An address that came along with one order is created only, never
overwritten, and expires 30 days later unless a shipment has used it by then: an order that was never placed leaves no
personal data behind. MongoDB's TTL index on `expires_at` removes it.
"""

from datetime import timedelta

from common.errors import Problem
from common.mongo import Collection, Database, Document, DuplicateKeyError, Index
from common.wire import utcnow
from services.shipping.models import Address

ADDRESSES = "addresses"
INDEXES = (Index.on(ADDRESSES, "expires_at", expireAfterSeconds=0),)

UNUSED_FOR = timedelta(days=30)
"""How long an address of an order waits for its shipment: the longest that an order may stay unfinished, and more."""


class AddressExists(Problem):
    """412: created only, and there is another one under this reference."""

    status = 412
    code = "address_exists"


class Addresses:
    """Addresses by their reference."""

    def __init__(self, database: Database) -> None:
        self._addresses: Collection = database[ADDRESSES]

    async def get(self, address_ref: str) -> Document | None:
        """One address, or None."""
        return await self._addresses.find_one({"_id": address_ref})

    async def put(self, address_ref: str, address: Address) -> Document:
        """Create or overwrite a registered address; it doesn't expire, also if it would have."""
        fields = {"address_ref": address_ref, **address.model_dump()}
        stored = await self._addresses.find_and_update(
            {"_id": address_ref}, {"$set": fields, "$unset": {"expires_at": ""}}, upsert=True
        )
        assert stored is not None, "an upsert returns its document"  # noqa: S101
        return stored

    async def create(self, address_ref: str, address: Address) -> Document:
        """Create an address that expires unless it is used. One with equal content may be there already.

        Raises AddressExists if the content differs.
        """
        fields = {"address_ref": address_ref, **address.model_dump()}
        expiry = utcnow() + UNUSED_FOR
        try:
            await self._addresses.insert({"_id": address_ref, **fields, "expires_at": expiry})
        except DuplicateKeyError:
            # Asked for again: its 30 days begin again, so that it can't expire between this answer and its use.
            await self._addresses.update(
                {"_id": address_ref, **fields, "expires_at": {"$exists": True}}, {"$set": {"expires_at": expiry}}
            )
        stored = await self.get(address_ref)
        if stored is None:  # expired just before its days began again
            return await self.create(address_ref, address)
        if any(stored[name] != value for name, value in fields.items()):
            raise AddressExists(
                f"address {address_ref} exists with other content, and If-None-Match: * only creates; "
                "use another reference, or overwrite it by a PUT without that header"
            )
        return stored

    async def use(self, address_ref: str) -> bool:
        """A shipment uses the address, so it stays from now on; False if it has expired."""
        return await self._addresses.update({"_id": address_ref}, {"$unset": {"expires_at": ""}})
