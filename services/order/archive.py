"""Sagas whose resource is gone: the operator archives each one before it removes the resource."""

from typing import Annotated

from pydantic import BaseModel, Field

from common.errors import NotFound
from common.wire import Body, Json, OrderId, StorableJson, Timestamp, utcnow
from services.order.saga_resource import content_of_spec, ended, is_of
from services.order.sagas import Sagas
from services.order.store import Orders
from services.order.stories import Stories

Part = Annotated[StorableJson, Field(description="The same as in the resource.")]


class ArchiveRequest(Body):
    """A finished saga. A resource that was created again under the same name has another uid, and its own archive."""

    namespace: str = Field(min_length=1, max_length=63, examples=["shop"])
    uid: str = Field(min_length=1, max_length=64, examples=["6b45f919-102d-4c62-af14-399e0a698fcc"])
    created_at: Timestamp
    spec: Part
    status: Part


class KeptSaga(BaseModel):
    """What was archived, without repeating it."""

    order_id: OrderId
    uid: str
    archived_at: Timestamp


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
    """The stories, behind the resources that still exist."""

    def __init__(self, stories: Stories, orders: Orders, sagas: Sagas) -> None:
        self._stories = stories
        self._orders = orders
        self._sagas = sagas

    async def keep(self, order_id: str, saga: ArchiveRequest) -> KeptSaga:
        """Archive a saga. Archiving the same one again changes nothing but `archived_at`.

        Its order needs no resource from now on, if this is its own saga and has come to the end that the order shows.
        """
        kept = KeptSaga(order_id=order_id, uid=saga.uid, archived_at=utcnow())
        fields = {"order_id": order_id, "archived_at": kept.archived_at, **saga.model_dump()}
        await self._stories.keep(saga.uid, fields)
        content = content_of_spec(saga.spec)
        phase = str(saga.status.get("phase"))
        if content is None or not await self._orders.note_usual_end(order_id, saga.namespace, content, phase):
            document = await self._orders.document(order_id)
            if document is not None and ended(document, saga.namespace, saga.spec, saga.status):
                await self._orders.note_end_of_saga(order_id)
        return kept

    async def get(self, order_id: str) -> ArchivedSaga:
        """An order's saga: the latest one with the order's content, otherwise the latest of all.

        A later resource with other content was refused (`order_id_used`): it isn't this order's.

        Raises:
            NotFound, Unavailable (the API server doesn't answer).
        """
        resource = await self._sagas.find(order_id)
        document = await self._orders.document(order_id)
        if resource is not None and is_of(document, resource["spec"]):
            return _live(resource)
        archived = await self._stories.of(order_id)
        fitting = next((saga["_id"] for saga in archived if is_of(document, saga["spec"])), None)
        if fitting is None and resource is not None:
            return _live(resource)
        if fitting is None and not archived:
            raise NotFound(
                f"order {order_id} has no saga, neither as a resource nor in the archive: check the id",
                order_id=order_id,
            )
        return ArchivedSaga.model_validate(await self._stories.whole(fitting or archived[0]["_id"]))


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
