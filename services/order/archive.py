"""Sagas whose resource is gone: the operator archives each one before it removes the resource."""

from typing import Annotated

from pydantic import BaseModel, Field

from common.barrier import Document
from common.errors import NotFound
from common.mongo import Database, Index
from common.shop import order_spec
from common.wire import Body, Json, OrderId, StorableJson, Timestamp, utcnow
from services.order.matrix import same_content
from services.order.models import Content
from services.order.sagas import Sagas
from services.order.store import Orders

ARCHIVE = "sagas"
INDEXES = (Index.on(ARCHIVE, "order_id", "created_at"),)

LOOKED_AT = 50
"""Sagas of one order of which the right one is chosen; a specification has up to 15 KB."""

Part = Annotated[StorableJson, Field(description="The same as in the resource.")]


class ArchiveRequest(Body):
    """A finished saga. A resource that was created again under the same name has another uid, and its own archive."""

    namespace: str = Field(min_length=1, max_length=63, examples=["shop"])
    uid: str = Field(min_length=1, max_length=64, examples=["6b45f919-102d-4c62-af14-399e0a698fcc"])
    created_at: Timestamp
    spec: Part
    status: Part


class ArchivedSaga(BaseModel):
    """An order's whole saga: specification, steps, attempts and conditions."""

    order_id: OrderId
    namespace: str
    uid: str
    created_at: Timestamp
    archived_at: Timestamp | None = Field(description="When the saga was archived; null while its resource exists.")
    spec: Part
    status: Part


class Archive:
    """The collection `sagas` (`_id` = the resource's uid), behind the resources that still exist."""

    def __init__(self, database: Database, orders: Orders, sagas: Sagas) -> None:
        self._archived = database[ARCHIVE]
        self._orders = orders
        self._sagas = sagas

    async def keep(self, order_id: str, saga: ArchiveRequest) -> ArchivedSaga:
        """Archive a saga. Archiving the same one again changes nothing but `archived_at`."""
        fields = {"order_id": order_id, "archived_at": utcnow(), **saga.model_dump()}
        kept = await self._archived.find_and_update({"_id": saga.uid}, {"$set": fields}, upsert=True)
        return ArchivedSaga.model_validate(kept)

    async def get(self, order_id: str) -> ArchivedSaga:
        """An order's saga: the latest one with the order's content, otherwise the latest of all.

        A later resource with other content was refused (`order_id_used`): it isn't this order's.

        Raises:
            NotFound, Unavailable (the API server doesn't answer).
        """
        resource = await self._sagas.find(order_id)
        document = await self._orders.document(order_id)
        if resource is not None and _is_of(document, resource["spec"]):
            return _live(resource)
        archived = await self._archived.aggregate(
            [
                {"$match": {"order_id": order_id}},
                {"$sort": {"created_at": -1}},
                {"$limit": LOOKED_AT},
                {"$project": {"spec": 1}},
            ]
        )
        fitting = next((saga["_id"] for saga in archived if _is_of(document, saga["spec"])), None)
        if fitting is None and resource is not None:
            return _live(resource)
        if fitting is None and not archived:
            raise NotFound(
                f"order {order_id} has no saga, neither as a resource nor in the archive: check the id",
                order_id=order_id,
            )
        return ArchivedSaga.model_validate(await self._archived.find_one({"_id": fitting or archived[0]["_id"]}))


def _is_of(document: Document | None, spec: Json) -> bool:
    """Whether a saga with this spec is the order's. Without an order every saga of its id is."""
    try:
        return same_content(document or {}, Content.model_validate(order_spec.content_of(spec)))
    except (KeyError, TypeError, ValueError):  # archived by whoever calls that route
        return False


def _live(resource: Json) -> ArchivedSaga:
    metadata = resource["metadata"]
    return ArchivedSaga(
        order_id=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        created_at=metadata["creationTimestamp"],
        archived_at=None,
        spec=resource["spec"],
        status=resource.get("status") or {},
    )
